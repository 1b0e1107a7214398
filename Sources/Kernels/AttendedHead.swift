internal import CKernels
package import Units

/// Prepared query rows and what they look at: the live slots of one KV head, in runs.
///
/// It is gathered once for all runs of a head. Shapes: R query rows, d head dimension.
package struct AttendedHead: BitwiseCopyable {
  let queries: ActivationRows  // [R, d]
  let sinkQueries: ActivationRows?  // [R, d], for the first `sinks` slots
  let sinks: Int
  let queryPositions: FixedBuffer<UInt32>  // [R]
  let keys: FixedBuffer<UInt8>
  let keyLayout: KeyLayout
  let values: FixedBuffer<UInt8>
  let valueLayout: ValueLayout
  let slotPositions: FixedBuffer<UInt32>
  let live: Int
  let runSlots: Int
  let nextKeys: FixedBuffer<UInt8>?

  /// Queries over the first `live` slots of a KV head, in runs of `runSlots`, a multiple of 32.
  ///
  /// Where `sinkQueries` are given, the first `sinks` slots see those instead. `nextKeys` are read
  /// after the last run, those of the next KV head.
  package init(
    queries: ActivationRows, sinkQueries: ActivationRows?, sinks: Int,
    queryPositions: FixedBuffer<UInt32>, keys: FixedBuffer<UInt8>, keyLayout: KeyLayout,
    values: FixedBuffer<UInt8>, valueLayout: ValueLayout, slotPositions: FixedBuffer<UInt32>,
    live: Int, runSlots: Int, nextKeys: FixedBuffer<UInt8>?
  ) {
    precondition(queries.columns == keyLayout.headDimension, "queries have the head dimension")
    precondition(keyLayout.headDimension == valueLayout.headDimension, "one head dimension")
    precondition(queries.rows > 0 && queryPositions.count == queries.rows, "a position per query")
    precondition(runSlots > 0 && runSlots % 32 == 0, "runs of whole blocks")
    precondition(live > 0 && slotPositions.count >= live, "a position for every slot")
    precondition(keys.count >= keyLayout.bytes(slots: live), "the keys are there")
    precondition(values.count >= valueLayout.bytes(slots: live), "the values are there")
    self.queries = queries
    self.sinkQueries = sinkQueries
    self.sinks = min(sinks, live)
    self.queryPositions = queryPositions
    self.keys = keys
    self.keyLayout = keyLayout
    self.values = values
    self.valueLayout = valueLayout
    self.slotPositions = slotPositions
    self.live = live
    self.runSlots = runSlots
    self.nextKeys = nextKeys
  }

  /// Query rows.
  package var rows: Int { queries.rows }

  /// Runs of slots.
  package var runs: Int { live.dividedRoundingUp(by: runSlots) }

  /// The slots of a run.
  package func slots(_ run: Int) -> Range<Int> {
    run * runSlots..<min((run + 1) * runSlots, live)
  }

  /// All rows over some runs, whose numerators stay in `scores`: of each the softmax, and the
  /// weighted sum of the values.
  ///
  /// `outputs` are [runs][R][outputStride], `tops` and `sums` [runs][R].
  package func attend(
    _ range: Range<Int>, _ scores: ScoreRows, outputs: FixedBuffer<Float>, outputStride: Int,
    tops: FixedBuffer<Float>, sums: FixedBuffer<Float>, _ kernels: KernelSet
  ) {
    guard !range.isEmpty else { return }
    let rows = range.count * queries.rows
    precondition(range.lowerBound >= 0 && range.upperBound <= runs, "there are such runs")
    precondition(scores.hold(range.count, rows: queries.rows, slots: runSlots), "room for scores")
    precondition(outputStride >= valueLayout.headDimension, "an output row holds a head")
    precondition(
      outputs.count >= (rows - 1) * outputStride + valueLayout.headDimension, "room for outputs")
    precondition(tops.count >= rows && sums.count >= rows, "a top and a sum for every row")
    // SAFETY: the lines above and those of `init` keep every index of every run inside.
    unsafe attendUnchecked(
      range, scores, outputs: outputs, outputStride: outputStride, tops: tops, sums: sums, kernels)
  }

  /// The kernels are told anew only what changes from run to run: one takes a microsecond or two.
  @unsafe
  private func attendUnchecked(
    _ range: Range<Int>, _ rows: ScoreRows, outputs: FixedBuffer<Float>, outputStride: Int,
    tops: FixedBuffer<Float>, sums: FixedBuffer<Float>, _ kernels: KernelSet
  ) {
    let table = unsafe kernels.table
    let scoreKeys =
      unsafe keyLayout.format == .int8 ? table.pointee.scores_int8 : table.pointee.scores_int4
    let sumValues =
      unsafe valueLayout.format == .int8
      ? table.pointee.weighted_sum_int8 : table.pointee.weighted_sum_int4
    var scores = unsafe kernelScores(rows)
    var softmax = unsafe kernelSoftmax(rows)
    var weighted = unsafe kernelWeightedSum(rows, outputStride: outputStride)
    let positions = unsafe slotPositions.unsafeBaseAddress
    let keyBytes = keyLayout.bytes(slots: runSlots)
    let valueBytes = valueLayout.bytes(slots: runSlots)
    for run in range {
      let (number, slots) = (run - range.lowerBound, slots(run))
      let row = number * queries.rows
      let runScores = unsafe rows.buffer.unsafeBaseAddress + number * rows.runStride
      let runKeys = unsafe UnsafePointer(keys.unsafeBaseAddress) + run * keyBytes
      let runValues = unsafe UnsafePointer(values.unsafeBaseAddress) + run * valueBytes
      unsafe scores.keys = runKeys
      unsafe scores.slot_end = slots.count
      unsafe scores.scores = runScores
      unsafe scores.ahead = runValues - runKeys
      unsafe scoreKeys?(&scores)
      if run == 0 { scoreSinks(rows, kernels) }
      unsafe softmax.scores = runScores
      unsafe softmax.slot_count = slots.count
      unsafe softmax.slot_positions = UnsafePointer(positions) + run * runSlots
      unsafe softmax.sums = sums.unsafeBaseAddress + row
      unsafe softmax.tops = tops.unsafeBaseAddress + row
      // As many slots as are left; in place of those that are not there, the next head's.
      unsafe softmax.next.keys = runKeys + keyBytes
      unsafe softmax.next.slots = live - slots.upperBound
      unsafe softmax.values = runValues
      unsafe table.pointee.softmax(&softmax)
      unsafe weighted.values = runValues
      unsafe weighted.slot_count = slots.count
      unsafe weighted.probabilities = UnsafePointer(runScores)
      unsafe weighted.output = outputs.unsafeBaseAddress + row * outputStride
      unsafe weighted.next = softmax.next
      unsafe sumValues?(&weighted)
    }
  }

  /// What the kernels are told that is the same for all runs.
  @unsafe
  private func kernelScores(_ rows: ScoreRows) -> kernel_scores {
    unsafe kernel_scores(
      keys: nil, tile_bytes: keyLayout.tileBytes, dimensions: keyLayout.headDimension,
      slot_begin: 0, slot_end: 0, queries: queries.cRows, scores: nil,
      score_stride: rows.stride, ahead: 0)
  }

  @unsafe
  private func kernelSoftmax(_ rows: ScoreRows) -> kernel_softmax {
    unsafe kernel_softmax(
      scores: nil, score_stride: rows.stride, slot_count: 0, slot_positions: nil,
      query_positions: queryPositions.unsafeBaseAddress, queries: queries.rows, sums: nil,
      tops: nil, next: kernel_next(keys: nil, slots: 0, rest: nextKeys?.unsafeBaseAddress),
      next_stride: keyLayout.bytes(slots: 32),
      values: nil, value_stride: valueLayout.blockBytes)
  }

  @unsafe
  private func kernelWeightedSum(_ rows: ScoreRows, outputStride: Int) -> kernel_weighted_sum {
    unsafe kernel_weighted_sum(
      values: nil, block_bytes: valueLayout.blockBytes, dimensions: valueLayout.headDimension,
      slot_count: 0, probabilities: nil, probability_stride: rows.stride, queries: queries.rows,
      output: nil, output_stride: outputStride, next: kernel_next())
  }

  /// The scores over one run, and their softmax.
  package func weigh(
    _ run: Int, _ scores: ScoreRows, tops: FixedBuffer<Float>, sums: FixedBuffer<Float>,
    _ kernels: KernelSet
  ) {
    score(run, scores, kernels)
    kernels.softmax(
      scores.buffer, scoreStride: scores.stride, queryPositions: queryPositions,
      slotPositions: slotPositions.extracting(slots(run)), tops: tops, sums: sums,
      next: keys(after: run).map { ($0, keyLayout) })
  }

  /// The scores over one run.
  package func score(_ run: Int, _ scores: ScoreRows, _ kernels: KernelSet) {
    kernels.scores(
      queries: queries, keys: keys(run), layout: keyLayout, slots: 0..<slots(run).count,
      into: scores.buffer, scoreStride: scores.stride, next: keys(after: run))
    if run == 0 { scoreSinks(scores, kernels) }
  }

  private func scoreSinks(_ scores: ScoreRows, _ kernels: KernelSet) {
    guard let sinkQueries else { return }
    kernels.scores(
      queries: sinkQueries, keys: keys, layout: keyLayout, slots: 0..<sinks, into: scores.buffer,
      scoreStride: scores.stride)
  }

  /// The keys from a run on.
  private func keys(_ run: Int) -> FixedBuffer<UInt8> {
    keys.extracting(keyLayout.bytes(slots: run * runSlots)..<keys.count)
  }

  /// The keys that are read after a run.
  private func keys(after run: Int) -> FixedBuffer<UInt8>? {
    run + 1 < runs ? keys(run + 1) : nextKeys
  }
}

/// Rows of scores over runs of slots.
package struct ScoreRows: BitwiseCopyable {
  package let buffer: FixedBuffer<Float>
  /// Elements from one row to the next, a multiple of 32.
  package let stride: Int
  /// Elements from one run to the next; 0 where each run may overwrite the one before.
  package let runStride: Int

  package init(buffer: FixedBuffer<Float>, stride: Int, runStride: Int) {
    (self.buffer, self.stride, self.runStride) = (buffer, stride, runStride)
  }

  fileprivate func hold(_ runs: Int, rows: Int, slots: Int) -> Bool {
    stride % 32 == 0 && stride >= slots && runStride >= 0
      && buffer.count >= (runs - 1) * runStride + (rows - 1) * stride + slots
  }
}
