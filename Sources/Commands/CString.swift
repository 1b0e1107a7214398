package import Units

/// Text that ends with a zero byte, as the kernel wants names: an argument or a built path.
@safe
package struct CString: BitwiseCopyable {
  /// The bytes without the zero that follows them.
  package let text: FixedBuffer<UInt8>

  /// Wraps memory that stays valid for the life of the process and holds a zero byte.
  @unsafe
  package init(unsafeStart start: UnsafeMutablePointer<CChar>) {
    var length = 0
    while unsafe start[length] != 0 { length += 1 }
    // SAFETY: the loop above found the end; CChar and UInt8 have one layout.
    let bytes = unsafe UnsafeMutableRawPointer(start).assumingMemoryBound(to: UInt8.self)
    text = unsafe FixedBuffer(unsafeBase: bytes, count: length)
  }

  /// Takes bytes of which the last, and only the last, is zero; `nil` otherwise.
  package init?(terminated bytes: FixedBuffer<UInt8>) {
    guard bytes.count > 0, bytes[bytes.count - 1] == 0 else { return nil }
    for index in 0..<bytes.count - 1 where bytes[index] == 0 { return nil }
    text = bytes.extracting(0..<bytes.count - 1)
  }

  /// This text with `suffix` behind it, built in `buffer`; `nil` where it does not fit.
  package func appending(_ suffix: StaticString, in buffer: FixedBuffer<UInt8>) -> CString? {
    let length = text.count + suffix.utf8CodeUnitCount
    guard length < buffer.count else { return nil }
    for index in 0..<text.count { buffer[index] = text[index] }
    // SAFETY: a static string's UTF-8 lives as long as the program.
    let start = unsafe suffix.utf8Start
    for index in 0..<suffix.utf8CodeUnitCount { buffer[text.count + index] = unsafe start[index] }
    buffer[length] = 0
    return CString(terminated: buffer.extracting(0..<length + 1))
  }

  /// Whether the text is exactly `literal`.
  package func equals(_ literal: StaticString) -> Bool {
    guard text.count == literal.utf8CodeUnitCount else { return false }
    // SAFETY: a static string's UTF-8 lives as long as the program.
    let start = unsafe literal.utf8Start
    for index in 0..<text.count where unsafe text[index] != start[index] { return false }
    return true
  }

  /// The start of the text, for the kernel.
  @unsafe
  package var unsafeStart: UnsafeRawPointer { unsafe UnsafeRawPointer(text.unsafeBaseAddress) }
}

/// The words of the command line, the program's name first.
@safe
package struct Arguments: BitwiseCopyable {
  // SAFETY: `start` points at `count` zero-terminated strings for the life of the process.
  private let start: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>

  /// Number of words.
  package let count: Int

  /// Wraps what `main` received.
  @unsafe
  package init(
    unsafeCount count: Int32, unsafeStart start: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>
  ) {
    self.count = Int(count)
    unsafe self.start = start
  }

  /// One word; traps outside `0..<count`.
  package subscript(index: Int) -> CString {
    precondition(index >= 0 && index < count, "argument out of range")
    guard let word = unsafe start[index] else { preconditionFailure("arguments end early") }
    return unsafe CString(unsafeStart: word)
  }
}
