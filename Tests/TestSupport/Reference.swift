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
    let n = fused(x, 1.44269504, 12_582_912) - 12_582_912
    let r = fused(n, 2.12194440e-4, fused(n, -0.693359375, x))
    let coefficients: [Float] = [
      0x1.123a20p-7, 0x1.5558f2p-5, 0x1.555492p-3, 0x1.fffffcp-2, 1, 1,
    ]
    var p: Float = 0x1.6a23d0p-10
    for coefficient in coefficients { p = fused(p, r, coefficient) }
    let power = Int(n)
    let half = power >> 1
    return p * Float(sign: .plus, exponent: half, significand: 1)
      * Float(sign: .plus, exponent: power - half, significand: 1)
  }

  /// a · b + c, rounded once.
  private static func fused(_ a: Float, _ b: Float, _ c: Float) -> Float { c.addingProduct(a, b) }

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

  /// What attention makes of one run of slots.
  package struct Run: Equatable {
    /// Largest visible score.
    package var top: Float
    /// e^(score − top), 0 where the slot is not visible.
    package var numerators: [Float]
    /// Sum of the numerators.
    package var sum: Float
  }

  /// The softmax of one run, before division.
  package static func softmax(_ scores: [Float], isVisible: [Bool]) -> Run {
    let top = zip(scores, isVisible).filter(\.1).map(\.0).max() ?? -0x1p127
    let p = zip(scores, isVisible).map { $1 ? exponential($0 - top) : 0 }
    return Run(top: top, numerators: p, sum: laneSum(p))
  }

  /// Joins one run's output, top and sum to a total's.
  package static func merge(
    part: [Float], top: Float, sum: Float,
    into total: inout (output: [Float], top: Float, sum: Float)
  ) {
    let largest = max(total.top, top)
    let a = exponential(total.top - largest)
    let b = exponential(top - largest)
    total.output = zip(total.output, part).map { fused($1, b, $0 * a) }
    total.sum = fused(sum, b, total.sum * a)
    total.top = largest
  }

  /// Probabilities in units of 2^−24 that sum to 2^24.
  package static func probabilities(_ runs: [Run], top: Float, sum: Float) -> [UInt32] {
    var row: [UInt32] = []
    for run in runs {
      let factor = exponential(run.top - top) * (16_777_216 / sum)
      row += run.numerators.map { UInt32($0 * factor) }
    }
    let missing = 16_777_216 - row.reduce(0) { $0 + Int($1) }
    if let first = row.firstIndex(of: row.max() ?? 0) {
      row[first] = UInt32(Int(row[first]) + missing)
    }
    return row
  }

  /// The weighted sum of the values of one run; `values` is [slots][groups].
  package static func weightedSum(
    _ p: [Float], values: [[QuantizedGroup]], isInt4: Bool, dimensions: Int
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
    return output
  }
}
