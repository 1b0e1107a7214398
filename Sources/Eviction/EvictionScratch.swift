package import Memory
package import Units

/// What one thread needs to choose slots.
///
/// Shapes: S slots.
package struct EvictionScratch: BitwiseCopyable {
  /// Scores of one set.
  package let scores: FixedBuffer<UInt64>  // [S]

  /// The same memory for sums that are not negative.
  var sums: FixedBuffer<Int64> {
    // SAFETY: the same bytes; a number below 2⁶³ is the same in both types.
    unsafe FixedBuffer<Int64>(
      unsafeBase: UnsafeMutableRawPointer(scores.unsafeBaseAddress)
        .assumingMemoryBound(to: Int64.self), count: scores.count)
  }

  /// The same memory for tokens on their way to other slots.
  var moves: FixedBuffer<SlotMove> {
    // SAFETY: the same bytes; both types take eight of them, and any bits are a value.
    unsafe FixedBuffer<SlotMove>(
      unsafeBase: UnsafeMutableRawPointer(scores.unsafeBaseAddress)
        .assumingMemoryBound(to: SlotMove.self), count: scores.count)
  }

  /// What slots are ordered by, where ranks decide.
  package let keys: FixedBuffer<UInt32>  // [S]

  /// The slots in stream order, where ranks decide.
  let ages: FixedBuffer<UInt32>  // [S]

  /// Finds the lowest scores.
  package let selection: Selection

  /// Finds the order of slots.
  package let sorter: SlotSorter

  /// Lays the scratch of one thread out in the current region of `arena`.
  package init(_ settings: EvictionSettings, in arena: inout Arena) {
    let slots = settings.policy.isArithmetic ? 0 : settings.heldSlots
    scores = arena.take(slots)
    let ranked = settings.policy == .heavyDifference ? slots : 0
    keys = arena.take(ranked)
    ages = arena.take(ranked)
    selection = Selection(histogram: arena.take(Selection.histogramCount))
    sorter = SlotSorter(
      histograms: arena.take(SlotSorter.histogramCount), first: arena.take(slots),
      second: arena.take(slots))
  }
}
