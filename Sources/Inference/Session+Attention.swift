import Eviction
import Cache
import Kernels
import ModelFormat
import Quantization
import Units

/// Attention over the quantized cache.
///
/// A tile whose tokens all find free slots is stored at once and then attended in blocks of query
/// rows. Once slots are overwritten (streaming), a token may only be stored when no earlier one
/// needs the old slot any more: then tokens go one by one, store and attend. Both give the same
/// bits, because a query only ever sees slots up to its own position.
extension Session {
  /// attention[t] = attend(rope(q[t]), cache) after the keys and values of the tile are stored.
  func attend(_ layer: Int, _ thread: Int) {
    let count = step[0].count
    if !overwrites(token: count - 1) {
      store(layer, tokens: 0..<count, thread)
      pool.barrier()
      attend(layer, tokens: 0..<count, thread)
      return
    }
    for token in 0..<count {
      store(layer, tokens: token..<token + 1, thread)
      pool.barrier()
      attend(layer, tokens: token..<token + 1, thread)
      if token + 1 < count { pool.barrier() }
    }
  }

  /// Quantizes keys and values into their slots; a thread owns whole (KV head, key or value) pairs,
  /// so that no two threads touch one byte.
  private func store(_ layer: Int, tokens: Range<Int>, _ thread: Int) {
    if thread == 0 { storePositions(layer, tokens: tokens) }
    for item in share(2 * shape.model.kvHeads, thread) {
      let head = item / 2
      for token in tokens {
        if item % 2 == 0 {
          storeKey(layer, head: head, token: token, thread)
        } else {
          storeValue(layer, head: head, token: token, thread)
        }
      }
    }
  }

  private func storeKey(_ layer: Int, head: Int, token: Int, _ thread: Int) {
    let d = shape.model.headDimension
    let row = Scratch.row(token, of: scratch.key, columns: shape.model.kvDimension)
    let key = row.extracting(head * d..<(head + 1) * d)
    if shape.model.hasQueryKeyNorm { normalizeHead(key, .keyNorm, layer) }
    rotate(key, token: token)
    if cache.keyLayout.format == .int4 {
      kernels.hadamard(key, blockLength: WalshHadamard.blockLength(headDimension: d))
    }
    guard kernels.isFinite(key) else { return markNonFinite() }
    kernels.appendKey(
      key, slot: slot(layer, head: head, token: token), layout: cache.keyLayout,
      keys: cache.keys(layer: layer, head: head))
  }

  private func storeValue(_ layer: Int, head: Int, token: Int, _ thread: Int) {
    let d = shape.model.headDimension
    let row = Scratch.row(token, of: scratch.value, columns: shape.model.kvDimension)
    let value = row.extracting(head * d..<(head + 1) * d)
    if cache.valueLayout.format == .int4 {
      kernels.hadamard(value, blockLength: WalshHadamard.blockLength(headDimension: d))
    }
    guard kernels.isFinite(value) else { return markNonFinite() }
    kernels.appendValue(
      value, slot: slot(layer, head: head, token: token), layout: cache.valueLayout,
      values: cache.values(layer: layer, head: head))
  }

  /// Attends with this thread's blocks of query rows.
  ///
  /// The rows of a KV head are its query heads, token by token; a block is small enough that every
  /// thread gets one, and at most what its scratch holds.
  private func attend(_ layer: Int, tokens: Range<Int>, _ thread: Int) {
    let rowsPerHead = tokens.count * shape.headsPerGroup
    let evenly = (rowsPerHead * shape.model.kvHeads).dividedRoundingUp(by: pool.threadCount)
    // A policy sees whole tokens.
    let least = shape.eviction.policy.observes ? shape.headsPerGroup : 1
    let blockRows = min(
      min(shape.queryRowsMax, rowsPerHead), evenly.roundedUp(toMultipleOf: least))
    let blocks = rowsPerHead.dividedRoundingUp(by: blockRows)
    var item = thread
    while item < blocks * shape.model.kvHeads {
      let first = item / shape.model.kvHeads * blockRows
      let rows = first..<min(first + blockRows, rowsPerHead)
      attend(
        layer, head: item % shape.model.kvHeads, rows: rows, firstToken: tokens.lowerBound, thread)
      item += pool.threadCount
    }
  }

  /// One block of query rows over the live slots of one KV head.
  private func attend(
    _ layer: Int, head: Int, rows: Range<Int>, firstToken: Int, _ thread: Int
  ) {
    let d = shape.model.headDimension
    let own = attentionScratch[thread]
    let lastToken = firstToken + (rows.upperBound - 1) / shape.headsPerGroup
    let live = liveSlots(token: lastToken)
    let queries = ActivationRows(
      rows: rows.count, columns: d, quants: own.quants, scales: own.scales, sums: own.sums)
    let keys = cache.keys(layer: layer, head: head)
    let stride = shape.scoreStride

    prepareQueries(layer, head: head, rows: rows, firstToken: firstToken, into: queries, thread)
    if step[0].sawNonFinite != 0 { return }
    kernels.scores(
      queries: queries, keys: keys, layout: cache.keyLayout, slots: 0..<live, into: own.scores,
      scoreStride: stride)
    if overwrites(token: lastToken) {
      prepareQueries(
        layer, head: head, rows: rows, firstToken: firstToken, forSinks: true, into: queries,
        thread)
      kernels.scores(
        queries: queries, keys: keys, layout: cache.keyLayout, slots: 0..<SlotMap.sinkTokens,
        into: own.scores, scoreStride: stride)
    }
    let rowSums = own.rowSums.extracting(0..<rows.count)
    kernels.softmax(
      own.scores, scoreStride: stride,
      queryPositions: own.positions.extracting(0..<rows.count),
      mask: AttentionMask(
        slotPositions: cache.positions(layer: layer, head: head), slotCount: live, sinkSlots: 0,
        window: UInt32.max),
      sums: rowSums)
    observe(layer, head: head, rows: rows, firstToken: firstToken, live: live, thread)
    kernels.weightedSum(
      probabilities: own.scores, probabilityStride: stride, sums: rowSums,
      values: cache.values(layer: layer, head: head), layout: cache.valueLayout, slotCount: live,
      into: own.output, outputStride: Scratch.stride(d))
    for row in 0..<rows.count {
      let output = own.output.extracting(
        row * Scratch.stride(d)..<row * Scratch.stride(d) + d)
      if cache.valueLayout.format == .int4 {
        kernels.hadamard(output, blockLength: WalshHadamard.blockLength(headDimension: d))
      }
      let (token, queryHead) = place(of: rows.lowerBound + row, head, firstToken)
      let target = Scratch.row(
        token, of: scratch.attention, columns: shape.model.queryDimension)
      for index in 0..<d { target[queryHead * d + index] = output[index] }
    }
  }

  /// The token of the tile and the query head of row `row` of a KV head.
  private func place(of row: Int, _ head: Int, _ firstToken: Int) -> (token: Int, head: Int) {
    (
      firstToken + row / shape.headsPerGroup,
      head * shape.headsPerGroup + row % shape.headsPerGroup
    )
  }

  /// Norms, rotates and quantizes query rows; for the first tokens of a full streaming cache at the
  /// query's index in the cache instead of its stream position.
  private func prepareQueries(
    _ layer: Int, head: Int, rows: Range<Int>, firstToken: Int, forSinks: Bool = false,
    into queries: ActivationRows, _ thread: Int
  ) {
    let d = shape.model.headDimension
    let own = attentionScratch[thread]
    let query = own.vector.extracting(0..<d)
    for row in 0..<rows.count {
      let (token, queryHead) = place(of: rows.lowerBound + row, head, firstToken)
      let source = Scratch.row(token, of: scratch.query, columns: shape.model.queryDimension)
      for index in 0..<d { query[index] = source[queryHead * d + index] }
      if shape.model.hasQueryKeyNorm { normalizeHead(query, .queryNorm, layer) }
      rotate(query, token: token, forSinks: forSinks)
      if cache.keyLayout.format == .int4 {
        kernels.hadamard(query, blockLength: WalshHadamard.blockLength(headDimension: d))
      }
      if !kernels.quantize(query, into: queries, row: row) { markNonFinite() }
      own.positions[row] = UInt32(step[0].start + token)
    }
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
