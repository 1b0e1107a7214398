import Cache
import Eviction
import Testing

/// The obvious model: a list of slots, each with the position of its token.
private struct SlowCache {
  let policy: EvictionPolicy
  let slots: Int
  var positions: [Int] = []

  /// Stores the token at `position` and returns its slot; `nil` where it may not come.
  mutating func store(_ position: Int) -> Int? {
    if positions.count < slots {
      positions.append(position)
      return positions.count - 1
    }
    guard policy == .streaming else { return nil }
    // The oldest token but the first four goes, and the new one takes its place.
    guard let oldest = positions.filter({ $0 >= 4 }).min() else { return nil }
    guard let slot = positions.firstIndex(of: oldest) else { return nil }
    positions[slot] = position
    return slot
  }
}

@Suite struct SlotMapTests {
  @Test(arguments: [EvictionPolicy.full, .streaming])
  func equalsTheListOfKeptTokens(policy: EvictionPolicy) {
    for slots in 5...40 {
      let map = SlotMap(policy: policy, slots: slots)
      var slow = SlowCache(policy: policy, slots: slots)
      for position in 0..<5 * slots {
        let stored = slow.store(position)
        #expect(map.admits(position) == (stored != nil))
        guard let stored else { continue }
        #expect(map.slot(of: position) == stored, "\(position) of \(slots)")
        #expect(map.liveSlots(after: position) == slow.positions.count)
      }
      if policy == .streaming {
        // What is left: the first four, and exactly the newest others.
        let newest = 5 * slots - (slots - 4)..<5 * slots
        #expect(Set(slow.positions) == Set(0..<4).union(newest))
        #expect(Set(newest.map(map.slot(of:))) == Set(4..<slots))
      }
    }
  }

  @Test func farPositionsStayInTheWindow() {
    let map = SlotMap(policy: .streaming, slots: 37)
    let end = Int(UInt32.max)
    let slots = (end - 33..<end).map(map.slot(of:))
    #expect(Set(slots) == Set(4..<37))
    #expect(map.admits(end - 1))
    #expect(!map.admits(end))
  }

  @Test func aCacheHasMoreThanTheFirstTokens() async {
    await #expect(processExitsWith: .failure) { _ = SlotMap(policy: .streaming, slots: 4) }
    await #expect(processExitsWith: .failure) { _ = SlotMap(policy: .full, slots: 0) }
  }
}
