internal import Cache
internal import Commands
internal import Eviction
internal import Inference
internal import Kernels
internal import ModelFormat
internal import Profiles
internal import Units

/// What a row measures.
struct RowWork: BitwiseCopyable {
  let prompt: Int
  let generated: Int
  let depth: Int

  /// Tokens of the prompts that policies which choose read to their end: its last ones are the
  /// instruction.
  static let instructionTokens = 32

  /// Token ids that must have a buffer under a policy.
  func heldTokens(_ policy: PolicyChoice) -> Int {
    let isFiltered = policy == .gemFilter || policy == .gemFilterVote
    return max(isFiltered ? depth + prompt : 0, Self.instructionTokens)
  }
}

/// What a repetition took, and what of it was work that a policy's paper asks for beside the tokens
/// of the stream.
struct RowSample: BitwiseCopyable {
  var nanoseconds: UInt64 = 0
  /// Tokens that were run over the cache only to see what they look at (citrus, infinipot).
  var probedRows = 0
  /// Logits of tokens of a prompt (infinipot).
  var outputRows = 0
  /// The first pass over the prompt (gemfilter).
  var filterNanoseconds: UInt64 = 0
}

/// The random tokens of a row on their way through the model, under any policy.
///
/// Under `full` and `streaming` every repetition begins at the depth again. Policies that evict
/// cannot go back: the stream goes on. Those that choose for a prompt generate behind one of `depth`
/// tokens, or read its last `prompt` tokens and choose; citrus and infinipot, which do not hold it,
/// read on and on in a document that does not end.
struct RowCourse<System: Host> {
  private let session: Session
  private let work: RowWork
  /// Holds a prompt, or an instruction.
  private let ids: FixedBuffer<Int32>
  private var tokens = RandomWords(seed: 7)
  /// How long the logits of one token take, at the least.
  private(set) var outputNanoseconds = UInt64.max

  init(_ session: Session, ids: FixedBuffer<Int32>, work: RowWork) {
    (self.session, self.ids) = (session, ids)
    let settings = session.shape.eviction
    guard settings.policy == .truncate else {
      self.work = work
      return
    }
    // The middle of a longer prompt is never read.
    let prompt = min(work.prompt, settings.slots - settings.reserve)
    self.work = RowWork(
      prompt: prompt, generated: work.generated,
      depth: min(work.depth, settings.slots - settings.reserve - prompt))
  }

  private var policy: EvictionPolicy { session.shape.eviction.policy }

  /// Whether each repetition reads a prompt of its own from its start.
  private var restarts: Bool {
    policy.isFrozen && work.prompt > 0 && (policy.holdsPrompt || work.generated > 0)
  }

  /// Tokens of the instruction behind a document of `total` tokens.
  private func instructionTokens(of total: Int) -> Int {
    min(min(RowWork.instructionTokens, session.shape.eviction.slots / 8), total)
  }

  /// Refuses what cannot be run, before the process is sealed.
  func check() throws(Failure) {
    let settings = session.shape.eviction
    let prompt = work.depth + work.prompt
    guard policy.isFrozen || !settings.filters else {
      throw .prompt(.choosesOnce, policy: session.shape.profile.policy.name)
    }
    guard policy.isFrozen else {
      let last = prompt + work.generated
      guard session.admits(max(last, 1) - 1) else {
        throw .promptTooLong(tokens: last, slots: settings.slots)
      }
      return
    }
    guard !policy.holdsPrompt || prompt <= settings.promptMax else {
      throw .promptTooLong(tokens: prompt, slots: settings.promptMax)
    }
    let instruction = instructionTokens(of: prompt)
    try session.announce(
      document: prompt - instruction, instruction: ids.extracting(0..<instruction))
    session.restart()
  }

  /// Brings the cache to the depth.
  mutating func begin() throws(Failure) {
    if restarts { return }
    if policy.isFrozen {
      let isEndless = work.prompt > 0
      try read(
        work.depth, of: isEndless ? 1 << 40 : work.depth, endsPrompt: !isEndless)
    } else {
      try prefill(work.depth, at: position(0))
    }
  }

  /// What comes before the clock starts.
  mutating func prepare() throws(Failure) {
    guard restarts else { return }
    session.restart()
    if policy != .gemFilter { try read(work.depth, of: work.depth + work.prompt) }
  }

  /// One repetition, with as many generated tokens as are wanted.
  mutating func repetition(generated: Int) throws(Failure) -> RowSample {
    let before = progress
    var sample = RowSample()
    let start = System.nanoseconds()
    if policy == .gemFilter && work.prompt > 0 {
      sample.filterNanoseconds = try readFiltered(work.prompt + work.depth)
    } else {
      try prefill(work.prompt, at: position(work.depth))
      if work.prompt > 0 { try project(work.prompt) }
      if restarts { session.endPrompt() }
    }
    try generate(generated, at: position(work.depth + work.prompt))
    sample.nanoseconds = System.nanoseconds() - start
    sample.probedRows = progress.probedRows - before.probedRows
    sample.outputRows = progress.outputRows - before.outputRows
    return sample
  }

  /// Slots that attention goes over at the end of a repetition.
  var attendedSlots: Int {
    policy.isArithmetic
      ? session.cache.map.liveSlots(after: max(work.depth + work.prompt + work.generated, 1) - 1)
      : progress.used
  }

  // MARK: Tokens

  private var progress: EvictionProgress {
    policy == .full ? EvictionProgress() : session.evictor.progress
  }

  /// Where the next tokens stand; `start` where every repetition begins at the depth again.
  private func position(_ start: Int) -> Int {
    policy == .full ? start : session.evictor.progress.position
  }

  /// Announces a prompt of `total` tokens and reads the first `count` of them.
  private mutating func read(
    _ count: Int, of total: Int, endsPrompt: Bool = false
  ) throws(Failure) {
    let instruction = instructionTokens(of: total)
    for index in 0..<instruction { ids[index] = token() }
    try session.announce(
      document: total - instruction, instruction: ids.extracting(0..<instruction))
    if policy == .gemFilter {
      _ = try readFiltered(count)
    } else {
      try prefill(count, at: position(0))
      if endsPrompt { session.endPrompt() }
    }
  }

  /// Lets gemfilter choose among `count` tokens and reads what it chose; returns how long the choice
  /// took.
  private mutating func readFiltered(_ count: Int) throws(Failure) -> UInt64 {
    let start = System.nanoseconds()
    let prompt = ids.extracting(0..<count)
    for index in 0..<count { prompt[index] = token() }
    let instruction = count - instructionTokens(of: count)
    guard let kept = session.filtered(prompt, instructionStart: instruction) else {
      throw .nonFinite(position: count)
    }
    let chosen = System.nanoseconds() - start
    let document = min(instruction, kept.count)
    try session.announce(document: document, instruction: kept.extracting(document..<kept.count))
    try prefill(kept.count, at: 0, kept)
    if kept.count > 0 { try project(kept.count) }
    session.endPrompt()
    return chosen
  }

  /// Runs `count` tokens from stream position `start` on, tile by tile: random ones, or `given`.
  private mutating func prefill(
    _ count: Int, at start: Int, _ given: FixedBuffer<Int32>? = nil
  ) throws(Failure) {
    var reader = TileReader<System>(count: count, at: start, lastRowOnly: true)
    while try reader.next(session, token: { given?[$0] ?? token() }) != nil {}
  }

  /// Computes the logits of the token at `position`, the last of the tile at hand.
  private mutating func project(_ position: Int) throws(Failure) {
    let start = System.nanoseconds()
    guard session.project(row: session.lastRow) else { throw .nonFinite(position: position) }
    outputNanoseconds = min(outputNanoseconds, System.nanoseconds() - start)
  }

  /// Runs `count` random tokens from stream position `start` on, one after the other, each with its
  /// logits; nothing is sampled.
  private mutating func generate(_ count: Int, at start: Int) throws(Failure) {
    for index in 0..<count {
      if System.isInterrupted { throw .interrupted }
      _ = session.makeRoom(for: 1)
      session.tile[0] = token()
      guard session.prefill(start: start + index, count: 1) else {
        throw .nonFinite(position: start + index)
      }
      try project(start + index)
    }
  }

  private mutating func token() -> Int32 {
    Int32(tokens.next() >> 33) % Int32(session.shape.model.vocabulary)
  }
}
