import Eviction
import Cache
import Kernels
import ModelFormat
import Quantization
import Units

/// The forward pass: every thread runs the same straight line, on its own share of each step.
extension Session {
  /// One tile through every layer.
  ///
  /// Shapes: T tokens, D model dimension, H query heads, G KV heads, d head dimension,
  /// F feed-forward dimension.
  func forward(thread: Int) {
    embed(thread)
    for layer in 0..<shape.model.layers { forward(layer: layer, thread: thread) }
  }

  /// The tile through one layer.
  func forward(layer: Int, thread: Int) {
    // Attention: x += Wo · attend(rope(Wq z + bq), cache ← rope(Wk z + bk), Wv z + bv)
    normalize(scratch.hidden, .attentionNorm, layer, thread)
    pool.barrier()
    multiply(.query, layer, thread, into: scratch.query, bias: .queryBias)
    multiply(.key, layer, thread, into: scratch.key, bias: .keyBias)
    multiply(.value, layer, thread, into: scratch.value, bias: .valueBias)
    pool.barrier()
    attend(layer, thread)
    pool.barrier()
    fold(layer, thread)
    quantize(scratch.attention, columns: shape.model.queryDimension, thread)
    pool.barrier()
    multiply(.attentionOutput, layer, thread, into: scratch.normed, addingTo: scratch.hidden)
    pool.barrier()

    // Feed-forward: x += Wdown · (silu(Wgate z) · Wup z)
    normalize(scratch.hidden, .feedForwardNorm, layer, thread)
    pool.barrier()
    multiply(.gate, layer, thread, into: scratch.gate)
    multiply(.up, layer, thread, into: scratch.up)
    activate(thread)
    pool.barrier()
    quantize(scratch.gate, columns: shape.model.feedForwardDimension, thread)
    pool.barrier()
    multiply(.down, layer, thread, into: scratch.normed, addingTo: scratch.hidden)
    pool.barrier()
  }

  /// The logits of one row: W · rmsnorm(x).
  func output(thread: Int) {
    let dimension = shape.model.modelDimension
    let activations = scratch.activations(tokens: 1, columns: dimension)
    if thread == 0 {
      let x = Scratch.row(step[0].logitsRow, of: scratch.hidden, columns: dimension)
      let z = Scratch.row(0, of: scratch.normed, columns: dimension)
      let isFinite = kernels.rmsNorm(
        x, weight: model.vector(.outputNorm), epsilon: shape.model.rmsEpsilon, into: z)
      if !isFinite || !kernels.quantize(z, into: activations, row: 0) { markNonFinite() }
    }
    pool.barrier()
    if step[0].sawNonFinite != 0 { return }
    let matrix = model.logitsMatrix
    kernels.matmul(
      matrix.bytes, layout: matrix.layout, tiles: share(matrix.layout.tiles, thread),
      activations: activations, into: scratch.logits, outputStride: scratch.logits.count)
  }

  /// x[t] = embedding[token t], and the rope tables of each position.
  func embed(_ thread: Int) {
    let matrix = model.matrix(.embedding)
    let stride = Scratch.stride(shape.model.modelDimension)
    for token in share(step[0].count, thread) {
      kernels.dequantize(
        row: Int(tile[token]), of: matrix.bytes, layout: matrix.layout,
        scratch: scratch.hidden.extracting(token * stride..<(token + 1) * stride))
    }
    fillRotary(thread)
  }

  /// The rope tables of each position of the tile; then all threads meet.
  func fillRotary(_ thread: Int) {
    let pairs = shape.model.rotatedDimensions / 2
    for token in share(step[0].count, thread) {
      let position = step[0].start + token
      let entry = token * pairs..<(token + 1) * pairs
      Rotary.fillTable(
        position: UInt32(turn(of: position)), fractions: model.rotary,
        cosines: scratch.cosines.extracting(entry), sines: scratch.sines.extracting(entry))
      if settings.policy == .streaming {
        Rotary.fillTable(
          position: UInt32(cache.map.sinkQueryPosition(of: position)), fractions: model.rotary,
          cosines: scratch.sinkCosines.extracting(entry),
          sines: scratch.sinkSines.extracting(entry))
      }
    }
    pool.barrier()
  }

  /// z[t] = rmsnorm(x[t]), quantized.
  func normalize(
    _ input: FixedBuffer<Float>, _ norm: VectorRole, _ layer: Int, _ thread: Int
  ) {
    let dimension = shape.model.modelDimension
    let activations = scratch.activations(tokens: step[0].count, columns: dimension)
    let weight = model.vector(norm, layer: layer)
    for token in share(step[0].count, thread) {
      let z = Scratch.row(token, of: scratch.normed, columns: dimension)
      let isFinite = kernels.rmsNorm(
        Scratch.row(token, of: input, columns: dimension), weight: weight,
        epsilon: shape.model.rmsEpsilon, into: z)
      if !isFinite || !kernels.quantize(z, into: activations, row: token) { markNonFinite() }
    }
  }

  /// The rows of `block`, quantized.
  private func quantize(_ block: FixedBuffer<Float>, columns: Int, _ thread: Int) {
    let activations = scratch.activations(tokens: step[0].count, columns: columns)
    for token in share(step[0].count, thread) {
      let row = Scratch.row(token, of: block, columns: columns)
      if !kernels.quantize(row, into: activations, row: token) { markNonFinite() }
    }
  }

  /// y[t] = W · z[t] (+ bias) for this thread's rows of W; then x[t] += y[t] where asked.
  func multiply(
    _ role: MatrixRole, _ layer: Int, _ thread: Int, into output: FixedBuffer<Float>,
    bias: VectorRole? = nil, addingTo sum: FixedBuffer<Float>? = nil
  ) {
    let matrix = model.matrix(role, layer: layer)
    let tiles = share(matrix.layout.tiles, thread)
    if tiles.isEmpty { return }
    let stride = Scratch.stride(matrix.layout.rows)
    kernels.matmul(
      matrix.bytes, layout: matrix.layout, tiles: tiles,
      activations: scratch.activations(tokens: step[0].count, columns: matrix.layout.columns),
      into: output, outputStride: stride)
    let rows = self.rows(of: tiles, matrix.layout.rows)
    for token in 0..<step[0].count {
      let y = Scratch.row(token, of: output, columns: matrix.layout.rows).extracting(rows)
      if let bias, shape.model.hasQueryKeyValueBias {
        kernels.add(model.vector(bias, layer: layer).extracting(rows), to: y)
      }
      if let sum {
        kernels.add(
          y, to: Scratch.row(token, of: sum, columns: matrix.layout.rows).extracting(rows))
      }
    }
  }

  /// gate[t] = silu(gate[t]) · up[t] for the rows of F that this thread just computed.
  private func activate(_ thread: Int) {
    let dimension = shape.model.feedForwardDimension
    let rows = self.rows(of: share(WeightFormat.tiles(rows: dimension), thread), dimension)
    for token in 0..<step[0].count {
      let gate = Scratch.row(token, of: scratch.gate, columns: dimension).extracting(rows)
      let up = Scratch.row(token, of: scratch.up, columns: dimension).extracting(rows)
      kernels.swiglu(gate: gate, up: up, into: gate)
    }
  }

  /// The share of `count` things that falls to a thread: contiguous, the same for all steps.
  func share(_ count: Int, _ thread: Int) -> Range<Int> {
    let threads = pool.threadCount
    return count * thread / threads..<count * (thread + 1) / threads
  }

  /// The rows of a range of tiles, without the padding.
  private func rows(of tiles: Range<Int>, _ count: Int) -> Range<Int> {
    let start = min(tiles.lowerBound * WeightFormat.tileRows, count)
    return start..<max(start, min(tiles.upperBound * WeightFormat.tileRows, count))
  }

  /// Several threads may do this at once: they all write the same word.
  func markNonFinite() { step[0].sawNonFinite = 1 }
}
