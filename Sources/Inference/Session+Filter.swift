import Cache
import Eviction
import Kernels
import ModelFormat
package import Units

/// The first pass of gemfilter: a few layers read the whole prompt and say which tokens matter.
///
/// Source: Shi et al., Discovering the Gems in Early Layers, algorithm 1. It runs layer by layer
/// over all tokens, so that it holds the keys of one layer at a time, and ends with the queries and
/// keys of the layer that chooses.
extension Session {
  /// Chooses tokens of a prompt that is too long, and moves them to its start, in order.
  ///
  /// The instruction begins at `instructionStart`. Returns the tokens that are left, all where the
  /// policy chooses none; `nil` where a number was not finite.
  package func filtered(
    _ tokens: FixedBuffer<Int32>, instructionStart: Int
  ) -> FixedBuffer<Int32>? {
    let settings = shape.eviction
    let kept = settings.slots - settings.reserve
    guard settings.policy == .gemFilter, tokens.count > kept else { return tokens }
    precondition(tokens.count <= settings.filteredTokens, "the prompt is no longer than planned")
    for thread in 0..<pool.threadCount {
      filter.share(thread, tokens: tokens.count).fill(0)
    }
    for layer in 0..<settings.filterLayers {
      guard pass(.layer, layer, over: 0..<tokens.count, of: tokens) else { return nil }
    }
    let instruction = max(tokens.count - instructionStart, 1)
    let voters = settings.votes ? instruction : 1
    let layer = settings.filterLayers
    guard pass(.keys, layer, over: 0..<tokens.count, of: tokens),
      pass(.votes, layer, over: tokens.count - voters..<tokens.count, of: tokens)
    else { return nil }
    choose(kept, of: tokens.count, instruction: instruction)
    for index in 0..<kept { tokens[index] = tokens[Int(filter.selected[index])] }
    return tokens.extracting(0..<kept)
  }

  /// The positions in the prompt of the tokens that `filtered` chose last, ascending.
  package var selectedPositions: FixedBuffer<UInt32> { filter.selected }

  /// Runs one step over some tokens of the prompt, tile by tile.
  private func pass(
    _ phase: Step.Phase, _ layer: Int, over range: Range<Int>, of tokens: FixedBuffer<Int32>
  ) -> Bool {
    let stride = Scratch.stride(shape.model.modelDimension)
    var start = range.lowerBound
    while start < range.upperBound {
      let count = min(tile.count, range.upperBound - start)
      for index in 0..<count { tile[index] = tokens[start + index] }
      step[0] = Step(start: start, count: count)
      step[0].phase = phase
      step[0].layer = layer
      var context = self
      context.cache = filter.cache
      context.scratch.hidden = filter.hidden.extracting(start * stride..<(start + count) * stride)
      unsafe pool.run(&context) { session, thread, _ in
        // SAFETY: `run` passes the address of `context` above.
        unsafe session.assumingMemoryBound(to: Session.self).pointee.filterStep(thread: thread)
      }
      if step[0].sawNonFinite != 0 { return false }
      start += count
    }
    return true
  }

  /// What each thread does with a tile.
  private func filterStep(thread: Int) {
    let layer = step[0].layer
    if step[0].phase == .layer {
      if layer == 0 { embed(thread) } else { fillRotary(thread) }
      forward(layer: layer, thread: thread)
      return
    }
    fillRotary(thread)
    normalize(scratch.hidden, .attentionNorm, layer, thread)
    pool.barrier()
    if step[0].phase == .keys {
      multiply(.key, layer, thread, into: scratch.key, bias: .keyBias)
      pool.barrier()
      storeKeys(layer, thread)
    } else {
      multiply(.query, layer, thread, into: scratch.query, bias: .queryBias)
      pool.barrier()
      vote(layer, thread)
    }
  }

  /// Each thread adds the products of its share of the queries with all keys, or the probabilities
  /// that they make, to scores of its own.
  private func vote(_ layer: Int, _ thread: Int) {
    let group = shape.headsPerGroup
    let own = attentionScratch[thread]
    let heads = shape.model.kvHeads
    for item in share(step[0].count * heads, thread) {
      let (token, head) = (item / heads, item % heads)
      let seen = step[0].start + token + 1
      let scores = filter.share(thread, tokens: seen)
      prepareQueries(layer, head: head, tokens: token..<token + 1, thread)
      if step[0].sawNonFinite != 0 { return }
      if shape.eviction.votes {
        for row in 0..<group { clearTotal(row, thread) }
        for run in 0..<RunShape.runs(slots: seen) {
          look(layer, head: head, run: run, live: seen, thread)
        }
        for row in 0..<group {
          look(row: row, of: own.sight, total: row, live: seen, thread)
          ProbabilityRows.add(own.seen, to: scores)
        }
      } else {
        for run in 0..<RunShape.runs(slots: seen) {
          let slots = score(layer, head: head, run: run, live: seen, rows: group, thread)
          for row in 0..<group {
            for slot in 0..<slots.count {
              scores[slots.lowerBound + slot] += Self.fixedPoint(
                own.scores[row * RunShape.runSlots + slot])
            }
          }
        }
      }
    }
  }

  /// Softmax of the queries of one token over one run, joined to the totals; without the values.
  private func look(_ layer: Int, head: Int, run: Int, live: Int, _ thread: Int) {
    let own = attentionScratch[thread]
    let (rows, totals) = (shape.headsPerGroup, own.totals)
    let slots = score(layer, head: head, run: run, live: live, rows: rows, thread)
    kernels.softmax(
      own.scores, scoreStride: RunShape.runSlots,
      queryPositions: own.positions.extracting(0..<rows),
      slotPositions: cache.positions(layer: layer, head: head).extracting(slots),
      tops: own.parts.tops, sums: own.parts.sums)
    keep(own.parts, run: run, rows: rows, live: live, in: own.sight, thread)
    for row in 0..<rows {
      kernels.merge(
        part: .empty, top: own.parts.tops[row], sum: own.parts.sums[row], into: .empty,
        totalTop: totals.tops.extracting(row..<row + 1),
        totalSum: totals.sums.extracting(row..<row + 1))
    }
  }

  /// A product in units of 2^-20, so that sums do not depend on their order.
  private static func fixedPoint(_ score: Float) -> Int64 {
    Int64(min(max(score * 1_048_576, -0x1p50), 0x1p50))
  }

  /// Selects the `kept` tokens with the highest scores, neighbours counted in.
  private func choose(_ kept: Int, of count: Int, instruction: Int) {
    let settings = shape.eviction
    let scores = filter.share(0, tokens: count)
    for thread in 1..<max(pool.threadCount, 1) {
      let other = filter.share(thread, tokens: count)
      for token in 0..<count { scores[token] += other[token] }
    }
    let ordered = filter.ordered.extracting(0..<count)
    Pooling.averages(
      of: scores, edges: settings.isExact ? .zeros : .valid, into: ordered)
    if !settings.isExact {
      let tail = settings.filterTail > 0 ? settings.filterTail : max(16, instruction)
      ordered[0] = Selection.protected
      for token in count - min(tail, kept - 1)..<count { ordered[token] = Selection.protected }
    }
    let positions = filter.cache.positions(layer: 0, head: 0).extracting(0..<count)
    let cut = filter.selection.cut(
      dropping: count - kept, scores: ordered, positions: positions)
    var next = 0
    for token in 0..<count where !cut.drops(score: ordered[token], position: positions[token]) {
      filter.selected[next] = UInt32(token)
      next += 1
    }
  }
}
