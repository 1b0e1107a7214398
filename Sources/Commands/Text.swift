package import Units

/// Text that lives as long as the process: an argument, or bytes in a planned region.
package typealias Text = FixedBuffer<UInt8>

extension FixedBuffer where Element == UInt8 {
  /// The text of a literal.
  package init(_ literal: StaticString) {
    // SAFETY: a literal lives as long as the program, and nothing writes through an argument.
    unsafe self.init(
      unsafeBase: UnsafeMutablePointer(mutating: literal.utf8Start),
      count: literal.utf8CodeUnitCount)
  }

  /// Whether the bytes equal those of a literal.
  package func equals(_ literal: StaticString) -> Bool {
    count == literal.utf8CodeUnitCount && hasPrefix(Text(literal))
  }

  /// Whether the bytes equal those of `other`.
  package func equals(_ other: Text) -> Bool {
    count == other.count && hasPrefix(other)
  }

  /// Whether the text begins with `prefix`.
  package func hasPrefix(_ prefix: Text) -> Bool {
    guard count >= prefix.count else { return false }
    for index in 0..<prefix.count where self[index] != prefix[index] { return false }
    return true
  }

  /// Whether the text ends with `suffix`.
  package func hasSuffix(_ suffix: Text) -> Bool {
    count >= suffix.count && extracting(count - suffix.count..<count).equals(suffix)
  }

  /// The first place of `byte` at or after `start`.
  package func firstIndex(of byte: UInt8, from start: Int = 0) -> Int? {
    var index = start
    while index < count {
      if self[index] == byte { return index }
      index += 1
    }
    return nil
  }

  /// The decimal integer the text spells, if it spells one that fits.
  package var decimalInteger: Int? {
    let negative = count > 0 && self[0] == 45
    let start = negative ? 1 : 0
    guard count > start else { return nil }
    var value = 0
    for index in start..<count {
      guard self[index] >= 48, self[index] <= 57 else { return nil }
      let (tens, overflow) = value.multipliedReportingOverflow(by: 10)
      let (next, carry) = tens.addingReportingOverflow(Int(self[index]) - 48)
      guard !overflow, !carry else { return nil }
      value = next
    }
    return negative ? -value : value
  }

  /// The decimal fraction the text spells (no exponent), if it spells one.
  package var decimalFraction: Float? {
    let negative = count > 0 && self[0] == 45
    var mantissa = 0.0
    var unit = 1.0
    var digits = 0
    var seenPoint = false
    for index in (negative ? 1 : 0)..<count {
      if self[index] == 46 && !seenPoint {
        seenPoint = true
        continue
      }
      guard self[index] >= 48, self[index] <= 57, digits < 15 else { return nil }
      mantissa = mantissa * 10 + Double(self[index] - 48)
      if seenPoint { unit *= 10 }
      digits += 1
    }
    guard digits > 0 else { return nil }
    return Float(negative ? -mantissa / unit : mantissa / unit)
  }
}
