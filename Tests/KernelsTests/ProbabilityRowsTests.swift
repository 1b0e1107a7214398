import Kernels
import TestSupport
import Testing
import Units

@Suite struct ProbabilityRowsTests {
  /// One number at a time, in floats as stated.
  private func slow(_ p: [Float], sum: Float, _ positions: [UInt32]) -> [UInt32] {
    var factor = Float(16_777_216) / sum
    var row = p.map { UInt32($0 * factor) }
    while row.reduce(0, +) > 16_777_216 {
      factor *= 0.9999
      row = p.map { UInt32($0 * factor) }
    }
    let largest = p.max() ?? 0
    let place = p.indices.filter { p[$0] == largest }.min { positions[$0] < positions[$1] }
    if let place { row[place] += 16_777_216 - row.reduce(0, +) }
    return row
  }

  @Test(arguments: 0..<60) func equalTheSlowOnesAndSumToOne(seed: Int) {
    var random = Random(seed: UInt64(seed))
    let count = 1 + random.below(seed < 50 ? 70 : 40_000)
    let flat = seed % 3 == 0
    var numerators = (0..<count).map { _ in
      flat ? Float(1) : random.below(3) == 0 ? 0 : random.unit().magnitude
    }
    numerators[random.below(count)] = 1
    let positions = (0..<count).map { UInt32($0) }.shuffled(using: &random)
    let sum = numerators.reduce(0, +)
    let row = memory(count, of: UInt32.self)
    ProbabilityRows.add(
      numerators: buffer(numerators), sum: sum, positions: buffer(positions), to: row)
    #expect(array(row) == slow(numerators, sum: sum, positions))
    #expect(array(row).reduce(0) { $0 + Int($1) } == ProbabilityRows.one)
    // Rows add up.
    ProbabilityRows.add(
      numerators: buffer(numerators), sum: sum, positions: buffer(positions), to: row)
    #expect(array(row).reduce(0) { $0 + Int($1) } == 2 * ProbabilityRows.one)
    let sums = memory(count, of: Int64.self)
    sums.fill(1 << 40)
    ProbabilityRows.add(row, to: sums)
    #expect(array(sums) == array(row).map { 1 << 40 + Int64($0) })
  }

  @Test func whatIsMissingGoesToTheOldestOfTheLargest() {
    let row = memory(3, of: UInt32.self)
    ProbabilityRows.add(
      numerators: buffer([1, 1, 1]), sum: 3, positions: buffer([9, 4, 7]), to: row)
    #expect(array(row) == [5_592_405, 5_592_406, 5_592_405])
  }

  @Test func aSumThatIsTooSmallStillGivesOne() {
    let row = memory(4, of: UInt32.self)
    ProbabilityRows.add(
      numerators: buffer([1, 0.5, 0.25, 0.125]), sum: 1.8749, positions: buffer([0, 1, 2, 3]),
      to: row)
    #expect(array(row).reduce(0, +) == 16_777_216)
  }

  @Test func lowOnesAreCountedWhereTheyAreSeen() {
    let votes = buffer([3, 3, 3, 3] as [UInt16])
    ProbabilityRows.countLow(
      buffer([10, 9, 0, 9]), below: 10, positions: buffer([0, 5, 6, .max]), upTo: 5, into: votes)
    #expect(array(votes) == [3, 4, 3, 3])
  }
}
