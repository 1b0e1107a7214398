import Units

/// Policies that run a probe over the cache: the instruction (citrus) or a catalyst (infinipot).
extension Evictor {
  /// Why a prompt cannot be read.
  package enum PromptDefect: Error, BitwiseCopyable, Equatable, Sendable {
    /// The policy has chosen its tokens for an earlier question, and these do not fit beside them.
    case choosesOnce
    /// The instruction and the probe leave too few slots for the document.
    case instructionTooLong
  }

  /// Prepares for a document of `document` tokens and an instruction of `instruction` behind it,
  /// with a probe of `probe` tokens.
  package func beginPrompt(
    document: Int, instruction: Int, probe: Int
  ) throws(PromptDefect) {
    guard settings.policy.isFrozen else { return }
    var next = progress
    let count = document + instruction
    if next.isGenerating {
      guard hasRoomBeside(count) else { throw .choosesOnce }
      next.isGenerating = false
      next.documentEnd = next.position
      next.isAnswering = true
      move(to: next)
      return
    }
    next.documentEnd = next.position + document
    next.probeCount = probe
    next.instructionCount = instruction
    switch settings.policy {
    case .snapKV:
      let prefix = count - settings.window
      next.windowStart = prefix > keptPrefix ? prefix : Int.max
    case .citrusShared:
      let free = settings.slots - probe
      next.probedChunk = min(settings.chunk, free / 5)
      next.probedKept = free - 2 * next.probedChunk
      guard next.probedChunk > 0 else { throw .instructionTooLong }
    case .infiniPot:
      let kept = settings.distilled + max(instruction + settings.reserve, probe + 1)
      guard kept <= settings.slots else { throw .instructionTooLong }
    case .full, .truncate, .streaming, .h2o, .tova, .scissorhands, .gemFilter: break
    }
    move(to: next)
  }

  /// Whether `count` tokens and the reserve fit beside what is there.
  package func hasRoomBeside(_ count: Int) -> Bool {
    progress.live + count + settings.reserve <= settings.slots
  }

  /// Takes note that the instruction follows.
  package func beginAnswer() {
    var next = progress
    next.isAnswering = true
    move(to: next)
  }

  /// What makes room for a chunk of a prompt, while it is read.
  func roomForPrompt(_ tokens: Int) -> (tokens: Int, drop: Int) {
    let state = progress
    if settings.policy.holdsPrompt {
      return (min(tokens, settings.heldSlots - state.live), 0)
    }
    if state.position >= state.documentEnd {
      return (min(tokens, settings.slots - state.live), 0)
    }
    let tokens = min(tokens, state.documentEnd - state.position)
    if settings.policy == .citrusShared {
      let chunk = min(tokens, state.probedChunk)
      let mustEvict = state.live + chunk + state.probeCount > settings.slots
      return (chunk, mustEvict ? probedDrop : 0)
    }
    let most = settings.slots - state.probeCount
    let drop = state.live == most ? state.live - settings.distilled : 0
    return (min(tokens, most - state.live + drop), drop)
  }

  /// citrus: the slots with a score that do not stay.
  private var probedDrop: Int {
    let newest = progress.position - progress.probedEnd
    return max(0, progress.live - newest - progress.probedKept)
  }

  /// What goes before the instruction is read, by the scores there are.
  package var dropBeforeAnswer: Int {
    settings.policy == .citrusShared ? probedDrop : progress.live - settings.distilled
  }

  /// Whether instruction and reserve do not fit beside the document.
  package var mustEvictForAnswer: Bool {
    progress.live + progress.instructionCount + settings.reserve > settings.slots
  }

  /// citrus: what the instruction, run over the rest once more, looks at least.
  package var dropForAnswer: Int { max(0, progress.live - progress.probedKept) }

  /// Starts a probe: its tokens follow the newest ones, and the scores are its own.
  package func beginProbe() -> EvictionProgress {
    clearSums()
    var next = progress
    let before = next
    next.isProbing = true
    move(to: next)
    return before
  }

  /// Frees the slots of a probe, which began at stream position `start`, in a set.
  package func forgetProbe(in set: Int, from start: Int) {
    let positions = takenPositions(set)
    for slot in 0..<positions.count
    where positions[slot] != SlotTable.free && Int(positions[slot]) >= start {
      table.free(slot, in: set)
    }
  }

  /// Ends a probe: the stream stands where it stood.
  package func endProbe(before: EvictionProgress) {
    var next = before
    next.peak = max(before.peak, progress.peak)
    next.used = max(before.used, progress.used)
    next.probedEnd = before.position
    move(to: next)
  }

  /// Writes down how much the token of a chunk surprised the model, in every set.
  package func note(surprise: UInt16, token: Int) {
    for set in 0..<table.count { self.surprise(set)[Int(table.targets(set)[token])] = surprise }
  }

  /// citrus: what the probe looked at least goes, over all KV heads of the layer; what came after
  /// the probe stays.
  func scoreProbed(_ set: Int, _ scratch: EvictionScratch) {
    let positions = takenPositions(set)
    for slot in 0..<positions.count {
      var sum: UInt64 = 0
      for head in 0..<kvHeads { sum += UInt64(sums(set * kvHeads + head)[slot]) }
      let hasScore = Int(positions[slot]) < progress.probedEnd
      scratch.scores[slot] = hasScore ? sum : Selection.protected
    }
  }

  /// infinipot: the tokens that surprised the model most stay; of the others, what the probe looked
  /// at least goes.
  func scoreNovel(_ set: Int, _ scratch: EvictionScratch) {
    let (positions, surprise, sums) = (takenPositions(set), surprise(set), sums(set))
    let scores = scratch.scores.extracting(0..<positions.count)
    for slot in 0..<positions.count {
      scores[slot] =
        positions[slot] == SlotTable.free ? Selection.protected : UInt64(surprise[slot])
    }
    if settings.novel == 0 {
      for slot in 0..<positions.count where scores[slot] != Selection.protected {
        scores[slot] = UInt64(sums[slot])
      }
      return
    }
    let cut = scratch.selection.cut(
      dropping: progress.live - settings.novel, scores: scores, positions: positions)
    for slot in 0..<positions.count where scores[slot] != Selection.protected {
      let isNovel = !cut.drops(score: scores[slot], position: positions[slot])
      scores[slot] = isNovel ? Selection.protected : UInt64(sums[slot])
    }
  }
}
