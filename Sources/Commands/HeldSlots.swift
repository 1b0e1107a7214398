import Cache
import Eviction
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

  /// Writes the ids of `prompt`, which reading it may change.
  func write(prompt: FixedBuffer<Int32>, _ session: Session) throws(Failure) {
    try write(0x3148_4554)
    try write(UInt32(prompt.count))
    try write(UInt32(Self.sets(session)))
    try write(prompt.bytes)
  }

  /// Writes what the cache holds after a prompt of `promptTokens` tokens, of which `read` were read.
  func writeSlots(promptTokens: Int, read: Int, _ session: Session) throws(Failure) {
    let (cache, policy) = (session.cache, session.shape.eviction.policy)
    let perLayer = Self.sets(session) / session.shape.model.layers
    let live =
      policy.isArithmetic ? cache.map.liveSlots(after: read - 1) : session.evictor.table.slots
    for set in 0..<Self.sets(session) {
      let positions = cache.positions(layer: set / perLayer, head: set % perLayer)
      try write(UInt32(live))
      for slot in 0..<live {
        try write(Self.place(positions[slot], promptTokens, read, session))
      }
    }
    System.close(file)
  }

  private static func sets(_ session: Session) -> Int {
    let isArithmetic = session.shape.eviction.policy.isArithmetic
    return session.shape.model.layers * (isArithmetic ? 1 : session.evictor.table.setsPerLayer)
  }

  /// Where in the prompt the token at stream position `position` stands: the same, unless the policy
  /// read only some of the prompt's tokens.
  private static func place(
    _ position: UInt32, _ promptTokens: Int, _ read: Int, _ session: Session
  ) -> UInt32 {
    guard read < promptTokens, position < read else { return position }
    switch session.shape.eviction.policy {
    case .truncate:
      let head = read - read / 2
      return position < head ? position : position + UInt32(promptTokens - read)
    case .gemFilter: return session.selectedPositions[Int(position)]
    default: return position
    }
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
