import Eviction
import Cache
import ModelFormat
import Profiles
import Kernels
import Memory
import Quantization
import Units

/// What a prefill tile needs on its way through one layer.
///
/// Shapes: T tokens of a tile, D model dimension, H query heads, G KV heads, d head dimension,
/// F feed-forward dimension, V vocabulary; rows are filled up to multiples of 32.
struct Scratch: BitwiseCopyable {
  var hidden: FixedBuffer<Float>  // [T, D]
  let normed: FixedBuffer<Float>  // [T, D]
  let query: FixedBuffer<Float>  // [T, H d]
  let key: FixedBuffer<Float>  // [T, G d]
  let value: FixedBuffer<Float>  // [T, G d]
  let attention: FixedBuffer<Float>  // [T, H d]
  let gate: FixedBuffer<Float>  // [T, F]
  let up: FixedBuffer<Float>  // [T, F]
  let cosines: FixedBuffer<Float>  // [T, rotated / 2]
  let sines: FixedBuffer<Float>  // [T, rotated / 2]
  let sinkCosines: FixedBuffer<Float>  // [T, rotated / 2]
  let sinkSines: FixedBuffer<Float>  // [T, rotated / 2]
  private let activations: ActivationScratch  // [T, D or H d]
  private let gatedActivations: ActivationScratch  // [T, F]
  let logits: FixedBuffer<Float>  // [V]
  let surprise: SurpriseScratch

  init(_ shape: RunShape, in arena: inout Arena) {
    let model = shape.model
    let tokens = shape.profile.tileTokens
    let pairs = model.rotatedDimensions / 2
    arena.begin(.activations)
    hidden = arena.take(tokens * Self.stride(model.modelDimension))
    normed = arena.take(tokens * Self.stride(model.modelDimension))
    query = arena.take(tokens * Self.stride(model.queryDimension))
    key = arena.take(tokens * Self.stride(model.kvDimension))
    value = arena.take(tokens * Self.stride(model.kvDimension))
    attention = arena.take(tokens * Self.stride(model.queryDimension))
    gate = arena.take(tokens * Self.stride(model.feedForwardDimension))
    up = arena.take(tokens * Self.stride(model.feedForwardDimension))
    cosines = arena.take(tokens * pairs)
    sines = arena.take(tokens * pairs)
    let sinkPairs = shape.eviction.policy == .streaming ? tokens * pairs : 0
    sinkCosines = arena.take(sinkPairs)
    sinkSines = arena.take(sinkPairs)
    activations = ActivationScratch(
      rows: tokens, columns: max(model.modelDimension, model.queryDimension), in: &arena)
    gatedActivations = ActivationScratch(
      rows: tokens, columns: model.feedForwardDimension, in: &arena)
    arena.begin(.logits)
    logits = arena.take(model.vocabulary.roundedUp(toMultipleOf: WeightFormat.tileRowsMax))
    surprise = SurpriseScratch(shape, in: &arena)
    arena.end()
  }

  /// Elements from one row to the next.
  static func stride(_ columns: Int) -> Int {
    columns.roundedUp(toMultipleOf: WeightFormat.groupLength)
  }

  /// Row `token` of a block of rows with `columns` columns.
  static func row(
    _ token: Int, of block: FixedBuffer<Float>, columns: Int
  ) -> FixedBuffer<Float> {
    let start = token * stride(columns)
    return block.extracting(start..<start + columns)
  }

  /// Rows `tokens`, `stride(columns)` elements apart, up to the last element of the last one.
  static func rows(
    _ tokens: Range<Int>, of block: FixedBuffer<Float>, columns: Int
  ) -> FixedBuffer<Float> {
    let stride = stride(columns)
    return block.extracting(
      tokens.lowerBound * stride..<(tokens.upperBound - 1) * stride + columns)
  }

  /// What `tokens` tokens bring to a matrix with `columns` columns, quantized.
  ///
  /// Those of the down matrix lie apart: they are made while others read the gate's.
  func activations(tokens: Int, columns: Int, for role: MatrixRole? = nil) -> ActivationRows {
    // `==` on an enumeration of another module is a call.
    if case .down = role { return gatedActivations.rows(tokens, columns: columns) }
    return activations.rows(tokens, columns: columns)
  }
}

/// What one thread needs to attend.
///
/// Shapes: R query rows, d head dimension, S slots of a run.
struct AttentionScratch: BitwiseCopyable {
  let vectors: FixedBuffer<Float>  // [R, d], filled up to 32
  let scores: FixedBuffer<Float>  // [R, S]
  let parts: AttentionParts  // [R]
  let totals: AttentionParts  // [R]
  let positions: FixedBuffer<UInt32>  // [R]
  let queries: ActivationScratch  // [R, d]
  let sinkQueries: ActivationScratch  // [R, d], streaming
  let turning: TurningTables  // where keys are rotated again
  let sight: Sight  // [R], where somebody looks at probabilities
  let seen: FixedBuffer<UInt32>  // what some rows give each slot

  init(_ shape: RunShape, in arena: inout Arena) {
    let rows = shape.queryRows
    let d = shape.model.headDimension
    vectors = arena.take(rows * Scratch.stride(d))
    scores = arena.take(rows * RunShape.runSlots)
    parts = AttentionParts(rows: rows, headDimension: d, in: &arena)
    totals = AttentionParts(rows: rows, headDimension: d, in: &arena)
    positions = arena.take(rows)
    turning = TurningTables(
      shape.eviction.turningDistances, pairs: shape.model.rotatedDimensions / 2, in: &arena)
    queries = ActivationScratch(rows: rows, columns: d, in: &arena)
    sinkQueries = ActivationScratch(
      rows: shape.eviction.policy == .streaming ? rows : 0, columns: d, in: &arena)
    sight = Sight(rows: shape.sightSlots > 0 ? rows : 0, slots: shape.sightSlots, in: &arena)
    seen = arena.take(shape.sightSlots.roundedUp(toMultipleOf: 16))
  }

  /// Where scores of one run go that nobody looks at.
  var scoreRows: ScoreRows { ScoreRows(buffer: scores, stride: RunShape.runSlots, runStride: 0) }
}

/// Room for rows that are quantized.
struct ActivationScratch: BitwiseCopyable {
  private let quants: FixedBuffer<Int8>
  private let scales: FixedBuffer<Float>
  private let sums: FixedBuffer<Int32>

  init(rows: Int, columns: Int, in arena: inout Arena) {
    quants = arena.take(ActivationRows.quantCount(rows: rows, columns: columns))
    scales = arena.take(ActivationRows.groupCount(rows: rows, columns: columns))
    sums = arena.take(ActivationRows.groupCount(rows: rows, columns: columns))
  }

  /// The first `count` rows of `columns` columns.
  func rows(_ count: Int, columns: Int) -> ActivationRows {
    ActivationRows(rows: count, columns: columns, quants: quants, scales: scales, sums: sums)
  }
}

/// What attention made of some slots, per query row: the weighted sum of the values, the largest
/// score and the sum of the weights.
struct AttentionParts: BitwiseCopyable {
  let outputs: FixedBuffer<Float>  // [rows, d], filled up to 32
  let tops: FixedBuffer<Float>  // [rows]
  let sums: FixedBuffer<Float>  // [rows]

  init(rows: Int, headDimension: Int, in arena: inout Arena) {
    outputs = arena.take(rows * Scratch.stride(headDimension))
    tops = arena.take(rows)
    sums = arena.take(rows)
  }

  private init(
    outputs: FixedBuffer<Float>, tops: FixedBuffer<Float>, sums: FixedBuffer<Float>
  ) {
    self.outputs = outputs
    self.tops = tops
    self.sums = sums
  }

  /// Rows that there is room for.
  var rows: Int { tops.count }

  /// Rows `range`, where a row of outputs takes `stride` elements.
  func extracting(_ range: Range<Int>, stride: Int) -> AttentionParts {
    AttentionParts(
      outputs: outputs.extracting(range.lowerBound * stride..<range.upperBound * stride),
      tops: tops.extracting(range), sums: sums.extracting(range))
  }

  /// Nothing seen yet in row `row`, whose output has `dimension` elements from `start` on.
  func clear(row: Int, from start: Int, dimension: Int) {
    for index in start..<start + dimension { outputs[index] = 0 }
    tops[row] = KernelSet.emptyTop
    sums[row] = 0
  }
}

/// What softmax made of all slots, per query row, for those who look at probabilities.
struct Sight: BitwiseCopyable {
  private let numerators: FixedBuffer<Float>  // [rows, slots], whole runs
  private let runTops: FixedBuffer<Float>  // [rows, runs]
  private let runs: Int

  init(rows: Int, slots: Int, in arena: inout Arena) {
    runs = RunShape.runs(slots: slots)
    numerators = arena.take(rows * (runs * RunShape.runSlots + Self.padding))
    runTops = arena.take(rows * runs)
  }

  /// Elements behind each row, so that rows do not meet in the same lines of a processor's cache.
  private static var padding: Int { 32 }

  private var stride: Int { runs * RunShape.runSlots + Self.padding }

  /// Where the scores of a run of the rows from `row` on are computed.
  func scores(row: Int, run: Int) -> ScoreRows {
    ScoreRows(
      buffer: numerators.extracting(row * stride + run * RunShape.runSlots..<numerators.count),
      stride: stride, runStride: RunShape.runSlots)
  }

  /// Notes the tops of some runs of the rows from `row` on, [runs][rows].
  func note(_ tops: FixedBuffer<Float>, rows: Int, row: Int, runs range: Range<Int>) {
    for run in range {
      let first = (run - range.lowerBound) * rows
      for index in 0..<rows { runTops[(row + index) * runs + run] = tops[first + index] }
    }
  }

  /// What the rows from `row` on give each of `live` slots together; `totals` has the tops and sums
  /// of their merged runs.
  func look(
    row: Int, totals: AttentionParts, live: Int, kernels: KernelSet, into seen: FixedBuffer<UInt32>
  ) {
    kernels.probabilities(
      numerators: numerators.extracting(row * stride..<numerators.count), stride: stride,
      runTops: runTops.extracting(row * runs..<runTops.count), topStride: runs,
      run: RunShape.runSlots, slotCount: live, tops: totals.tops, sums: totals.sums, into: seen)
  }
}
