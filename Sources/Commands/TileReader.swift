import Eviction
package import Inference
import Profiles
package import Units

/// Tokens on their way into the cache: the loop by which prompts, streams and benchmarks are read.
///
/// ```
/// var reader = TileReader<System>(tokens, at: position)
/// while let tile = try reader.next(session) { … }
/// ```
package struct TileReader<System: Host> {
  private let tokens: FixedBuffer<Int32>

  /// How many tokens are to be read.
  private let count: Int

  /// Stream position of the first of the tokens.
  private let position: Int

  /// Whether no row but the last of each tile is projected.
  private let lastRowOnly: Bool

  /// Tokens that were read.
  private var done = 0

  /// Tokens that may be read before room is made again.
  private var room = 0

  /// Starts with the first of `tokens`, which stands at `position` of the stream.
  package init(_ tokens: FixedBuffer<Int32>, at position: Int, lastRowOnly: Bool = false) {
    self.tokens = tokens
    count = tokens.count
    self.position = position
    self.lastRowOnly = lastRowOnly
  }

  /// Starts with the first of `count` tokens that each call of `next` is told.
  package init(count: Int, at position: Int, lastRowOnly: Bool = false) {
    tokens = .empty
    self.count = count
    self.position = position
    self.lastRowOnly = lastRowOnly
  }

  /// Makes room where none is left, and runs the next tile through the model.
  ///
  /// Returns which of the tokens it held, `nil` once all were read. Its rows, or its last one,
  /// can be projected until the next call. Throws where the user interrupts and where a number is not finite.
  package mutating func next(_ session: Session) throws(Failure) -> Range<Int>? {
    let tokens = tokens
    return try next(session) { tokens[$0] }
  }

  /// The same with tokens that `token` tells one by one, in their order.
  package mutating func next(
    _ session: Session, token: (_ index: Int) -> Int32
  ) throws(Failure) -> Range<Int>? {
    let left = count - done
    if left == 0 { return nil }
    if System.isInterrupted { throw .interrupted }
    if room == 0 { room = session.makeRoom(for: left) }
    if room == 0 { throw .nonFinite(position: position + done) }
    let tile = done..<done + min(session.tile.count, room)
    for index in tile { session.tile[index - tile.lowerBound] = token(index) }
    guard
      session.prefill(
        start: position + tile.lowerBound, count: tile.count, lastRowOnly: lastRowOnly)
    else {
      throw .nonFinite(position: position + tile.upperBound)
    }
    room -= tile.count
    done = tile.upperBound
    return tile
  }
}

extension Session {
  /// Announces a document of `document` tokens and the instruction behind it, which will be read from
  /// `position` on; what the policy or the cache cannot take is refused.
  package func announce(
    document: Int, instruction: FixedBuffer<Int32>, catalyst: FixedBuffer<Int32> = .empty,
    tokens: Int, at position: Int = 0
  ) throws(Failure) {
    try announce(document: document, instruction: instruction, catalyst: catalyst)
    guard admits(position + tokens - 1) else {
      throw refusal(of: position + tokens)
    }
  }

  /// The same where the cache is known to take it.
  package func announce(
    document: Int, instruction: FixedBuffer<Int32>, catalyst: FixedBuffer<Int32> = .empty
  ) throws(Failure) {
    do throws(Evictor.PromptDefect) {
      try beginPrompt(document: document, instruction: instruction, catalyst: catalyst)
    } catch {
      throw .prompt(error, policy: shape.profile.policy.name)
    }
  }

  /// Why a prompt of `tokens` tokens is not taken.
  func refusal(of tokens: Int) -> Failure {
    let settings = shape.eviction
    switch settings.policy {
    case .snapKV, .gemFilter:
      return .promptAboveMax(
        tokens: tokens, promptMax: settings.promptMax, policy: shape.profile.policy.name)
    default: return .promptTooLong(tokens: tokens, slots: settings.heldSlots)
    }
  }

  /// Runs one token, which stands at `position` of the stream, for which the cache must have room;
  /// its logits follow.
  package func step(_ token: Int32, at position: Int) throws(Failure) {
    _ = makeRoom(for: 1)
    tile[0] = token
    guard prefill(start: position, count: 1) && project(row: 0) else {
      throw .nonFinite(position: position)
    }
  }
}
