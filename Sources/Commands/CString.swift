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
