import Units

/// The characters that the parsers of this module look for.
enum Ascii {
  static var tab: UInt8 { 0x09 }
  static var lineFeed: UInt8 { 0x0A }
  static var carriageReturn: UInt8 { 0x0D }
  static var space: UInt8 { 0x20 }
  static var quote: UInt8 { 0x22 }
  static var hash: UInt8 { 0x23 }
  static var apostrophe: UInt8 { 0x27 }
  static var plus: UInt8 { 0x2B }
  static var comma: UInt8 { 0x2C }
  static var minus: UInt8 { 0x2D }
  static var point: UInt8 { 0x2E }
  static var colon: UInt8 { 0x3A }
  static var equals: UInt8 { 0x3D }
  static var openBracket: UInt8 { 0x5B }
  static var backslash: UInt8 { 0x5C }
  static var underscore: UInt8 { 0x5F }
  static var openBrace: UInt8 { 0x7B }
  static var delete: UInt8 { 0x7F }

  /// The value of a decimal digit.
  static func digit(_ byte: UInt8) -> Int? {
    byte >= 0x30 && byte <= 0x39 ? Int(byte) - 0x30 : nil
  }

  /// The value of a hexadecimal digit.
  static func hexDigit(_ byte: UInt8) -> UInt32? {
    switch byte {
    case 0x30...0x39: UInt32(byte) - 0x30
    case 0x41...0x46: UInt32(byte) - 0x41 + 10
    case 0x61...0x66: UInt32(byte) - 0x61 + 10
    default: nil
    }
  }

  /// Whether a bare key may hold `byte`.
  static func isKeyByte(_ byte: UInt8) -> Bool {
    switch byte {
    case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, minus, underscore: true
    default: false
    }
  }
}

extension RawSpan {
  /// The byte at `offset`; traps past the end.
  func byte(at offset: Int) -> UInt8 { loadLittleEndian(at: offset, as: UInt8.self) }

  /// The offset of the first byte that is not UTF-8 (RFC 3629, section 4), or `nil`.
  func firstInvalidUTF8() -> Int? {
    var offset = 0
    while offset < byteCount {
      let lead = byte(at: offset)
      var (count, low, high): (Int, UInt8, UInt8) = (0, 0x80, 0xBF)
      switch lead {
      case 0..<0x80: count = 0
      case 0xC2...0xDF: count = 1
      case 0xE0: (count, low) = (2, 0xA0)
      case 0xED: (count, high) = (2, 0x9F)
      case 0xE1...0xEF: count = 2
      case 0xF0: (count, low) = (3, 0x90)
      case 0xF1...0xF3: count = 3
      case 0xF4: (count, high) = (3, 0x8F)
      default: return offset
      }
      if count > byteCount - offset - 1 { return offset }
      for index in 0..<count {
        let next = byte(at: offset + 1 + index)
        if next < low || next > high { return offset }
        (low, high) = (0x80, 0xBF)
      }
      offset += 1 + count
    }
    return nil
  }
}
