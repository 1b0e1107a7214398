import Kernels
import TestSupport
import Testing
import Units

/// What policies see and how they choose, on every set of kernels, against the obvious.
@Suite struct EvictionKernelTests {
  /// One query's runs of 32 slots, as softmax leaves them, and their merged top and sum.
  private func query(
    slots: Int, sharpness: Float, random: inout Random
  ) -> (runs: [Reference.Run], top: Float, sum: Float) {
    let scores = random.floats(slots).map { $0 * sharpness }
    let runs = stride(from: 0, to: slots, by: 32).map { start in
      let slice = Array(scores[start..<min(start + 32, slots)])
      let hidesAll = start > 0 && random.below(6) == 0
      return Reference.softmax(
        slice,
        isVisible: slice.indices.map { _ in !hidesAll && (start == 0 || random.below(5) > 0) })
    }
    var total = (output: [Float](), top: KernelSet.emptyTop, sum: Float(0))
    for run in runs { Reference.merge(part: [], top: run.top, sum: run.sum, into: &total) }
    return (runs, total.top, total.sum)
  }

  @Test(arguments: runnableSets)
  func sharesOfEachQuerySumToOne(set: InstructionSet) {
    let kernels = KernelSet(set)
    var random = Random(seed: 22)
    for slots in [1, 15, 16, 31, 32, 33, 64, 77, 96, 511, 512, 513, 1100] {
      for count in [1, 2, 3, 4, 5, 7, 12] {
        let sharpness = [0, 1, 8, 60][random.below(4)] as Float
        let queries = (0..<count).map { _ in
          query(slots: slots, sharpness: sharpness, random: &random)
        }
        let filled = slots.roundedUp(toMultipleOf: 16)
        let row = buffer([UInt32](repeating: .max, count: filled))
        let padding = [Float](repeating: .nan, count: filled - slots + 32)
        kernels.probabilities(
          numerators: buffer(queries.flatMap { $0.runs.flatMap(\.numerators) + padding }),
          stride: filled + 32, runTops: buffer(queries.flatMap { $0.runs.map(\.top) + [.nan] }),
          topStride: queries[0].runs.count + 1, run: 32, slotCount: slots,
          tops: buffer(queries.map(\.top)), sums: buffer(queries.map(\.sum)), into: row)
        var expected = [UInt32](repeating: 0, count: slots)
        for query in queries {
          let shares = Reference.probabilities(query.runs, top: query.top, sum: query.sum)
          #expect(shares.reduce(0) { $0 + Int($1) } == KernelSet.one)
          for slot in 0..<slots { expected[slot] += shares[slot] }
        }
        #expect((0..<slots).map { row[$0] } == expected, "\(slots) slots, \(count) queries")
        #expect((slots..<filled).allSatisfy { row[$0] == 0 })
      }
    }
  }

  @Test(arguments: runnableSets) func rowsAddUp(set: InstructionSet) {
    let kernels = KernelSet(set)
    var random = Random(seed: 4)
    for count in [1, 15, 16, 33, 1000] {
      let row = (0..<count).map { _ in UInt32(truncatingIfNeeded: random.next()) }
      let sums = memory(count, of: Int64.self)
      sums.fill(1 << 40)
      for _ in 0..<3 { kernels.add(buffer(row), to: sums) }
      #expect(array(sums) == row.map { 1 << 40 + 3 * Int64($0) })
    }
  }

  @Test(arguments: runnableSets) func whatIsTakenIsAddedAndGone(set: InstructionSet) {
    let kernels = KernelSet(set)
    var random = Random(seed: 8)
    for count in [0, 1, 7, 16, 40, 333] {
      let part = (0..<count).map { _ in Int64(random.below(1 << 40)) }
      let total = (0..<count).map { _ in Int64(random.below(1 << 40)) }
      let (from, sums) = (buffer(part), buffer(total))
      kernels.take(from, into: sums)
      #expect(array(sums) == zip(part, total).map { $0 + $1 })
      #expect(array(from).allSatisfy { $0 == 0 })
      let few = (0..<count).map { _ in UInt16(random.below(1 << 15)) }
      let (apart, votes) = (buffer(few), buffer(few.reversed().map { $0 }))
      kernels.take(apart, into: votes)
      #expect(array(votes) == zip(few, few.reversed()).map { $0 + $1 })
      #expect(array(apart).allSatisfy { $0 == 0 })
    }
  }

  @Test(arguments: runnableSets) func lowOnesAreCountedWhereTheyAreSeen(set: InstructionSet) {
    let kernels = KernelSet(set)
    var random = Random(seed: 5)
    for count in [1, 4, 15, 16, 17, 40, 333] {
      let row = (0..<count).map { _ in
        UInt32(truncatingIfNeeded: random.next()) >> (random.below(2) * 31)
      }
      let positions = (0..<count).map { random.below(4) == 0 ? UInt32.max : UInt32($0 * 7) }
      let limit = row[random.below(count)]
      let last = positions[random.below(count)]
      let start = (0..<count).map { UInt16($0) }
      let (votes, more) = (buffer(start), buffer(start))
      kernels.countLow(
        buffer(row), below: limit, positions: buffer(positions), upTo: last, into: votes)
      kernels.countLow(
        buffer(row), below: limit, positions: buffer(positions), upTo: last, into: votes, and: more)
      let low = (0..<count).map { row[$0] < limit && positions[$0] <= last ? UInt16(1) : 0 }
      #expect(array(votes) == (0..<count).map { start[$0] + 2 * low[$0] })
      #expect(array(more) == (0..<count).map { start[$0] + low[$0] })
    }
  }

  @Test(arguments: runnableSets) func lowestIsTheOldestOfEqualOnes(set: InstructionSet) {
    let kernels = KernelSet(set)
    var random = Random(seed: 6)
    for count in [1, 7, 8, 9, 15, 16, 17, 31, 100, 257] {
      for _ in 0..<30 {
        var positions = (0..<count).map { UInt32($0) + 1000 }
        for slot in positions.indices { positions.swapAt(slot, random.below(count)) }
        for slot in positions.indices where random.below(5) == 0 { positions[slot] = .max }
        let kinds = 1 + random.below(4)
        let scores = (0..<count).map { _ in Int64(random.below(kinds)) << (random.below(2) * 40) }
        let from = UInt32(990 + random.below(count + 20))
        let range = from..<max(from, random.below(2) == 0 ? .max : from + UInt32(random.below(60)))
        let may = positions.indices.filter { range.contains(positions[$0]) }
        #expect(kernels.count(buffer(positions), in: range) == may.count)
        #expect(
          kernels.lowest(positions: buffer(positions), in: range)
            == may.min { positions[$0] < positions[$1] })
        #expect(
          kernels.lowest(buffer(scores), positions: buffer(positions), in: range)
            == may.min { (scores[$0], positions[$0]) < (scores[$1], positions[$1]) })
      }
    }
  }
}
