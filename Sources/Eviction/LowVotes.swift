package import Units

/// Counts how often the last queries before an eviction found a slot unimportant, exactly, without
/// keeping their history.
///
/// Evictions come when all B slots are taken and drop m of them, so a query that sees i slots knows
/// that B − i more queries come before the next one. Three counters per slot: `current` counts
/// votes of this epoch that the next eviction counts (i > B − w), `tail` those that the one after
/// it still counts (i > B − (w − m)), `previous` is the tail of the epoch before. At an eviction
/// the votes of the last w queries are previous + current; then previous = tail and the others
/// start at 0. Exact for w ≤ 2m; a counter never passes w, so 16 bits hold it.
package struct LowVotes: BitwiseCopyable {
  /// Votes of this epoch that the next eviction counts.
  package let current: FixedBuffer<UInt16>

  /// Votes of this epoch that the eviction after the next one counts.
  package let tail: FixedBuffer<UInt16>

  /// Votes of the epoch before that the next eviction counts.
  package let previous: FixedBuffer<UInt16>

  /// Counters of one set in the caller's memory.
  package init(
    current: FixedBuffer<UInt16>, tail: FixedBuffer<UInt16>, previous: FixedBuffer<UInt16>
  ) {
    self.current = current
    self.tail = tail
    self.previous = previous
  }

  /// Which counters the votes of a query that sees `seen` slots go to.
  package static func counts(
    seen: Int, settings: EvictionSettings
  ) -> (inCurrent: Bool, inTail: Bool) {
    (
      seen > settings.slots - settings.history,
      seen > settings.slots - (settings.history - settings.drop)
    )
  }

  /// The least probability, summed over `heads` rows of 2^24, that is not low: a slot is low where
  /// the sum · `divisor` < `heads` · 2^24.
  package static func limit(heads: Int, divisor: Int) -> UInt32 {
    precondition(heads > 0 && heads < 256 && divisor > 0, "the limit has 32 bits")
    return UInt32((heads << 24).dividedRoundingUp(by: divisor))
  }

  /// Votes of the last `history` queries on a slot, at an eviction.
  package func votes(_ slot: Int) -> UInt64 { UInt64(previous[slot]) + UInt64(current[slot]) }

  /// Starts the next epoch.
  package func startEpoch() {
    for slot in 0..<current.count {
      previous[slot] = tail[slot]
      current[slot] = 0
      tail[slot] = 0
    }
  }

  /// Forgets the votes on a slot.
  package func clear(_ slot: Int) {
    current[slot] = 0
    tail[slot] = 0
    previous[slot] = 0
  }
}
