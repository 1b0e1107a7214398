import Cache
import Eviction
import Kernels
import Quantization
import TestSupport
import Testing
import Units

@Suite struct ValueDifferenceTests {
  /// The scores of stored values, half of the slots free, by cache and by lists.
  private func compare(
    _ stored: [[Float]], isInt4: Bool, _ comment: Comment
  ) throws -> [Int] {
    let dimensions = stored[0].count
    let slots = stored.count
    let layout = ValueLayout(format: isInt4 ? .int4 : .int8, headDimension: dimensions)
    var real = RealArena(byteCount: 8 << 20)
    let cache = KVCache(
      layers: 2, kvHeads: 2, headsPerGroup: 1,
      keyLayout: KeyLayout(format: .int8, headDimension: dimensions), valueLayout: layout,
      settings: EvictionSettings(
        policy: .valueDifference, slots: slots, layers: 2, trainedContext: 100,
        choices: EvictionSettings.Choices()), threads: 1, in: &real.arena)
    let kernels = KernelSet(.portable)
    for (slot, value) in stored.enumerated() {
      kernels.appendValue(
        buffer(value), slot: slot, layout: layout, values: cache.values(layer: 1, head: 1))
    }
    let isTaken = stored.indices.map { $0 % 7 != 3 }
    let positions = buffer(stored.indices.map { isTaken[$0] ? UInt32($0) : SlotTable.free })
    let scores = memory(slots, of: UInt64.self)
    cache.scoreDifferences(layer: 1, head: 1, positions: positions, into: scores)
    let taken = stored.indices.filter { isTaken[$0] }
    let expected = ValueDifferences.similarities(
      taken.map { Reference.cached(stored[$0], isInt4: isInt4) }, isInt4: isInt4,
      dimensions: dimensions)
    #expect(taken.map { 1 << 31 - Int(scores[$0]) } == expected, comment)
    for slot in stored.indices where !isTaken[slot] {
      #expect(scores[slot] == Selection.protected, comment)
    }
    return expected
  }

  @Test(arguments: [false, true], [20, 32, 64, 128])
  func scoresEqualThoseOfLists(isInt4: Bool, dimensions: Int) throws {
    var random = Random(seed: 21)
    for size in [Float(1), 3e-6, 40_000] {
      // A common part, so that there is something to be alike to; groups of different sizes.
      let common = random.floats(dimensions)
      let stored = (0..<200).map { _ in
        random.floats(dimensions).enumerated().map { k, x in
          (x + common[k]) * size * (k < 32 ? 1 : 0.01)
        }
      }
      let found = try compare(stored, isInt4: isInt4, "size \(size)")
      #expect(Set(found).count > 150)
    }
  }

  @Test func zerosAreLikeNothing() throws {
    let zeros = [Float](repeating: 0, count: 64)
    var one = zeros
    one[5] = 1
    let stored = (0..<40).map { $0 % 4 == 0 ? zeros : one }
    let found = try compare(stored, isInt4: false, "zeros")
    // Six slots are free, and of the ten zeros one is: 25 hold the same value.
    #expect(Set(found) == [0, found[1]] && found.count { $0 > 0 } == 25)
  }

  @Test func theOddOneOutIsTheLeastAlike() throws {
    var random = Random(seed: 22)
    let common = random.floats(32)
    var stored = (0..<60).map { _ in zip(random.floats(32), common).map { $0 * 0.2 + $1 } }
    stored[34] = common.map { -$0 }
    let found = try compare(stored, isInt4: false, "odd one")
    #expect(found.min() == found[34 - (0..<34).count { $0 % 7 == 3 }])
  }
}
