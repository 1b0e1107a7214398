package import Units

/// Processors by their number in Linux, 0 to 255; empty means any.
package struct ProcessorSet: BitwiseCopyable, Equatable, Sendable {
  /// Bit n of word n / 64: processor n belongs to the set.
  package private(set) var words: InlineArray<4, UInt64> = [0, 0, 0, 0]

  /// The largest processor number.
  package static var numberMax: Int { 255 }

  /// The empty set.
  package init() {}

  /// Processors in the set.
  package var count: Int {
    words[0].nonzeroBitCount + words[1].nonzeroBitCount + words[2].nonzeroBitCount
      + words[3].nonzeroBitCount
  }

  /// Whether the set leaves the choice to the system.
  package var isEmpty: Bool { count == 0 }

  /// Whether processor `number` belongs to the set.
  package func contains(_ number: Int) -> Bool {
    number >= 0 && number <= Self.numberMax && words[number / 64] >> UInt64(number % 64) & 1 == 1
  }

  /// Adds processor `number`.
  package mutating func insert(_ number: Int) {
    precondition(number >= 0 && number <= Self.numberMax, "a processor number is 0 to 255")
    words[number / 64] |= 1 << UInt64(number % 64)
  }

  /// Reads a list such as `0-3,6`, or returns `nil`: numbers and rising ranges, commas between.
  package init?(_ text: RawSpan) {
    var position = 0
    if text.byteCount == 0 { return }
    repeat {
      guard let first = Self.number(in: text, at: &position) else { return nil }
      var last = first
      if position < text.byteCount && text.byte(at: position) == Ascii.minus {
        position += 1
        guard let end = Self.number(in: text, at: &position), end >= first else { return nil }
        last = end
      }
      for number in first...last { insert(number) }
      if position == text.byteCount { return }
      position += 1
    } while text.byte(at: position - 1) == Ascii.comma
    return nil
  }

  /// Appends the list that reads back as this set.
  package func write(to text: inout TextBuffer) {
    var number = 0
    var isFirst = true
    while number <= Self.numberMax {
      if !contains(number) {
        number += 1
        continue
      }
      let first = number
      while contains(number + 1) { number += 1 }
      if !isFirst { text.append(",") }
      text.append(first)
      if number > first {
        text.append("-")
        text.append(number)
      }
      isFirst = false
      number += 1
    }
  }

  private static func number(in text: RawSpan, at position: inout Int) -> Int? {
    let start = position
    var value = 0
    while position < text.byteCount, let digit = Ascii.digit(text.byte(at: position)) {
      value = value * 10 + digit
      if value > numberMax { return nil }
      position += 1
    }
    return position > start ? value : nil
  }

  /// Whether both hold the same processors.
  package static func == (one: Self, other: Self) -> Bool {
    one.words[0] == other.words[0] && one.words[1] == other.words[1]
      && one.words[2] == other.words[2] && one.words[3] == other.words[3]
  }
}
