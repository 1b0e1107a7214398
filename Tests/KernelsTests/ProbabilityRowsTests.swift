import Kernels
import TestSupport
import Testing
import Units

@Suite struct ProbabilityRowsTests {
  @Test func rowsAddUp() {
    var random = Random(seed: 4)
    for count in [1, 15, 16, 33, 1000] {
      let row = (0..<count).map { _ in UInt32(truncatingIfNeeded: random.next() >> 40) }
      let narrow = memory(count, of: UInt32.self)
      let wide = memory(count, of: Int64.self)
      wide.fill(1 << 40)
      for _ in 0..<3 {
        ProbabilityRows.add(buffer(row), to: narrow)
        ProbabilityRows.add(buffer(row), to: wide)
      }
      #expect(array(narrow) == row.map { 3 * $0 })
      #expect(array(wide) == row.map { 1 << 40 + 3 * Int64($0) })
    }
  }

  @Test func lowOnesAreCountedWhereTheyAreSeen() {
    let votes = buffer([3, 3, 3, 3] as [UInt16])
    ProbabilityRows.countLow(
      buffer([10, 9, 0, 9]), below: 10, positions: buffer([0, 5, 6, .max]), upTo: 5, into: votes)
    #expect(array(votes) == [3, 4, 3, 3])
  }
}
