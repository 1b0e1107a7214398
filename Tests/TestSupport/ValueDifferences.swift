package import Quantization

/// How alike values are to their mean, by lists of whole numbers.
package enum ValueDifferences {
  /// The cosine of each value to the sum of all directions, times the length of that sum.
  package static func similarities(
    _ values: [[QuantizedGroup]], isInt4: Bool, dimensions: Int
  ) -> [Int] {
    let directions = values.map { direction($0, isInt4: isInt4, dimensions: dimensions) }
    var anchor = [Int](repeating: 0, count: dimensions)
    for direction in directions {
      for k in 0..<dimensions { anchor[k] += direction[k] }
    }
    var divisor = 1
    while anchor.contains(where: { abs($0) / divisor >= 1 << 18 }) { divisor *= 2 }
    anchor = anchor.map { quotient($0, divisor) }
    return directions.map { direction in
      quotient(zip(direction, anchor).reduce(0) { $0 + $1.0 * $1.1 }, 1 << 12)
    }
  }

  /// A value over its length, in units of 2^-20: each scale to whole units, times its quants.
  private static func direction(
    _ groups: [QuantizedGroup], isInt4: Bool, dimensions: Int
  ) -> [Int] {
    let quants = (0..<dimensions).map { k in
      Int(groups[k / 32].quants[k % 32]) - (isInt4 ? 8 : 0)
    }
    let scales = wholeNumbers(groups.map { Float16Bits.float($0.scale) })
    let square = quants.indices.reduce(0) { sum, k in
      sum + quants[k] * scales[k / 32] * (quants[k] * scales[k / 32])
    }
    if square == 0 { return [Int](repeating: 0, count: dimensions) }
    let inverse = (1 << 44) / root(of: square)
    return quants.indices.map { k in quants[k] * quotient(scales[k / 32] * inverse, 1 << 24) }
  }

  /// Scales in units of 2^-24, by as few halvings as make every one fit 16 bits.
  private static func wholeNumbers(_ scales: [Float]) -> [Int] {
    let exact = scales.map { Int($0 * 16_777_216) }
    var divisor = 1
    while exact.contains(where: { abs($0) / divisor > 65_535 }) { divisor *= 2 }
    return exact.map { $0 / divisor }
  }

  private static func root(of square: Int) -> Int {
    var (low, high) = (0, 1 << 28)
    while low + 1 < high {
      let middle = (low + high) / 2
      if middle * middle <= square { low = middle } else { high = middle }
    }
    return low
  }

  /// Rounded down.
  private static func quotient(_ number: Int, _ divisor: Int) -> Int {
    let towardsZero = number / divisor
    return number < 0 && towardsZero * divisor != number ? towardsZero - 1 : towardsZero
  }
}
