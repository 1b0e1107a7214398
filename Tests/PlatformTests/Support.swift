import Commands
import Foundation
import Platform
import Units

/// The host's, not Foundation's.
typealias FileHandle = Commands.FileHandle

/// Zeroed memory that is never given back: what the arena is to the program.
func memory<Element: BitwiseCopyable>(
  _ count: Int, of type: Element.Type = Element.self
) -> FixedBuffer<Element> {
  let bytes = max(count * MemoryLayout<Element>.stride, 1)
  let raw = UnsafeMutableRawPointer.allocate(byteCount: bytes, alignment: 65536)
  unsafe raw.initializeMemory(as: UInt8.self, repeating: 0, count: bytes)
  // SAFETY: just allocated and zeroed; never freed.
  return unsafe FixedBuffer(
    unsafeBase: raw.bindMemory(to: type, capacity: count), count: count)
}

/// A path or argument as the host takes it.
func cString(_ text: String) -> CString {
  let bytes = memory(text.utf8.count + 1, of: UInt8.self)
  for (index, byte) in text.utf8.enumerated() { bytes[index] = byte }
  guard let result = CString(terminated: bytes) else { preconditionFailure("a zero inside") }
  return result
}

extension FixedBuffer<UInt8> {
  /// The bytes as text.
  var string: String { String(decoding: (0..<count).map { self[$0] }, as: UTF8.self) }
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
