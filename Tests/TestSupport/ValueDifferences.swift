package import Quantization

/// How alike values are to their mean, by lists of whole numbers.
package enum ValueDifferences {
  /// The cosine of each value to the sum of all directions, times the length of that sum.
  package static func similarities(
    _ values: [[QuantizedGroup]], isInt4: Bool, dimensions: Int
  ) -> [Int] {
    let exact = values.map { wholeNumbers($0, isInt4: isInt4, dimensions: dimensions) }
    let lengths = exact.map { root(of: $0.reduce(0) { $0 + $1 * $1 }) }
    var anchor = [Int](repeating: 0, count: dimensions)
    for (value, length) in zip(exact, lengths) where length > 0 {
      for k in 0..<dimensions { anchor[k] += direction(value[k], length: length) }
    }
    return zip(exact, lengths).map { value, length in
      length == 0 ? 0 : zip(value, anchor).reduce(0) { $0 + $1.0 * $1.1 } / length
    }
  }

  /// Quants times scales in units of 2^-24, by as few halvings as make every scale fit 16 bits.
  private static func wholeNumbers(
    _ groups: [QuantizedGroup], isInt4: Bool, dimensions: Int
  ) -> [Int] {
    let scales = groups.map { Int(Float16Bits.float($0.scale) * 16_777_216) }
    var divisor = 1
    while scales.contains(where: { abs($0) / divisor > 65_535 }) { divisor *= 2 }
    return (0..<dimensions).map { k in
      (Int(groups[k / 32].quants[k % 32]) - (isInt4 ? 8 : 0)) * (scales[k / 32] / divisor)
    }
  }

  private static func root(of square: Int) -> Int {
    var (low, high) = (0, 1 << 28)
    while low + 1 < high {
      let middle = (low + high) / 2
      if middle * middle <= square { low = middle } else { high = middle }
    }
    return low
  }

  /// To the nearest multiple of 2^-14.
  private static func direction(_ element: Int, length: Int) -> Int {
    let scaled = element * ((1 << 44) / length) + 1 << 29
    let quotient = scaled / (1 << 30)
    return scaled < 0 && quotient * (1 << 30) != scaled ? quotient - 1 : quotient
  }
}
