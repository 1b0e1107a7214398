import Cache
import Eviction
import Kernels
import ModelFormat
import Quantization
import Units

/// Attention over the quantized cache.
///
/// A tile is stored at once and then attended in blocks of query rows: room was made for all of its
/// tokens, and a query only ever sees slots up to its own position.
extension Session {
  /// attention[t] = attend(rope(q[t]), cache) after the keys and values of the tile are stored; then
  /// the policy takes in what was seen.
  ///
  /// The rows of a probe come first: they are done before anything of the stream is stored, so that
  /// they do not see the rest of the tile, which in turn ends before their positions.
  func attend(_ layer: Int, _ thread: Int) {
    if now.probed > 0 { attendStored(layer, tokens: 0..<now.probed, from: 0, thread) }
    let tokens = now.probed..<now.count
    if tokens.isEmpty { return }
    // Queries that nobody reads and no policy looks at are left out.
    let isPartial = needsLastRowOnly(layer) && !isSeen(tokens)
    attendStored(
      layer, tokens: tokens, from: isPartial ? now.count - 1 : tokens.lowerBound, thread)
  }

  /// Stores some tokens, attends with those from `first` on, and shows the policy what they saw.
  private func attendStored(
    _ layer: Int, tokens: Range<Int>, from first: Int, _ thread: Int
  ) {
    store(layer, tokens: tokens, thread)
    attend(layer, tokens: first..<tokens.upperBound, thread)
    fold(layer, tokens: tokens, thread)
  }

  /// Quantizes keys and values into their slots; an item is a whole (KV head, key or value) pair, so
  /// that no two threads touch one byte.
  private func store(_ layer: Int, tokens: Range<Int>, _ thread: Int) {
    pool.share(2 * shape.model.kvHeads, thread: thread) { items in
      for item in items {
        if item == 0 { storePositions(layer, tokens: tokens) }
        if item % 2 == 0 {
          storeKeys(layer, head: item / 2, tokens: tokens, thread)
        } else {
          storeValues(layer, head: item / 2, tokens: tokens, thread)
        }
      }
    }
  }

  /// Quantizes the keys of the tile into their slots.
  func storeKeys(_ layer: Int, _ thread: Int) {
    pool.share(shape.model.kvHeads, thread: thread) { heads in
      for head in heads {
        if head == 0 { storePositions(layer, tokens: 0..<now.count) }
        storeKeys(layer, head: head, tokens: 0..<now.count, thread)
      }
    }
  }

  @inline(never)
  private func storeKeys(_ layer: Int, head: Int, tokens: Range<Int>, _ thread: Int) {
    let (layout, keys) = (cache.keyLayout, cache.keys(layer: layer, head: head))
    let slots = slots(layer, head: head, of: tokens)
    for token in tokens {
      if let soon = slots.soon(after: token) { layout.ask(for: soon, in: keys) }
      let key = vector(of: token, head: head, in: scratch.key)
      if shape.model.hasQueryKeyNorm { normalizeHead(key, .keyNorm, layer) }
      rotate(key, token: token)
      guard isStorable(key, as: layout.format) else { return }
      kernels.appendKey(key, slot: slots[token], layout: layout, keys: keys)
    }
  }

  @inline(never)
  private func storeValues(_ layer: Int, head: Int, tokens: Range<Int>, _ thread: Int) {
    let (layout, values) = (cache.valueLayout, cache.values(layer: layer, head: head))
    let slots = slots(layer, head: head, of: tokens)
    for token in tokens {
      if let soon = slots.soon(after: token) { layout.ask(for: soon, in: values) }
      let value = vector(of: token, head: head, in: scratch.value)
      guard isStorable(value, as: layout.format) else { return }
      kernels.appendValue(value, slot: slots[token], layout: layout, values: values)
    }
  }

  /// The key, or the value, of a token and KV head, [d].
  private func vector(
    of token: Int, head: Int, in rows: FixedBuffer<Float>
  ) -> FixedBuffer<Float> {
    let d = shape.model.headDimension
    return Scratch.row(token, of: rows, columns: shape.model.kvDimension)
      .extracting(head * d..<(head + 1) * d)
  }

  /// Turns a key, or a value, as its format wants it; whether all of it is finite.
  private func isStorable(_ vector: FixedBuffer<Float>, as format: CacheFormat) -> Bool {
    if case .int4 = format {
      kernels.hadamard(
        vector, blockLength: WalshHadamard.blockLength(headDimension: shape.model.headDimension))
    }
    if kernels.isFinite(vector) { return true }
    markNonFinite()
    return false
  }

  /// Attends with the queries of `tokens`, whose keys and values are stored.
  ///
  /// Several tokens are dealt out as blocks of query rows. One token has too few of them for many
  /// threads: there the runs of slots are dealt out, if there are several, and joined when all are
  /// done.
  private func attend(_ layer: Int, tokens: Range<Int>, _ thread: Int) {
    let isLong = RunShape.runs(slots: liveSlots(token: tokens.upperBound - 1)) > 1
    if tokens.count == 1 && pool.threadCount > 1 && isLong {
      attendByRuns(layer, token: tokens.lowerBound, thread)
      return
    }
    let heads = shape.model.kvHeads
    let evenly = (tokens.count * heads).dividedRoundingUp(by: pool.threadCount)
    let blockTokens = min(shape.tokensPerBlock, evenly)
    let blocks = tokens.count.dividedRoundingUp(by: blockTokens)
    pool.share(blocks * heads, thread: thread) { items in
      for item in items {
        let first = tokens.lowerBound + item % blocks * blockTokens
        attendBlock(
          layer, head: item / blocks,
          tokens: first..<min(first + blockTokens, tokens.upperBound), thread)
      }
    }
  }

  /// The queries of one KV head of a few tokens, over all live slots.
  private func attendBlock(_ layer: Int, head: Int, tokens: Range<Int>, _ thread: Int) {
    let own = attentionScratch[thread]
    let rows = tokens.count * shape.headsPerGroup
    let width = Scratch.stride(shape.model.headDimension)
    let live = liveSlots(token: tokens.upperBound - 1)
    let isSeen = isSeen(tokens)
    prepareQueries(layer, head: head, tokens: tokens, thread)
    if sawNonFinite { return }
    let attended = attended(layer, head: head, rows: rows, live: live, own)
    let totals = own.totals.extracting(0..<rows, stride: width)
    let sight = isSeen ? own.sight : nil
    // Joined to nothing the first run would stay as it is.
    attend(attended, 0..<1, sight, row: 0, into: totals, own)
    let runsAtOnce = own.parts.rows / rows
    for first in stride(from: 1, to: attended.runs, by: runsAtOnce) {
      let runs = first..<min(first + runsAtOnce, attended.runs)
      let parts = own.parts.extracting(0..<runs.count * rows, stride: width)
      attend(attended, runs, sight, row: 0, into: parts, own)
      join(parts, into: totals)
    }
    finish(totals, head: head, tokens: tokens)
    if isSeen {
      observe(layer, head: head, tokens: tokens, live: live, sight: own.sight, row: 0, thread)
    }
  }

  /// The queries of one token: every thread takes its share of all runs of all KV heads, then its
  /// share of the KV heads, and joins their runs.
  private func attendByRuns(_ layer: Int, token: Int, _ thread: Int) {
    let live = liveSlots(token: token)
    let isSeen = isSeen(token..<token + 1)
    let runs = RunShape.runs(slots: live)
    let rows = shape.headsPerGroup
    let stride = Scratch.stride(shape.model.headDimension)
    let own = attentionScratch[thread]
    var prepared = -1
    pool.share(runs * shape.model.kvHeads, thread: thread) { items in
      for head in items.lowerBound / runs...(items.upperBound - 1) / runs {
        if head != prepared {
          prepareQueries(layer, head: head, tokens: token..<token + 1, thread)
          prepared = head
        }
        if sawNonFinite { return }
        let attended = attended(layer, head: head, rows: rows, live: live, own)
        let share = items.clamped(to: head * runs..<(head + 1) * runs)
        attend(
          attended, share.lowerBound - head * runs..<share.upperBound - head * runs,
          isSeen ? sight : nil, row: head * rows,
          into: parts.extracting(share.lowerBound * rows..<share.upperBound * rows, stride: stride),
          own)
      }
    }
    pool.share(shape.model.kvHeads, thread: thread) { heads in
      if sawNonFinite { return }
      let totals = own.totals.extracting(0..<rows, stride: stride)
      for head in heads {
        for row in 0..<rows { clear(row, of: own.totals) }
        let all = head * runs * rows..<(head + 1) * runs * rows
        join(parts.extracting(all, stride: stride), into: totals)
        finish(totals, head: head, tokens: token..<token + 1)
        guard isSeen else { continue }
        observe(
          layer, head: head, tokens: token..<token + 1, live: live, sight: sight,
          row: head * rows, thread)
      }
    }
  }

  /// Some runs of a head; where somebody looks at probabilities, `sight` notes them for the rows from
  /// `row` on.
  private func attend(
    _ head: AttendedHead, _ runs: Range<Int>, _ sight: Sight?, row: Int,
    into parts: AttentionParts, _ own: AttentionScratch
  ) {
    let scores = sight?.scores(row: row, run: runs.lowerBound) ?? own.scoreRows
    head.attend(
      runs, scores, outputs: parts.outputs, outputStride: Scratch.stride(shape.model.headDimension),
      tops: parts.tops, sums: parts.sums, kernels)
    sight?.note(parts.tops, rows: head.rows, row: row, runs: runs)
  }

  /// What the first `rows` rows of prepared queries look at.
  @inline(never)
  func attended(
    _ layer: Int, head: Int, rows: Int, live: Int, _ own: AttentionScratch
  ) -> AttendedHead {
    let d = shape.model.headDimension
    return AttendedHead(
      queries: own.queries.rows(rows, columns: d),
      sinkQueries: needsSinkQueries ? own.sinkQueries.rows(rows, columns: d) : nil,
      sinks: SlotMap.sinkTokens, queryPositions: own.positions.extracting(0..<rows),
      keys: cache.keys(layer: layer, head: head), keyLayout: cache.keyLayout,
      values: cache.values(layer: layer, head: head), valueLayout: cache.valueLayout,
      slotPositions: positions(layer, head: head, seenBy: Int(own.positions[0])), live: live,
      runSlots: RunShape.runSlots,
      nextKeys: head + 1 < shape.model.kvHeads ? cache.keys(layer: layer, head: head + 1) : nil)
  }

  /// Nothing seen yet in row `row`.
  func clear(_ row: Int, of totals: AttentionParts) {
    let d = shape.model.headDimension
    totals.clear(row: row, from: row * Scratch.stride(d), dimension: d)
  }

  /// Joins the rows of some runs to `totals`, which has those of one.
  @inline(never)
  func join(_ parts: AttentionParts, into totals: AttentionParts) {
    kernels.merge(
      parts: parts.outputs, tops: parts.tops, sums: parts.sums, into: totals.outputs,
      totalTops: totals.tops, totalSums: totals.sums,
      stride: Scratch.stride(shape.model.headDimension), dimension: shape.model.headDimension)
  }

  /// Divides the rows of `totals`, the query heads of one KV head for each of `tokens`, by their sums,
  /// and quantizes that where it can.
  @inline(never)
  private func finish(_ totals: AttentionParts, head: Int, tokens: Range<Int>) {
    let d = shape.model.headDimension
    let dimension = shape.model.queryDimension
    let columns = head * shape.headsPerGroup * d..<(head + 1) * shape.headsPerGroup * d
    var row = 0
    for token in tokens {
      let output = Scratch.row(token, of: scratch.attention, columns: dimension)
      for start in stride(from: columns.lowerBound, to: columns.upperBound, by: d) {
        divide(row, of: totals, into: output.extracting(start..<start + d))
        row += 1
      }
    }
    guard headsAreGroups else { return }
    let outputs = Scratch.rows(tokens, of: scratch.attention, columns: dimension)
    let isFinite = kernels.quantize(
      outputs.extracting(columns.lowerBound..<outputs.count), stride: Scratch.stride(dimension),
      into: scratch.activations(tokens: now.count, columns: dimension), tokens, columns: columns)
    if !isFinite { markNonFinite() }
  }

  private func divide(_ row: Int, of totals: AttentionParts, into output: FixedBuffer<Float>) {
    let start = row * Scratch.stride(output.count)
    kernels.divide(
      totals.outputs.extracting(start..<start + output.count), by: totals.sums[row], into: output)
    if case .int4 = cache.valueLayout.format {
      kernels.hadamard(
        output, blockLength: WalshHadamard.blockLength(headDimension: output.count))
    }
  }

  /// Whether queries are rotated once more for the first tokens: where streaming has dropped others,
  /// so that their index in the cache is not their stream position.
  private var needsSinkQueries: Bool {
    guard case .streaming = settings.policy else { return false }
    return evictor.progress.turn != evictor.progress.position
  }

  /// Norms, rotates and quantizes the query heads of one KV head for each of `tokens`.
  @inline(never)
  func prepareQueries(_ layer: Int, head: Int, tokens: Range<Int>, _ thread: Int) {
    let own = attentionScratch[thread]
    let (rows, d) = (tokens.count * shape.headsPerGroup, shape.model.headDimension)
    prepareQueries(
      layer, head: head, tokens: tokens, by: own, into: own.queries.rows(rows, columns: d))
    if needsSinkQueries {
      prepareQueries(
        layer, head: head, tokens: tokens, forSinks: true, by: own,
        into: own.sinkQueries.rows(rows, columns: d))
    }
    for token in tokens {
      let first = (token - tokens.lowerBound) * shape.headsPerGroup
      own.positions.extracting(first..<first + shape.headsPerGroup)
        .fill(UInt32(position(of: token)))
    }
  }

  /// The same once, by way of the thread's memory; for the first tokens of a full streaming cache
  /// rotated to the queries' index in the cache instead of their stream position.
  private func prepareQueries(
    _ layer: Int, head: Int, tokens: Range<Int>, forSinks: Bool = false, by own: AttentionScratch,
    into queries: ActivationRows
  ) {
    let d = shape.model.headDimension
    let stride = Scratch.stride(d)
    var row = 0
    for token in tokens {
      let all = Scratch.row(token, of: scratch.query, columns: shape.model.queryDimension)
      for index in head * shape.headsPerGroup..<(head + 1) * shape.headsPerGroup {
        let query = own.vectors.extracting(row * stride..<row * stride + d)
        query.copy(from: all.extracting(index * d..<(index + 1) * d))
        if shape.model.hasQueryKeyNorm { normalizeHead(query, .queryNorm, layer) }
        rotate(query, token: token, forSinks: forSinks)
        if case .int4 = cache.keyLayout.format {
          kernels.hadamard(query, blockLength: WalshHadamard.blockLength(headDimension: d))
        }
        row += 1
      }
    }
    if !kernels.quantize(own.vectors, stride: stride, into: queries, 0..<row) { markNonFinite() }
  }

  private func normalizeHead(_ vector: FixedBuffer<Float>, _ norm: VectorRole, _ layer: Int) {
    let isFinite = kernels.rmsNorm(
      vector, weight: model.vector(norm, layer: layer), epsilon: shape.model.rmsEpsilon,
      into: vector)
    if !isFinite { markNonFinite() }
  }

  private func rotate(_ vector: FixedBuffer<Float>, token: Int, forSinks: Bool = false) {
    let pairs = shape.model.rotatedDimensions / 2
    let entry = token * pairs..<(token + 1) * pairs
    kernels.rope(
      vector, headDimension: shape.model.headDimension,
      pairing: shape.model.ropePairing,
      cosines: (forSinks ? scratch.sinkCosines : scratch.cosines).extracting(entry),
      sines: (forSinks ? scratch.sinkSines : scratch.sines).extracting(entry))
  }
}
