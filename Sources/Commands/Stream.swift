import Cache
import Eviction
package import Inference
import Tokenization
package import Units

/// The tokens of a run on their way through the model: where the stream stands, what it took.
package struct Stream<System: Host> {
  /// Everything the run holds.
  package private(set) var memory: RunMemory

  /// Tokens that are in the cache or were.
  package private(set) var position = 0

  /// Tokens of the last prompt, and how many of them the policy let in.
  private var prompt = (tokens: 0, kept: 0)

  /// Whether the policy has dropped tokens of a prompt by what its instruction asked for.
  private var hasChosen = false

  /// What infinipot runs over a full cache.
  package var catalyst = FixedBuffer<Int32>.empty

  /// What the run took so far.
  var figures = RunFigures()

  /// Starts with an empty cache.
  package init(_ memory: RunMemory) { self.memory = memory }

  /// Takes note of what the policy did so far.
  mutating func noteSlots() {
    figures.peakSlots = memory.session.peakSlots(read: position)
    figures.turnovers = memory.session.turnovers
  }

  /// Forgets what was read: another stream begins.
  package mutating func restart() {
    position = 0
    prompt = (0, 0)
    hasChosen = false
    memory.session.restart()
  }

  /// Where a token that stands at `position` of the stream stood in the prompt: policies may choose
  /// tokens of a long prompt before it is read.
  func origin(of position: UInt32) -> UInt32 {
    let place = Int(position)
    guard prompt.kept < prompt.tokens, place < prompt.kept else { return position }
    if memory.session.shape.eviction.filters {
      return memory.session.selectedPositions[place]
    }
    let head = prompt.kept - prompt.kept / 2
    return UInt32(place < head ? place : prompt.tokens - prompt.kept + place)
  }

  /// Runs `tokens` through the model, tile by tile; the logits of the last one follow.
  ///
  /// The tokens from `instructionStart` on are the instruction.
  package mutating func prefill(
    _ tokens: FixedBuffer<Int32>, instructionStart: Int,
    _ console: inout Console<System>
  ) throws(Failure) {
    let session = memory.session
    let start = System.nanoseconds()
    let most = session.shape.eviction.promptMax
    if session.shape.eviction.filters && tokens.count > most {
      throw session.refusal(of: tokens.count)
    }
    prompt.tokens = tokens.count
    guard let tokens = session.filtered(shortened(tokens), instructionStart: instructionStart)
    else { throw .nonFinite(position: tokens.count) }
    prompt.kept = tokens.count
    let document = min(instructionStart, tokens.count)
    try session.announce(
      document: document, instruction: tokens.extracting(document..<tokens.count),
      catalyst: catalyst, tokens: tokens.count, at: position)
    var progress = Progress<System>("reading", total: tokens.count)
    var reader = TileReader<System>(tokens, at: position, lastRowOnly: true)
    var pace = Pace<System>(tokens: tokens.count)
    while let tile = try reader.next(session) {
      for index in tile { memory.sampler.observe(Int(tokens[index])) }
      position += tile.count
      progress.advance(tile.count, &console)
      pace.advance(to: tile.upperBound)
      if tile.upperBound == tokens.count && !session.project(row: tile.count - 1) {
        throw .nonFinite(position: position)
      }
    }
    session.endPrompt()
    hasChosen = hasChosen || prompt.kept < prompt.tokens || session.hasDropped
    progress.finish(&console)
    figures.promptTokens += prompt.tokens
    figures.chosenTokens += prompt.kept
    figures.promptNanoseconds += System.nanoseconds() - start
    (figures.firstTenthRate, figures.lastTenthRate) = (pace.first, pace.last)
  }

  /// Whether the cache can answer another question of `tokens` tokens: not where the policy has
  /// chosen what to keep for an earlier one, or has no room beside it.
  func takesMore(_ tokens: Int) -> Bool {
    let session = memory.session
    guard position > 0, session.shape.eviction.policy.isFrozen else { return true }
    return !hasChosen && session.evictor.hasRoomBeside(tokens)
  }

  /// Without the middle where the policy is to truncate and the tokens leave no room for a reply.
  private func shortened(_ tokens: FixedBuffer<Int32>) -> FixedBuffer<Int32> {
    let settings = memory.session.shape.eviction
    let kept = settings.slots - settings.reserve
    guard settings.policy == .truncate, position == 0, tokens.count > kept else { return tokens }
    let tail = tokens.count - kept / 2
    for index in 0..<kept / 2 { tokens[kept - kept / 2 + index] = tokens[tail + index] }
    return tokens.extracting(0..<kept)
  }

  /// Runs one more token, for which the cache must have room; its logits follow.
  package mutating func step(_ token: Int32) throws(Failure) {
    try memory.session.step(token, at: position)
    position += 1
  }

  /// Samples, prints and feeds back tokens until the reply ends.
  mutating func reply(
    tokensMax: Int, _ matcher: inout StopMatcher, _ writer: inout ReplyWriter<System>,
    _ console: inout Console<System>
  ) throws(Failure) {
    let session = memory.session
    let start = System.nanoseconds()
    defer { figures.replyNanoseconds += System.nanoseconds() - start }
    matcher.restart()
    writer.restart()
    figures.ending = .length
    for _ in 0..<tokensMax {
      if System.isInterrupted {
        figures.ending = .interrupted
        break
      }
      let token = memory.sampler.next(session.logits, kernels: session.kernels)
      memory.sampler.observe(token)
      if writer.tokenizer.isStop(Int32(token)) {
        figures.ending = .endOfText
        break
      }
      figures.replyTokens += 1
      try writer.write(Int32(token), &matcher, &console)
      if matcher.isStopped {
        figures.ending = .stopText
        break
      }
      guard session.admits(position) else {
        figures.ending = .contextFull
        break
      }
      try step(Int32(token))
    }
    try writer.finish(&matcher, &console)
  }
}
