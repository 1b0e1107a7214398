package import Quantization

/// Searches for scales, for weights that are packed once and read for ever.
///
/// int8:
/// 1. Start at the half nearest to the largest magnitude / 127.
/// 2. Try it, its lower neighbour and the 14 halves above, skipping those too small for the largest
///    magnitude: for each, round all values and sum the squared error.
/// 3. The smallest sum wins; of equal ones the first.
///
/// Above the start the rounding steps grow by under 2 % while the errors fall anew for each
/// candidate, so the best of them is about a seventh below the first.
/// Weakness: scales so small that no value is clipped are not tried; they never win at 8 bits.
package enum SearchedGroup {
  /// int8 with the best of 16 scales.
  package static func int8(_ values: InlineArray<32, Float>) -> QuantizedGroup {
    var vectors = InlineArray<4, SIMD8<Float>>(repeating: .zero)
    var maximum: Float = 0
    for index in 0..<32 {
      vectors[index / 8][index % 8] = values[index]
      maximum = max(maximum, values[index].magnitude)
    }
    guard maximum > 0 else { return QuantizedGroup() }
    let start = Float16Bits.finiteBits(maximum / 127)
    var best: UInt16 = 0
    var bestError = Float.infinity
    for candidate in 0..<16 {
      let bits = Int(start) + candidate - 1
      guard bits > 0 && bits < 0x7C00 else { continue }
      let scale = Float16Bits.float(UInt16(bits))
      let inverse = 1 / scale
      guard maximum * inverse < 127.49 else { continue }
      let error = squaredError(vectors, scale: scale, inverse: inverse)
      if error < bestError {
        best = UInt16(bits)
        bestError = error
      }
    }
    // Magnitudes beyond the largest half, or squares beyond the largest float: nothing to compare.
    guard best > 0 else { return QuantizedGroup.int8(values) }
    var group = QuantizedGroup(scale: best)
    let inverse = 1 / Float16Bits.float(best)
    for index in 0..<32 {
      group.quants[index] = Int8(Rounding.nearestEven(values[index] * inverse))
    }
    return group
  }

  private static func squaredError(
    _ vectors: InlineArray<4, SIMD8<Float>>, scale: Float, inverse: Float
  ) -> Float {
    var sums = SIMD8<Float>.zero
    for index in 0..<4 {
      let scaled = vectors[index] * inverse
      let rounded = (scaled + 12_582_912) - 12_582_912
      let difference = rounded * scale - vectors[index]
      sums += difference * difference
    }
    let four = sums.lowHalf + sums.highHalf
    let two = four.lowHalf + four.highHalf
    return two.x + two.y
  }

  /// int4 with the best of 16 factors and both signs of the scale.
  package static func int4(_ values: InlineArray<32, Float>) -> QuantizedGroup {
    var low = SIMD16<Float>.zero
    var high = SIMD16<Float>.zero
    var maximum: Float = 0
    for index in 0..<16 {
      low[index] = values[index]
      high[index] = values[index + 16]
      maximum = max(maximum, values[index].magnitude, values[index + 16].magnitude)
    }
    var best: UInt16 = 0
    var bestError = sum(low * low + high * high)
    for candidate in 0..<32 {
      let factor = (Float(70 + 3 * (candidate >> 1)) / 100) * (candidate & 1 == 0 ? 1 : -1)
      let bits = Float16Bits.finiteBits(maximum * factor / 8)
      let scale = Float16Bits.float(bits)
      guard scale != 0 else { continue }
      let lowError = nibbles(low, inverse: 1 / scale) * scale - low
      let highError = nibbles(high, inverse: 1 / scale) * scale - high
      let error = sum(lowError * lowError + highError * highError)
      if error < bestError {
        best = bits
        bestError = error
      }
    }
    var group = QuantizedGroup(quant: 8, scale: best)
    guard best != 0 else { return group }
    let inverse = 1 / Float16Bits.float(best)
    let lowNibbles = nibbles(low, inverse: inverse)
    let highNibbles = nibbles(high, inverse: inverse)
    for index in 0..<16 {
      group.quants[index] = Int8(lowNibbles[index]) + 8
      group.quants[index + 16] = Int8(highNibbles[index]) + 8
    }
    return group
  }

  /// The values over the scale, rounded to −8 … 7.
  @inline(__always)
  private static func nibbles(_ values: SIMD16<Float>, inverse: Float) -> SIMD16<Float> {
    var scaled = values * inverse
    scaled.replace(with: -8, where: scaled .< -8)
    scaled.replace(with: 7, where: scaled .> 7)
    return (scaled + 12_582_912) - 12_582_912
  }

  @inline(__always)
  private static func sum(_ lanes: SIMD16<Float>) -> Float {
    let eight = lanes.lowHalf + lanes.highHalf
    let four = eight.lowHalf + eight.highHalf
    let two = four.lowHalf + four.highHalf
    return two.x + two.y
  }
}
