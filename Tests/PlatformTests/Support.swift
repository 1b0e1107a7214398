import Commands
import Foundation
import Platform
import TestSupport
import Units

/// The host's, not Foundation's.
typealias FileHandle = Commands.FileHandle

/// A path or argument as the host takes it.
func cString(_ text: String) -> CString {
  guard let result = CString(terminated: buffer(Array(text.utf8) + [0])) else {
    preconditionFailure("a zero inside")
  }
  return result
}

/// A folder that exists while `body` runs.
func withTemporaryFolder<Result>(_ body: (URL) throws -> Result) throws -> Result {
  let folder = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
  try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
  defer { try? FileManager.default.removeItem(at: folder) }
  return try body(folder)
}

extension Linux {
  /// Writes text to a file.
  static func write(_ text: String, to file: FileHandle) throws(HostError) {
    let bytes = Array(text.utf8)
    // SAFETY: bytes have no padding.
    try unsafe write(bytes.span.bytes, to: file)
  }
}

extension ProcessStatus {
  /// The value in a status text given as a string.
  static func byteCount(_ name: StaticString, in text: String) -> Int {
    let bytes = Array(text.utf8)
    // SAFETY: bytes have no padding.
    return unsafe byteCount(name, in: bytes.span.bytes)
  }
}
