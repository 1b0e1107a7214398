/// The search for a scale and a minimum.
extension QuantizedGroup {
  /// int4 with scale and minimum of the smallest squared error that the search finds.
  ///
  /// Each candidate spreads the range of the values over a number of steps (1 … 15, and some beyond
  /// that cut off the ends), then fits scale and minimum to the nibbles by least squares, rounds both
  /// to half precision and chooses the nibbles anew, twice. Candidates with few steps recover groups
  /// that were quantized before and use few of their levels. The first of equals wins.
  /// Weakness: a local search; where the best nibbles are far from all candidates it misses them.
  package static func int4Asymmetric(_ values: InlineArray<32, Float>) -> QuantizedGroup {
    var low = values[0]
    var high = values[0]
    for index in 1..<32 {
      low = min(low, values[index])
      high = max(high, values[index])
    }
    var best = QuantizedGroup(minimum: Float16Bits.finiteBits(low / 2 + high / 2))
    var bestError = asymmetricError(values, best)
    guard high > low else { return best }
    for candidate in 0..<24 {
      let steps = candidate < 15 ? Float(candidate + 1) : 11 + Float(candidate - 15) * 0.75
      let range = (high / 2 - low / 2) * 2
      var scale = range / steps
      var minimum = steps > 15 ? low + (range - scale * 15) / 2 : low
      for _ in 0..<3 {
        var group = QuantizedGroup(
          scale: Float16Bits.finiteBits(scale), minimum: Float16Bits.finiteBits(minimum))
        let roundedScale = Float16Bits.float(group.scale)
        guard roundedScale != 0 else { break }
        let roundedMinimum = Float16Bits.float(group.minimum)
        let inverse = 1 / roundedScale
        for index in 0..<32 {
          let steps = (values[index] - roundedMinimum) * inverse
          group.quants[index] = Int8(Rounding.clamped(steps, from: 0, through: 15))
        }
        let error = asymmetricError(values, group)
        if error < bestError {
          best = group
          bestError = error
        }
        guard let fit = leastSquares(values, group.quants) else { break }
        (scale, minimum) = fit
      }
    }
    return best
  }

  private static func asymmetricError(
    _ values: InlineArray<32, Float>, _ group: QuantizedGroup
  ) -> Double {
    let scale = Double(Float16Bits.float(group.scale))
    let minimum = Double(Float16Bits.float(group.minimum))
    var sum = 0.0
    for index in 0..<32 {
      let difference = Double(group.quants[index]) * scale + minimum - Double(values[index])
      sum += difference * difference
    }
    return sum
  }

  /// The line through (nibble, value) with the smallest squared error; `nil` where all nibbles are equal.
  private static func leastSquares(
    _ values: InlineArray<32, Float>, _ quants: InlineArray<32, Int8>
  ) -> (scale: Float, minimum: Float)? {
    var sumQuants = 0.0
    var sumSquares = 0.0
    var sumValues = 0.0
    var sumProducts = 0.0
    for index in 0..<32 {
      let quant = Double(quants[index])
      let value = Double(values[index])
      sumQuants += quant
      sumSquares += quant * quant
      sumValues += value
      sumProducts += quant * value
    }
    let determinant = 32 * sumSquares - sumQuants * sumQuants
    guard determinant > 0 else { return nil }
    let scale = (32 * sumProducts - sumQuants * sumValues) / determinant
    return (Float(scale), Float((sumValues - scale * sumQuants) / 32))
  }
}
