package import Memory
package import Units

/// Which token every slot holds, for each set of slots: a set belongs to one KV head of one layer,
/// or to all KV heads of a layer.
///
/// A dropped slot is free until a new token overwrites it in place; new tokens take the lowest free
/// slots in order. Sets of one run always have equally many taken slots, but not the same ones.
package struct SlotTable: BitwiseCopyable {
  /// The stream position that marks a free slot: no query sees it.
  package static var free: UInt32 { .max }

  /// Slots of a set.
  package let slots: Int

  /// Sets of a layer: its KV heads, or 1.
  package let setsPerLayer: Int

  /// Number of sets.
  package let count: Int

  private let chunk: Int
  private let positionOfSlot: FixedBuffer<UInt32>  // [sets][slots]
  private let turnsOfSlot: FixedBuffer<UInt32>  // [sets][slots]
  private let targets: FixedBuffer<UInt32>  // [sets][chunk]
  private let cursors: FixedBuffer<UInt32>  // [sets]

  /// Lays the table out in the current region of `arena`; every slot is free.
  package init(layers: Int, setsPerLayer: Int, slots: Int, chunk: Int, in arena: inout Arena) {
    self.slots = slots
    self.setsPerLayer = setsPerLayer
    self.chunk = chunk
    count = layers * setsPerLayer
    positionOfSlot = arena.take(count * slots)
    turnsOfSlot = arena.take(count * slots)
    targets = arena.take(count * chunk)
    cursors = arena.take(slots > 0 ? count : 0)
    positionOfSlot.fill(Self.free)
  }

  /// Frees every slot.
  func restart() {
    positionOfSlot.fill(Self.free)
    cursors.fill(0)
  }

  /// The set that a KV head of a layer keeps its tokens in.
  package func set(layer: Int, head: Int) -> Int {
    layer * setsPerLayer + (setsPerLayer == 1 ? 0 : head)
  }

  /// Stream position of each slot of a set.
  package func positions(_ set: Int) -> FixedBuffer<UInt32> {
    positionOfSlot.extracting(set * slots..<(set + 1) * slots)
  }

  /// The position each key of a set is rotated to.
  package func turns(_ set: Int) -> FixedBuffer<UInt32> {
    turnsOfSlot.extracting(set * slots..<(set + 1) * slots)
  }

  /// The slots of the tokens of the chunk at hand.
  package func targets(_ set: Int) -> FixedBuffer<UInt32> {
    targets.extracting(set * chunk..<(set + 1) * chunk)
  }

  /// Sets the lowest free slots of a set aside for the `count` tokens of a chunk.
  ///
  /// They count as free until `store`.
  package func assign(_ count: Int, in set: Int) {
    precondition(count <= chunk, "a chunk at most")
    let (positions, targets) = (positions(set), targets(set))
    var slot = Int(cursors[set])
    for token in 0..<count {
      while positions[slot] != Self.free { slot += 1 }
      targets[token] = UInt32(slot)
      slot += 1
    }
    cursors[set] = UInt32(slot)
  }

  /// Marks the slot of a token of the chunk as taken.
  package func store(token: Int, position: Int, turn: Int, in set: Int) {
    let slot = Int(targets(set)[token])
    positions(set)[slot] = UInt32(position)
    turns(set)[slot] = UInt32(turn)
  }

  /// Takes a token along to a lower, free slot.
  package func move(from source: Int, to target: Int, in set: Int) {
    let (positions, turns) = (positions(set), turns(set))
    positions[target] = positions[source]
    turns[target] = turns[source]
    positions[source] = Self.free
    cursors[set] = UInt32(target + 1)
  }

  /// Frees a slot.
  package func free(_ slot: Int, in set: Int) {
    positions(set)[slot] = Self.free
    if slot < Int(cursors[set]) { cursors[set] = UInt32(slot) }
  }
}
