import Units

/// Policies that compare values: `scratch.scores` say how much those of each slot differ from their
/// mean, and free slots are protected.
extension Evictor {
  /// The newest slots stay.
  func protectNewest(of set: Int, _ scratch: EvictionScratch) {
    let positions = takenPositions(set)
    // What came since the last eviction is all there, and so is what stayed as the newest.
    let recent = UInt32(progress.position - settings.recent)
    for slot in 0..<positions.count where positions[slot] >= recent {
      scratch.scores[slot] = Selection.protected
    }
  }

  /// The lowest sums of two ranks go, by difference and by probability; the newest slots stay.
  ///
  /// Of slots that are alike the older one has the lower rank.
  func scoreRanks(_ set: Int, _ scratch: EvictionScratch) {
    let (positions, sums) = (takenPositions(set), sums(set))
    let (scores, keys) = (scratch.scores, scratch.keys)
    var largest: Int64 = 0
    for slot in 0..<positions.count {
      keys[slot] = UInt32(truncatingIfNeeded: scores[slot])
      largest = max(largest, sums[slot])
    }
    let inOrder = scratch.sorter.order(of: positions)
    let ages = scratch.ages.extracting(0..<inOrder.count)
    ages.copy(from: inOrder)
    let byDifference = scratch.sorter.order(of: ages, by: keys)
    for rank in 0..<byDifference.count { scores[Int(byDifference[rank])] = UInt64(rank) }
    // Sums of 32 bits: a common shift keeps the order, up to ties.
    let shift = Int64(max(32 - largest.leadingZeroBitCount, 0))
    for slot in 0..<positions.count {
      keys[slot] = UInt32(truncatingIfNeeded: sums[slot] >> shift)
    }
    let byMass = scratch.sorter.order(of: ages, by: keys)
    for rank in 0..<byMass.count { scores[Int(byMass[rank])] += UInt64(rank) }
    protectNewest(of: set, scratch)
  }

  /// Lets what was received before the last eviction count half.
  func halveSums(_ set: Int) {
    let sums = sums(set)
    for slot in 0..<sums.count { sums[slot] >>= 1 }
  }
}
