/// A value that is one of a few names, as profiles and command lines spell it.
package protocol NamedChoice: BitwiseCopyable, Equatable, Sendable {
  /// How many there are; they are numbered from 0.
  static var count: Int { get }
  /// The choice with a number.
  init?(rawValue: Int)
  /// How a profile or a command line spells it.
  var name: StaticString { get }
}

extension NamedChoice {
  /// The choice that `name` spells, or `nil`.
  package init?(named name: RawSpan) {
    for number in 0..<Self.count {
      if let choice = Self(rawValue: number), name.equals(choice.name) {
        self = choice
        return
      }
    }
    return nil
  }

  /// Appends all names, commas between.
  package static func writeNames(to text: inout TextBuffer) {
    for number in 0..<count {
      if number > 0 { text.append(", ") }
      if let choice = Self(rawValue: number) { text.append(choice.name) }
    }
  }
}

extension RawSpan {
  /// Whether these bytes are exactly `text`.
  package func equals(_ text: StaticString) -> Bool {
    guard byteCount == text.utf8CodeUnitCount else { return false }
    // SAFETY: a static string's UTF-8 lives as long as the program and has `byteCount` bytes.
    let start = unsafe text.utf8Start
    for offset in 0..<byteCount
    where unsafe loadLittleEndian(at: offset, as: UInt8.self) != start[offset] { return false }
    return true
  }
}
