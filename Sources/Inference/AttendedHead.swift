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

  /// Query rows.
  var rows: Int { queries.rows }

  /// Runs of slots.
  var runs: Int { RunShape.runs(slots: live) }

  /// The slots of a run.
  func slots(_ run: Int) -> Range<Int> {
    run * RunShape.runSlots..<min((run + 1) * RunShape.runSlots, live)
  }

  /// All rows over one run, whose scores stay in `scores`: its softmax, and the weighted sum of the
  /// values.
  func attend(_ run: Int, _ scores: ScoreRows, into parts: AttentionParts, _ kernels: KernelSet) {
    weigh(run, scores, into: parts, kernels)
    let slots = slots(run)
    let start = valueLayout.bytes(slots: slots.lowerBound)
    kernels.weightedSum(
      probabilities: scores.buffer, probabilityStride: scores.stride, queries: rows,
      values: values.extracting(start..<values.count), layout: valueLayout,
      slotCount: slots.count, into: parts.outputs,
      outputStride: Scratch.stride(queries.columns))
  }

  /// Softmax over one run.
  func weigh(_ run: Int, _ scores: ScoreRows, into parts: AttentionParts, _ kernels: KernelSet) {
    score(run, scores, kernels)
    kernels.softmax(
      scores.buffer, scoreStride: scores.stride, queryPositions: queryPositions,
      slotPositions: slotPositions.extracting(slots(run)), tops: parts.tops, sums: parts.sums)
  }

  /// The scores over one run.
  @inline(never)
  func score(_ run: Int, _ scores: ScoreRows, _ kernels: KernelSet) {
    let slots = slots(run)
    let start = keyLayout.bytes(slots: slots.lowerBound)
    let keys = keys.extracting(start..<keys.count)
    kernels.scores(
      queries: queries, keys: keys, layout: keyLayout, slots: 0..<slots.count,
      into: scores.buffer, scoreStride: scores.stride)
    if run == 0, let sinkQueries {
      kernels.scores(
        queries: sinkQueries, keys: keys, layout: keyLayout, slots: 0..<SlotMap.sinkTokens,
        into: scores.buffer, scoreStride: scores.stride)
    }
  }
}
