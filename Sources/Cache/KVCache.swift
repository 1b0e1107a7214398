package import Eviction
package import Kernels
package import Memory
package import Units

/// The keys and values of every layer in fixed slots, and which token each slot holds.
///
/// Shapes: keys and values are [layers][KV heads][slots] in the layouts of `KeyLayout` and
/// `ValueLayout`. Where slots are taken in a fixed order (`map`), positions are [layers][slots].
/// Otherwise the evictor's table holds them, for each set of slots.
package struct KVCache: BitwiseCopyable {
  /// Where the keys of one KV head lie.
  package let keyLayout: KeyLayout

  /// Where the values of one KV head lie.
  package let valueLayout: ValueLayout

  /// Which slot a token takes, where that follows from its position.
  package let map: SlotMap

  /// Which slots are freed, where that does not.
  package var evictor: Evictor

  /// 1, or 0 where all layers share the slots of one.
  private let layerStep: Int
  private let kvHeads: Int
  private let slots: Int
  private let keys: FixedBuffer<UInt8>
  private let values: FixedBuffer<UInt8>
  private let positions: FixedBuffer<UInt32>

  /// Lays the cache out in four regions of `arena`.
  package init(
    layers: Int, kvHeads: Int, headsPerGroup: Int, keyLayout: KeyLayout, valueLayout: ValueLayout,
    settings: EvictionSettings, threads: Int, in arena: inout Arena
  ) {
    self.keyLayout = keyLayout
    self.valueLayout = valueLayout
    self.kvHeads = kvHeads
    layerStep = 1
    map = SlotMap(policy: settings.policy, slots: settings.slots)
    slots = settings.heldSlots
    arena.begin(.keys)
    keys = arena.take(layers * kvHeads * keyLayout.bytes(slots: slots))
    arena.begin(.values)
    values = arena.take(layers * kvHeads * valueLayout.bytes(slots: slots))
    arena.begin(.positions)
    positions = arena.take(settings.policy.isArithmetic ? layers * slots : 0)
    evictor = Evictor(
      settings, layers: layers, kvHeads: kvHeads, headsPerGroup: headsPerGroup, threads: threads,
      in: &arena)
    arena.end()
  }

  /// Lays out the slots of one layer, which all layers overwrite in turn, in the current region.
  package init(
    oneLayerOf tokens: Int, kvHeads: Int, keyLayout: KeyLayout, valueLayout: ValueLayout,
    in arena: inout Arena
  ) {
    self.keyLayout = keyLayout
    self.valueLayout = valueLayout
    self.kvHeads = kvHeads
    layerStep = 0
    let settings = EvictionSettings(
      policy: .full, slots: max(tokens, SlotMap.sinkTokens + 1), layers: 1, trainedContext: 0,
      choices: EvictionSettings.Choices())
    map = SlotMap(policy: .full, slots: settings.slots)
    slots = tokens
    keys = arena.take(kvHeads * keyLayout.bytes(slots: tokens))
    values = arena.take(kvHeads * valueLayout.bytes(slots: tokens))
    positions = arena.take(tokens)
    evictor = Evictor(
      settings, layers: 1, kvHeads: kvHeads, headsPerGroup: 1, threads: 0, in: &arena)
  }

  /// Stream position of each slot of a KV head.
  package func positions(layer: Int, head: Int) -> FixedBuffer<UInt32> {
    if evictor.settings.policy.isArithmetic {
      let start = layer * layerStep * slots
      return positions.extracting(start..<start + slots)
    }
    return evictor.table.positions(evictor.table.set(layer: layer, head: head))
  }

  /// The keys of one KV head of one layer.
  package func keys(layer: Int, head: Int) -> FixedBuffer<UInt8> {
    let bytes = keyLayout.bytes(slots: slots)
    let start = (layer * layerStep * kvHeads + head) * bytes
    return keys.extracting(start..<start + bytes)
  }

  /// The values of one KV head of one layer.
  package func values(layer: Int, head: Int) -> FixedBuffer<UInt8> {
    let bytes = valueLayout.bytes(slots: slots)
    let start = (layer * layerStep * kvHeads + head) * bytes
    return values.extracting(start..<start + bytes)
  }

  /// Copies key and value of one slot over those of another, bit for bit.
  package func move(layer: Int, head: Int, from source: Int, to target: Int) {
    keyLayout.move(from: source, to: target, in: keys(layer: layer, head: head))
    valueLayout.move(from: source, to: target, in: values(layer: layer, head: head))
  }

  /// Does that with many slots, none of them both a source and a target.
  package func move(layer: Int, head: Int, _ moves: FixedBuffer<SlotMove>) {
    let (keys, values) = (keys(layer: layer, head: head), values(layer: layer, head: head))
    for index in 0..<moves.count {
      if index + Self.movesAhead < moves.count {
        let soon = moves[index + Self.movesAhead]
        ask(for: Int(soon.source), in: keys, values)
        ask(for: Int(soon.target), in: keys, values)
      }
      let (source, target) = (Int(moves[index].source), Int(moves[index].target))
      keyLayout.move(from: source, to: target, in: keys)
      valueLayout.move(from: source, to: target, in: values)
    }
  }

  private func ask(
    for slot: Int, in keys: FixedBuffer<UInt8>, _ values: FixedBuffer<UInt8>
  ) {
    keyLayout.ask(for: slot, in: keys)
    valueLayout.ask(for: slot, in: values)
  }

  /// How many moves ahead slots are asked for.
  private static var movesAhead: Int { 2 }
}
