import Eviction
import TestSupport
import Testing
import Units

@Suite struct SelectionTests {
  /// The slots that go, by sorting.
  private func slow(_ count: Int, _ scores: [UInt64], _ positions: [UInt32]) -> Set<Int> {
    let order = scores.indices.filter { scores[$0] != Selection.protected }
      .sorted { (scores[$0], positions[$0]) < (scores[$1], positions[$1]) }
    return Set(order.prefix(count))
  }

  private func check(_ scores: [UInt64], _ positions: [UInt32], counts: [Int]) {
    let selection = Selection(histogram: memory(Selection.histogramCount))
    for count in counts {
      let cut = selection.cut(
        dropping: count, scores: buffer(scores), positions: buffer(positions))
      let found = scores.indices.filter { cut.drops(score: scores[$0], position: positions[$0]) }
      #expect(Set(found) == slow(count, scores, positions), "\(count) of \(scores)")
    }
  }

  /// All scores of 0 to 2 and of `protected` on 5 slots, every count.
  @Test func smallOnesExhaustively() {
    let values: [UInt64] = [0, 1, 2, Selection.protected]
    for code in 0..<1024 {
      let scores = (0..<5).map { values[code >> (2 * $0) & 3] }
      let free = scores.count { $0 != Selection.protected }
      if free == 0 { continue }
      check(scores, [7, 3, 300, 0, 66_000], counts: Array(1...free))
    }
  }

  @Test(arguments: 0..<40) func randomOnes(seed: Int) {
    var random = Random(seed: UInt64(seed))
    let count = 1 + random.below(300)
    let width = UInt64(1 + random.below(63))
    let scores = (0..<count).map { _ in
      random.below(10) == 0 ? Selection.protected : random.next() >> width
    }
    // Few different scores: the positions decide.
    let coarse = scores.map { $0 == Selection.protected ? $0 : $0 >> 60 }
    let positions = (0..<count).map { UInt32($0 * 77_777 % 2_147_483_647) }.shuffled(using: &random)
    let free = scores.count { $0 != Selection.protected }
    if free == 0 { return }
    let counts = (0..<8).map { _ in 1 + random.below(free) } + [1, free]
    check(scores, positions, counts: counts)
    check(coarse, positions, counts: counts)
  }

  @Test func moreThanThereAreTrap() async {
    await #expect(processExitsWith: .failure) {
      _ = Selection(histogram: memory(256)).cut(
        dropping: 2, scores: buffer([5, Selection.protected]), positions: buffer([0, 1]))
    }
  }

  @Test func slotsComeInStreamOrder() {
    var random = Random(seed: 3)
    for count in [1, 2, 16, 100, 1000] {
      let lists = (0..<3).map { _ in memory(count, of: UInt32.self) }
      let sorter = SlotSorter(
        histograms: memory(SlotSorter.histogramCount), first: lists[0], second: lists[1])
      let positions = (0..<count).map { _ in
        random.below(4) == 0 ? SlotTable.free : UInt32(truncatingIfNeeded: random.next() >> 33)
      }
      let expected = positions.indices.filter { positions[$0] != SlotTable.free }
        .sorted { positions[$0] < positions[$1] }
      let inOrder = buffer(array(sorter.order(of: buffer(positions))))
      #expect(array(inOrder).map(Int.init) == expected)
      // Few keys, so that many are equal: of these the older slot comes first.
      let keys = positions.map { _ in UInt32(random.below(5)) << UInt32(random.below(3) * 12) }
      let byKeys = expected.sorted {
        (keys[$0], positions[$0]) < (keys[$1], positions[$1])
      }
      #expect(array(sorter.order(of: inOrder, by: buffer(keys))).map(Int.init) == byKeys)
    }
  }

  /// Bytes in which all keys agree are passed over, and whichever list holds the result is returned.
  @Test(arguments: 0..<16)
  func keysThatDifferInSomeBytesAreSorted(bytes: Int) {
    var random = Random(seed: 4)
    let count = 300
    let lists = (0..<3).map { _ in memory(count, of: UInt32.self) }
    let sorter = SlotSorter(
      histograms: memory(SlotSorter.histogramCount), first: lists[0], second: lists[1])
    var mask: UInt32 = 0
    for byte in 0..<4 where bytes >> byte & 1 == 1 { mask |= 255 << UInt32(8 * byte) }
    let same: UInt32 = 0x2A2A_2A2A & ~mask
    let keys = (0..<count).map { _ in UInt32(random.below(1 << 32)) & mask | same }
    let slots = (0..<count).map { UInt32($0) }
    let positions = slots.map { $0 + 5 << 16 }
    let expected = keys.indices.sorted { (keys[$0], $0) < (keys[$1], $1) }
    #expect(
      array(sorter.order(of: buffer(slots), by: buffer(keys))).map(Int.init) == expected)
    let reversed = positions.map { UInt32(1 << 30) - $0 }
    #expect(array(sorter.order(of: buffer(reversed))).map(Int.init) == keys.indices.reversed())
  }
}

@Suite struct PoolingTests {
  @Test func maximaAreThoseOfSevenNeighbours() {
    var random = Random(seed: 6)
    for count in 1...40 {
      let scores = (0..<count).map { _ in Int64(random.next() >> 2) }
      let output = memory(count, of: UInt64.self)
      Pooling.maxima(of: buffer(scores), into: output)
      for index in 0..<count {
        let near = scores.indices.filter { abs($0 - index) <= 3 }
        #expect(output[index] == near.map { UInt64(scores[$0]) }.max())
      }
    }
  }

  @Test func averagesEqualTheirFractions() {
    var random = Random(seed: 5)
    for count in 1...40 {
      let scores = (0..<count).map { _ in Int64(bitPattern: random.next()) >> 20 }
      let output = memory(count, of: UInt64.self)
      for edges in [Pooling.Edges.zeros, .valid] {
        Pooling.averages(of: buffer(scores), edges: edges, into: output)
        for index in 0..<count {
          let near = scores.indices.filter { abs($0 - index) <= 2 }
          let divisor = Int64(edges == .zeros ? 5 : near.count)
          // The mean times 60, without rounding; the upper half of the range is above 0.
          let mean = Int64(bitPattern: output[index] ^ 1 << 63)
          #expect(mean * divisor == near.reduce(0) { $0 + scores[$1] } * 60)
        }
      }
    }
  }
}
