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

  /// Writes what `session` holds after `prompt` was read; `next` is the position that follows.
  func write(
    _ prompt: FixedBuffer<Int32>, next: Int, _ session: Session
  ) throws(Failure) {
    let cache = session.cache
    let live = cache.map.liveSlots(after: next - 1)
    let sets = session.shape.model.layers
    try write(0x3148_4554)
    try write(UInt32(prompt.count))
    try write(UInt32(sets))
    try write(prompt.bytes)
    for layer in 0..<sets {
      try write(UInt32(live))
      try write(cache.positions(layer: layer).extracting(0..<live).bytes)
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
