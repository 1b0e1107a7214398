internal import Units

/// Reads the bytes of a GGUF header one value after another, each checked against the end.
///
/// Trust: none. Past the end of the file a read throws `truncated`, past the end of the bytes at
/// hand `prefixTooShort`.
struct GGUFCursor: ~Escapable {
  private let bytes: RawSpan
  let fileBytes: UInt64
  private(set) var offset = 0

  /// Reads `bytes`, which are the start of a file of `fileBytes` bytes.
  @_lifetime(copy bytes)
  init(_ bytes: RawSpan, fileBytes: UInt64) {
    self.bytes = bytes
    self.fileBytes = fileBytes
  }

  /// Bytes of the file that follow.
  var remaining: UInt64 { fileBytes - UInt64(offset) }

  /// Reads an integer.
  @_lifetime(self: copy self)
  mutating func integer<Value: FixedWidthInteger & BitwiseCopyable>(
    _ part: GGUFPart, as type: Value.Type = Value.self
  ) throws(GGUFError) -> Value {
    let start = try skip(UInt64(MemoryLayout<Value>.size), part)
    return bytes.loadLittleEndian(at: start)
  }

  /// Steps over `count` bytes and returns where they start.
  @discardableResult
  @_lifetime(self: copy self)
  mutating func skip(_ count: UInt64, _ part: GGUFPart) throws(GGUFError) -> Int {
    guard count <= remaining else {
      throw .truncated(part, offset: UInt64(offset), needed: count, fileBytes: fileBytes)
    }
    let end = UInt64(offset) + count
    guard end <= bytes.byteCount else {
      throw .prefixTooShort(needed: Int(clamping: end))
    }
    let start = offset
    offset = Int(end)
    return start
  }

  /// Steps over a string and returns where its text lies.
  @_lifetime(self: copy self)
  mutating func string(_ part: GGUFPart) throws(GGUFError) -> Range<Int> {
    let count = try integer(part, as: UInt64.self)
    let start = try skip(count, part)
    return start..<offset
  }
}
