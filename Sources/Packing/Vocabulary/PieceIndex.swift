/// Finds tokens by their text: an open hash table over the strings of a GGUF file.
struct PieceIndex {
  private let bytes: [UInt8]
  private let ranges: [Range<Int>]
  private var slots: [Int32]

  /// Indexes the strings at `ranges` of `bytes`; two equal ones are an error, empty ones are left
  /// out.
  init(_ bytes: [UInt8], _ ranges: [Range<Int>]) throws(VocabularyError) {
    self.bytes = bytes
    self.ranges = ranges
    var capacity = 16
    while capacity < ranges.count * 2 { capacity *= 2 }
    slots = [Int32](repeating: -1, count: capacity)
    for (token, range) in ranges.enumerated() where !range.isEmpty {
      let slot = slot(of: bytes[range])
      guard slots[slot] < 0 else {
        throw .duplicatePiece(
          String(decoding: bytes[range], as: UTF8.self), first: Int(slots[slot]), second: token)
      }
      slots[slot] = Int32(token)
    }
  }

  /// The token whose text is `text`, or `nil`.
  func token(_ text: ArraySlice<UInt8>) -> UInt32? {
    let found = slots[slot(of: text)]
    return found < 0 ? nil : UInt32(found)
  }

  /// The slot that holds `text`, or the empty one where it belongs.
  private func slot(of text: ArraySlice<UInt8>) -> Int {
    var hash: UInt64 = 0xCBF2_9CE4_8422_2325
    for byte in text { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
    var slot = Int(truncatingIfNeeded: hash ^ hash &>> 29) & (slots.count - 1)
    while slots[slot] >= 0 && bytes[ranges[Int(slots[slot])]] != text {
      slot = (slot + 1) & (slots.count - 1)
    }
    return slot
  }
}
