import Cache
import Kernels
import ModelFormat
import Units

/// Attention of tiles that overwrite slots (streaming).
///
/// A token may only be stored when no earlier one needs the old slot any more. A block of tokens
/// overwrites few slots: over the runs without them its queries attend together; over the others one
/// token after the other is stored and attends. Runs are joined in their order, so that the bits are
/// those of one token at a time.
extension Session {
  /// Stores the tokens of the tile, all of which overwrite slots, and attends with those from `first`
  /// on.
  func attendOverwriting(_ layer: Int, tokens: Range<Int>, from first: Int, _ thread: Int) {
    if first > tokens.lowerBound {
      store(layer, tokens: tokens.lowerBound..<first, thread)
    }
    var start = max(first, tokens.lowerBound)
    while start < tokens.upperBound {
      // The tokens of a block overwrite different slots.
      let count = min(shape.tokensPerBlock, cache.map.slots - SlotMap.sinkTokens)
      let end = min(start + count, tokens.upperBound)
      attendOverwriting(layer, block: start..<end, thread)
      start = end
    }
  }

  private func attendOverwriting(_ layer: Int, block: Range<Int>, _ thread: Int) {
    let (heads, runs) = (shape.model.kvHeads, RunShape.runs(slots: cache.map.slots))
    let rows = block.count * shape.headsPerGroup
    let stride = Scratch.stride(shape.model.headDimension)
    pool.share(heads * runs, thread: thread) { items in
      var prepared = -1
      for item in items where !overwrites(run: item % runs, block) {
        let head = item / runs
        if head != prepared { prepareQueries(layer, head: head, tokens: block, thread) }
        prepared = head
        if sawNonFinite { return }
        attendRun(
          layer, head: head, run: item % runs, live: cache.map.slots, rows: rows,
          attentionScratch[thread].scoreRows,
          into: parts.extracting(item * rows..<(item + 1) * rows, stride: stride), thread)
      }
    }
    pool.share(heads, thread: thread) { heads in
      for head in heads {
        for run in 0..<runs where overwrites(run: run, block) {
          storeAndAttend(layer, head: head, run: run, runs: runs, block, thread)
        }
      }
    }
    pool.share(shape.model.queryHeads, thread: thread) { queries in
      if sawNonFinite { return }
      if queries.lowerBound == 0 { storePositions(layer, tokens: block) }
      for query in queries {
        let (head, place) = (query / shape.headsPerGroup, query % shape.headsPerGroup)
        for token in block {
          clearTotal(0, thread)
          let row = (token - block.lowerBound) * shape.headsPerGroup + place
          for run in 0..<runs {
            let part = (head * runs + run) * rows + row
            join(parts.extracting(part..<part + 1, stride: stride), row: 0, thread)
          }
          finish(row: 0, token: token, head: query, thread)
        }
      }
    }
  }

  /// Whether a token of the block overwrites a slot of a run.
  private func overwrites(run: Int, _ block: Range<Int>) -> Bool {
    for token in block where cache.map.slot(of: now.start + token) / RunShape.runSlots == run {
      return true
    }
    return false
  }

  /// One KV head of a block over one run: each token is stored, if its slot is there, and attends.
  private func storeAndAttend(
    _ layer: Int, head: Int, run: Int, runs: Int, _ block: Range<Int>, _ thread: Int
  ) {
    let (slots, rows) = (cache.map.slots, shape.headsPerGroup)
    let first = run * RunShape.runSlots
    let count = min(RunShape.runSlots, slots - first)
    // Other KV heads still need the positions as they were.
    let positions = attentionScratch[thread].runPositions.extracting(0..<count)
    positions.copy(
      from: cache.positions(layer: layer, head: head).extracting(first..<first + count))
    for token in block {
      let slot = cache.map.slot(of: now.start + token)
      if slot / RunShape.runSlots == run {
        storeKey(layer, head: head, token: token, thread)
        storeValue(layer, head: head, token: token, thread)
        positions[slot - first] = UInt32(now.start + token)
      }
      prepareQueries(layer, head: head, tokens: token..<token + 1, thread)
      if sawNonFinite { return }
      let row =
        ((head * runs + run) * block.count + token - block.lowerBound) * shape.headsPerGroup
      attendRun(
        layer, head: head, run: run, live: slots, rows: rows,
        attentionScratch[thread].scoreRows,
        into: parts.extracting(
          row..<row + rows, stride: Scratch.stride(shape.model.headDimension)),
        positions: positions, thread)
    }
  }
}
