import Cache
import Inference
import ModelFormat
import Units

/// Writes which tokens the cache holds: what an explanation of a run is made from.
///
/// 32-bit words, little-endian: "TEH1", tokens of the prompt, sets of slots; the tokens' ids; then
/// for every set how many positions follow, and the stream position of each of its slots. A position
/// that no token of the prompt has is a free slot.
struct HeldSlots<System: Host> {
  private let file: FileHandle
  private let name: Text

  /// Creates the file `name`, before the process is sealed.
  init(_ name: Text, _ names: inout PathBuilder) throws(Failure) {
    self.name = name
    let path = try names.name(name)
    do { file = try System.create(path) } catch { throw .host(error, .writing, name) }
  }

  /// Writes the prompt before it is read; a policy may shorten it in place.
  func begin(_ prompt: FixedBuffer<Int32>, _ session: Session) throws(Failure) {
    try write(0x3148_4554)
    try write(UInt32(prompt.count))
    try write(UInt32(session.slotSets))
    try write(prompt.bytes)
  }

  /// Writes what the cache holds now that `stream` has read the prompt.
  func finish(_ stream: Stream<System>) throws(Failure) {
    let session = stream.memory.session
    for set in 0..<session.slotSets {
      let positions = session.heldPositions(set: set, read: stream.position)
      try write(UInt32(positions.count))
      var words = InlineArray<256, UInt32>(repeating: 0)
      var count = 0
      for index in 0..<positions.count {
        words[count] = stream.origin(of: positions[index]).littleEndian
        count += 1
        if count < words.count && index + 1 < positions.count { continue }
        // SAFETY: integers have no padding.
        try unsafe write(words.span.extracting(0..<count).bytes)
        count = 0
      }
    }
    System.close(file)
  }

  private func write(_ word: UInt32) throws(Failure) {
    var words = InlineArray<1, UInt32>(repeating: 0)
    words[0] = word.littleEndian
    // SAFETY: integers have no padding.
    try unsafe write(words.span.bytes)
  }

  private func write(_ bytes: RawSpan) throws(Failure) {
    do { try System.write(bytes, to: file) } catch { throw .host(error, .writing, name) }
  }
}
