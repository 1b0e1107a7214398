/// A policy with all its numbers.
package struct EvictionSettings: BitwiseCopyable, Equatable, Sendable {
  /// Which tokens stay.
  package let policy: EvictionPolicy

  /// The budget: slots of each KV head that may be taken at any moment.
  package let slots: Int

  /// The most tokens that are read between two evictions.
  package let chunk: Int

  /// Slots that a policy which chooses once leaves to generated tokens.
  package let reserve: Int

  /// Tokens of the longest prompt that is held whole until the choice is made.
  package let promptMax: Int

  /// h2o: per cent of the kept slots that are the newest.
  package let recentPercent: Int

  /// scissorhands, valuediff: the newest slots that stay.
  package let recent: Int

  /// scissorhands, valuediff: slots that go at once.
  package let drop: Int

  /// scissorhands: queries that count.
  package let history: Int

  /// scissorhands: whether a probability is low below 1/(tokens read) instead of 1/(slots seen).
  package let countsStream: Bool

  /// snapkv: queries at the end of the prompt that choose.
  package let window: Int

  /// snapkv: whether a slot counts as its best neighbour does, instead of the mean of them.
  package let poolsByMaximum: Bool

  /// gemfilter: whether a long prompt is filtered before it is read; `policy` is then that of what
  /// is left of it and of the reply.
  package let filters: Bool

  /// gemfilter: layers that read the whole prompt, at most all but one; in the next one queries
  /// choose.
  package let filterLayers: Int

  /// gemfilter: tokens at the end of the prompt that stay; 0: 16, or the instruction if longer.
  package let filterTail: Int

  /// gemfilter: whether nothing stays by position, and missing neighbours count as zeros.
  package let isExact: Bool

  /// gemfilter: whether the whole instruction chooses, by probability, instead of the last token
  /// by its products.
  package let votes: Bool

  /// infinipot: slots that stay when the pot is distilled.
  package let distilled: Int

  /// infinipot: of these, the tokens that surprised the model most.
  package let novel: Int

  /// What a person may choose; 0 is the default that follows from the budget.
  package struct Choices: BitwiseCopyable, Equatable, Sendable {
    /// Tokens between two evictions: min(64, slots / 4).
    package var chunk = 0
    /// Tokens of the longest prompt that is held whole.
    package var promptMax = 0
    /// h2o: per cent of the kept slots that are the newest.
    package var recentPercent = 50
    /// scissorhands, valuediff: the newest slots that stay.
    package var recent = 10
    /// scissorhands, valuediff: slots that go at once: slots / 8, or `dropShare`.
    package var drop = 0
    /// scissorhands: the part of the slots that goes at once by default, 1 / `dropShare`.
    package var dropShare = 8
    /// scissorhands: queries that count: min(400, 2 drop).
    package var history = 0
    /// scissorhands: whether a probability is low below 1/(tokens read).
    package var countsStream = false
    /// snapkv: queries that choose: min(32, slots / 4).
    package var window = 0
    /// snapkv: whether a slot counts as its best neighbour does.
    package var poolsByMaximum = false
    /// gemfilter: whether a long prompt is filtered whatever the policy.
    package var filters = false
    /// gemfilter: layers that read the whole prompt, or `nil`: half of them, or 1 by votes.
    package var filterLayers: Int?
    /// gemfilter: tokens at the end that stay.
    package var filterTail = 0
    /// gemfilter: whether nothing stays by position.
    package var isExact = false
    /// gemfilter: whether the whole instruction chooses.
    package var votes = false
    /// infinipot: per cent of the slots that stay.
    package var distilledPercent = 50
    /// infinipot: per cent of these that are chosen by surprise.
    package var novelPercent = 50

    /// The defaults.
    package init() {}
  }

  /// A policy over `slots` slots for a model of `layers` layers trained with `trainedContext` tokens.
  package init(
    policy: EvictionPolicy, slots: Int, layers: Int, trainedContext: Int, choices: Choices
  ) {
    self.policy = policy
    self.slots = slots
    chunk = choices.chunk > 0 ? choices.chunk : max(1, min(64, slots / 4))
    reserve = max(16, slots / 8)
    filters = choices.filters || policy == .gemFilter
    promptMax =
      policy == .snapKV || filters
      ? max(slots, choices.promptMax > 0 ? choices.promptMax : trainedContext) : slots
    recentPercent = choices.recentPercent
    recent = choices.recent
    drop = choices.drop > 0 ? choices.drop : max(1, slots / choices.dropShare)
    history = choices.history > 0 ? choices.history : min(400, 2 * drop)
    countsStream = choices.countsStream
    poolsByMaximum = choices.poolsByMaximum
    window = choices.window > 0 ? choices.window : min(32, slots / 4)
    filterLayers = min(choices.filterLayers ?? (choices.votes ? 1 : layers / 2), layers - 1)
    filterTail = choices.filterTail
    isExact = choices.isExact
    votes = choices.votes
    distilled = choices.distilledPercent * slots / 100
    novel = choices.novelPercent * distilled / 100
  }

  /// The longest probe: the instruction or a catalyst.
  package var probeMax: Int { policy.probes ? slots / 2 : 0 }

  /// Tokens of a tile where nobody asks for others: 64, if the window of streaming holds them; for
  /// citrus a chunk and an instruction of 32 tokens, which then go through a layer as one batch.
  package var tileTokens: Int {
    if policy == .streaming { return min(64, slots - EvictionPolicy.sinkTokens) }
    return policy.isCitrus ? max(64, chunk + 32) : 64
  }

  /// How many distances are kept at hand that keys are rotated by: many where that is done with each
  /// chunk, of which 64 tokens turn keys by as many distances at most.
  package var turningDistances: Int { policy.isArithmetic ? 0 : policy.probes ? 64 : 1 }

  /// The most tokens that slots are set aside for at once.
  var admittedMax: Int { policy.isCitrus ? chunk + probeMax : max(chunk, probeMax) }

  /// Whether the logits of every token of the prompt are needed, to see how much the next one
  /// surprises the model (infinipot).
  package var notesSurprise: Bool { policy == .infiniPot && novel > 0 }

  /// citrus: the most tokens of a chunk, and the slots of each cache that stay beside the newest
  /// chunk, with an instruction of `probe` tokens.
  ///
  /// Every slot is used at the peak: k + 2 l + i of them by one cache, or k + 2 l by the document's
  /// and k + l + i by the instruction's.
  func citrusNumbers(probe: Int) -> (chunk: Int, kept: Int) {
    let free = slots - probe
    let caches = policy == .citrusIndividual ? 2 : 1
    let chunk = min(chunk, free / (4 * caches + 1))
    return (chunk, (free - (caches + 1) * chunk) / caches)
  }

  /// Tokens that the first layers read (gemfilter).
  package var filteredTokens: Int { filters ? promptMax : 0 }

  /// Whether the instruction must be known apart from the document.
  package var needsInstruction: Bool { policy.probes || filters }

  /// Slots of each KV head that memory is taken for.
  package var heldSlots: Int { policy == .snapKV ? promptMax : slots }

  /// The fewest slots that a policy which evicts can work with.
  package static var slotsMin: Int { 32 }

  /// Why the numbers do not go together; `nil` where they do.
  ///
  /// `keysTurn` says whether stored keys can be rotated again without harm.
  package func defect(keysTurn: Bool) -> Defect? {
    if policy == .full { return nil }
    if policy == .streaming {
      let window = slots - EvictionPolicy.sinkTokens
      return chunk > min(slots / 2, window) ? .chunkTooLarge : nil
    }
    if policy.probes && !keysTurn { return .keysDoNotTurn }
    if slots < Self.slotsMin { return .tooFewSlots }
    if chunk > slots / 2 { return .chunkTooLarge }
    if filters && reserve >= slots { return .tooFewSlots }
    if policy.dropsMany && drop + recent > slots { return .nothingToDrop }
    switch policy {
    case .scissorhands:
      if history > 2 * drop || history > Int(UInt16.max) { return .historyTooLong }
    case .truncate:
      if reserve >= slots { return .tooFewSlots }
    case .snapKV:
      if reserve + window >= slots { return .windowTooLarge }
    default: break
    }
    return nil
  }

  /// Numbers that do not go together.
  package enum Defect: BitwiseCopyable, Equatable, Sendable {
    /// Fewer than `slotsMin` slots.
    case tooFewSlots
    /// A chunk of more than half the slots.
    case chunkTooLarge
    /// scissorhands: the windowed counters are exact for at most twice the slots that go.
    case historyTooLong
    /// scissorhands, valuediff: more slots are to go than may.
    case nothingToDrop
    /// The policy rotates keys again, which int4 does not bear.
    case keysDoNotTurn
    /// snapkv: the queries that choose and the reserve take every slot.
    case windowTooLarge
  }
}
