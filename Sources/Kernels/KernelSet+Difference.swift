internal import CKernels
package import Units

/// How alike the values of a KV head are to their mean, in integers.
///
/// Source: Park et al., KeyDiff: Key Similarity-Based KV Cache Eviction, section 3: a token goes
/// whose key has the largest cosine to the mean of all normalized keys. Here values are compared.
/// Only the quants and scales of the cache decide, so that every machine finds the same numbers.
extension KernelSet {
  /// scores[slot] is lower the more alike the slot's value is to the mean of all taken slots.
  ///
  /// Scores have 32 bits: 2³¹ less the cosine to the anchor times the anchor's length. Free slots,
  /// whose position is `UInt32.max`, have `UInt64.max`. `positions` and `scores` have an element for
  /// each slot that was ever taken.
  ///
  /// 1. A value is x[k] = quant · scale, the scales being whole numbers of 16 bits: those of the
  ///    cache in units of 2⁻²⁴, halved until the largest of the slot fits.
  /// 2. Its length is ⌊√Σ x²⌋. In its direction, in units of 2⁻²⁰, a quant of a group is worth
  ///    d = ⌊scale · ⌊2⁴⁴ / length⌋ / 2²⁴⌋. A value of nothing but zeros has no direction.
  /// 3. The anchor is the sum of all quant · d, halved, rounding down, until all elements are below
  ///    2¹⁸.
  /// 4. The similarity of a slot is ⌊Σ quant · d · anchor / 2¹²⌋.
  package func differences(
    of values: FixedBuffer<UInt8>, layout: ValueLayout, positions: FixedBuffer<UInt32>,
    into scores: FixedBuffer<UInt64>
  ) {
    precondition(layout.headDimension <= 512, "at most 512 dimensions")
    precondition(values.count >= layout.bytes(slots: positions.count), "a value for each slot")
    precondition(scores.count >= positions.count, "a score for each slot")
    // SAFETY: the lines above keep every index inside.
    var arguments = unsafe kernel_differences(
      values: values.unsafeBaseAddress, dimensions: layout.headDimension,
      positions: positions.unsafeBaseAddress, slot_count: positions.count,
      scores: scores.unsafeBaseAddress)
    switch layout.format {
    case .int8: unsafe table.pointee.differences_int8(&arguments)
    case .int4: unsafe table.pointee.differences_int4(&arguments)
    }
  }
}
