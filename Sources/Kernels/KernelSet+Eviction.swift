internal import CKernels
package import Units

/// What eviction policies see of attention, and how they choose among slots, in integers: the same
/// bits on every instruction set and for every order of rows.
extension KernelSet {
  /// What the shares of one query sum to: exactly 2²⁴.
  package static var one: Int { 1 << 24 }

  /// What some queries give to each slot, all of them together.
  ///
  /// Each query gives shares of 2⁻²⁴: its probabilities rounded down, and the largest, of equal ones
  /// the first, gets what is missing, so that they sum to 2²⁴. `numerators` holds what `softmax` left
  /// of a query, the runs of `run` slots one after the other, every `stride` elements; `runTops` one
  /// top per run, every `topStride` elements; `tops` and `sums` are those of the merged runs, one per
  /// query. Elements of `row` beyond the slots, up to a multiple of 16, become 0.
  package func probabilities(
    numerators: FixedBuffer<Float>, stride: Int, runTops: FixedBuffer<Float>, topStride: Int,
    run: Int, slotCount: Int, tops: FixedBuffer<Float>, sums: FixedBuffer<Float>,
    into row: FixedBuffer<UInt32>
  ) {
    let queries = tops.count
    let filled = slotCount.roundedUp(toMultipleOf: 16)
    precondition(slotCount > 0, "a row has slots")
    precondition(queries > 0 && queries < 256, "sums of shares have 32 bits")
    precondition(sums.count == queries, "a sum for every query")
    precondition(run > 0 && run % 16 == 0, "runs of whole vectors")
    precondition(stride >= filled && row.count >= filled, "whole vectors")
    precondition(numerators.count >= (queries - 1) * stride + filled, "a row for every query")
    let runs = slotCount.dividedRoundingUp(by: run)
    precondition(topStride >= runs, "a top for every run")
    precondition(runTops.count >= (queries - 1) * topStride + runs, "tops for every query")
    // SAFETY: the lines above keep every index inside.
    var arguments = unsafe kernel_probabilities(
      numerators: numerators.unsafeBaseAddress, numerator_stride: stride,
      run_tops: runTops.unsafeBaseAddress, top_stride: topStride, run: run, slot_count: slotCount,
      tops: tops.unsafeBaseAddress, sums: sums.unsafeBaseAddress, queries: queries,
      row: row.unsafeBaseAddress)
    unsafe table.pointee.probabilities(&arguments)
  }

  /// sums[slot] += row[slot] for the slots of `sums`.
  package func add(_ row: FixedBuffer<UInt32>, to sums: FixedBuffer<Int64>) {
    precondition(row.count >= sums.count, "an element for each sum")
    // SAFETY: both have `sums.count` elements.
    unsafe table.pointee.add_row(row.unsafeBaseAddress, sums.count, sums.unsafeBaseAddress)
  }

  /// sums[slot] += part[slot]; then zeros stay in `part`.
  package func take(_ part: FixedBuffer<Int64>, into sums: FixedBuffer<Int64>) {
    precondition(part.count == sums.count, "as many sums")
    // SAFETY: both have `count` elements.
    unsafe table.pointee.take_sums(part.unsafeBaseAddress, part.count, sums.unsafeBaseAddress)
  }

  /// votes[slot] += part[slot]; then zeros stay in `part`.
  package func take(_ part: FixedBuffer<UInt16>, into votes: FixedBuffer<UInt16>) {
    precondition(part.count == votes.count, "as many votes")
    // SAFETY: both have `count` elements.
    unsafe table.pointee.take_votes(part.unsafeBaseAddress, part.count, votes.unsafeBaseAddress)
  }

  /// votes[slot] += 1 where row[slot] < `limit` and the slot is not younger than `position`; the
  /// same for `more`, where it has elements.
  package func countLow(
    _ row: FixedBuffer<UInt32>, below limit: UInt32, positions: FixedBuffer<UInt32>,
    upTo position: UInt32, into votes: FixedBuffer<UInt16>, and more: FixedBuffer<UInt16> = .empty
  ) {
    precondition(row.count >= votes.count, "an element for each slot")
    precondition(positions.count >= votes.count, "a position for each slot")
    precondition(more.count == 0 || more.count == votes.count, "as many votes again")
    // SAFETY: all have `votes.count` elements.
    var arguments = unsafe kernel_low_votes(
      row: row.unsafeBaseAddress, positions: positions.unsafeBaseAddress,
      slot_count: votes.count, limit: limit, position: position, votes: votes.unsafeBaseAddress,
      more_votes: more.count > 0 ? more.unsafeBaseAddress : nil)
    unsafe table.pointee.count_low(&arguments)
  }

  /// How many of `positions` lie in `range`.
  package func count(_ positions: FixedBuffer<UInt32>, in range: Range<UInt32>) -> Int {
    // SAFETY: the buffer has `count` elements.
    unsafe table.pointee.count_positions(
      positions.unsafeBaseAddress, positions.count, range.lowerBound, range.upperBound)
  }

  /// The slot with the lowest score of those whose positions lie in `range`.
  ///
  /// Of equal scores the one with the lowest position; `nil` where there is none. Without `scores`
  /// all are alike. Positions within the range differ.
  package func lowest(
    _ scores: FixedBuffer<Int64>? = nil, positions: FixedBuffer<UInt32>, in range: Range<UInt32>
  ) -> Int? {
    precondition((scores?.count ?? positions.count) == positions.count, "a score for each slot")
    // SAFETY: both have `positions.count` elements.
    let slot = unsafe table.pointee.lowest(
      scores?.unsafeBaseAddress, positions.unsafeBaseAddress, positions.count, range.lowerBound,
      range.upperBound)
    return slot < positions.count ? slot : nil
  }
}
