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
  let hidden: FixedBuffer<Float>  // [T, D]
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
  let quants: FixedBuffer<Int8>  // [T, widest row]
  let scales: FixedBuffer<Float>  // [T, groups of the widest row]
  let sums: FixedBuffer<Int32>  // [T, groups of the widest row]
  let logits: FixedBuffer<Float>  // [V]

  init(_ shape: RunShape, in arena: inout Arena) {
    let model = shape.model
    let tokens = shape.profile.tileTokens
    let widest = max(max(model.modelDimension, model.queryDimension), model.feedForwardDimension)
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
    quants = arena.take(ActivationRows.quantCount(rows: tokens, columns: widest))
    scales = arena.take(ActivationRows.groupCount(rows: tokens, columns: widest))
    sums = arena.take(ActivationRows.groupCount(rows: tokens, columns: widest))
    arena.begin(.logits)
    logits = arena.take(model.vocabulary.roundedUp(toMultipleOf: WeightFormat.tileRows))
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

  /// The quantized activations of `tokens` tokens with `columns` columns.
  func activations(tokens: Int, columns: Int) -> ActivationRows {
    ActivationRows(rows: tokens, columns: columns, quants: quants, scales: scales, sums: sums)
  }
}

/// What one thread needs to attend.
///
/// Shapes: R query rows, d head dimension, S slots filled up to whole blocks.
struct AttentionScratch: BitwiseCopyable {
  let vector: FixedBuffer<Float>  // [d], filled up to 32
  let scores: FixedBuffer<Float>  // [R, S]
  let output: FixedBuffer<Float>  // [R, d]
  let rowSums: FixedBuffer<Float>  // [R]
  let positions: FixedBuffer<UInt32>  // [R]
  let cosines: FixedBuffer<Float>  // [rotated / 2] to rotate keys again
  let sines: FixedBuffer<Float>  // [rotated / 2]
  let quants: FixedBuffer<Int8>  // [R, d]
  let scales: FixedBuffer<Float>  // [R, groups]
  let sums: FixedBuffer<Int32>  // [R, groups]

  init(_ shape: RunShape, in arena: inout Arena) {
    let rows = shape.queryRowsMax
    let pairs = shape.eviction.policy.isArithmetic ? 0 : shape.model.rotatedDimensions / 2
    let d = shape.model.headDimension
    vector = arena.take(Scratch.stride(d))
    scores = arena.take(rows * shape.scoreStride)
    output = arena.take(rows * Scratch.stride(d))
    rowSums = arena.take(rows)
    positions = arena.take(rows)
    cosines = arena.take(pairs)
    sines = arena.take(pairs)
    quants = arena.take(ActivationRows.quantCount(rows: rows, columns: d))
    scales = arena.take(ActivationRows.groupCount(rows: rows, columns: d))
    sums = arena.take(ActivationRows.groupCount(rows: rows, columns: d))
  }
}
