package import Units

/// Where the slots that go are cut off from those that stay: ordered by score, of equal scores by
/// age.
package struct SelectionCut: BitwiseCopyable, Equatable, Sendable {
  /// The score of the last slot that goes.
  package let score: UInt64

  /// Its stream position.
  package let position: UInt32

  /// Whether a slot goes.
  package func drops(score: UInt64, position: UInt32) -> Bool {
    score < self.score || score == self.score && position <= self.position
  }
}

/// Finds the slots with the lowest scores; of equal scores the older slot goes first.
///
/// A radix selection from the highest digit down: each pass counts one byte of the pair (score,
/// stream position) in a histogram, among the slots that agree with the cut so far, and ends as
/// soon as a whole bin goes. No slot is moved and nothing is sorted; as positions differ, the cut
/// is exact. At most 12 passes, mostly 2 or 3. A score of `UInt64.max` protects a slot.
package struct Selection: BitwiseCopyable, Sendable {
  /// The score of a slot that must stay, or of a free one.
  package static var protected: UInt64 { .max }

  private let histogram: FixedBuffer<UInt32>

  /// Elements of the histogram.
  package static var histogramCount: Int { 256 }

  /// A selection that counts in the caller's memory.
  package init(histogram: FixedBuffer<UInt32>) { self.histogram = histogram }

  /// The cut below which exactly `count` unprotected slots lie.
  ///
  /// `scores` and `positions` have one element per slot; positions of unprotected slots differ.
  package func cut(
    dropping count: Int, scores: FixedBuffer<UInt64>, positions: FixedBuffer<UInt32>
  ) -> SelectionCut {
    precondition(scores.count == positions.count, "a position for each score")
    precondition(count > 0, "something is dropped")
    precondition(histogram.count == Self.histogramCount, "one bin for each byte")
    if count == 1 { return lowest(scores, positions) }
    var largest: UInt64 = 0
    for slot in 0..<scores.count {
      let score = scores[slot]
      if score != Self.protected && score > largest { largest = score }
    }
    var remaining = UInt32(count)
    var score: UInt64 = 0
    var shift = max(64 - largest.leadingZeroBitCount - 1, 0) / 8 * 8
    while shift >= 0 {
      let above = shift == 56 ? 0 : UInt64.max << UInt64(shift + 8)
      histogram.fill(0)
      for slot in 0..<scores.count {
        let other = scores[slot]
        if other != Self.protected && other & above == score & above {
          histogram[Int(other >> UInt64(shift) & 255)] += 1
        }
      }
      let (bin, isWhole) = find(&remaining)
      score |= UInt64(bin) << UInt64(shift)
      if isWhole {
        return SelectionCut(score: score | ~(UInt64.max << UInt64(shift)), position: .max)
      }
      shift -= 8
    }
    return SelectionCut(
      score: score, position: oldest(&remaining, among: scores, positions, score: score))
  }

  /// The position of the oldest `remaining` slots that have exactly this score.
  private func oldest(
    _ remaining: inout UInt32, among scores: FixedBuffer<UInt64>,
    _ positions: FixedBuffer<UInt32>, score: UInt64
  ) -> UInt32 {
    var position: UInt32 = 0
    var shift = 24
    while shift >= 0 {
      let above = shift == 24 ? 0 : UInt32.max << UInt32(shift + 8)
      histogram.fill(0)
      for slot in 0..<scores.count {
        let other = positions[slot]
        if scores[slot] == score && other & above == position & above {
          histogram[Int(other >> UInt32(shift) & 255)] += 1
        }
      }
      let (bin, isWhole) = find(&remaining)
      position |= UInt32(bin) << UInt32(shift)
      if isWhole { return position | ~(UInt32.max << UInt32(shift)) }
      shift -= 8
    }
    return position
  }

  /// The bin that the cut falls into; takes the bins below it off `remaining`.
  private func find(_ remaining: inout UInt32) -> (bin: Int, isWhole: Bool) {
    for bin in 0..<Self.histogramCount {
      let count = histogram[bin]
      if count >= remaining { return (bin, count == remaining) }
      remaining -= count
    }
    preconditionFailure("fewer unprotected slots than are to be dropped")
  }

  /// The one slot that goes first.
  private func lowest(
    _ scores: FixedBuffer<UInt64>, _ positions: FixedBuffer<UInt32>
  ) -> SelectionCut {
    var (score, position) = (Self.protected, UInt32.max)
    for slot in 0..<scores.count {
      let other = scores[slot]
      if other < score || other == score && positions[slot] < position {
        score = other
        position = positions[slot]
      }
    }
    precondition(score != Self.protected, "fewer unprotected slots than are to be dropped")
    return SelectionCut(score: score, position: position)
  }
}
