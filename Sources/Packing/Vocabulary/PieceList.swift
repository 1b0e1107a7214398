internal import Units

/// A list of byte strings as a GGUF file stores it: each after its length in 64 bits.
struct PieceList: Sequence {
  private let bytes: [UInt8]
  private let start: Int

  /// Number of strings.
  let count: Int

  /// The elements of `value` in the bytes of `header`, which has checked their lengths.
  init(_ value: GGUFValue, in header: GGUFHeader) {
    bytes = header.bytes
    start = value.range.lowerBound
    count = value.count
  }

  func makeIterator() -> Iterator { Iterator(bytes: bytes, offset: start, left: count) }

  /// Walks the strings without making any.
  struct Iterator: IteratorProtocol {
    fileprivate let bytes: [UInt8]
    fileprivate var offset: Int
    fileprivate var left: Int

    mutating func next() -> ArraySlice<UInt8>? {
      guard left > 0 else { return nil }
      left -= 1
      let length = Int(bytes.rawSpan.loadLittleEndian(at: offset, as: UInt64.self))
      let text = offset + 8..<offset + 8 + length
      offset = text.upperBound
      return bytes[text]
    }
  }
}
