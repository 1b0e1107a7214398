import Kernels
import TestSupport
import Testing
import Units

/// A head of 200 slots in runs of 64 that three queries look at, and room for what comes of it.
private struct Attended {
  static let (runSlots, live, rows, stride) = (64, 200, 3, 96)
  let kernels: KernelSet
  let random: RandomHead
  let queries: ActivationRows
  let sinkQueries: ActivationRows
  let slotPositions: FixedBuffer<UInt32>
  let queryPositions = buffer([150, 700, 1] as [UInt32])
  let tops = buffer([Float](repeating: .nan, count: 4 * rows))
  let sums = buffer([Float](repeating: .nan, count: 4 * rows))
  let outputs: FixedBuffer<Float>
  /// Rows of a run next to each other, runs behind one another.
  let scores = ScoreRows(
    buffer: buffer([Float](repeating: .nan, count: 4 * rows * stride)), stride: stride,
    runStride: rows * stride)

  init(
    _ set: InstructionSet, dimension: Int, formats: (CacheFormat, CacheFormat), seed: UInt64
  ) {
    var random = Random(seed: seed)
    let kernels = KernelSet(set)
    self.random = RandomHead(
      dimension: dimension, slots: Self.live, keyFormat: formats.0, valueFormat: formats.1,
      kernels: kernels, random: &random, extreme: false)
    self.kernels = kernels
    (queries, sinkQueries) = (
      activationRows(rows: Self.rows, columns: dimension),
      activationRows(rows: Self.rows, columns: dimension)
    )
    for row in 0..<Self.rows {
      #expect(kernels.quantize(buffer(random.floats(dimension)), into: queries, row: row))
      #expect(kernels.quantize(buffer(random.floats(dimension)), into: sinkQueries, row: row))
    }
    slotPositions = buffer((0..<Self.live).map { UInt32(1 + $0 * 7 % Self.live * 3) })
    outputs = buffer([Float](repeating: .nan, count: 4 * Self.rows * dimension))
  }

  func head(sinks: Int) -> AttendedHead {
    AttendedHead(
      queries: queries, sinkQueries: sinks > 0 ? sinkQueries : nil, sinks: sinks,
      queryPositions: queryPositions, keys: random.keys, keyLayout: random.keyLayout,
      values: random.values, valueLayout: random.valueLayout, slotPositions: slotPositions,
      live: Self.live, runSlots: Self.runSlots, nextKeys: sinks > 0 ? random.keys : nil)
  }

  func attend(_ runs: Range<Int>, _ head: AttendedHead, _ scores: ScoreRows) {
    let (rows, dimension) = (Self.rows, queries.columns)
    let own = runs.lowerBound * rows..<runs.upperBound * rows
    head.attend(
      runs, scores,
      outputs: outputs.extracting(own.lowerBound * dimension..<own.upperBound * dimension),
      outputStride: dimension, tops: tops.extracting(own), sums: sums.extracting(own), kernels)
  }

  /// Scores, softmax and weighted sum of one run, each on its own.
  func expected(_ run: Int, sinks: Int) -> (scores: [Float], outputs: [Float], rest: [Float]) {
    let (rows, stride, dimension) = (Self.rows, Self.stride, queries.columns)
    let slots = run * Self.runSlots..<min((run + 1) * Self.runSlots, Self.live)
    let (keyLayout, valueLayout) = (random.keyLayout, random.valueLayout)
    let scores = buffer([Float](repeating: .nan, count: rows * stride))
    let tops = buffer([Float](repeating: .nan, count: rows))
    let sums = buffer([Float](repeating: .nan, count: rows))
    let outputs = buffer([Float](repeating: .nan, count: rows * dimension))
    let keys = random.keys.extracting(
      keyLayout.bytes(slots: slots.lowerBound)..<random.keys.count)
    let values = random.values.extracting(
      valueLayout.bytes(slots: slots.lowerBound)..<random.values.count)
    for (queries, range) in [
      (queries, 0..<slots.count), (sinkQueries, 0..<(run == 0 ? sinks : 0)),
    ] {
      kernels.scores(
        queries: queries, keys: keys, layout: keyLayout, slots: range, into: scores,
        scoreStride: stride)
    }
    kernels.softmax(
      scores, scoreStride: stride, queryPositions: queryPositions,
      slotPositions: slotPositions.extracting(slots), tops: tops, sums: sums)
    kernels.weightedSum(
      probabilities: scores, probabilityStride: stride, queries: rows, values: values,
      layout: valueLayout, slotCount: slots.count, into: outputs, outputStride: dimension)
    let seen = (0..<rows).flatMap { row in (0..<slots.count).map { scores[row * stride + $0] } }
    return (seen, array(outputs), array(tops) + array(sums))
  }
}

@Suite struct AttendedHeadTests {
  /// All runs at one go, one by one and in two parts, with scores that stay or that the next run
  /// overwrites, are what the three kernels make of each run alone.
  @Test(arguments: runnableSets, AttentionTests.formats)
  func runsEqualKernelsOneByOne(set: InstructionSet, formats: (CacheFormat, CacheFormat)) {
    for (dimension, sinks) in [(64, 0), (64, 4), (80, 0), (48, 5)] {
      for cuts in [[0..<4], [0..<1, 1..<4], [0..<2, 2..<3, 3..<4]] {
        let attended = Attended(set, dimension: dimension, formats: formats, seed: 22)
        let head = attended.head(sinks: sinks)
        #expect(head.runs == 4 && head.rows == 3 && head.slots(3) == 192..<200)
        for runs in cuts {
          let stays = ScoreRows(
            buffer: attended.scores.buffer.extracting(
              runs.lowerBound * attended.scores.runStride..<attended.scores.buffer.count),
            stride: attended.scores.stride, runStride: attended.scores.runStride)
          attended.attend(runs, head, stays)
        }
        check(attended, head, sinks: sinks, scoresStay: true)
        let passing = ScoreRows(
          buffer: attended.scores.buffer, stride: attended.scores.stride, runStride: 0)
        attended.outputs.fill(.nan)
        for runs in cuts { attended.attend(runs, head, passing) }
        check(attended, head, sinks: sinks, scoresStay: false)
      }
    }
  }

  private func check(_ attended: Attended, _ head: AttendedHead, sinks: Int, scoresStay: Bool) {
    let (rows, width) = (head.rows, head.rows * attended.queries.columns)
    for run in 0..<head.runs {
      let expected = attended.expected(run, sinks: sinks)
      let own = run * rows..<(run + 1) * rows
      #expect(sameBits((0..<width).map { attended.outputs[run * width + $0] }, expected.outputs))
      #expect(
        sameBits(
          own.map { attended.tops[$0] } + own.map { attended.sums[$0] }, expected.rest))
      guard scoresStay else { continue }
      let scores = (0..<rows).flatMap { row in
        (0..<head.slots(run).count).map {
          attended.scores.buffer[
            run * attended.scores.runStride + row * attended.scores.stride + $0]
        }
      }
      #expect(sameBits(scores, expected.scores))
    }
  }

  @Test func whatDoesNotFitTraps() async {
    await #expect(processExitsWith: .failure) {
      let attended = Attended(.portable, dimension: 64, formats: (.int8, .int8), seed: 1)
      attended.attend(3..<5, attended.head(sinks: 0), attended.scores)
    }
    await #expect(processExitsWith: .failure) {
      let attended = Attended(.portable, dimension: 64, formats: (.int8, .int8), seed: 1)
      let short = attended.scores.buffer.extracting(0..<attended.scores.buffer.count - 96)
      attended.attend(
        0..<4, attended.head(sinks: 0), ScoreRows(buffer: short, stride: 96, runStride: 288))
    }
    await #expect(processExitsWith: .failure) {
      let attended = Attended(.portable, dimension: 64, formats: (.int8, .int8), seed: 1)
      attended.head(sinks: 0).attend(
        0..<2, attended.scores, outputs: attended.outputs.extracting(0..<6 * 64 - 1),
        outputStride: 64, tops: attended.tops, sums: attended.sums, attended.kernels)
    }
    await #expect(processExitsWith: .failure) {
      let attended = Attended(.portable, dimension: 64, formats: (.int8, .int8), seed: 1)
      attended.head(sinks: 0).attend(
        0..<2, attended.scores, outputs: attended.outputs, outputStride: 64,
        tops: attended.tops.extracting(0..<5), sums: attended.sums, attended.kernels)
    }
  }
}
