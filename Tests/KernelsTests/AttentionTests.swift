import Kernels
import Quantization
import TestSupport
import Testing
import Units

/// A KV head with random keys and values, and what the reference makes of them.
struct RandomHead {
  let keyLayout: KeyLayout
  let valueLayout: ValueLayout
  let keys: FixedBuffer<UInt8>
  let values: FixedBuffer<UInt8>
  var keyGroups: [[QuantizedGroup]] = []
  var valueGroups: [[QuantizedGroup]] = []

  init(
    dimension: Int, slots: Int, keyFormat: CacheFormat, valueFormat: CacheFormat,
    kernels: KernelSet, random: inout Random, extreme: Bool
  ) {
    keyLayout = KeyLayout(format: keyFormat, headDimension: dimension)
    valueLayout = ValueLayout(format: valueFormat, headDimension: dimension)
    // Dirt in the slots beyond the live ones: quants anything, scales finite.
    keys = buffer((0..<keyLayout.bytes(slots: slots + 40)).map { _ in UInt8(random.below(64)) })
    values = buffer(
      (0..<valueLayout.bytes(slots: slots + 40)).map { _ in UInt8(random.below(64)) })
    for slot in 0..<slots {
      // Every slot is written twice: the second writes over the first.
      for _ in 0..<2 {
        let key = random.floats(dimension, extreme: extreme && random.below(3) == 0)
        let value = random.floats(dimension, extreme: extreme && random.below(3) == 0)
        kernels.appendKey(buffer(key), slot: slot, layout: keyLayout, keys: keys)
        kernels.appendValue(buffer(value), slot: slot, layout: valueLayout, values: values)
        if keyGroups.count > slot { keyGroups.removeLast() }
        if valueGroups.count > slot { valueGroups.removeLast() }
        keyGroups.append(Reference.cached(key, isInt4: keyFormat == .int4))
        valueGroups.append(Reference.cached(value, isInt4: valueFormat == .int4))
      }
    }
  }
}

@Suite struct AttentionTests {
  static let formats: [(CacheFormat, CacheFormat)] = [
    (.int8, .int8), (.int4, .int4), (.int8, .int4), (.int4, .int8),
  ]

  @Test(arguments: runnableSets, formats)
  func attentionEqualsReference(set: InstructionSet, formats: (CacheFormat, CacheFormat)) {
    let kernels = KernelSet(set)
    var random = Random(seed: 20)
    for dimension in [6, 8, 48, 64, 80, 96, 128, 256] {
      for slots in [1, 15, 16, 33, 77] {
        check(
          kernels, dimension: dimension, slots: slots, formats: formats, random: &random,
          extreme: slots == 33)
      }
    }
  }

  private func check(
    _ kernels: KernelSet, dimension: Int, slots: Int, formats: (CacheFormat, CacheFormat),
    random: inout Random, extreme: Bool
  ) {
    let head = RandomHead(
      dimension: dimension, slots: slots, keyFormat: formats.0, valueFormat: formats.1,
      kernels: kernels, random: &random, extreme: extreme)
    let count = 1 + random.below(7)
    let queries = activationRows(rows: count, columns: dimension)
    let x = (0..<count).map { _ in random.floats(dimension) }
    for query in 0..<count {
      #expect(kernels.quantize(buffer(x[query]), into: queries, row: query))
    }
    for slot in 0..<slots {
      let expected = (0..<dimension).map { k in
        head.keyGroups[slot][k / 32].value(k % 32, format: formats.0 == .int4 ? .int4 : .int8)
      }
      #expect(sameBits(storedKey(slot, layout: head.keyLayout, keys: head.keys), expected))
    }
    // Slots in an order that is not that of positions; some queries see all, some few, some none.
    let positions = (0..<slots).map { UInt32(1 + $0 * 7 % slots * 3) }
    let at = (0..<count).map { _ in UInt32(random.below(4 * slots)) }
    let scoreStride = slots.roundedUp(toMultipleOf: 32) + 32
    let scores = buffer([Float](repeating: .nan, count: count * scoreStride))
    let cut = random.below(slots + 1)
    for range in [0..<cut, cut..<slots] {
      kernels.scores(
        queries: queries, keys: head.keys, layout: head.keyLayout, slots: range, into: scores,
        scoreStride: scoreStride)
    }
    let scored = array(scores)
    let sums = buffer([Float](repeating: 0, count: count))
    let tops = buffer([Float](repeating: 0, count: count))
    kernels.softmax(
      scores, scoreStride: scoreStride, queryPositions: buffer(at),
      slotPositions: buffer(positions), tops: tops, sums: sums)
    let output = buffer([Float](repeating: 0, count: count * dimension))
    kernels.weightedSum(
      probabilities: scores, probabilityStride: scoreStride, queries: count, values: head.values,
      layout: head.valueLayout, slotCount: slots, into: output, outputStride: dimension)
    for query in 0..<count {
      let row = Reference.quantize(x[query])
      let expected = head.keyGroups.map {
        Reference.score(query: row, key: $0, isInt4: formats.0 == .int4, dimensions: dimension)
      }
      let start = query * scoreStride
      #expect(sameBits(Array(scored[start..<start + slots]), expected))
      let run = Reference.softmax(expected, isVisible: positions.map { $0 <= at[query] })
      #expect(sameBits((0..<slots).map { scores[start + $0] }, run.numerators))
      #expect(tops[query].bitPattern == run.top.bitPattern)
      #expect(sums[query].bitPattern == run.sum.bitPattern)
      let result = Reference.weightedSum(
        run.numerators, values: head.valueGroups, isInt4: formats.1 == .int4,
        dimensions: dimension)
      let actual = (0..<dimension).map { output[query * dimension + $0] }
      #expect(sameBits(actual, result), "\(dimension), \(slots)")
    }
  }

  /// Runs joined in order, with an empty one, one far below and one far above the others; several
  /// queries at once, with different runs.
  @Test(arguments: runnableSets)
  func runsJoinAsInTheReference(set: InstructionSet) {
    let kernels = KernelSet(set)
    var random = Random(seed: 21)
    let runTops = [KernelSet.emptyTop, 1, 1.5, -200, 90, KernelSet.emptyTop, 89.99] as [Float]
    for (dimension, queries) in [
      (6, 1), (48, 3), (64, 12), (80, 16), (128, 35), (16, 70), (0, 2),
    ] {
      let stride = dimension + queries % 4
      var expected = Array(
        repeating: (
          output: [Float](repeating: 0, count: dimension), top: KernelSet.emptyTop, sum: Float(0)
        ), count: queries)
      let totals = buffer([Float](repeating: 0, count: queries * stride))
      let totalTops = buffer(expected.map(\.top))
      let totalSums = buffer(expected.map(\.sum))
      // Alone, or several at one go.
      for runs in [[0], [1, 2], [3, 4, 5], [6]] {
        let rows = runs.count * queries
        let parts = buffer([Float](repeating: 0, count: rows * stride))
        let tops = buffer([Float](repeating: 0, count: rows))
        let sums = buffer([Float](repeating: 0, count: rows))
        for row in 0..<rows {
          let (run, query) = (runs[row / queries], row % queries)
          tops[row] = runTops[(run + query) % runTops.count]
          let isEmpty = tops[row] == KernelSet.emptyTop
          let part =
            isEmpty ? [Float](repeating: 0, count: dimension) : random.floats(dimension)
          for index in part.indices { parts[row * stride + index] = part[index] }
          sums[row] = isEmpty ? 0 : 1 + Float(random.below(1000)) / 7
          Reference.merge(part: part, top: tops[row], sum: sums[row], into: &expected[query])
        }
        kernels.merge(
          parts: parts, tops: tops, sums: sums, into: totals, totalTops: totalTops,
          totalSums: totalSums, stride: stride, dimension: dimension)
        for query in 0..<queries {
          let total = (0..<dimension).map { totals[query * stride + $0] }
          #expect(sameBits(total, expected[query].output))
          #expect(totalTops[query] == expected[query].top)
          #expect(totalSums[query].bitPattern == expected[query].sum.bitPattern)
        }
      }
      guard dimension > 0 else { continue }
      let divided = buffer(expected[0].output)
      kernels.divide(
        totals.extracting(0..<dimension), by: totalSums[0], into: divided)
      #expect(sameBits(array(divided), expected[0].output.map { $0 / expected[0].sum }))
    }
  }

  @Test func layoutsHaveTheirSizes() {
    #expect(KeyLayout(format: .int8, headDimension: 64).tileBytes == 1088)
    #expect(KeyLayout(format: .int4, headDimension: 64).tileBytes == 576)
    #expect(KeyLayout(format: .int8, headDimension: 8).tileBytes == 192)
    #expect(KeyLayout(format: .int4, headDimension: 80).tileBytes == 768)
    #expect(KeyLayout(format: .int8, headDimension: 64).bytes(slots: 33) == 3 * 1088)
    #expect(ValueLayout(format: .int8, headDimension: 64).blockBytes == 2176)
    #expect(ValueLayout(format: .int4, headDimension: 48).blockBytes == 896)
    #expect(ValueLayout(format: .int4, headDimension: 48).bytes(slots: 33) == 2 * 896)
  }
}
