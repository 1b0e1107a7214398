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

  /// The depth from which `tokens` tokens find `slots` slots taken, on average.
  static func depth(slots: Int, tokens: Int) -> Int { max(slots - (tokens + 1) / 2, 0) }

  /// Token ids that must have a buffer under a policy.
  func heldTokens(_ policy: PolicyChoice) -> Int {
    let isFiltered = policy == .gemFilter || policy == .gemFilterVote
    return max(isFiltered ? depth + prompt : 0, Self.instructionTokens)
  }
}

/// The random tokens of a row on their way through the model, under any policy.
///
/// Under `full` every repetition begins at the depth again. Policies that evict cannot go back. Where
/// they need not evict, each repetition reads all before it anew. Where they do, the stream goes on,
/// and the cache is filled before the first one, so that all find it alike. Those that choose for a
/// prompt generate behind one of `depth` tokens, or read its last `prompt` tokens and choose; citrus
/// and infinipot, which do not hold it, read on and on in a document that does not end.
struct RowCourse<System: Host> {
  private let session: Session
  private let work: RowWork
  /// Holds a prompt, or an instruction.
  private let ids: FixedBuffer<Int32>
  private var tokens = RandomWords(seed: 7)
  /// The prompt of the repetition at hand, and how much of it and of the reply is still to come.
  private var prompt: TileReader<System>?
  private var promptLeft = 0
  private var generated = 0
  private var generatedLeft = 0
  /// Tokens that are run over the cache only to see what they look at, when they are run.
  private var probeTokens = 0
  /// How long the logits of a tile take for each of its tokens, where the policy wants all of them.
  private var outputNanoseconds = 0.0

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

  /// Whether each repetition reads all before it anew.
  private var restarts: Bool {
    if policy == .full { return false }
    let choosesEachTime = policy.isFrozen && (policy.holdsPrompt || work.generated > 0)
    return work.prompt > 0 && choosesEachTime || hasRoom
  }

  /// Whether a repetition ends before the cache is full.
  private var hasRoom: Bool {
    let settings = session.shape.eviction
    let reply = policy.isFrozen ? max(work.generated, settings.reserve) : work.generated
    return work.depth + work.prompt + reply + probeTokens <= settings.slots
  }

  /// Tokens of the instruction behind a document of `total` tokens.
  private func instructionTokens(of total: Int) -> Int {
    min(min(RowWork.instructionTokens, session.shape.eviction.slots / 8), total)
  }

  /// Refuses what cannot be run, before the process is sealed.
  mutating func check() throws(Failure) {
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
    probeTokens = session.evictor.progress.probeCount
    session.restart()
  }

  /// Brings the cache to the depth and, where the stream goes on from there, fills it.
  mutating func begin() throws(Failure) {
    if restarts { return }
    let slots = session.shape.eviction.slots
    if policy.isFrozen && work.prompt > 0 {
      return try read(max(work.depth, slots), of: 1 << 40)
    }
    try readDepth()
    if policy != .full { try prefill(slots - progress.live, at: position(0)) }
  }

  /// Reads the tokens before those of a repetition.
  private mutating func readDepth() throws(Failure) {
    // Gemfilter reads a prompt as a whole.
    if policy == .gemFilter && work.prompt > 0 { return }
    try read(work.depth, of: work.depth + work.prompt, endsPrompt: work.prompt == 0)
  }

  /// Tokens of a stretch: short enough that what disturbs one disturbs its neighbour.
  private static var stretchTokens: (prompt: Int, generated: Int) { (64, 4) }

  /// One repetition with as many generated tokens as are wanted, at one go.
  mutating func repetition(generated: Int) throws(Failure) -> RepetitionAnswer {
    try prepare(generated: generated)
    return try read(promptMax: .max, generatedMax: .max)
  }

  /// The next stretch of a repetition, or the first one of a new one.
  mutating func stretch(generated: Int) throws(Failure) -> RepetitionAnswer {
    if promptLeft == 0 && generatedLeft == 0 { try prepare(generated: generated) }
    let most = Self.stretchTokens
    return try read(promptMax: most.prompt, generatedMax: most.generated)
  }

  /// What comes before the clock starts.
  private mutating func prepare(generated: Int) throws(Failure) {
    if restarts {
      session.restart()
      try readDepth()
    }
    prompt = TileReader(count: work.prompt, at: position(work.depth), lastRowOnly: true)
    promptLeft = work.prompt
    (self.generated, generatedLeft) = (generated, generated)
  }

  /// Reads on, `promptMax` tokens of the prompt or a few more, or generates `generatedMax`.
  private mutating func read(promptMax: Int, generatedMax: Int) throws(Failure) -> RepetitionAnswer
  {
    let before = progress
    var sample = RepetitionAnswer()
    let start = System.nanoseconds()
    if promptLeft > 0 && policy == .gemFilter {
      sample.filterNanoseconds = try readFiltered(work.prompt + work.depth)
      promptLeft = 0
    } else {
      try readPrompt(promptMax)
    }
    if promptLeft == 0 { try generate(generatedMax) }
    sample.nanoseconds = System.nanoseconds() - start
    sample.probedRows = progress.probedRows - before.probedRows
    sample.outputRows = progress.outputRows - before.outputRows
    if sample.outputRows > 0 {
      try timeOutputs()
      sample.outputNanoseconds = UInt64(Double(sample.outputRows) * outputNanoseconds)
    }
    sample.left = promptLeft + generatedLeft
    return sample
  }

  /// Reads `most` tokens of the prompt, or a few more up to the end of a tile.
  private mutating func readPrompt(_ most: Int) throws(Failure) {
    var done = 0
    while promptLeft > 0 && done < most {
      // The closure must not ask for all of this value while a part of it is changed.
      let vocabulary = Int32(session.shape.model.vocabulary)
      var words = tokens
      defer { tokens = words }
      guard
        let tile = try prompt?.next(session, token: { _ in Self.token(&words, vocabulary) })
      else { return }
      done += tile.count
      promptLeft -= tile.count
    }
    guard done > 0 && promptLeft == 0 else { return }
    try project(work.prompt)
    if restarts { session.endPrompt() }
  }

  /// Times the logits of the last tile once more, where it is a whole one.
  private mutating func timeOutputs() throws(Failure) {
    let rows = session.lastRow + 1
    if rows < session.tile.count && outputNanoseconds > 0 { return }
    let start = System.nanoseconds()
    guard session.readOutputs() else { throw .nonFinite(position: position(0)) }
    outputNanoseconds = Double(System.nanoseconds() - start) / Double(rows)
  }

  /// Slots that attention goes over at the end of a repetition.
  var attendedSlots: Int {
    hasRoom ? work.depth + work.prompt + work.generated : progress.used
  }

  /// The depth from which a repetition finds as many slots in a full cache, on average.
  var fullDepth: Int {
    hasRoom ? work.depth : RowWork.depth(slots: attendedSlots, tokens: work.prompt + work.generated)
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
  private func project(_ position: Int) throws(Failure) {
    guard session.project(row: session.lastRow) else { throw .nonFinite(position: position) }
  }

  /// Runs up to `most` random tokens one after the other, each with its logits; nothing is sampled.
  private mutating func generate(_ most: Int) throws(Failure) {
    for _ in 0..<min(most, generatedLeft) {
      if System.isInterrupted { throw .interrupted }
      let done = generated - generatedLeft
      let position = position(work.depth + work.prompt + done)
      try session.step(token(), at: position)
      generatedLeft -= 1
    }
  }

  private mutating func token() -> Int32 {
    Self.token(&tokens, Int32(session.shape.model.vocabulary))
  }

  private static func token(_ words: inout RandomWords, _ vocabulary: Int32) -> Int32 {
    Int32(words.next() >> 33) % vocabulary
  }
}
