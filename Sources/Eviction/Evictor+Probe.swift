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
    case .citrusShared, .citrusIndividual:
      (next.probedChunk, next.probedKept) = settings.citrusNumbers(probe: probe)
      guard next.probedChunk > 0 else { throw .instructionTooLong }
    case .infiniPot:
      let kept = settings.distilled + max(instruction + settings.reserve, probe + 1)
      guard kept <= settings.slots else { throw .instructionTooLong }
    case .full, .truncate, .streaming, .h2o, .tova, .scissorhands, .valueDifference,
      .heavyDifference, .gemFilter:
      break
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
    if settings.policy.isCitrus {
      let chunk = min(tokens, state.probedChunk)
      let isFull = state.live + chunk + state.probeCount > settings.slots
      return (chunk, isFull || state.secondLive > 0 ? probedDrop : 0)
    }
    let most = settings.slots - state.probeCount
    let drop = state.live == most ? state.live - settings.distilled : 0
    return (min(tokens, most - state.live + drop), drop)
  }

  /// citrus: the slots with a score that do not stay.
  package var probedDrop: Int {
    max(0, progress.live - newest - progress.probedKept)
  }

  /// citrus: tokens without a score: those of the newest chunk.
  var newest: Int { progress.position - progress.probedEnd }

  /// What goes before the instruction is read, by the scores there are.
  package var dropBeforeAnswer: Int {
    settings.policy.isCitrus ? probedDrop : progress.live - settings.distilled
  }

  /// Whether instruction and reserve do not fit beside the document.
  package var mustEvictForAnswer: Bool {
    let taken = progress.live + progress.instructionCount + settings.reserve
    return taken > settings.slots || progress.secondLive > 0
  }

  /// citrus: what the instruction, run over the rest once more, looks at least.
  package var dropForAnswer: Int { max(0, progress.live - progress.probedKept) }

  /// Forgets the scores of a set before a probe.
  package func clearSums(of set: Int) {
    for index in set * kvHeads / table.setsPerLayer..<(set + 1) * kvHeads / table.setsPerLayer {
      sums(index).fill(0)
      if table.hasSecond { secondSums(index).fill(0) }
    }
  }

  /// Frees the slots of the probe at hand in a set.
  package func forgetProbe(in set: Int) {
    let state = progress
    for token in state.chunkCount..<state.chunkCount + state.probeAdmitted {
      let slot = Int(table.targets(set)[token])
      if state.secondLive > 0 {
        table.freeSecond(slot, in: set)
      } else {
        table.free(slot, in: set)
      }
    }
  }

  /// Takes note that every set has moved what it keeps to its first slots.
  package func endCompaction() {
    var next = progress
    next.used = next.live
    move(to: next)
  }

  /// Takes note that `rows` tokens of the probe have been run.
  package func noteProbe(rows: Int) {
    var next = progress
    next.probeDone += rows
    next.probedRows += rows
    move(to: next)
  }

  /// Writes down how much the token of a chunk surprised the model, in every set.
  package func note(surprise: UInt16, token: Int) {
    for set in 0..<table.count { self.surprise(set)[Int(table.targets(set)[token])] = surprise }
  }

  /// Takes note that `rows` rows of logits were computed to see what surprises the model.
  package func noteOutputs(_ rows: Int) {
    var next = progress
    next.outputRows += rows
    move(to: next)
  }

  /// citrus: what was looked at least goes, over all KV heads of the layer; what came after the
  /// scores stays.
  ///
  /// `sums` are those of the layer's KV heads, one after the other.
  func scoreProbed(
    _ positions: FixedBuffer<UInt32>, _ sums: FixedBuffer<Int64>, _ scratch: EvictionScratch
  ) {
    let (probedEnd, count) = (progress.probedEnd, positions.count)
    let scores = scratch.scores.extracting(0..<count)
    for slot in 0..<count { scores[slot] = UInt64(sums[slot]) }
    for head in 1..<kvHeads {
      let more = sums.extracting(head * table.slots..<head * table.slots + count)
      for slot in 0..<count { scores[slot] += UInt64(more[slot]) }
    }
    for slot in 0..<count where Int(positions[slot]) >= probedEnd {
      scores[slot] = Selection.protected
    }
  }

  /// infinipot: the tokens that surprised the model most stay; of the others, what the probe looked
  /// at least goes.
  func scoreNovel(_ set: Int, _ scratch: EvictionScratch) {
    let (positions, sums) = (takenPositions(set), sums(set))
    let scores = scratch.scores.extracting(0..<positions.count)
    let novelty = settings.notesSurprise ? surprise(set) : .empty
    for slot in 0..<positions.count {
      let isFree = positions[slot] == SlotTable.free
      scores[slot] =
        isFree
        ? Selection.protected : settings.notesSurprise ? UInt64(novelty[slot]) : UInt64(sums[slot])
    }
    if !settings.notesSurprise { return }
    let cut = scratch.selection.cut(
      dropping: progress.live - settings.novel, scores: scores, positions: positions)
    for slot in 0..<positions.count where scores[slot] != Selection.protected {
      let isNovel = !cut.drops(score: scores[slot], position: positions[slot])
      scores[slot] = isNovel ? Selection.protected : UInt64(sums[slot])
    }
  }
}
