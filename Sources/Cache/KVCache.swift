package import Kernels
package import Memory
package import Units

/// The keys and values of every layer in fixed slots, and the stream position of each slot.
///
/// Shapes: keys and values are [layers][KV heads][slots] in the layouts of `KeyLayout` and
/// `ValueLayout`; positions are [layers][slots]: a tile that overwrites slots goes through one layer
/// after the other, so that layers differ while it is under way.
package struct KVCache: BitwiseCopyable {
  /// Where the keys of one KV head lie.
  package let keyLayout: KeyLayout

  /// Where the values of one KV head lie.
  package let valueLayout: ValueLayout

  /// Which slot a token takes.
  package let map: SlotMap

  private let kvHeads: Int
  private let keys: FixedBuffer<UInt8>
  private let values: FixedBuffer<UInt8>
  private let positions: FixedBuffer<UInt32>

  /// Lays the cache out in three regions of `arena`.
  package init(
    layers: Int, kvHeads: Int, keyLayout: KeyLayout, valueLayout: ValueLayout, map: SlotMap,
    in arena: inout Arena
  ) {
    self.keyLayout = keyLayout
    self.valueLayout = valueLayout
    self.map = map
    self.kvHeads = kvHeads
    arena.begin(.keys)
    keys = arena.take(layers * kvHeads * keyLayout.bytes(slots: map.slots))
    arena.begin(.values)
    values = arena.take(layers * kvHeads * valueLayout.bytes(slots: map.slots))
    arena.begin(.positions)
    positions = arena.take(layers * map.slots)
    arena.end()
  }

  /// Stream position of each slot of one layer.
  package func positions(layer: Int) -> FixedBuffer<UInt32> {
    positions.extracting(layer * map.slots..<(layer + 1) * map.slots)
  }

  /// The keys of one KV head of one layer.
  package func keys(layer: Int, head: Int) -> FixedBuffer<UInt8> {
    let bytes = keyLayout.bytes(slots: map.slots)
    let start = (layer * kvHeads + head) * bytes
    return keys.extracting(start..<start + bytes)
  }

  /// The keys of one KV head of one layer from slot `slot`, a multiple of 16, on.
  package func keys(layer: Int, head: Int, from slot: Int) -> FixedBuffer<UInt8> {
    precondition(slot % 16 == 0, "slots of whole tiles")
    let all = keys(layer: layer, head: head)
    return all.extracting(slot / 16 * keyLayout.tileBytes..<all.count)
  }

  /// The values of one KV head of one layer.
  package func values(layer: Int, head: Int) -> FixedBuffer<UInt8> {
    let bytes = valueLayout.bytes(slots: map.slots)
    let start = (layer * kvHeads + head) * bytes
    return values.extracting(start..<start + bytes)
  }

  /// The values of one KV head of one layer from slot `slot`, a multiple of 32, on.
  package func values(layer: Int, head: Int, from slot: Int) -> FixedBuffer<UInt8> {
    precondition(slot % 32 == 0, "slots of whole blocks")
    let all = values(layer: layer, head: head)
    return all.extracting(slot / 32 * valueLayout.blockBytes..<all.count)
  }
}
