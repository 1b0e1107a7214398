import Cache
import Kernels
import Units

/// Prepared query rows and what they look at: the live slots of one KV head, in runs.
///
/// It is gathered once for all runs of a head.
struct AttendedHead: BitwiseCopyable {
  let queries: ActivationRows  // [R, d]
  let sinkQueries: ActivationRows?  // [R, d], where the first tokens see other queries
  let queryPositions: FixedBuffer<UInt32>  // [R]
  let keys: FixedBuffer<UInt8>
  let keyLayout: KeyLayout
  let values: FixedBuffer<UInt8>
  let valueLayout: ValueLayout
  let slotPositions: FixedBuffer<UInt32>
  let live: Int
  let nextKeys: FixedBuffer<UInt8>?  // of the next KV head, which this thread probably attends next

  /// Query rows.
  var rows: Int { queries.rows }

  /// Runs of slots.
  var runs: Int { RunShape.runs(slots: live) }

  /// The slots of a run.
  func slots(_ run: Int) -> Range<Int> {
    run * RunShape.runSlots..<min((run + 1) * RunShape.runSlots, live)
  }

  /// The keys from a run on.
  private func keys(_ run: Int) -> FixedBuffer<UInt8> {
    keys.extracting(keyLayout.bytes(slots: run * RunShape.runSlots)..<keys.count)
  }

  /// The values from a run on.
  private func values(_ run: Int) -> FixedBuffer<UInt8> {
    values.extracting(valueLayout.bytes(slots: run * RunShape.runSlots)..<values.count)
  }

  /// The keys that are read after a run.
  private func keys(after run: Int) -> FixedBuffer<UInt8>? {
    run + 1 < runs ? keys(run + 1) : nextKeys
  }

  /// All rows over one run, whose scores stay in `scores`: its softmax, and the weighted sum of the
  /// values.
  func attend(_ run: Int, _ scores: ScoreRows, into parts: AttentionParts, _ kernels: KernelSet) {
    score(run, scores, kernels, next: values(run))
    normalize(run, scores, into: parts, kernels)
    kernels.weightedSum(
      probabilities: scores.buffer, probabilityStride: scores.stride, queries: rows,
      values: values(run), layout: valueLayout, slotCount: slots(run).count, into: parts.outputs,
      outputStride: Scratch.stride(queries.columns), next: keys(after: run))
  }

  /// Softmax over one run.
  func weigh(_ run: Int, _ scores: ScoreRows, into parts: AttentionParts, _ kernels: KernelSet) {
    score(run, scores, kernels)
    normalize(run, scores, into: parts, kernels)
  }

  private func normalize(
    _ run: Int, _ scores: ScoreRows, into parts: AttentionParts, _ kernels: KernelSet
  ) {
    kernels.softmax(
      scores.buffer, scoreStride: scores.stride, queryPositions: queryPositions,
      slotPositions: slotPositions.extracting(slots(run)), tops: parts.tops, sums: parts.sums,
      next: keys(after: run).map { ($0, keyLayout) })
  }

  /// The scores over one run; `next` is read after it, the keys of the next run where nothing is
  /// named.
  @inline(never)
  func score(
    _ run: Int, _ scores: ScoreRows, _ kernels: KernelSet, next: FixedBuffer<UInt8>? = nil
  ) {
    let keys = keys(run)
    kernels.scores(
      queries: queries, keys: keys, layout: keyLayout, slots: 0..<slots(run).count,
      into: scores.buffer, scoreStride: scores.stride, next: next ?? self.keys(after: run))
    if run == 0, let sinkQueries {
      kernels.scores(
        queries: sinkQueries, keys: keys, layout: keyLayout, slots: 0..<SlotMap.sinkTokens,
        into: scores.buffer, scoreStride: scores.stride)
    }
  }
}
