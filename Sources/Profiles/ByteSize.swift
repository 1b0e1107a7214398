package import Units

/// Why a text is no size.
package enum ByteSizeError: Error, BitwiseCopyable, Equatable, Sendable {
  /// It does not begin with a decimal number.
  case noNumber
  /// The number has no unit.
  case noUnit
  /// What follows the number is no unit known here.
  case unknownUnit
  /// More than `fractionDigitsMax` digits follow the decimal point.
  case fractionTooLong
  /// It is `ByteSize.bytesMax` or more.
  case tooLarge
}

/// Sizes as a person writes them: `640 MiB`, `1.5 GiB`, `64KiB`, `1 GB`, `4096 B`.
///
/// A number, at most one space, a unit: B; KiB, MiB, GiB, TiB (powers of 1024);
/// kB (also KB), MB, GB, TB (powers of 1000). The unit is never left out, because a bare number
/// is where kilobytes and bytes get confused. A fraction rounds down to whole bytes.
package enum ByteSize {
  /// Sizes are below this, far from overflow in sums: 2^60.
  package static var bytesMax: Int { 1 << 60 }

  /// Digits that may follow the decimal point.
  package static var fractionDigitsMax: Int { 6 }

  /// The bytes that `text` names.
  package static func parse(_ text: RawSpan) throws(ByteSizeError) -> Int {
    var position = 0
    let whole = try digits(of: text, from: &position)
    var (fraction, fractionUnit) = (0, 1)
    if position < text.byteCount && text.byte(at: position) == Ascii.point {
      position += 1
      let start = position
      while position < text.byteCount, Ascii.digit(text.byte(at: position)) != nil { position += 1 }
      if position - start > fractionDigitsMax { throw .fractionTooLong }
      var digit = start
      fraction = try digits(of: text, from: &digit)
      for _ in start..<position { fractionUnit *= 10 }
    }
    if position < text.byteCount && text.byte(at: position) == Ascii.space { position += 1 }
    if position == text.byteCount { throw .noUnit }
    guard let unit = unit(named: text.extracting(position..<text.byteCount)) else {
      throw .unknownUnit
    }
    let (product, overflow) = whole.multipliedReportingOverflow(by: unit)
    if overflow || product >= bytesMax { throw .tooLarge }
    // The fraction is below 10^6 and a unit at most 2^40: the product stays below 2^60.
    let bytes = product + fraction * unit / fractionUnit
    if bytes >= bytesMax { throw .tooLarge }
    return bytes
  }

  /// Appends `bytes` with the largest binary unit that divides it, so that `parse` reads it back.
  package static func write(_ bytes: Int, to text: inout TextBuffer) {
    precondition(bytes >= 0, "a size is not negative")
    if bytes > 0 && bytes % (1 << 40) == 0 {
      text.append(bytes >> 40)
      text.append(" TiB")
    } else if bytes > 0 && bytes % (1 << 30) == 0 {
      text.append(bytes >> 30)
      text.append(" GiB")
    } else if bytes > 0 && bytes % (1 << 20) == 0 {
      text.append(bytes >> 20)
      text.append(" MiB")
    } else if bytes > 0 && bytes % (1 << 10) == 0 {
      text.append(bytes >> 10)
      text.append(" KiB")
    } else {
      text.append(bytes)
      text.append(" B")
    }
  }

  private static func digits(of text: RawSpan, from position: inout Int) throws(ByteSizeError)
    -> Int
  {
    let start = position
    var value = 0
    while position < text.byteCount, let digit = Ascii.digit(text.byte(at: position)) {
      if value > bytesMax / 10 { throw .tooLarge }
      value = value * 10 + digit
      position += 1
    }
    if position == start { throw .noNumber }
    return value
  }

  private static func unit(named text: RawSpan) -> Int? {
    if text.equals("B") { return 1 }
    if text.equals("KiB") { return 1 << 10 }
    if text.equals("MiB") { return 1 << 20 }
    if text.equals("GiB") { return 1 << 30 }
    if text.equals("TiB") { return 1 << 40 }
    if text.equals("kB") || text.equals("KB") { return 1000 }
    if text.equals("MB") { return 1_000_000 }
    if text.equals("GB") { return 1_000_000_000 }
    if text.equals("TB") { return 1_000_000_000_000 }
    return nil
  }
}
