import Eviction
import Kernels
import Memory
import ModelFormat
import Profiles
import Quantization
import Units

/// What it takes to see how much the tokens of a tile surprise the model.
///
/// Shapes: T tokens of a tile, P parts of the vocabulary, S words of a part.
struct SurpriseScratch: BitwiseCopyable {
  let tops: FixedBuffer<Float>  // [T, P], filled up to 32: the largest logit of each part
  let sums: FixedBuffer<Float>  // [T, P], filled up to 32: the sum of e^(logit - top)
  let expected: FixedBuffer<Float>  // [T]: the logit of the token that came
  let positions: FixedBuffer<UInt32>  // [the most of T, P and S]: zeros
  private let blocks: FixedBuffer<Float>  // [threads, T, S]
  private let blockTops: FixedBuffer<Float>  // [threads, T]
  private let blockSums: FixedBuffer<Float>  // [threads, T]

  /// Lays it out in the current region; nothing where the policy does not ask.
  init(_ shape: RunShape, in arena: inout Arena) {
    let tokens = shape.eviction.notesSurprise ? shape.profile.tileTokens : 0
    let stride = Self.stride(vocabulary: shape.model.vocabulary)
    tops = arena.take(tokens * stride)
    sums = arena.take(tokens * stride)
    expected = arena.take(tokens)
    positions = arena.take(tokens > 0 ? max(stride, max(RunShape.runSlots, tokens)) : 0)
    blocks = arena.take(shape.profile.threads * tokens * RunShape.runSlots)
    blockTops = arena.take(shape.profile.threads * tokens)
    blockSums = arena.take(shape.profile.threads * tokens)
  }

  /// A thread's logits of a part for every token, and where their tops and sums go.
  func block(
    _ thread: Int
  ) -> (logits: FixedBuffer<Float>, tops: FixedBuffer<Float>, sums: FixedBuffer<Float>) {
    let tokens = expected.count
    let rows = thread * tokens..<(thread + 1) * tokens
    let logits = rows.lowerBound * RunShape.runSlots..<rows.upperBound * RunShape.runSlots
    return (blocks.extracting(logits), blockTops.extracting(rows), blockSums.extracting(rows))
  }

  /// Parts of a vocabulary, each as long as a run of slots.
  static func parts(vocabulary: Int) -> Int { RunShape.runs(slots: vocabulary) }

  /// Elements from one token's parts to the next one's.
  static func stride(vocabulary: Int) -> Int {
    parts(vocabulary: vocabulary).roundedUp(toMultipleOf: 32)
  }
}

/// How much each token of a prompt surprises the model (infinipot).
///
/// The output layer is computed for all rows of a tile at once, part by part of the vocabulary, and
/// of each part only the largest logit and the sum of the exponentials stay.
extension Session {
  /// Whether it matters how much tokens surprise the model: not once the pot has been distilled for
  /// the last time.
  var notesSurprise: Bool {
    settings.notesSurprise && !evictor.progress.isAnswering && !evictor.progress.isGenerating
  }

  /// Notes for each token of the tile that `pass` ran how much it surprised the model, `first` for
  /// the first one; leaves the logits of the last one.
  ///
  /// Returns false where a number was not finite.
  func noteSurprises(of pass: Pass, _ first: UInt16) -> Bool {
    let offset = pass.start - evictor.progress.chunkStart
    evictor.note(surprise: first, token: offset)
    evictor.noteOutputs(pass.count)
    guard readOutputs() else { return false }
    for row in 0..<pass.count - 1 {
      evictor.note(surprise: surprise(row: row), token: offset + row + 1)
    }
    return true
  }

  /// Computes the logits of every row of the tile that was run last, as `prefill` does where the
  /// policy looks at surprise; leaves those of the last row.
  ///
  /// Returns false where a number was not finite.
  package func readOutputs() -> Bool {
    precondition(settings.notesSurprise, "there is room for what stays of the logits")
    unsafe pool.compute(context(lastPass)) { session, thread, _ in
      // SAFETY: `compute` passes the address of a copy of the context.
      unsafe session.assumingMemoryBound(to: Session.self).pointee.readOutputs(thread: thread)
    }
    return nonFinite[0] == 0
  }

  /// −log P of a token by the logits at hand, in 1/256 nat, at most 255.99 nats.
  func surprise(at token: Int) -> UInt16 {
    for part in 0..<SurpriseScratch.parts(vocabulary: logits.count) {
      let range = vocabulary(part)
      scratch.surprise.block(0).logits.extracting(0..<range.count).copy(
        from: logits.extracting(range))
      reduce(part, rows: 1, 0)
    }
    scratch.surprise.expected[0] = logits[token]
    return surprise(row: 0)
  }

  /// Words of part `part` of the vocabulary.
  private func vocabulary(_ part: Int) -> Range<Int> {
    let start = part * RunShape.runSlots
    return start..<min(start + RunShape.runSlots, shape.model.vocabulary)
  }

  /// The output layer of every row of the tile, of which the parts' tops and sums stay, and the
  /// logits of the last row.
  private func readOutputs(thread: Int) {
    normalize(scratch.hidden, .outputNorm, 0, thread)
    pool.share(SurpriseScratch.parts(vocabulary: shape.model.vocabulary), thread: thread) { parts in
      for part in parts {
        if sawNonFinite { return }
        readOutputs(part, thread)
      }
    }
  }

  private func readOutputs(_ part: Int, _ thread: Int) {
    let (matrix, range) = (model.logitsMatrix, vocabulary(part))
    let layout = WeightLayout(
      format: matrix.layout.format, rows: range.count, columns: matrix.layout.columns)
    let start = range.lowerBound / layout.format.tileRows * layout.tileBytes
    let block = scratch.surprise.block(thread).logits
    kernels.matmul(
      matrix.bytes.extracting(start..<start + layout.bytes), layout: layout,
      tiles: 0..<layout.tiles,
      activations: scratch.activations(tokens: now.count, columns: layout.columns), into: block,
      outputStride: RunShape.runSlots)
    for row in 0..<now.count {
      let start = row * RunShape.runSlots
      take(part, of: row, block.extracting(start..<start + range.count))
    }
    reduce(part, rows: now.count, thread)
  }

  /// Takes what must be known of a part of a row's logits before they are reduced.
  private func take(_ part: Int, of row: Int, _ some: FixedBuffer<Float>) {
    let range = vocabulary(part)
    if !kernels.isFinite(some) { markNonFinite() }
    if row + 1 == now.count {
      scratch.logits.extracting(range).copy(from: some)
    } else if range.contains(Int(tile[row + 1])) {
      scratch.surprise.expected[row] = some[Int(tile[row + 1]) - range.lowerBound]
    }
  }

  /// Reduces a thread's logits of a part to the tops and sums of the first `rows` rows.
  private func reduce(_ part: Int, rows: Int, _ thread: Int) {
    let positions = scratch.surprise.positions
    let block = scratch.surprise.block(thread)
    kernels.softmax(
      block.logits, scoreStride: RunShape.runSlots, queryPositions: positions.extracting(0..<rows),
      slotPositions: positions.extracting(0..<vocabulary(part).count), tops: block.tops,
      sums: block.sums)
    let stride = SurpriseScratch.stride(vocabulary: shape.model.vocabulary)
    for row in 0..<rows {
      scratch.surprise.tops[row * stride + part] = block.tops[row]
      scratch.surprise.sums[row * stride + part] = block.sums[row]
    }
  }

  /// −log P of the token that came after row `row`, by its parts, which are used up.
  private func surprise(row: Int) -> UInt16 {
    let (own, parts) = (
      scratch.surprise, SurpriseScratch.parts(vocabulary: shape.model.vocabulary)
    )
    let stride = SurpriseScratch.stride(vocabulary: shape.model.vocabulary)
    let tops = own.tops.extracting(row * stride..<(row + 1) * stride)
    let (_, top, ignored) = own.block(0)
    kernels.softmax(
      tops, scoreStride: stride, queryPositions: own.positions.extracting(0..<1),
      slotPositions: own.positions.extracting(0..<parts), tops: top, sums: ignored)
    var sum = 0.0
    for part in 0..<parts { sum += Double(tops[part]) * Double(own.sums[row * stride + part]) }
    let nats = DoubleMath.logarithm(sum) + Double(top[0]) - Double(own.expected[row])
    return UInt16(min(max(nats * 256, 0), 65_535))
  }
}
