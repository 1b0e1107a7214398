import Kernels
import Quantization

/// Slow and obvious: each step of the forward pass, one number at a time.
enum Reference {
  /// Lane i adds elements i, i + 16 …; then the lanes fold 16 → 8 → 4 → 2 → 1.
  static func laneSum(_ values: [Float]) -> Float {
    var lanes = [Float](repeating: 0, count: 16)
    for (index, value) in values.enumerated() { lanes[index % 16] += value }
    for width in [8, 4, 2, 1] {
      for lane in 0..<width { lanes[lane] += lanes[lane + width] }
    }
    return lanes[0]
  }

  /// e^x: x = n ln 2 + r, a polynomial for e^r, then n doublings.
  static func exponential(_ x: Float) -> Float {
    if x > 88.72283 { return .infinity }
    if x < -87.33 { return 0 }
    let n = Rounding.nearestEven(x * 1.44269504)
    let r = (x - n * 0.693359375) - n * -2.12194440e-4
    let coefficients: [Float] = [
      1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1, 5.0000001201e-1,
    ]
    var p: Float = 1.9875691500e-4
    for coefficient in coefficients { p = p * r + coefficient }
    p = p * (r * r) + r + 1
    let power = Int(n)
    let half = power >> 1
    return p * Float(sign: .plus, exponent: half, significand: 1)
      * Float(sign: .plus, exponent: power - half, significand: 1)
  }

  static func silu(_ x: Float) -> Float { x / (1 + exponential(-x)) }

  static func rmsNorm(_ x: [Float], weight: [Float], epsilon: Float) -> [Float] {
    let mean = laneSum(x.map { $0 * $0 }) / Float(x.count)
    let factor = 1 / (mean + epsilon).squareRoot()
    return zip(x, weight).map { ($0 * factor) * $1 }
  }

  /// An activation row: int8 in groups of 32, one scale each.
  struct Row {
    var quants: [Int] = []  // filled up with zeros
    var scales: [Float] = []
  }

  static func quantize(_ x: [Float]) -> Row {
    var row = Row()
    for start in stride(from: 0, to: x.count, by: 32) {
      let group = x[start..<min(start + 32, x.count)]
      let largest = group.map(\.magnitude).max() ?? 0
      let isZero = largest < 0x1p-100
      let quants = group.map { isZero ? 0 : Int(Rounding.nearestEven($0 * (127 / largest))) }
      row.scales.append(isZero ? 0 : largest / 127)
      row.quants += quants + [Int](repeating: 0, count: 32 - quants.count)
    }
    return row
  }

  /// One output of a linear layer.
  static func product(_ weights: [QuantizedGroup], _ format: WeightFormat, _ x: Row) -> Float {
    var sum: Float = 0
    for (group, values) in weights.enumerated() {
      let quants = x.quants[group * 32..<(group + 1) * 32]
      var dot = 0
      for (k, quant) in quants.enumerated() {
        dot += (Int(values.quants[k]) - (format == .int4 ? 8 : 0)) * quant
      }
      sum.addProduct(Float(dot), Float16Bits.float(values.scale) * x.scales[group])
      if format == .int4Asymmetric {
        let minimum = Float16Bits.float(values.minimum) * x.scales[group]
        sum.addProduct(Float(quants.reduce(0, +)), minimum)
      }
    }
    return sum
  }

  /// Turns a head to a stream position.
  static func rope(
    _ head: [Float], position: Int, fractions: [UInt64], isInterleaved: Bool
  ) -> [Float] {
    var result = head
    for (pair, fraction) in fractions.enumerated() {
      let (i, j) =
        isInterleaved ? (2 * pair, 2 * pair + 1) : (pair, pair + fractions.count)
      let (sine, cosine) = Rotary.sineAndCosine(phase: UInt64(position) &* fraction)
      result[i] = head[i] * cosine - head[j] * sine
      result[j] = head[i] * sine + head[j] * cosine
    }
    return result
  }

  /// The Walsh–Hadamard rotation of int4 caches, block by block.
  static func hadamard(_ head: [Float]) -> [Float] {
    let length = WalshHadamard.blockLength(headDimension: head.count)
    let memory = buffer(head)
    WalshHadamard.transform(memory, blockLength: length)
    return array(memory)
  }

  /// A key or value as the cache holds it.
  static func cached(_ x: [Float], isInt4: Bool) -> [QuantizedGroup] {
    stride(from: 0, to: x.count, by: 32).map { start in
      var values = InlineArray<32, Float>(repeating: 0)
      for index in start..<min(start + 32, x.count) { values[index - start] = x[index] }
      return isInt4 ? QuantizedGroup.int4(values) : QuantizedGroup.int8(values)
    }
  }

  static func score(_ query: Row, _ key: [QuantizedGroup], isInt4: Bool, dimensions: Int) -> Float {
    product(key, isInt4 ? .int4 : .int8, query) * (1 / Float(dimensions).squareRoot())
  }

  /// Σ probability · value over the slots in order, blocks of 32 slots quantized together.
  static func weightedSum(
    _ p: [Float], sum: Float, values: [[QuantizedGroup]], isInt4: Bool, dimensions: Int
  ) -> [Float] {
    var output = [Float](repeating: 0, count: dimensions)
    for start in stride(from: 0, to: p.count, by: 32) {
      let slots = start..<min(start + 32, p.count)
      for group in 0..<(dimensions + 31) / 32 {
        let y = quantize(slots.map { p[$0] * Float16Bits.float(values[$0][group].scale) })
        for dimension in group * 32..<min(group * 32 + 32, dimensions) {
          var dot = 0
          for slot in slots {
            let quant = Int(values[slot][group].quants[dimension % 32]) - (isInt4 ? 8 : 0)
            dot += quant * y.quants[slot - start]
          }
          output[dimension].addProduct(Float(dot), y.scales[0])
        }
      }
    }
    return output.map { $0 / sum }
  }
}
