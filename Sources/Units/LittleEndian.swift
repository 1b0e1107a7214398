/// Little-endian reads from bytes of a file, checked against the end.
extension RawSpan {
  /// The integer at `offset`; traps where it would reach past the end.
  @inlinable
  package func loadLittleEndian<Value: FixedWidthInteger & BitwiseCopyable>(
    at offset: Int, as type: Value.Type = Value.self
  ) -> Value {
    precondition(
      offset >= 0 && byteCount >= MemoryLayout<Value>.size
        && offset <= byteCount - MemoryLayout<Value>.size, "read past the end")
    // SAFETY: the line above keeps the read inside; every bit pattern is an integer.
    return unsafe Value(littleEndian: unsafeLoadUnaligned(fromByteOffset: offset, as: type))
  }
}
