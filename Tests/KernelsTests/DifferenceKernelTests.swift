import Kernels
import TestSupport
import Testing
import Units

/// How values are compared, on every set of kernels, against lists of whole numbers.
@Suite struct DifferenceKernelTests {
  /// The similarities of stored values, a seventh of the slots free, by kernel and by lists.
  private func compare(
    _ stored: [[Float]], isInt4: Bool, set: InstructionSet, _ comment: Comment
  ) -> [Int] {
    let dimensions = stored[0].count
    let slots = stored.count
    let layout = ValueLayout(format: isInt4 ? .int4 : .int8, headDimension: dimensions)
    let kernels = KernelSet(set)
    // What was there before is not zeros: nor is what fills a block up.
    let values = buffer([UInt8](repeating: 0xA5, count: layout.bytes(slots: slots)))
    for (slot, value) in stored.enumerated() {
      kernels.appendValue(buffer(value), slot: slot, layout: layout, values: values)
    }
    let isTaken = stored.indices.map { $0 % 7 != 3 }
    let positions = buffer(stored.indices.map { isTaken[$0] ? UInt32($0) : .max })
    let scores = memory(slots + 1, of: UInt64.self)
    scores[slots] = 77
    kernels.differences(of: values, layout: layout, positions: positions, into: scores)
    #expect(scores[slots] == 77, "nothing is written behind the slots")
    let taken = stored.indices.filter { isTaken[$0] }
    let expected = ValueDifferences.similarities(
      taken.map { Reference.cached(stored[$0], isInt4: isInt4) }, isInt4: isInt4,
      dimensions: dimensions)
    #expect(taken.map { 1 << 31 - Int(scores[$0]) } == expected, comment)
    for slot in stored.indices where !isTaken[slot] {
      #expect(scores[slot] == .max, comment)
    }
    return expected
  }

  @Test(arguments: runnableSets, [false, true])
  func scoresEqualThoseOfLists(set: InstructionSet, isInt4: Bool) {
    var random = Random(seed: 21)
    for dimensions in [2, 18, 20, 32, 48, 64, 80, 128, 256, 512] {
      for size in [Float(1), 3e-6, 40_000] {
        // A common part, so that there is something to be alike to; groups of different sizes.
        let common = random.floats(dimensions)
        let stored = (0..<77).map { _ in
          random.floats(dimensions).enumerated().map { k, x in
            (x + common[k]) * size * (k < 32 ? 1 : 0.01)
          }
        }
        let found = compare(
          stored, isInt4: isInt4, set: set, "\(dimensions) dimensions, size \(size)")
        #expect(Set(found).count > (dimensions > 2 ? 60 : 20))
      }
    }
  }

  @Test(arguments: runnableSets, [false, true])
  func manyValuesThatAreAllAlikeDoNotOverflow(set: InstructionSet, isInt4: Bool) {
    var one = [Float](repeating: 0, count: 16)
    one[5] = 1
    let found = compare(
      [[Float]](repeating: one, count: 9000), isInt4: isInt4, set: set, "9,000 slots")
    #expect(Set(found).count == 1 && found[0] > 0)
  }

  @Test(arguments: runnableSets) func zerosAreLikeNothing(set: InstructionSet) {
    let zeros = [Float](repeating: 0, count: 64)
    var one = zeros
    one[5] = 1
    let stored = (0..<40).map { $0 % 4 == 0 ? zeros : one }
    let found = compare(stored, isInt4: false, set: set, "zeros")
    // Six slots are free, and of the ten zeros one is: 25 hold the same value.
    #expect(Set(found) == [0, found[1]] && found.count { $0 > 0 } == 25)
  }

  @Test(arguments: runnableSets) func theOddOneOutIsTheLeastAlike(set: InstructionSet) {
    var random = Random(seed: 22)
    let common = random.floats(32)
    var stored = (0..<60).map { _ in zip(random.floats(32), common).map { $0 * 0.2 + $1 } }
    stored[34] = common.map { -$0 }
    let found = compare(stored, isInt4: false, set: set, "odd one")
    #expect(found.min() == found[34 - (0..<34).count { $0 % 7 == 3 }])
  }
}
