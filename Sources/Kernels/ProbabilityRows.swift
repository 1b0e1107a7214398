internal import CKernels
package import Units

/// What eviction policies see of attention: probabilities in units of 2⁻²⁴, in integers.
///
/// The bits are the same on every instruction set and for every order of rows.
package enum ProbabilityRows {
  /// What one row of probabilities sums to: exactly 2²⁴.
  package static var one: Int { 1 << 24 }

  /// sum[slot] += row[slot] for the slots of `sum`; up to 255 rows fit an element.
  package static func add(_ row: FixedBuffer<UInt32>, to sum: FixedBuffer<UInt32>) {
    precondition(row.count >= sum.count, "an element for each sum")
    // SAFETY: both have `sum.count` elements.
    unsafe kernel_add_rows(row.unsafeBaseAddress, sum.count, sum.unsafeBaseAddress)
  }

  /// sums[slot] += row[slot] for the slots of `sums`.
  package static func add(_ row: FixedBuffer<UInt32>, to sums: FixedBuffer<Int64>) {
    precondition(row.count >= sums.count, "an element for each sum")
    // SAFETY: both have `sums.count` elements.
    unsafe kernel_add_sums(row.unsafeBaseAddress, sums.count, sums.unsafeBaseAddress)
  }

  /// votes[slot] += 1 where row[slot] < `limit` and the slot is not younger than `position`.
  package static func countLow(
    _ row: FixedBuffer<UInt32>, below limit: UInt32, positions: FixedBuffer<UInt32>,
    upTo position: UInt32, into votes: FixedBuffer<UInt16>
  ) {
    precondition(row.count >= votes.count, "an element for each slot")
    precondition(positions.count >= votes.count, "a position for each slot")
    // SAFETY: all three have `votes.count` elements.
    unsafe kernel_count_low(
      row.unsafeBaseAddress, positions.unsafeBaseAddress, votes.count, position, limit,
      votes.unsafeBaseAddress)
  }
}
