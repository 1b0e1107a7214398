import Profiles
package import Cache
package import Kernels
package import Memory
package import ModelFormat
import Quantization
package import Units

/// What the threads are to do; each has a copy.
struct Pass: BitwiseCopyable {
  /// Stream position of the first token of the tile.
  var start = 0

  /// Tokens of the tile.
  var count = 0

  /// The row of the tile that logits are wanted of.
  var logitsRow = 0
}

/// A model, its cache and everything a step needs, at fixed places in the arena.
///
/// `prefill` and `logits` run on every thread of the pool; nothing in them allocates, and none of
/// their results depends on the number of threads, the instruction set or the size of the tiles.
package struct Session: BitwiseCopyable {
  /// Every number the memory follows from.
  package let shape: RunShape

  /// The weights.
  package let model: Model

  /// Keys and values.
  package let cache: KVCache

  /// Token ids of the tile at hand.
  package let tile: FixedBuffer<Int32>

  let scratch: Scratch
  let attentionScratch: FixedBuffer<AttentionScratch>
  /// What several threads make of the runs of one token: [KV heads, runs, query heads of each].
  let parts: AttentionParts
  /// What the threads do; each has a session of its own with it.
  var now = Pass()
  /// What was done last; only the caller reads it.
  private let last: FixedBuffer<Pass>
  /// 1 where any thread met a number that is not finite.
  let nonFinite: FixedBuffer<Int32>
  /// The threads; one until the launch has started the others.
  package var pool: WorkerPool
  /// The kernels in use; may change between runs, as all give the same bits.
  package var kernels: KernelSet

  /// Lays out everything but the thread stacks; the same code measures and launches.
  package init(
    header: PackHeader, shape: RunShape, kernels: KernelSet, pool: WorkerPool,
    in arena: inout Arena
  ) {
    self.shape = shape
    self.pool = pool
    self.kernels = kernels
    model = Model(header: header, in: &arena)
    cache = KVCache(
      layers: shape.model.layers, kvHeads: shape.model.kvHeads, keyLayout: shape.keyLayout,
      valueLayout: shape.valueLayout, map: shape.map, in: &arena)
    scratch = Scratch(shape, in: &arena)
    arena.begin(.attention)
    tile = arena.take(shape.profile.tileTokens)
    last = arena.take(1)
    nonFinite = arena.take(1)
    let runs = shape.profile.threads > 1 ? RunShape.runs(slots: shape.map.slots) : 0
    parts = AttentionParts(
      rows: runs * shape.model.queryHeads, headDimension: shape.model.headDimension, in: &arena)
    attentionScratch = arena.take(shape.profile.threads)
    for thread in 0..<shape.profile.threads {
      let one = AttentionScratch(shape, in: &arena)
      if !arena.isMeasuring { attentionScratch[thread] = one }
    }
    arena.end()
  }

  /// The logits of the last `project`: [vocabulary].
  package var logits: FixedBuffer<Float> {
    scratch.logits.extracting(0..<shape.model.vocabulary)
  }

  /// Runs the first `count` tokens of `tile`, which stand at `start` in the stream, through every
  /// layer; their keys and values are in the cache afterwards.
  ///
  /// Returns false where a number was not finite: the run cannot go on. The cache must admit the
  /// positions, and token ids must be in the vocabulary.
  package func prefill(start: Int, count: Int) -> Bool {
    precondition(count > 0 && count <= tile.count, "a tile has tokens")
    precondition(cache.map.admits(start + count - 1), "the cache has room")
    last[0] = Pass(start: start, count: count)
    nonFinite[0] = 0
    var context = self
    context.now = last[0]
    unsafe pool.compute(context) { session, thread, _ in
      // SAFETY: `compute` passes the address of a copy of the context above.
      unsafe session.assumingMemoryBound(to: Session.self).pointee.forward(thread: thread)
    }
    return nonFinite[0] == 0
  }

  /// Computes the logits of row `row` of the tile that `prefill` ran last, into `logits`.
  ///
  /// Returns false where a number was not finite.
  package func project(row: Int) -> Bool {
    precondition(row >= 0 && row < last[0].count, "a row of the tile")
    last[0].logitsRow = row
    nonFinite[0] = 0
    var context = self
    context.now = last[0]
    unsafe pool.compute(context) { session, thread, _ in
      // SAFETY: `compute` passes the address of a copy of the context above.
      unsafe session.assumingMemoryBound(to: Session.self).pointee.output(thread: thread)
    }
    return nonFinite[0] == 0 && kernels.isFinite(logits)
  }
}
