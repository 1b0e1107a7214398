package import Quantization

/// The search for an int8 scale, for weights that are packed once and read for ever.
///
/// 1. Start at the half nearest to the largest magnitude / 127.
/// 2. Try it, its lower neighbour and the 14 halves above, skipping those too small for the largest
///    magnitude: for each, round all values and sum the squared error.
/// 3. The smallest sum wins; of equal ones the first.
///
/// Above the start the rounding steps grow by under 2 % while the errors fall anew for each
/// candidate, so the best of them is about a seventh below the first.
/// Weakness: scales so small that no value is clipped are not tried; they never win at 8 bits.
package enum SearchedGroup {
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
}
