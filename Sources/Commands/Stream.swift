import Cache
import Eviction
package import Inference
import Profiles
package import Tokenization
package import Units

/// The tokens of a run on their way through the model: where the stream stands, what it took.
package struct Stream<System: Host> {
  /// Everything the run holds.
  package private(set) var memory: RunMemory

  /// The vocabulary.
  package let tokenizer: Tokenizer

  /// Tokens that are in the cache or were.
  package private(set) var position = 0

  /// Tokens of the last prompt, and how many of them the policy let in.
  private var prompt = (tokens: 0, kept: 0)

  /// What infinipot runs over a full cache.
  package var catalyst = FixedBuffer<Int32>.empty

  /// What the run took so far.
  var figures = RunFigures()

  /// Starts with an empty cache.
  package init(_ memory: RunMemory, tokenizer: Tokenizer) {
    self.memory = memory
    self.tokenizer = tokenizer
  }

  /// Takes note of what the policy did so far.
  mutating func noteSlots() {
    figures.peakSlots = memory.session.peakSlots(read: position)
    figures.turnovers = memory.session.turnovers
  }

  /// Forgets what was read: another stream begins.
  package mutating func restart() {
    position = 0
    prompt = (0, 0)
    memory.session.restart()
  }

  /// Where a token that stands at `position` of the stream stood in the prompt: policies may choose
  /// tokens of a long prompt before it is read.
  func origin(of position: UInt32) -> UInt32 {
    let place = Int(position)
    guard prompt.kept < prompt.tokens, place < prompt.kept else { return position }
    if memory.session.shape.eviction.policy == .gemFilter {
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
    if session.shape.eviction.policy == .gemFilter && tokens.count > most {
      throw .promptTooLong(tokens: tokens.count, slots: most)
    }
    prompt.tokens = tokens.count
    guard let tokens = session.filtered(shortened(tokens), instructionStart: instructionStart)
    else { throw .nonFinite(position: tokens.count) }
    prompt.kept = tokens.count
    do throws(Evictor.PromptDefect) {
      let document = min(instructionStart, tokens.count)
      try session.beginPrompt(
        document: document, instruction: tokens.extracting(document..<tokens.count),
        catalyst: catalyst)
    } catch {
      throw .prompt(error, policy: session.shape.profile.policy.name)
    }
    guard session.admits(position + tokens.count - 1) else {
      throw .promptTooLong(
        tokens: position + tokens.count, slots: session.shape.eviction.heldSlots)
    }
    var progress = Progress<System>("reading", total: tokens.count)
    var done = 0
    var room = 0
    while done < tokens.count {
      if System.isInterrupted { throw .interrupted }
      if room == 0 { room = session.makeRoom(for: tokens.count - done) }
      if room == 0 { throw .nonFinite(position: position) }
      let count = min(session.tile.count, room)
      room -= count
      for index in 0..<count {
        session.tile[index] = tokens[done + index]
        memory.sampler.observe(Int(tokens[done + index]))
      }
      guard session.prefill(start: position, count: count, lastRowOnly: true) else {
        throw .nonFinite(position: position + count)
      }
      done += count
      position += count
      progress.advance(count, &console)
      if done == tokens.count && !session.project(row: count - 1) {
        throw .nonFinite(position: position)
      }
    }
    session.endPrompt()
    progress.finish(&console)
    figures.promptTokens += tokens.count
    figures.promptNanoseconds += System.nanoseconds() - start
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
    let session = memory.session
    _ = session.makeRoom(for: 1)
    session.tile[0] = token
    guard session.prefill(start: position, count: 1) && session.project(row: 0) else {
      throw .nonFinite(position: position)
    }
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
    writer.restart(tokenizer)
    figures.ending = .length
    for _ in 0..<tokensMax {
      if System.isInterrupted {
        figures.ending = .interrupted
        break
      }
      let token = memory.sampler.next(session.logits, kernels: session.kernels)
      memory.sampler.observe(token)
      if tokenizer.isStop(Int32(token)) {
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
