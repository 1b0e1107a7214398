/// Up to 32 values as small integers with half-precision parameters.
///
/// `quants` holds what the format stores: −127 … 127 for int8, nibbles 0 … 15 otherwise.
package struct QuantizedGroup: BitwiseCopyable {
  package var quants: InlineArray<32, Int8>
  /// The scale, as half-precision bits.
  package var scale: UInt16
  /// The minimum, as half-precision bits; zero where the format has none.
  package var minimum: UInt16

  /// A group with the given parameters and every quant at `quant`.
  package init(quant: Int8 = 0, scale: UInt16 = 0, minimum: UInt16 = 0) {
    quants = InlineArray(repeating: quant)
    self.scale = scale
    self.minimum = minimum
  }

  /// The value of one element.
  package func value(_ index: Int, format: WeightFormat) -> Float {
    let scale = Float16Bits.float(scale)
    switch format {
    case .int8: return Float(quants[index]) * scale
    case .int4: return Float(Int(quants[index]) - 8) * scale
    case .int4Asymmetric: return Float(quants[index]) * scale + Float16Bits.float(minimum)
    }
  }
}

/// Rounding to integers without libm.
package enum Rounding {
  /// Rounds to the nearest integer, ties to even; exact for magnitudes below 2²².
  @inline(__always)
  package static func nearestEven(_ value: Float) -> Float { (value + 12_582_912) - 12_582_912 }

  /// `nearestEven` after clamping to a range that is small enough for it.
  @inline(__always)
  package static func clamped(_ value: Float, from low: Float, through high: Float) -> Float {
    nearestEven(value < low ? low : value > high ? high : value)
  }
}

/// Quantizes groups of up to 32 values; elements beyond `count` count as +0.
extension QuantizedGroup {
  /// int8 with the scale of the largest magnitude; a scale that underflows makes the group zero.
  package static func int8(_ values: InlineArray<32, Float>) -> QuantizedGroup {
    var group = QuantizedGroup()
    group.scale = Float16Bits.finiteBits(maximumMagnitude(values) / 127)
    let scale = Float16Bits.float(group.scale)
    guard scale > 0 else { return QuantizedGroup() }
    for index in 0..<32 {
      group.quants[index] = Int8(Rounding.clamped(values[index] / scale, from: -127, through: 127))
    }
    return group
  }

  /// int4 with the best of 16 factors and both signs of the scale, by squared error.
  ///
  /// Candidates in the order factor 0.70, 0.73 … 1.15, each with the positive sign first; the first
  /// of equals wins. The error is summed over 16 lanes and folded 16 → 8 → 4 → 2 → 1.
  package static func int4(_ values: InlineArray<32, Float>) -> QuantizedGroup {
    let maximum = maximumMagnitude(values)
    var best = QuantizedGroup(quant: 8)
    var bestError = squaredError(values, best)
    for candidate in 0..<32 {
      let factor = (Float(70 + 3 * (candidate >> 1)) / 100) * (candidate & 1 == 0 ? 1 : -1)
      var group = QuantizedGroup(quant: 8)
      group.scale = Float16Bits.finiteBits(maximum * factor / 8)
      let scale = Float16Bits.float(group.scale)
      guard scale != 0 else { continue }
      let inverse = 1 / scale
      for index in 0..<32 {
        let quant = Rounding.clamped(values[index] * inverse, from: -8, through: 7)
        group.quants[index] = Int8(quant) + 8
      }
      let error = squaredError(values, group)
      if error < bestError {
        best = group
        bestError = error
      }
    }
    return best
  }

  private static func maximumMagnitude(_ values: InlineArray<32, Float>) -> Float {
    var maximum: Float = 0
    for index in 0..<32 where values[index].magnitude > maximum {
      maximum = values[index].magnitude
    }
    return maximum
  }

  /// Σ (quantized − value)² of an int4 group, in the fixed order of lanes.
  private static func squaredError(
    _ values: InlineArray<32, Float>, _ group: QuantizedGroup
  ) -> Float {
    var lanes = InlineArray<16, Float>(repeating: 0)
    for index in 0..<32 {
      let difference = group.value(index, format: .int4) - values[index]
      lanes[index & 15] += difference * difference
    }
    return folded(lanes)
  }

  static func folded(_ lanes: InlineArray<16, Float>) -> Float {
    var lanes = lanes
    var width = 8
    while width > 0 {
      for lane in 0..<width { lanes[lane] += lanes[lane + width] }
      width /= 2
    }
    return lanes[0]
  }
}
