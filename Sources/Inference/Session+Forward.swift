import Cache
import Eviction
import Kernels
import ModelFormat
import Quantization
import Units

/// The forward pass: every thread runs the same straight line and takes part in each step of it.
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
  @inline(never)
  func forward(layer: Int, thread: Int) {
    // Attention: x += Wo · attend(rope(Wq z + bq), cache ← rope(Wk z + bk), Wv z + bv)
    normalize(scratch.hidden, .attentionNorm, layer, thread)
    projectInput(layer, thread)
    attend(layer, thread)
    if needsLastRowOnly(layer) && now.count > 1 {
      keepLastRow(thread)
      var last = self
      last.now.start += now.count - now.probed - 1
      last.now.count = 1
      last.now.probed = 0
      last.finish(layer: layer, thread: thread)
    } else {
      if !headsAreGroups { quantizeAttention(thread) }
      finish(layer: layer, thread: thread)
    }
  }

  /// Whether no row of this layer's output but the last one is read.
  func needsLastRowOnly(_ layer: Int) -> Bool {
    now.isLastRowOnly && layer == shape.model.layers - 1
  }

  /// Whether the query heads of a KV head are whole groups of attention's output, which whoever made
  /// them quantizes.
  var headsAreGroups: Bool {
    shape.headsPerGroup * shape.model.headDimension % WeightFormat.groupLength == 0
  }

  /// The rows of attention's output, quantized.
  private func quantizeAttention(_ thread: Int) {
    let columns = shape.model.queryDimension
    let activations = scratch.activations(tokens: now.count, columns: columns)
    pool.share(now.count, thread: thread) { tokens in
      for token in tokens {
        let row = Scratch.row(token, of: scratch.attention, columns: columns)
        if !kernels.quantize(row, into: activations, row: token) { markNonFinite() }
      }
    }
  }

  /// Makes the last row of the tile the first: of the stream, and of attention's output, quantized.
  private func keepLastRow(_ thread: Int) {
    pool.share(1, thread: thread) { _ in
      let hidden = shape.model.modelDimension, attention = shape.model.queryDimension
      Scratch.row(0, of: scratch.hidden, columns: hidden).copy(
        from: Scratch.row(now.count - 1, of: scratch.hidden, columns: hidden))
      let row = Scratch.row(now.count - 1, of: scratch.attention, columns: attention)
      let activations = scratch.activations(tokens: 1, columns: attention)
      if !kernels.quantize(row, into: activations, row: 0) { markNonFinite() }
    }
  }

  /// The part of a layer after attention.
  @inline(never)
  private func finish(layer: Int, thread: Int) {
    multiplyAndAdd(.attentionOutput, layer, thread)

    // Feed-forward: x += Wdown · (silu(Wgate z) · Wup z)
    normalize(scratch.hidden, .feedForwardNorm, layer, thread)
    gate(layer, thread)
    multiplyAndAdd(.down, layer, thread)
  }

  /// The logits of one row: W · rmsnorm(x).
  func output(thread: Int) {
    let dimension = shape.model.modelDimension
    let activations = scratch.activations(tokens: 1, columns: dimension)
    pool.share(1, thread: thread) { _ in
      let x = Scratch.row(now.logitsRow, of: scratch.hidden, columns: dimension)
      let z = Scratch.row(0, of: scratch.normed, columns: dimension)
      let isFinite = kernels.rmsNorm(
        x, weight: model.vector(.outputNorm), epsilon: shape.model.rmsEpsilon, into: z)
      if !isFinite || !kernels.quantize(z, into: activations, row: 0) { markNonFinite() }
    }
    let matrix = model.logitsMatrix
    let blocks = Self.blocks(rows: matrix.layout.rows)
    pool.share(blocks, grain: blockGrain, thread: thread) { blocks in
      if sawNonFinite { return }
      kernels.matmul(
        matrix.bytes, layout: matrix.layout, tiles: matrix.layout.tiles(of: blocks),
        activations: activations, into: scratch.logits, outputStride: scratch.logits.count)
    }
  }

  /// Threads take multiples of so many blocks of a matrix at once: with several tokens three, as
  /// products like to have six strips of sixteen rows.
  var blockGrain: Int { now.count > 1 ? 3 : 2 }

  /// Blocks of rows, of which each is whole tiles whatever the format, and one group of what is
  /// multiplied next.
  static func blocks(rows: Int) -> Int {
    rows.dividedRoundingUp(by: WeightFormat.tileRowsMax)
  }

  /// x[t] = embedding[token t], and the rope tables of each position.
  func embed(_ thread: Int) {
    let matrix = model.matrix(.embedding)
    let stride = Scratch.stride(shape.model.modelDimension)
    pool.share(now.count, thread: thread) { tokens in
      for token in tokens {
        kernels.dequantize(
          row: tokenID(token), of: matrix.bytes, layout: matrix.layout,
          scratch: scratch.hidden.extracting(token * stride..<(token + 1) * stride))
        fillRopeTables(token)
      }
    }
  }

  /// The token of a row of the tile.
  private func tokenID(_ row: Int) -> Int {
    Int(row < now.probed ? probeTokens[now.probeStart + row] : tile[row - now.probed])
  }

  @inline(never)
  func fillRopeTables(_ token: Int) {
    let pairs = shape.model.rotatedDimensions / 2
    let position = position(of: token)
    let entry = token * pairs..<(token + 1) * pairs
    Rotary.fillTable(
      position: UInt32(turn(of: position)), fractions: model.rotary,
      cosines: scratch.cosines.extracting(entry), sines: scratch.sines.extracting(entry))
    if case .streaming = settings.policy {
      Rotary.fillTable(
        position: UInt32(sinkTurn(of: position)), fractions: model.rotary,
        cosines: scratch.sinkCosines.extracting(entry),
        sines: scratch.sinkSines.extracting(entry))
    }
  }

  /// z[t] = rmsnorm(x[t]), quantized.
  @inline(never)
  func normalize(
    _ input: FixedBuffer<Float>, _ norm: VectorRole, _ layer: Int, _ thread: Int
  ) {
    let dimension = shape.model.modelDimension
    let activations = scratch.activations(tokens: now.count, columns: dimension)
    let weight = model.vector(norm, layer: layer)
    // Whole blocks of rows, where no thread goes without.
    let rows = min(now.count.dividedRoundingUp(by: pool.threadCount), ActivationRows.blockRows)
    pool.share(now.count.dividedRoundingUp(by: rows), thread: thread) { items in
      for item in items {
        let tokens = item * rows..<min((item + 1) * rows, now.count)
        var isFinite = true
        for token in tokens where isFinite {
          isFinite = kernels.rmsNorm(
            Scratch.row(token, of: input, columns: dimension), weight: weight,
            epsilon: shape.model.rmsEpsilon,
            into: Scratch.row(token, of: scratch.normed, columns: dimension))
        }
        let z = Scratch.rows(tokens, of: scratch.normed, columns: dimension)
        let stride = Scratch.stride(dimension)
        if !isFinite || !kernels.quantize(z, stride: stride, into: activations, tokens) {
          markNonFinite()
        }
      }
    }
  }

  /// Queries, keys and values: the blocks of three matrices, one after the other, are one step.
  private func projectInput(_ layer: Int, _ thread: Int) {
    let queryBlocks = Self.blocks(rows: shape.model.queryDimension)
    let blocks = Self.blocks(rows: shape.model.kvDimension)
    let keys = queryBlocks..<queryBlocks + blocks
    let values = keys.upperBound..<keys.upperBound + blocks
    pool.share(values.upperBound, grain: blockGrain, thread: thread) { range in
      multiply(
        .query, layer, Self.part(of: 0..<queryBlocks, in: range), into: scratch.query,
        bias: .queryBias)
      multiply(.key, layer, Self.part(of: keys, in: range), into: scratch.key, bias: .keyBias)
      multiply(
        .value, layer, Self.part(of: values, in: range), into: scratch.value, bias: .valueBias)
    }
  }

  /// The blocks of one matrix that a range over several holds.
  private static func part(of matrix: Range<Int>, in range: Range<Int>) -> Range<Int> {
    let part = range.clamped(to: matrix)
    return part.lowerBound - matrix.lowerBound..<part.upperBound - matrix.lowerBound
  }

  /// x[t] += W · z[t].
  private func multiplyAndAdd(_ role: MatrixRole, _ layer: Int, _ thread: Int) {
    let blocks = Self.blocks(rows: shape.model.modelDimension)
    pool.share(blocks, grain: blockGrain, thread: thread) { blocks in
      multiply(role, layer, blocks, into: scratch.normed, addingTo: scratch.hidden)
    }
  }

  /// The feed-forward product: silu(Wgate · z[t]) · (Wup · z[t]), quantized at once by whole groups.
  private func gate(_ layer: Int, _ thread: Int) {
    let dimension = shape.model.feedForwardDimension
    pool.share(Self.blocks(rows: dimension), grain: blockGrain, thread: thread) { blocks in
      multiply(.gate, layer, blocks, into: scratch.gate)
      multiply(.up, layer, blocks, into: scratch.up)
      activate(rows(of: blocks, dimension))
    }
  }

  /// y[t] = W · z[t] (+ bias) for some blocks of W; then x[t] += y[t] where asked.
  @inline(never)
  func multiply(
    _ role: MatrixRole, _ layer: Int, _ blocks: Range<Int>, into output: FixedBuffer<Float>,
    bias: VectorRole? = nil, addingTo sum: FixedBuffer<Float>? = nil
  ) {
    if blocks.isEmpty { return }
    let matrix = model.matrix(role, layer: layer)
    let stride = Scratch.stride(matrix.layout.rows)
    kernels.matmul(
      matrix.bytes, layout: matrix.layout, tiles: matrix.layout.tiles(of: blocks),
      activations: scratch.activations(
        tokens: now.count, columns: matrix.layout.columns, for: role),
      into: output, outputStride: stride)
    let rows = self.rows(of: blocks, matrix.layout.rows)
    for token in 0..<now.count {
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

  /// gate[t] = silu(gate[t]) · up[t] for whole groups of F, quantized.
  private func activate(_ rows: Range<Int>) {
    let dimension = shape.model.feedForwardDimension
    let activations = scratch.activations(tokens: now.count, columns: dimension, for: .down)
    var start = 0
    while start < now.count {
      let tokens = start..<min(start + ActivationRows.blockRows, now.count)
      for token in tokens {
        let gate = Scratch.row(token, of: scratch.gate, columns: dimension).extracting(rows)
        let up = Scratch.row(token, of: scratch.up, columns: dimension).extracting(rows)
        kernels.swiglu(gate: gate, up: up, into: gate)
      }
      let gate = Scratch.rows(tokens, of: scratch.gate, columns: dimension)
      let isFinite = kernels.quantize(
        gate.extracting(rows.lowerBound..<gate.count), stride: Scratch.stride(dimension),
        into: activations, tokens, columns: rows)
      if !isFinite { markNonFinite() }
      start = tokens.upperBound
    }
  }

  /// The rows of a range of blocks, without the padding.
  private func rows(of blocks: Range<Int>, _ count: Int) -> Range<Int> {
    let start = min(blocks.lowerBound * WeightFormat.tileRowsMax, count)
    return start..<max(start, min(blocks.upperBound * WeightFormat.tileRowsMax, count))
  }

  /// Several threads may do this at once: they all write the same word.
  func markNonFinite() { nonFinite[0] = 1 }

  /// Inside a step: whether any thread met a number that is not finite.
  var sawNonFinite: Bool { nonFinite[0] != 0 }
}
