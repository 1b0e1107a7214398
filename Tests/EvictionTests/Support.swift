import Eviction
import Kernels
import Memory
import TestSupport
import Units

/// A cache without keys: only which tokens are kept, by a policy that sees made-up attention.
struct Stage {
  let settings: EvictionSettings
  let layers = 2
  let kvHeads = 3
  let headsPerGroup = 2
  let threads = 2
  let kernels = KernelSet(.portable)
  let evictor: Evictor

  init(
    _ policy: EvictionPolicy, slots: Int, trainedContext: Int = 1 << 30,
    _ change: (inout EvictionSettings.Choices) -> Void = { _ in }
  ) {
    var choices = EvictionSettings.Choices()
    change(&choices)
    settings = EvictionSettings(
      policy: policy, slots: slots, layers: layers, trainedContext: trainedContext,
      choices: choices)
    precondition(settings.defect(keysTurn: true) == nil, "the numbers go together")
    var real = RealArena(byteCount: 4 << 20)
    real.arena.begin(.positions)
    evictor = Evictor(
      settings, layers: layers, kvHeads: kvHeads, headsPerGroup: headsPerGroup, threads: threads,
      in: &real.arena)
  }

  /// What the query heads of a KV head together give a token: a few get much, most get little.
  static func attention(_ layer: Int, _ head: Int, query: Int, token: Int) -> UInt32 {
    if token > query { return 0 }
    var random = Random(
      seed: UInt64(layer * 7919 + head * 104_729 + query * 1_299_709 + token * 15_485_863))
    let share = UInt32(truncatingIfNeeded: random.next() >> 40)
    let isHeavy = token % 11 == head || token < 2
    return isHeavy ? share : share >> UInt32(random.below(16))
  }

  /// Reads up to `count` tokens: makes room, stores, lets queries see; returns how many.
  func read(_ count: Int) -> Int {
    let (tokens, drop) = evictor.room(for: count)
    for set in 0..<evictor.table.count {
      if drop > 0 {
        evictor.evict(drop, from: set, scratch: evictor.scratch[set % threads], kernels)
      }
      evictor.table.assign(tokens, in: set)
    }
    evictor.advance(tokens: tokens, dropped: drop)
    let start = evictor.progress.chunkStart
    for set in 0..<evictor.table.count {
      for token in 0..<tokens {
        evictor.table.store(token: token, position: start + token, turn: start + token, in: set)
      }
    }
    for position in start..<start + tokens where evictor.observes(position) { observe(position) }
    return tokens
  }

  private func observe(_ position: Int) {
    let row = memory(settings.heldSlots, of: UInt32.self)
    for layer in 0..<layers {
      let stamp = UInt64(position * layers + layer + 1)
      for head in 0..<kvHeads {
        let positions = evictor.table.positions(evictor.table.set(layer: layer, head: head))
        for slot in 0..<evictor.progress.used {
          let token = positions[slot]
          row[slot] =
            token == SlotTable.free
            ? 0 : Self.attention(layer, head, query: position, token: Int(token))
        }
        evictor.observe(
          row, layer: layer, head: head, position: position,
          by: ObservingThread(share: (position + head) % threads, stamp: stamp), kernels)
      }
      // Two threads fold half of the slots each.
      for head in 0..<kvHeads {
        let half = settings.heldSlots / 2
        for slots in [0..<half, half..<settings.heldSlots] {
          evictor.fold(layer: layer, head: head, stamp: stamp, slots: slots, kernels)
        }
      }
    }
  }

  /// The tokens that a KV head still has, in stream order.
  func kept(_ layer: Int, _ head: Int) -> [Int] {
    array(evictor.table.positions(evictor.table.set(layer: layer, head: head)))
      .filter { $0 != SlotTable.free }.map(Int.init).sorted()
  }
}
