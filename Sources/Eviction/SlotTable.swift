package import Memory
package import Units

/// A token on its way from slot to slot.
package struct SlotMove: BitwiseCopyable {
  package let source: UInt32
  package let target: UInt32
}

/// Which token every slot holds, for each set of slots: a set belongs to one KV head of one layer,
/// or to all KV heads of a layer.
///
/// A dropped slot is free until a new token overwrites it in place; new tokens take the lowest free
/// slots in order. Sets of one run always have equally many taken slots, but not the same ones.
///
/// Two caches may share the slots of a set: each has a list of its own, and no token of one is seen
/// by those who look at the other. A slot is free for new tokens where neither has taken it.
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
  private let secondPositionOfSlot: FixedBuffer<UInt32>  // [sets][slots] where there are two caches
  private let secondTurnsOfSlot: FixedBuffer<UInt32>  // [sets][slots]

  /// Lays the table out in the current region of `arena`, with every slot free.
  ///
  /// The list of a second cache lies in a region of its own. At most `chunk` slots are set aside at
  /// once.
  package init(
    layers: Int, setsPerLayer: Int, slots: Int, chunk: Int, hasSecond: Bool = false,
    in arena: inout Arena
  ) {
    self.slots = slots
    self.setsPerLayer = setsPerLayer
    self.chunk = chunk
    count = layers * setsPerLayer
    positionOfSlot = arena.take(count * slots)
    turnsOfSlot = arena.take(count * slots)
    targets = arena.take(count * chunk)
    cursors = arena.take(slots > 0 ? count : 0)
    if hasSecond { arena.begin(.secondCache) }
    secondPositionOfSlot = arena.take(hasSecond ? count * slots : 0)
    secondTurnsOfSlot = arena.take(hasSecond ? count * slots : 0)
    positionOfSlot.fill(Self.free)
    secondPositionOfSlot.fill(Self.free)
  }

  /// Frees every slot.
  func restart() {
    positionOfSlot.fill(Self.free)
    secondPositionOfSlot.fill(Self.free)
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

  /// Whether two caches share the slots.
  package var hasSecond: Bool { secondPositionOfSlot.count > 0 }

  /// Stream position of each slot of a set in the second cache.
  package func secondPositions(_ set: Int) -> FixedBuffer<UInt32> {
    secondPositionOfSlot.extracting(set * slots..<(set + 1) * slots)
  }

  /// The position each key of a set is rotated to in the second cache.
  package func secondTurns(_ set: Int) -> FixedBuffer<UInt32> {
    secondTurnsOfSlot.extracting(set * slots..<(set + 1) * slots)
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
    let targets = targets(set)
    var slot = Int(cursors[set])
    for token in 0..<count {
      slot = freeSlot(from: slot, in: set)
      targets[token] = UInt32(slot)
      slot += 1
    }
    cursors[set] = UInt32(slot)
  }

  /// The lowest slot from `start` on that no cache has taken.
  private func freeSlot(from start: Int, in set: Int) -> Int {
    let positions = positions(set)
    var slot = start
    if hasSecond {
      let second = secondPositions(set)
      while positions[slot] != Self.free || second[slot] != Self.free { slot += 1 }
    } else {
      while positions[slot] != Self.free { slot += 1 }
    }
    return slot
  }

  /// Marks the slot of a token of the chunk as taken, by the second cache where `inSecond`.
  package func store(
    token: Int, position: Int, turn: Int, in set: Int, inSecond: Bool = false
  ) {
    let slot = Int(targets(set)[token])
    (inSecond ? secondPositions(set) : positions(set))[slot] = UInt32(position)
    (inSecond ? secondTurns(set) : turns(set))[slot] = UInt32(turn)
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

  /// Frees a slot of the second cache.
  package func freeSecond(_ slot: Int, in set: Int) {
    secondPositions(set)[slot] = Self.free
    if slot < Int(cursors[set]) { cursors[set] = UInt32(slot) }
  }

  /// Lets the second cache have the token of a slot of the first one, too.
  func lend(_ slot: Int, in set: Int) {
    secondPositions(set)[slot] = positions(set)[slot]
    secondTurns(set)[slot] = turns(set)[slot]
  }

  /// Gives the second cache slots of its own for the tokens that it has in slots of the first one.
  ///
  /// They are the lowest free ones. Writes from which slots to which keys and values are to be copied
  /// into `moves`, and returns how many.
  func part(_ set: Int, moves: FixedBuffer<SlotMove>) -> Int {
    let (positions, second, turns) = (positions(set), secondPositions(set), secondTurns(set))
    var target = Int(cursors[set])
    var count = 0
    for slot in 0..<slots where positions[slot] != Self.free && second[slot] != Self.free {
      target = freeSlot(from: target, in: set)
      moves[count] = SlotMove(source: UInt32(slot), target: UInt32(target))
      count += 1
      second[target] = second[slot]
      turns[target] = turns[slot]
      second[slot] = Self.free
    }
    cursors[set] = UInt32(target)
    return count
  }

  /// Makes the second cache the first one; what the first one held is dropped.
  package func adoptSecond(_ set: Int) {
    let (second, turns) = (secondPositions(set), secondTurns(set))
    for slot in 0..<slots {
      positions(set)[slot] = second[slot]
      self.turns(set)[slot] = turns[slot]
    }
    second.fill(Self.free)
    cursors[set] = 0
  }
}
