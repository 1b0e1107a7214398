/// The search for a scale and a minimum.
extension QuantizedGroup {
  /// int4 with scale and minimum of the smallest squared error that the search finds.
  ///
  /// 1. Each candidate spreads the range of the values over 8 … 15 steps, or over 15.5, 16.25 …
  ///    18.5, which cut off both ends. A group that was quantized before and uses 1 … 15 steps of
  ///    its levels is recovered, because one of 8 … 15 is a multiple.
  /// 2. Both parameters are rounded to half precision, then the nibbles chosen.
  /// 3. Scale and minimum are fitted to the nibbles by least squares, and step 2 repeated, twice.
  ///
  /// The first of equals wins. Sums go over 16 lanes, folded 16 → 8 → 4 → 2 → 1.
  /// Weakness: a local search; where the best nibbles are far from all candidates it misses them.
  package static func int4Asymmetric(_ values: InlineArray<32, Float>) -> QuantizedGroup {
    var low = values[0]
    var high = values[0]
    for index in 1..<32 {
      low = values[index] < low ? values[index] : low
      high = values[index] > high ? values[index] : high
    }
    let range = high - low
    var best = QuantizedGroup(minimum: Float16Bits.finiteBits(low + range * 0.5))
    var bestError = asymmetricError(values, best)
    guard range > 0 else { return best }
    for candidate in 0..<13 {
      let steps = candidate < 8 ? Float(candidate + 8) : 15.5 + Float(candidate - 8) * 0.75
      var scale = range / steps
      var offset = steps > 15 ? (range - scale * 15) * 0.5 : 0
      for _ in 0..<3 {
        var group = QuantizedGroup(
          scale: Float16Bits.finiteBits(scale), minimum: Float16Bits.finiteBits(low + offset))
        guard Float16Bits.float(group.scale) != 0 else { break }
        chooseNibbles(values, &group)
        let error = asymmetricError(values, group)
        if error < bestError {
          best = group
          bestError = error
        }
        guard let line = fittedLine(values, group.quants, low: low) else { break }
        (scale, offset) = line
      }
    }
    return best
  }

  private static func chooseNibbles(
    _ values: InlineArray<32, Float>, _ group: inout QuantizedGroup
  ) {
    let inverse = 1 / Float16Bits.float(group.scale)
    let minimum = Float16Bits.float(group.minimum)
    for index in 0..<32 {
      let nibble = Rounding.clamped((values[index] - minimum) * inverse, from: 0, through: 15)
      group.quants[index] = Int8(nibble)
    }
  }

  private static func asymmetricError(
    _ values: InlineArray<32, Float>, _ group: QuantizedGroup
  ) -> Float {
    laneSum { index in
      let difference = group.value(index, format: .int4Asymmetric) - values[index]
      return difference * difference
    }
  }

  /// Scale and distance from `low` of the line through (nibble, value) with the smallest squared
  /// error; `nil` where all nibbles are equal.
  private static func fittedLine(
    _ values: InlineArray<32, Float>, _ quants: InlineArray<32, Int8>, low: Float
  ) -> (scale: Float, offset: Float)? {
    let total = laneSum { values[$0] - low }
    let sum = laneSum { Float(quants[$0]) }
    let squares = laneSum { Float(quants[$0]) * Float(quants[$0]) }
    let products = laneSum { Float(quants[$0]) * (values[$0] - low) }
    let determinant = 32 * squares - sum * sum
    guard determinant > 0 else { return nil }
    let scale = (32 * products - sum * total) / determinant
    return (scale, (total - scale * sum) / 32)
  }

  /// The sum of 32 terms in the fixed order of lanes.
  private static func laneSum(_ term: (Int) -> Float) -> Float {
    folded(InlineArray { term($0) + term($0 + 16) })
  }
}
