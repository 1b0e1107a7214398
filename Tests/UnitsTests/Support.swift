import TestSupport
import Units

/// The bytes of a text.
func bytes(_ text: String) -> FixedBuffer<UInt8> { buffer(Array(text.utf8)) }

/// What `write` appends to a text buffer of `capacity` bytes.
func text(capacity: Int = 200, _ write: (inout TextBuffer) -> Void) -> String {
  var text = TextBuffer(buffer([UInt8](repeating: 0, count: capacity)))
  write(&text)
  return string(text.bytes)
}

/// Bytes as text.
func string(_ bytes: RawSpan) -> String {
  String(decoding: (0..<bytes.byteCount).map { bytes[$0] }, as: UTF8.self)
}

extension RawSpan {
  subscript(offset: Int) -> UInt8 { loadLittleEndian(at: offset) }
}
