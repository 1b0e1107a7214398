import Eviction
import Memory
import TestSupport
import Testing
import Units

@Suite struct SlotTableTests {
  private func table(_ layers: Int, _ sets: Int, slots: Int, chunk: Int) -> SlotTable {
    var real = RealArena(byteCount: 1 << 20)
    real.arena.begin(.positions)
    return SlotTable(
      layers: layers, setsPerLayer: sets, slots: slots, chunk: chunk, in: &real.arena)
  }

  @Test func tokensTakeTheLowestFreeSlots() {
    var random = Random(seed: 1)
    let table = table(2, 3, slots: 20, chunk: 4)
    #expect(table.count == 6)
    for set in 0..<6 {
      var slow = [Int?](repeating: nil, count: 20)
      var position = 0
      while position < 300 {
        let count = min(1 + random.below(4), slow.count { $0 == nil })
        let free = slow.indices.filter { slow[$0] == nil }.prefix(count)
        table.assign(count, in: set)
        #expect(array(table.targets(set)).prefix(count).map(Int.init) == Array(free))
        for token in 0..<count {
          slow[free[token]] = position
          table.store(token: token, position: position, turn: position * 2, in: set)
          position += 1
        }
        for slot in slow.indices where slow[slot] != nil && random.below(6) == 0 {
          slow[slot] = nil
          table.free(slot, in: set)
        }
        if !slow.contains(nil) {
          slow[7] = nil
          table.free(7, in: set)
        }
        let expected = slow.map { $0.map(UInt32.init) ?? SlotTable.free }
        #expect(array(table.positions(set)) == expected)
        for slot in slow.indices {
          if let position = slow[slot] { #expect(Int(table.turns(set)[slot]) == 2 * position) }
        }
      }
    }
  }

  @Test func headsShareASetOrHaveTheirOwn() {
    let own = table(2, 3, slots: 5, chunk: 1)
    let shared = table(2, 1, slots: 5, chunk: 1)
    #expect((0..<3).map { own.set(layer: 1, head: $0) } == [3, 4, 5])
    #expect((0..<3).map { shared.set(layer: 1, head: $0) } == [1, 1, 1])
  }
}
