import Cache
import Eviction
import Kernels
import ModelFormat
import Quantization
package import Units

/// The first pass of gemfilter: a few layers read the whole prompt and say which tokens matter.
///
/// Source: Shi et al., Discovering the Gems in Early Layers, algorithm 1. It runs layer by layer
/// over all tokens, so that it holds the keys of one layer at a time, and ends with the queries and
/// keys of the layer that chooses.
extension Session {
  /// Chooses tokens of a prompt that is too long, and moves them to its start, in order.
  ///
  /// Only the start of a stream is filtered: later, what stays is up to the policy of the reply.
  ///
  /// The instruction begins at `instructionStart`. Returns the tokens that are left, all where the
  /// policy chooses none; `nil` where a number was not finite.
  package func filtered(
    _ tokens: FixedBuffer<Int32>, instructionStart: Int
  ) -> FixedBuffer<Int32>? {
    let settings = shape.eviction
    let kept = settings.slots - settings.reserve
    guard settings.filters, tokens.count > kept, evictor.progress.position == 0 else {
      return tokens
    }
    for layer in 0..<settings.filterLayers {
      guard readFilterLayer(layer, tokens) else { return nil }
    }
    guard select(at: settings.filterLayers, tokens, instructionStart: instructionStart)
    else { return nil }
    for index in 0..<kept { tokens[index] = tokens[Int(filter[0].selected[index])] }
    return tokens.extracting(0..<kept)
  }

  /// Runs a whole prompt through layer `layer`, which follows the one that ran last; false where a
  /// number was not finite.
  package func readFilterLayer(_ layer: Int, _ tokens: FixedBuffer<Int32>) -> Bool {
    pass(.layer, layer, over: 0..<tokens.count, of: tokens)
  }

  /// Chooses tokens of a prompt that the layers before `layer` have read, into `selectedPositions`;
  /// false where a number was not finite.
  ///
  /// The prompt has more tokens than the policy keeps; the instruction begins at
  /// `instructionStart`.
  package func select(
    at layer: Int, _ tokens: FixedBuffer<Int32>, instructionStart: Int
  ) -> Bool {
    let settings = shape.eviction
    precondition(tokens.count <= settings.filteredTokens, "the prompt is no longer than planned")
    for thread in 0..<pool.threadCount {
      filter[0].share(thread, tokens: tokens.count).fill(0)
    }
    let instruction = max(tokens.count - instructionStart, 1)
    let voters = settings.votes ? instruction : 1
    guard pass(.keys, layer, over: 0..<tokens.count, of: tokens),
      pass(.votes, layer, over: tokens.count - voters..<tokens.count, of: tokens)
    else { return false }
    choose(settings.slots - settings.reserve, of: tokens.count, instruction: instruction)
    return true
  }

  /// The positions in the prompt of the tokens that were chosen last, ascending.
  package var selectedPositions: FixedBuffer<UInt32> { filter[0].selected }

  /// Runs one step over some tokens of the prompt, tile by tile.
  private func pass(
    _ phase: Pass.Phase, _ layer: Int, over range: Range<Int>, of tokens: FixedBuffer<Int32>
  ) -> Bool {
    let stride = Scratch.stride(shape.model.modelDimension)
    var start = range.lowerBound
    while start < range.upperBound {
      let count = min(tile.count, range.upperBound - start)
      for index in 0..<count { tile[index] = tokens[start + index] }
      var pass = Pass(start: start, count: count)
      pass.phase = phase
      pass.layer = layer
      var context = context(pass)
      context.cache = filter[0].cache
      context.scratch.hidden = filter[0].hidden
        .extracting(start * stride..<(start + count) * stride)
      unsafe pool.compute(context) { session, thread, _ in
        // SAFETY: `compute` passes the address of a copy of the context above.
        unsafe session.assumingMemoryBound(to: Session.self).pointee.filterStep(thread: thread)
      }
      if nonFinite[0] != 0 { return false }
      start += count
    }
    return true
  }

  /// What each thread does with a tile.
  private func filterStep(thread: Int) {
    let layer = now.layer
    if now.phase == .layer && layer == 0 {
      embed(thread)
    } else {
      pool.share(now.count, thread: thread) { tokens in
        for token in tokens { fillRopeTables(token) }
      }
    }
    if now.phase == .layer {
      forward(layer: layer, thread: thread)
      return
    }
    normalize(scratch.hidden, .attentionNorm, layer, thread)
    let isKeys = now.phase == .keys
    let rows = isKeys ? shape.model.kvDimension : shape.model.queryDimension
    pool.share(Self.blocks(rows: rows), grain: blockGrain, thread: thread) { blocks in
      if isKeys {
        multiply(.key, layer, blocks, into: scratch.key, bias: .keyBias)
      } else {
        multiply(.query, layer, blocks, into: scratch.query, bias: .queryBias)
      }
    }
    if isKeys { storeKeys(layer, thread) } else { vote(layer, thread) }
  }

  /// Each thread adds the products of its share of the queries with all keys, or the probabilities
  /// that they make, to scores of its own.
  private func vote(_ layer: Int, _ thread: Int) {
    let heads = shape.model.kvHeads
    pool.share(now.count * heads, thread: thread) { items in
      for item in items {
        let token = item / heads
        prepareQueries(layer, head: item % heads, tokens: token..<token + 1, thread)
        if sawNonFinite { return }
        if shape.eviction.votes {
          voteByProbability(layer, head: item % heads, token: token, thread)
        } else {
          voteByProduct(layer, head: item % heads, token: token, thread)
        }
      }
    }
  }

  private func voteByProduct(_ layer: Int, head: Int, token: Int, _ thread: Int) {
    let seen = now.start + token + 1
    let scores = filter[0].share(thread, tokens: seen)
    let (own, rows) = (attentionScratch[thread], shape.headsPerGroup)
    let attended = attended(layer, head: head, rows: rows, live: seen, own)
    for run in 0..<attended.runs {
      attended.score(run, own.scoreRows, kernels)
      let slots = attended.slots(run)
      for row in 0..<rows {
        for slot in 0..<slots.count {
          scores[slots.lowerBound + slot] += Self.fixedPoint(
            own.scores[row * RunShape.runSlots + slot])
        }
      }
    }
  }

  private func voteByProbability(_ layer: Int, head: Int, token: Int, _ thread: Int) {
    let seen = now.start + token + 1
    let (own, rows) = (attentionScratch[thread], shape.headsPerGroup)
    let attended = attended(layer, head: head, rows: rows, live: seen, own)
    let totals = own.totals
    for row in 0..<rows { clear(row, of: totals) }
    for run in 0..<attended.runs {
      attended.weigh(
        run, own.sight.scores(row: 0, run: run), tops: own.parts.tops, sums: own.parts.sums, kernels
      )
      own.sight.note(own.parts.tops, rows: rows, row: 0, runs: run..<run + 1)
      kernels.merge(
        parts: .empty, tops: own.parts.tops.extracting(0..<rows),
        sums: own.parts.sums.extracting(0..<rows), into: .empty,
        totalTops: totals.tops.extracting(0..<rows), totalSums: totals.sums.extracting(0..<rows),
        stride: 0, dimension: 0)
    }
    look(rows: 0..<rows, of: own.sight, totals: 0, live: seen, thread)
    kernels.add(own.seen, to: filter[0].share(thread, tokens: seen))
  }

  /// A product in units of 2^-20, so that sums do not depend on their order.
  private static func fixedPoint(_ score: Float) -> Int64 {
    Int64(min(max(score * 1_048_576, -0x1p50), 0x1p50))
  }

  /// Selects the `kept` tokens with the highest scores, neighbours counted in.
  private func choose(_ kept: Int, of count: Int, instruction: Int) {
    let settings = shape.eviction
    let scores = filter[0].share(0, tokens: count)
    for thread in 1..<max(pool.threadCount, 1) {
      let other = filter[0].share(thread, tokens: count)
      for token in 0..<count { scores[token] += other[token] }
    }
    let ordered = filter[0].ordered.extracting(0..<count)
    Pooling.averages(
      of: scores, edges: settings.isExact ? .zeros : .valid, into: ordered)
    if !settings.isExact {
      let tail = settings.filterTail > 0 ? settings.filterTail : max(16, instruction)
      ordered[0] = Selection.protected
      for token in count - min(tail, kept - 1)..<count { ordered[token] = Selection.protected }
    }
    let positions = filter[0].cache.positions(layer: 0, head: 0).extracting(0..<count)
    let cut = filter[0].selection.cut(
      dropping: count - kept, scores: ordered, positions: positions)
    var next = 0
    for token in 0..<count where !cut.drops(score: ordered[token], position: positions[token]) {
      filter[0].selected[next] = UInt32(token)
      next += 1
    }
  }
}
