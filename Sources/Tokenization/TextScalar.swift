import CUnicode
import Units

/// The classes of characters that pre-tokenizers tell apart.
enum CharacterClass: UInt8, BitwiseCopyable {
  case other = 0
  case letter = 1
  case number = 2
  case punctuation = 3
  case space = 4
}

/// One character of a text, or one byte that is not UTF-8.
struct TextScalar: BitwiseCopyable {
  let value: UInt32
  let byteCount: Int
  let kind: CharacterClass

  /// Reads the character at `offset`, which must be below `end`.
  ///
  /// Overlong forms and surrogates count as what they spell; any other defect is one byte that
  /// counts as U+FFFD.
  init(_ text: RawSpan, at offset: Int, end: Int) {
    let first = UInt32(text.byte(at: offset))
    if first < 0x80 {
      self.init(first, byteCount: 1)
      return
    }
    let length = first < 0xC0 ? 0 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : first < 0xF8 ? 4 : 0
    guard length > 0 && offset + length <= end else {
      self.init(0xFFFD, byteCount: 1)
      return
    }
    var value = first & (0x7F &>> UInt32(length))
    for index in 1..<length {
      let next = UInt32(text.byte(at: offset + index))
      guard next & 0xC0 == 0x80 else {
        self.init(0xFFFD, byteCount: 1)
        return
      }
      value = value &<< 6 | next & 0x3F
    }
    self.init(value, byteCount: length)
  }

  private init(_ value: UInt32, byteCount: Int) {
    self.value = value
    self.byteCount = byteCount
    kind = CharacterClass(rawValue: unicode_class(value)) ?? .other
  }

  var isLineBreak: Bool { value == 10 || value == 13 }
}
