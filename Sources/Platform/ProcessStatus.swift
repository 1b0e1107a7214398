internal import Units

/// The text of `/proc/self/status`: one `Name: value kB` per line.
package enum ProcessStatus {
  /// The value of the line that starts with `name`, in bytes; 0 where there is none.
  package static func byteCount(_ name: StaticString, in text: RawSpan) -> Int {
    var line = 0
    while line < text.byteCount {
      if let value = value(of: name, in: text, at: line) { return value }
      while line < text.byteCount && byte(text, line) != 10 { line += 1 }
      line += 1
    }
    return 0
  }

  private static func value(of name: StaticString, in text: RawSpan, at line: Int) -> Int? {
    guard name.utf8CodeUnitCount <= text.byteCount - line else { return nil }
    // SAFETY: a static string's UTF-8 lives as long as the program.
    let start = unsafe name.utf8Start
    for index in 0..<name.utf8CodeUnitCount where unsafe byte(text, line + index) != start[index] {
      return nil
    }
    var kibibytes = 0
    var offset = line + name.utf8CodeUnitCount
    while offset < text.byteCount && byte(text, offset) != 10 {
      let digit = Int(byte(text, offset)) - 48
      if digit >= 0 && digit <= 9 { kibibytes = kibibytes * 10 + digit }
      offset += 1
    }
    return kibibytes * 1024
  }

  private static func byte(_ text: RawSpan, _ offset: Int) -> UInt8 {
    text.loadLittleEndian(at: offset, as: UInt8.self)
  }
}
