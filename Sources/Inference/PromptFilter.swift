import Cache
import Eviction
import Memory
import ModelFormat
import Profiles
import Units

/// What the first pass of gemfilter holds: the hidden states of the longest prompt, and the keys and
/// values of one layer, which the next layer overwrites.
///
/// Shapes: N tokens of the longest prompt, D model dimension.
struct PromptFilter: BitwiseCopyable {
  let hidden: FixedBuffer<Float>  // [N, D]
  let cache: KVCache
  let shares: FixedBuffer<Int64>  // [threads, N]
  let ordered: FixedBuffer<UInt64>  // [N]
  let selected: FixedBuffer<UInt32>  // [slots]
  let selection: Selection

  private init(_ shape: RunShape, in arena: inout Arena) {
    let tokens = shape.eviction.filteredTokens
    let isUsed = tokens > 0
    hidden = arena.take(tokens * Scratch.stride(shape.model.modelDimension))
    cache = KVCache(
      oneLayerOf: tokens, kvHeads: shape.model.kvHeads, keyLayout: shape.keyLayout,
      valueLayout: shape.valueLayout, in: &arena)
    shares = arena.take(shape.profile.threads * tokens)
    ordered = arena.take(tokens)
    selected = arena.take(isUsed ? shape.eviction.slots : 0)
    selection = Selection(histogram: arena.take(isUsed ? Selection.histogramCount : 0))
  }

  /// Lays it out and then itself, so that a session need not hold more than its address.
  static func laidOut(
    _ shape: RunShape, in arena: inout Arena
  ) -> FixedBuffer<PromptFilter> {
    arena.begin(.filter)
    let place: FixedBuffer<PromptFilter> = arena.take(shape.eviction.filteredTokens > 0 ? 1 : 0)
    let filter = PromptFilter(shape, in: &arena)
    if place.count > 0 { place[0] = filter }
    arena.end()
    return place
  }

  /// What one thread adds up of each token's score.
  func share(_ thread: Int, tokens: Int) -> FixedBuffer<Int64> {
    let most = ordered.count
    return shares.extracting(thread * most..<thread * most + tokens)
  }
}
