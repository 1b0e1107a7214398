package import Quantization

/// Slow and obvious: what every kernel must compute, bit for bit, one number at a time.
///
/// Nothing is shared with the kernels but the definitions of the formats.
package enum Reference {
  /// Lane i adds elements i, i + 16 …; then the lanes fold 16 → 8 → 4 → 2 → 1.
  private static func laneSum(_ values: [Float]) -> Float {
    var lanes = [Float](repeating: 0, count: 16)
    for (index, value) in values.enumerated() { lanes[index % 16] += value }
    for width in [8, 4, 2, 1] {
      for lane in 0..<width { lanes[lane] += lanes[lane + width] }
    }
    return lanes[0]
  }

  /// e^x: x = n ln 2 + r, a polynomial for e^r, then n doublings.
  package static func exponential(_ x: Float) -> Float {
    if x > 88.72283 { return .infinity }
    if x < -87.33 { return 0 }
    let n = Rounding.nearestEven(x * 1.44269504)
    let r = (x - n * 0.693359375) - n * -2.12194440e-4
    let coefficients: [Float] = [
      1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1, 5.0000001201e-1,
    ]
    var p: Float = 1.9875691500e-4
    for coefficient in coefficients { p = p * r + coefficient }
    p = p * (r * r) + r
    p = p + 1
    let power = Int(n)
    let half = power >> 1
    return p * Float(sign: .plus, exponent: half, significand: 1)
      * Float(sign: .plus, exponent: power - half, significand: 1)
  }

  /// x · sigmoid(x).
  package static func silu(_ x: Float) -> Float { x / (1 + exponential(-x)) }

  /// Divides by the root of the mean square, then weighs.
  package static func rmsNorm(_ x: [Float], weight: [Float], epsilon: Float) -> [Float] {
    let mean = laneSum(x.map { $0 * $0 }) / Float(x.count)
    let factor = 1 / (mean + epsilon).squareRoot()
    return zip(x, weight).map { ($0 * factor) * $1 }
  }

  /// An activation row: int8 in groups of 32, each with its scale and the sum of its quants.
  package struct Row: Equatable {
    /// The quants, padded with zeros to whole groups.
    package var quants: [Int]
    /// One for each group.
    package var scales: [Float]
    /// One for each group.
    package var sums: [Int]

    /// A row of whole groups; without any, one to append to.
    package init(quants: [Int] = [], scales: [Float] = [], sums: [Int] = []) {
      self.quants = quants
      self.scales = scales
      self.sums = sums
    }
  }

  /// An activation row of these numbers.
  package static func quantize(_ x: [Float]) -> Row {
    var row = Row()
    for start in stride(from: 0, to: x.count, by: 32) {
      let group = x[start..<min(start + 32, x.count)]
      let largest = group.map(\.magnitude).max() ?? 0
      let isZero = largest < 0x1p-100
      let quants = group.map { isZero ? 0 : Int(Rounding.nearestEven($0 * (127 / largest))) }
      row.scales.append(isZero ? 0 : largest / 127)
      row.sums.append(quants.reduce(0, +))
      row.quants += quants + [Int](repeating: 0, count: 32 - quants.count)
    }
    return row
  }

  /// One output of a matrix product.
  package static func product(
    _ weights: [QuantizedGroup], format: WeightFormat, x: Row
  ) -> Float {
    var acc: Float = 0
    for (group, values) in weights.enumerated() {
      var dot = 0
      for k in 0..<32 { dot += Int(values.quants[k]) * x.quants[group * 32 + k] }
      if format == .int4 { dot -= 8 * x.sums[group] }
      let scale = Float16Bits.float(values.scale) * x.scales[group]
      acc.addProduct(Float(dot), scale)
      if format == .int4Asymmetric {
        acc.addProduct(Float(x.sums[group]), Float16Bits.float(values.minimum) * x.scales[group])
      }
    }
    return acc
  }

  /// Turns pairs of a head by their angles.
  package static func rope(
    _ head: [Float], pairs: [(Int, Int)], cosines: [Float], sines: [Float]
  ) -> [Float] {
    var result = head
    for (index, (i, j)) in pairs.enumerated() {
      result[i] = head[i] * cosines[index] - head[j] * sines[index]
      result[j] = head[i] * sines[index] + head[j] * cosines[index]
    }
    return result
  }

  /// The groups of one cached vector.
  package static func cached(_ x: [Float], isInt4: Bool) -> [QuantizedGroup] {
    stride(from: 0, to: x.count, by: 32).map { start in
      var values = InlineArray<32, Float>(repeating: 0)
      for index in start..<min(start + 32, x.count) { values[index - start] = x[index] }
      return isInt4 ? QuantizedGroup.int4(values) : QuantizedGroup.int8(values)
    }
  }

  /// The score of one query and one key; `query` has been quantized with the head's columns.
  package static func score(
    query: Row, key: [QuantizedGroup], isInt4: Bool, dimensions: Int
  ) -> Float {
    product(key, format: isInt4 ? .int4 : .int8, x: query) * (1 / Float(dimensions).squareRoot())
  }

  /// Probabilities before division, and their sum.
  package static func softmax(_ scores: [Float], isVisible: [Bool]) -> (p: [Float], sum: Float) {
    let largest = zip(scores, isVisible).filter(\.1).map(\.0).max() ?? -.infinity
    let p = zip(scores, isVisible).map { $1 ? exponential($0 - largest) : 0 }
    return (p, laneSum(p))
  }

  /// The output of attention for one query; `values` is [slots][groups].
  package static func weightedSum(
    _ p: [Float], sum: Float, values: [[QuantizedGroup]], isInt4: Bool, dimensions: Int
  ) -> [Float] {
    var output = [Float](repeating: 0, count: dimensions)
    for start in stride(from: 0, to: p.count, by: 32) {
      let slots = start..<min(start + 32, p.count)
      for dimension in 0..<dimensions {
        let group = dimension / 32
        let y = quantize(slots.map { p[$0] * Float16Bits.float(values[$0][group].scale) })
        var dot = 0
        for slot in slots {
          let quant = Int(values[slot][group].quants[dimension % 32]) - (isInt4 ? 8 : 0)
          dot += quant * y.quants[slot - start]
        }
        output[dimension].addProduct(Float(dot), y.scales[0])
      }
    }
    return output.map { $0 / sum }
  }
}
