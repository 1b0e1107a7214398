internal import Foundation
internal import ModelFormat
internal import Units

/// A name from a file, between quotes, cut to 64 characters and without anything that could disturb a
/// terminal.
func quoted(_ name: String) -> String {
  let safe = name.unicodeScalars.prefix(64).map { scalar in
    scalar.properties.generalCategory == .control || scalar.properties.generalCategory == .format
      ? "?" : String(scalar)
  }
  return "\"" + safe.joined() + (name.unicodeScalars.count > 64 ? "…" : "") + "\""
}

/// The system's sentence for an error number.
func systemMessage(_ number: Int32) -> String {
  // SAFETY: the pointer is to text of the C library, copied at once.
  unsafe String(cString: strerror(number))
}

/// The sentence of an error of the pack file's header.
func sentence(_ error: ModelFormatError) -> String {
  var memory = [UInt8](repeating: 0, count: 256)
  // SAFETY: the buffer lives only inside the closure, in which `memory` is not touched otherwise.
  return unsafe memory.withUnsafeMutableBufferPointer { bytes in
    let buffer = unsafe FixedBuffer(
      unsafeBase: bytes.baseAddress.unsafelyUnwrapped, count: bytes.count)
    var text = TextBuffer(buffer)
    error.describe(into: &text)
    return String(decoding: (0..<text.count).map { buffer[$0] }, as: UTF8.self)
  }
}
