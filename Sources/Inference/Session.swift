import Eviction
import Profiles
package import Cache
package import Kernels
package import Memory
package import ModelFormat
import Quantization
package import Units

/// What the threads are to do; each has a copy.
struct Pass: BitwiseCopyable {
  /// Stream position of the first token of the stream in the tile.
  var start = 0

  /// Rows of the tile.
  var count = 0

  /// Rows at the head of the tile that belong to a probe, not to the stream.
  var probed = 0

  /// Which token of the probe the first of them is.
  var probeStart = 0

  /// Another number for each pass.
  var serial = 0

  /// Whether nobody will ask for the logits of any row but the last.
  var isLastRowOnly = false

  /// The row of the tile that logits are wanted of.
  var logitsRow = 0

  /// What is done with a tile of the first pass of gemfilter, and in which layer.
  var phase = Phase.layer
  var layer = 0

  /// What is done between two chunks of an evicting policy.
  var work = Work.makeRoom

  /// Slots of each set that go.
  var dropped = 0

  /// Tokens that slots are set aside for, those of a probe included.
  var admitted = 0

  /// Whether a probe is about to be run: its scores start at 0.
  var admitsProbe = false

  /// Whether positions are counted anew.
  var turnsOver = false

  /// Whether the second cache evicts, too.
  var evictsBoth = false

  enum Phase: BitwiseCopyable {
    /// Run it through the layer.
    case layer
    /// Store its keys.
    case keys
    /// Let its queries choose.
    case votes
  }

  enum Work: BitwiseCopyable {
    /// Free slots, count positions anew where asked, set slots aside.
    case makeRoom
    /// Choose among the slots of a prompt and move what is kept together.
    case choose
    /// Move what is kept together.
    case compact
    /// Drop the first cache in favour of the second one.
    case adopt
  }
}

/// A model, its cache and everything a step needs, at fixed places in the arena.
///
/// `prefill` and `logits` run on every thread of the pool; nothing in them allocates, and none of
/// their results depends on the number of threads, the instruction set or the size of the tiles.
package struct Session: BitwiseCopyable {
  /// Every number the memory follows from; it lies in the arena, as each thread gets a copy of the
  /// session.
  package var shape: RunShape { shapes[0] }
  private let shapes: FixedBuffer<RunShape>

  /// The weights.
  package let model: Model

  /// Keys and values.
  package internal(set) var cache: KVCache

  /// Token ids of the tile at hand.
  package let tile: FixedBuffer<Int32>

  /// Token ids that a policy runs over the cache to see what they look at.
  let probeTokens: FixedBuffer<Int32>

  /// The first pass of gemfilter: one element.
  let filter: FixedBuffer<PromptFilter>

  var scratch: Scratch
  let attentionScratch: FixedBuffer<AttentionScratch>
  /// What several threads make of the runs of one token: [KV heads, runs, query heads of each].
  let parts: AttentionParts

  /// What softmax left of these runs, where the policy looks at probabilities: [query heads].
  let sight: Sight
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
    self.pool = pool
    self.kernels = kernels
    model = Model(header: header, in: &arena)
    cache = KVCache(
      layers: shape.model.layers, kvHeads: shape.model.kvHeads,
      headsPerGroup: shape.headsPerGroup, keyLayout: shape.keyLayout,
      valueLayout: shape.valueLayout, settings: shape.eviction, threads: shape.profile.threads,
      in: &arena)
    filter = PromptFilter.laidOut(shape, in: &arena)
    scratch = Scratch(shape, in: &arena)
    arena.begin(.attention)
    tile = arena.take(shape.profile.tileTokens)
    probeTokens = arena.take(shape.eviction.probeMax)
    shapes = arena.take(1)
    if !arena.isMeasuring { shapes[0] = shape }
    last = arena.take(1)
    nonFinite = arena.take(1)
    let isShared = shape.profile.threads > 1
    let runs = isShared ? RunShape.runs(slots: shape.attendedSlots) : 0
    parts = AttentionParts(
      rows: runs * shape.model.queryHeads, headDimension: shape.model.headDimension, in: &arena)
    let isSeen = isShared && shape.eviction.policy.observes
    sight = Sight(
      rows: isSeen ? shape.model.queryHeads : 0, slots: shape.eviction.heldSlots, in: &arena)
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
  /// What is left of a probe is run with them, as the first rows of the same tile.
  ///
  /// With `lastRowOnly` only the last row can be projected afterwards: the last layer then computes
  /// no more of the others than their keys and values.
  ///
  /// Returns false where a number was not finite: the run cannot go on. The cache must admit the
  /// positions, and token ids must be in the vocabulary.
  package func prefill(start: Int, count: Int, lastRowOnly: Bool = false) -> Bool {
    precondition(count > 0 && count <= tile.count, "a tile has tokens")
    if settings.policy == .full {
      precondition(cache.map.admits(start + count - 1), "the cache has room")
    } else {
      let chunk = evictor.progress
      precondition(start >= chunk.chunkStart, "room was made from here")
      precondition(start + count <= chunk.position, "room was made for all tokens")
    }
    let isNoting = notesSurprise
    let first = isNoting && start > 0 ? surprise(at: Int(tile[0])) : UInt16.max
    guard
      forward(
        start: start, count: count, probed: probePending, lastRowOnly: lastRowOnly && !isNoting)
    else { return false }
    return !isNoting || noteSurprises(of: lastPass, first)
  }

  /// Runs the next `probed` tokens of the probe and the first `count` of `tile` through every layer.
  ///
  /// With `lastRowOnly` the last layer is left as soon as the keys and values of the others are there.
  func forward(start: Int, count: Int, probed: Int, lastRowOnly: Bool) -> Bool {
    precondition(probed + count <= tile.count, "a tile holds all rows")
    var pass = Pass(start: start, count: probed + count, probed: probed)
    pass.isLastRowOnly = lastRowOnly
    if probed > 0 { pass.probeStart = evictor.progress.probeDone }
    unsafe pool.compute(context(pass)) { session, thread, _ in
      // SAFETY: `compute` passes the address of a copy of the context.
      unsafe session.assumingMemoryBound(to: Session.self).pointee.forward(thread: thread)
    }
    if probed > 0 { evictor.noteProbe(rows: probed) }
    return nonFinite[0] == 0
  }

  /// What was done last.
  var lastPass: Pass { last[0] }

  /// The last row of the tile that `prefill` ran last.
  package var lastRow: Int { lastPass.count - lastPass.probed - 1 }

  /// Computes the logits of token `row` of the tile that `prefill` ran last, into `logits`.
  ///
  /// Returns false where a number was not finite.
  package func project(row: Int) -> Bool {
    var pass = last[0]
    let rows = pass.count - pass.probed
    precondition(row >= (pass.isLastRowOnly ? rows - 1 : 0) && row < rows, "a row of the tile")
    // The last row, where it is the only one, has become the first.
    pass.logitsRow = pass.isLastRowOnly ? 0 : pass.probed + row
    unsafe pool.compute(context(pass)) { session, thread, _ in
      // SAFETY: `compute` passes the address of a copy of the context.
      unsafe session.assumingMemoryBound(to: Session.self).pointee.output(thread: thread)
    }
    return nonFinite[0] == 0 && kernels.isFinite(logits)
  }

  /// What every thread gets a copy of: the session with what is to be done and where the stream
  /// stands.
  func context(_ pass: Pass) -> Session {
    var pass = pass
    pass.serial = last[0].serial + 1
    last[0] = pass
    nonFinite[0] = 0
    var context = self
    context.now = pass
    context.cache.evictor.holdStill()
    return context
  }
}
