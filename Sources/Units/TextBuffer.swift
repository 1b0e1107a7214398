/// Text under construction in fixed memory: the only way the core formats anything.
///
/// What does not fit is dropped and `isTruncated` says so; nothing is ever allocated.
public struct TextBuffer {
  private let storage: FixedBuffer<UInt8>

  /// Bytes written so far.
  public private(set) var count = 0

  /// Whether something was dropped since the last `removeAll`.
  public private(set) var isTruncated = false

  /// Writes into `storage`.
  public init(_ storage: FixedBuffer<UInt8>) {
    self.storage = storage
  }

  /// The text written so far.
  public var bytes: RawSpan {
    @_lifetime(borrow self)
    get {
      let span = storage.extracting(0..<count).bytes
      return unsafe _overrideLifetime(span, borrowing: self)
    }
  }

  /// Bytes that still fit.
  public var freeCapacity: Int { storage.count - count }

  /// Forgets the text.
  public mutating func removeAll() {
    count = 0
    isTruncated = false
  }

  /// Appends one byte.
  public mutating func append(byte: UInt8) {
    guard count < storage.count else {
      isTruncated = true
      return
    }
    storage[count] = byte
    count += 1
  }

  /// Appends a literal.
  public mutating func append(_ text: StaticString) {
    // SAFETY: a static string's UTF-8 lives as long as the program.
    let start = unsafe text.utf8Start
    for index in 0..<text.utf8CodeUnitCount { unsafe append(byte: start[index]) }
  }

  /// Appends bytes that are already text.
  public mutating func append(_ text: RawSpan) {
    for offset in 0..<text.byteCount {
      append(byte: text.loadLittleEndian(at: offset, as: UInt8.self))
    }
  }

  /// Appends a decimal integer, right-aligned in `width` columns.
  public mutating func append(_ value: Int, width: Int = 0) {
    var digits = InlineArray<20, UInt8>(repeating: 0)
    var length = 0
    var rest = value.magnitude
    repeat {
      digits[length] = 48 + UInt8(truncatingIfNeeded: rest % 10)
      rest /= 10
      length += 1
    } while rest > 0
    pad(width - length - (value < 0 ? 1 : 0))
    if value < 0 { append(byte: 45) }
    while length > 0 {
      length -= 1
      append(byte: digits[length])
    }
  }

  /// Appends a decimal integer with a comma between thousands, right-aligned in `width` columns.
  public mutating func append(grouped value: Int, width: Int = 0) {
    var digits = 1
    var rest = value.magnitude
    while rest >= 10 {
      rest /= 10
      digits += 1
    }
    pad(width - digits - (digits - 1) / 3 - (value < 0 ? 1 : 0))
    if value < 0 { append(byte: 45) }
    var unit: UInt = 1
    for _ in 1..<digits { unit *= 10 }
    while digits > 0 {
      append(byte: 48 + UInt8(truncatingIfNeeded: value.magnitude / unit % 10))
      unit = max(unit / 10, 1)
      digits -= 1
      if digits > 0 && digits % 3 == 0 { append(byte: 44) }
    }
  }

  /// Appends `value` rounded to `decimals` places, halves away from zero; what is not finite or too large prints as `-`.
  public mutating func append(_ value: Double, decimals: Int) {
    guard value.magnitude < 1e15 else {
      append(byte: 45)
      return
    }
    var unit = 1
    for _ in 0..<decimals { unit *= 10 }
    let scaled = value.magnitude * Double(unit) + 0.5
    guard scaled < 9e18 else {
      append(byte: 45)
      return
    }
    let whole = Int(scaled)
    if value < 0 && whole > 0 { append(byte: 45) }
    append(whole / unit)
    guard decimals > 0 else { return }
    append(byte: 46)
    while unit > 1 {
      unit /= 10
      append(byte: 48 + UInt8(truncatingIfNeeded: whole / unit % 10))
    }
  }

  /// Appends bytes as lowercase hexadecimal.
  public mutating func append(hexadecimal bytes: RawSpan) {
    for offset in 0..<bytes.byteCount {
      let byte = bytes.loadLittleEndian(at: offset, as: UInt8.self)
      append(byte: Self.hexDigit(byte &>> 4))
      append(byte: Self.hexDigit(byte & 15))
    }
  }

  /// Appends a JSON string, quotes included, with everything escaped that JSON wants escaped.
  public mutating func append(json text: RawSpan) {
    append(byte: 34)
    for offset in 0..<text.byteCount {
      append(jsonEscaped: text.loadLittleEndian(at: offset, as: UInt8.self))
    }
    append(byte: 34)
  }

  /// Appends one byte of a JSON string, escaped where JSON wants it.
  public mutating func append(jsonEscaped byte: UInt8) {
    switch byte {
    case 34, 92:
      append(byte: 92)
      append(byte: byte)
    case 10: append("\\n")
    case 0..<32:
      append("\\u00")
      append(byte: Self.hexDigit(byte &>> 4))
      append(byte: Self.hexDigit(byte & 15))
    default: append(byte: byte)
    }
  }

  /// Appends `columns` spaces; none where it is negative.
  public mutating func pad(_ columns: Int) {
    var left = columns
    while left > 0 {
      append(byte: 32)
      left -= 1
    }
  }

  private static func hexDigit(_ value: UInt8) -> UInt8 { value < 10 ? 48 + value : 87 + value }
}
