package import Units

/// Text of at most `capacity` bytes of UTF-8, held in place.
package struct FixedText<let capacity: Int>: BitwiseCopyable, Equatable, Sendable {
  private var storage = InlineArray<capacity, UInt8>(repeating: 0)

  /// Bytes held.
  package private(set) var count = 0

  /// No text.
  package init() {}

  /// A literal; traps where it is longer than `capacity`.
  package init(_ text: StaticString) {
    // SAFETY: a static string's UTF-8 lives as long as the program.
    let start = unsafe text.utf8Start
    for index in 0..<text.utf8CodeUnitCount {
      let fits = unsafe append(start[index])
      precondition(fits, "the literal is too long")
    }
  }

  /// Whether there is no text.
  package var isEmpty: Bool { count == 0 }

  /// The byte at `index`; traps past the end.
  package subscript(index: Int) -> UInt8 {
    precondition(index >= 0 && index < count, "index out of bounds")
    return storage[index]
  }

  /// Adds one byte, or returns `false` where the text is full.
  package mutating func append(_ byte: UInt8) -> Bool {
    guard count < capacity else { return false }
    storage[count] = byte
    count += 1
    return true
  }

  /// Appends the text to `output`.
  package func write(to output: inout TextBuffer) {
    for index in 0..<count { output.append(byte: storage[index]) }
  }

  /// Whether both hold the same bytes.
  package static func == (one: Self, other: Self) -> Bool {
    guard one.count == other.count else { return false }
    for index in 0..<one.count where one.storage[index] != other.storage[index] { return false }
    return true
  }
}

extension FixedText {
  /// Calls `body` with the text as bytes.
  package func withBytes<Value, Failure: Error>(
    _ body: (RawSpan) throws(Failure) -> Value
  ) throws(Failure) -> Value {
    let copy = storage
    // SAFETY: bytes have no padding.
    return try unsafe body(copy.span.bytes.extracting(0..<count))
  }
}
