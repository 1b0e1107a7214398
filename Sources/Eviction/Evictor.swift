package import Kernels
package import Memory
package import Units

/// Where the stream stands; written between two steps, read by every thread during one.
package struct EvictionProgress: BitwiseCopyable, Sendable {
  /// Tokens that have got slots: the stream position of the next one.
  package var position = 0

  /// The position the next token is rotated to.
  package var turn = 0

  /// Taken slots of every set, those of the chunk at hand included.
  package var live = 0

  /// Slots that were ever taken: attention looks no further.
  package var used = 0

  /// The most slots that were taken at any moment.
  package var peak = 0

  /// Stream position of the first token of the chunk at hand.
  package var chunkStart = 0

  /// Tokens of the chunk at hand.
  package var chunkCount = 0

  /// Whether a policy that chooses once has read the prompt.
  package var isGenerating = false

  /// Stream position behind the prompt.
  package var promptEnd = 0

  /// Stream position from which queries choose (snapkv).
  package var windowStart = Int.max

  /// How often live keys were counted anew.
  package var turnovers = 0

  /// Stream position from which no slot has a score of the last probe.
  package var probedEnd = 0

  /// Tokens that are run to see what they look at: the probe.
  package var probeCount = 0

  /// Tokens of a probe that slots are set aside for.
  ///
  /// They stand behind the chunk, at stream positions from `position` on, so that no token of the
  /// chunk sees them.
  package var probeAdmitted = 0

  /// Tokens of the probe at hand that have been run.
  package var probeDone = 0

  /// The position the first token of the probe is rotated to: that of the first of the chunk.
  package var probeTurn = 0

  /// Tokens of the chunk at hand that the caller does not know of yet.
  package var chunkLeft = 0

  /// citrus-individual: taken slots of the second cache, which the probe looks at; 0: the first one
  /// serves both.
  package var secondLive = 0

  /// citrus-individual: whether the second cache has become the first one.
  package var isJoined = false

  /// Tokens of probes that were run so far.
  package var probedRows = 0

  /// Rows of logits that were computed to see how much tokens surprised the model (infinipot).
  package var outputRows = 0

  /// citrus: the most tokens of a chunk, and the slots that stay beside the newest chunk.
  package var probedChunk = 0
  package var probedKept = 0

  /// Tokens of the instruction.
  package var instructionCount = 0

  /// Stream position where the document ends and the instruction begins, while it is read.
  package var documentEnd = 0

  /// Whether the instruction may be read.
  package var isAnswering = false

  /// The start of a stream.
  package init() {}
}

/// Decides which slots are freed, from what it sees of attention.
///
/// Between two steps the caller asks `room`, lets threads call `evict` for sets of their own, and
/// calls `advance`. During a step threads call `observe` with rows of probabilities, then `fold`.
/// Nothing depends on the number of threads, the tiles or the order of rows: all sums are integers.
package struct Evictor: BitwiseCopyable {
  /// The policy and its numbers.
  package let settings: EvictionSettings

  /// Which token every slot holds; empty where the policy needs no table.
  package let table: SlotTable

  /// One thread's share of what attention shows, for each thread.
  package let shares: FixedBuffer<Observation>

  /// What each thread chooses with.
  package let scratch: FixedBuffer<EvictionScratch>

  let kvHeads: Int
  let headsPerGroup: Int
  private let state: FixedBuffer<EvictionProgress>
  private var held = EvictionProgress()
  private var isHeld = false
  private let sums: FixedBuffer<Int64>  // [layers][KV heads][slots] where the policy sums
  private let secondSums: FixedBuffer<Int64>  // [layers][KV heads][slots]: citrus-individual
  private let last: FixedBuffer<UInt32>  // [layers][KV heads][slots]: tova
  private let votes: FixedBuffer<UInt16>  // [3][layers][KV heads][slots]: scissorhands
  private let surprise: FixedBuffer<UInt16>  // [layers][KV heads][slots]: infinipot

  /// Lays the table out in the current region, which is that of positions, and the scores in that
  /// of the policy; nothing where the policy needs no table.
  package init(
    _ settings: EvictionSettings, layers: Int, kvHeads: Int, headsPerGroup: Int,
    threads: Int, in arena: inout Arena
  ) {
    self.settings = settings
    self.kvHeads = kvHeads
    self.headsPerGroup = headsPerGroup
    let policy = settings.policy
    let slots = policy.isArithmetic ? 0 : settings.heldSlots
    table = SlotTable(
      layers: layers, setsPerLayer: policy.isPerHead ? kvHeads : 1, slots: slots,
      chunk: policy.isArithmetic ? 0 : settings.admittedMax,
      hasSecond: policy == .citrusIndividual, in: &arena)
    let scored = layers * kvHeads * slots
    secondSums = arena.take(policy == .citrusIndividual ? scored : 0)
    if policy != .full { arena.begin(.policy) }
    state = arena.take(policy == .full ? 0 : 1)
    sums = arena.take(policy.sums ? scored : 0)
    last = arena.take(policy == .tova ? scored : 0)
    votes = arena.take(policy == .scissorhands ? 3 * scored : 0)
    surprise = arena.take(settings.notesSurprise ? scored : 0)
    if state.count > 0 { state[0] = EvictionProgress() }
    let workers = policy.isArithmetic ? 0 : threads
    shares = arena.take(workers)
    scratch = arena.take(workers)
    for thread in 0..<workers {
      let share = Observation(settings, kvHeads: kvHeads, in: &arena)
      let own = EvictionScratch(settings, in: &arena)
      if !arena.isMeasuring {
        shares[thread] = share
        scratch[thread] = own
      }
    }
  }

  /// Where the stream stands; in a copy that holds still, where it stood then.
  package var progress: EvictionProgress { isHeld ? held : state[0] }

  /// Three numbers of it that are asked for often, without a copy of all.
  package var position: Int { isHeld ? held.position : state[0].position }
  package var used: Int { isHeld ? held.used : state[0].used }
  package var secondLive: Int { isHeld ? held.secondLive : state[0].secondLive }

  /// Moves on to where `next` says.
  package func move(to next: EvictionProgress) { state[0] = next }

  /// Keeps what `progress` says, so that a thread which comes late reads no memory that changes.
  package mutating func holdStill() {
    if state.count == 0 { return }
    held = state[0]
    isHeld = true
  }

  // MARK: Between steps

  /// Forgets everything but what it took so far: another stream begins.
  package func restart() {
    if state.count > 0 {
      var next = EvictionProgress()
      (next.probedRows, next.outputRows) = (state[0].probedRows, state[0].outputRows)
      state[0] = next
    }
    table.restart()
    sums.fill(0)
    secondSums.fill(0)
    last.fill(0)
    votes.fill(0)
  }

  /// What makes room for a chunk: how many tokens it may have, and how many slots of each set go.
  package func room(for count: Int) -> (tokens: Int, drop: Int) {
    precondition(count > 0, "a chunk has tokens")
    let live = progress.live
    let tokens = min(count, settings.chunk)
    if settings.policy.dropsMany {
      let drop = live == settings.slots ? settings.drop : 0
      return (min(tokens, settings.slots - live + drop), drop)
    }
    if settings.policy.isFrozen && !progress.isGenerating {
      return roomForPrompt(tokens)
    }
    if settings.policy == .streaming {
      // Chunks that drop nothing are read together.
      let fitting = (settings.slots - live) / settings.chunk * settings.chunk
      let tokens = min(count, max(settings.chunk, fitting))
      return (tokens, max(0, live + tokens - settings.slots))
    }
    return (tokens, max(0, live + tokens - settings.slots))
  }

  /// Frees `count` slots of a set.
  ///
  /// Where values are compared, `scratch.scores` say how much they differ.
  package func evict(_ count: Int, from set: Int, scratch: EvictionScratch, _ kernels: KernelSet) {
    if count == 1, let slot = lowest(set, scratch, kernels) {
      free(slot, in: set)
      return
    }
    let positions = takenPositions(set)
    switch settings.policy {
    case .full, .streaming: return
    case .h2o: scoreSums(set, kept: progress.live - count, scratch, kernels)
    case .tova: scoreLast(set, scratch, kernels)
    case .scissorhands: scoreVotes(set, scratch, kernels)
    case .valueDifference: protectNewest(of: set, scratch)
    case .heavyDifference: scoreRanks(set, scratch)
    case .citrusShared where !progress.isGenerating,
      .citrusIndividual where !progress.isGenerating:
      scoreProbed(positions, sums(set * kvHeads, heads: kvHeads), scratch)
    case .infiniPot where !progress.isGenerating: scoreNovel(set, scratch)
    case .truncate, .snapKV, .citrusShared, .citrusIndividual, .infiniPot, .gemFilter:
      scoreAge(set, scratch)
    }
    let scores = scratch.scores.extracting(0..<positions.count)
    let cut = scratch.selection.cut(dropping: count, scores: scores, positions: positions)
    for slot in 0..<positions.count
    where cut.drops(score: scores[slot], position: positions[slot]) {
      free(slot, in: set)
    }
    if settings.policy == .scissorhands { lowVotes(set).startEpoch() }
    if settings.policy == .heavyDifference { halveSums(set) }
  }

  /// The one slot of a set that goes, found at once, without a list of scores.
  ///
  /// `nil`: the policy does not drop one slot for each generated token.
  private func lowest(_ set: Int, _ scratch: EvictionScratch, _ kernels: KernelSet) -> Int? {
    let positions = takenPositions(set)
    switch settings.policy {
    case .h2o:
      let kept = settings.recentPercent * (progress.live - 1) / 100
      return kernels.lowest(
        sums(set).extracting(0..<positions.count), positions: positions,
        in: 0..<newest(kept, of: set, scratch, kernels))
    case .tova:
      return kernels.lowest(
        sumLast(set, scratch, kernels), positions: positions, in: 0..<SlotTable.free)
    case .truncate, .snapKV, .citrusShared, .citrusIndividual, .infiniPot, .gemFilter:
      guard progress.isGenerating else { return nil }
      return kernels.lowest(
        positions: positions, in: UInt32(progress.promptEnd)..<SlotTable.free)
    case .full, .streaming, .scissorhands, .valueDifference, .heavyDifference: return nil
    }
  }

  /// Takes up a chunk of `tokens` tokens and a probe of `probe` tokens, after `drop` slots of each set
  /// have been freed and slots been set aside for them.
  ///
  /// The second cache, where there is one, holds `secondLive` tokens by now.
  package func advance(
    tokens: Int, dropped drop: Int, turnsOver: Bool = false, probe: Int = 0, secondLive: Int = 0
  ) {
    var next = progress
    if turnsOver || settings.policy == .streaming { next.turn = next.live - drop }
    if turnsOver { next.turnovers += 1 }
    next.chunkStart = next.position
    next.chunkCount = tokens
    next.probeAdmitted = probe
    next.probeDone = 0
    next.probeTurn = secondLive > 0 ? secondLive : next.turn
    if probe > 0 { next.probedEnd = next.position }
    next.position += tokens
    next.turn += tokens
    next.live += tokens - drop
    next.secondLive = secondLive
    let taken = next.live + probe + secondLive
    next.used = max(next.used, taken)
    next.peak = max(next.peak, taken)
    move(to: next)
  }

  /// Frees what the end of the prompt looked at least, with its neighbours (snapkv).
  package func choose(in set: Int, scratch: EvictionScratch) {
    let (prefix, positions, sums) = (progress.windowStart, table.positions(set), sums(set))
    // Nothing was dropped before: slots are in stream order.
    let scores = scratch.scores.extracting(0..<prefix)
    if settings.poolsByMaximum {
      Pooling.maxima(of: sums.extracting(0..<prefix), into: scores)
    } else {
      Pooling.averages(of: sums.extracting(0..<prefix), edges: .zeros, into: scores)
    }
    let cut = scratch.selection.cut(
      dropping: prefix - keptPrefix, scores: scores, positions: positions.extracting(0..<prefix))
    for slot in 0..<prefix where cut.drops(score: scores[slot], position: positions[slot]) {
      table.free(slot, in: set)
    }
    sums.fill(0)
  }

  /// Tokens before the window that stay.
  var keptPrefix: Int { settings.slots - settings.reserve - settings.window }

  /// Takes note that every set has chosen, and that what is kept lies in the first slots.
  package func endChoice() {
    var next = progress
    next.live = keptPrefix + settings.window
    next.used = next.live
    next.windowStart = Int.max
    move(to: next)
  }

  /// Positions of the slots of a set that were ever taken.
  func takenPositions(_ set: Int) -> FixedBuffer<UInt32> {
    table.positions(set).extracting(0..<used)
  }

  /// The lowest scores go: probability received so far; the newest share stays.
  private func scoreSums(
    _ set: Int, kept: Int, _ scratch: EvictionScratch, _ kernels: KernelSet
  ) {
    let positions = takenPositions(set)
    let sums = sums(set)
    let recent = newest(settings.recentPercent * kept / 100, of: set, scratch, kernels)
    for slot in 0..<positions.count {
      scratch.scores[slot] = positions[slot] >= recent ? Selection.protected : UInt64(sums[slot])
    }
  }

  /// The lowest scores go: probability that the newest query gave, over all heads of the layer.
  private func scoreLast(_ set: Int, _ scratch: EvictionScratch, _ kernels: KernelSet) {
    let positions = takenPositions(set)
    _ = sumLast(set, scratch, kernels)
    for slot in 0..<positions.count where positions[slot] == SlotTable.free {
      scratch.scores[slot] = Selection.protected
    }
  }

  /// What the newest query gave each slot of a set, over all heads of the layer, in the place of the
  /// scores.
  private func sumLast(
    _ set: Int, _ scratch: EvictionScratch, _ kernels: KernelSet
  ) -> FixedBuffer<Int64> {
    let sums = scratch.sums.extracting(0..<takenPositions(set).count)
    sums.fill(0)
    for head in 0..<kvHeads { kernels.add(last(set * kvHeads + head), to: sums) }
    return sums
  }

  /// The most low votes go; the newest slots stay.
  private func scoreVotes(_ set: Int, _ scratch: EvictionScratch, _ kernels: KernelSet) {
    let positions = takenPositions(set)
    let votes = lowVotes(set)
    let recent = newest(settings.recent, of: set, scratch, kernels)
    for slot in 0..<positions.count {
      scratch.scores[slot] =
        positions[slot] >= recent ? Selection.protected : UInt64(UInt32.max) - votes.votes(slot)
    }
  }

  /// The oldest generated tokens go; the prompt stays.
  private func scoreAge(_ set: Int, _ scratch: EvictionScratch) {
    let positions = takenPositions(set)
    for slot in 0..<positions.count {
      let position = positions[slot]
      let mayGo = position >= progress.promptEnd && position != SlotTable.free
      scratch.scores[slot] = mayGo ? 0 : Selection.protected
    }
  }

  /// The stream position from which exactly the newest `count` taken slots of a set lie.
  private func newest(
    _ count: Int, of set: Int, _ scratch: EvictionScratch, _ kernels: KernelSet
  ) -> UInt32 {
    let (positions, live) = (takenPositions(set), progress.live)
    if count == 0 { return SlotTable.free }
    if count >= live { return 0 }
    let likely = UInt32(progress.position - count)
    // The newest tokens of the stream are all there, as a rule.
    if kernels.count(positions, in: likely..<SlotTable.free) == count { return likely }
    for slot in 0..<positions.count {
      let position = positions[slot]
      scratch.scores[slot] = position == SlotTable.free ? Selection.protected : UInt64(position)
    }
    let cut = scratch.selection.cut(
      dropping: live - count, scores: scratch.scores.extracting(0..<positions.count),
      positions: positions)
    return UInt32(truncatingIfNeeded: cut.score) + 1
  }

  /// Frees a slot and forgets its scores.
  private func free(_ slot: Int, in set: Int) {
    table.free(slot, in: set)
    switch settings.policy {
    case .h2o, .heavyDifference: sums(set)[slot] = 0
    case .scissorhands: lowVotes(set).clear(slot)
    case .full, .truncate, .streaming, .tova, .snapKV, .valueDifference, .citrusShared,
      .citrusIndividual, .infiniPot,
      .gemFilter:
      break
    }
  }

  // MARK: Scores

  func sums(_ index: Int) -> FixedBuffer<Int64> {
    sums.extracting(index * table.slots..<(index + 1) * table.slots)
  }

  /// The sums of some KV heads, one after the other.
  func sums(_ index: Int, heads: Int) -> FixedBuffer<Int64> {
    sums.extracting(index * table.slots..<(index + heads) * table.slots)
  }

  /// The same sums of what the probe looks at where it has a cache of its own.
  func secondSums(_ index: Int, heads: Int = 1) -> FixedBuffer<Int64> {
    secondSums.extracting(index * table.slots..<(index + heads) * table.slots)
  }

  /// How much each token of a set surprised the model.
  func surprise(_ index: Int) -> FixedBuffer<UInt16> {
    surprise.extracting(index * table.slots..<(index + 1) * table.slots)
  }

  func last(_ index: Int) -> FixedBuffer<UInt32> {
    last.extracting(index * table.slots..<(index + 1) * table.slots)
  }

  /// The counters of one KV head that queries add to.
  func counters(_ index: Int) -> (current: FixedBuffer<UInt16>, tail: FixedBuffer<UInt16>) {
    let votes = lowVotes(index)
    return (votes.current, votes.tail)
  }

  /// The counters of one KV head.
  package func lowVotes(_ index: Int) -> LowVotes {
    let slots = table.slots
    let third = votes.count / 3
    func counters(_ which: Int) -> FixedBuffer<UInt16> {
      votes.extracting(which * third + index * slots..<which * third + (index + 1) * slots)
    }
    return LowVotes(current: counters(0), tail: counters(1), previous: counters(2))
  }
}
