package import Kernels
package import Units

/// citrus-individual: the document's cache and the instruction's own share the slots.
///
/// Until the first eviction both hold the same tokens, which are there once. Then the second cache
/// gets a list of its own: it keeps what the instruction looks at, the first one what the newest
/// chunk looks at, and every token that both keep has a slot in each, as it stands at another place
/// in each. After each chunk the second cache gets copies of it.
extension Evictor {
  /// Tokens of the second cache that go at the next eviction.
  package var secondDrop: Int {
    progress.secondLive > 0
      ? max(0, progress.secondLive - progress.probedKept) : probedDrop
  }

  /// Tokens that the second cache has after the next eviction: what it keeps, and the newest chunk.
  package var secondKept: Int {
    progress.secondLive > 0
      ? progress.secondLive - secondDrop + newest : progress.live - secondDrop
  }

  /// Evicts from both caches of a set, and gives the second one slots of its own.
  ///
  /// `drop` tokens of the first one go. Returns what is to be copied from slot to slot then, in the
  /// memory of the scores.
  package func evictBoth(
    _ drop: Int, from set: Int, scratch: EvictionScratch, _ kernels: KernelSet
  ) -> FixedBuffer<SlotMove> {
    let state = progress
    let first = takenPositions(set)
    let isApart = state.secondLive > 0
    let kept = isApart ? table.secondPositions(set).extracting(0..<first.count) : first
    scoreProbed(kept, secondSums(set * kvHeads, heads: kvHeads), scratch)
    let scores = scratch.scores.extracting(0..<kept.count)
    let cut =
      secondDrop > 0
      ? scratch.selection.cut(dropping: secondDrop, scores: scores, positions: kept) : nil
    for slot in 0..<kept.count where kept[slot] != SlotTable.free {
      let goes = cut?.drops(score: scores[slot], position: kept[slot]) ?? false
      if isApart && goes { table.freeSecond(slot, in: set) }
      if !isApart && !goes { table.lend(slot, in: set) }
    }
    if isApart {
      for slot in 0..<first.count
      where first[slot] != SlotTable.free && Int(first[slot]) >= state.probedEnd {
        table.lend(slot, in: set)
      }
    }
    if drop > 0 { evict(drop, from: set, scratch: scratch, kernels) }
    return scratch.moves.extracting(0..<table.part(set, moves: scratch.moves))
  }

  /// Takes note that the second cache has become the first one, in every set.
  package func endAdoption() {
    var next = progress
    next.live = next.secondLive
    next.turn = next.live
    next.secondLive = 0
    next.isJoined = true
    move(to: next)
  }
}
