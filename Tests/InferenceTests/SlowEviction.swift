import Eviction
import Inference
import Kernels
import ModelFormat
import Profiles
import Quantization
import TestSupport

/// The slots of an evicting policy as lists, and everything every query ever saw.
///
/// Shares nothing with the fast one but the numbers of the policy. A policy whose KV heads keep the
/// same tokens has lists for each of them all the same.
struct SlowEviction {
  /// What a slot holds for one KV head.
  struct Held {
    let position: Int
    var turn: Int
    var key: [QuantizedGroup]
    let value: [QuantizedGroup]
  }

  /// What one query gave the tokens it saw, all query heads of the KV head together.
  struct Look {
    let query: Int
    let seen: Int
    /// Evictions before it.
    let evictions: Int
    var given: [Int: UInt64]
  }

  let settings: EvictionSettings
  let trainedContext: Int
  var held: [[[Held?]]]  // [layers][KV heads][slots]
  /// Slots of the same numbers that a second cache has; a slot is free where neither has it.
  var second: [[[Held?]]]  // [layers][KV heads][slots]
  var looks: [[[Look]]]  // [layers][KV heads][queries]
  /// What the queries of the last probe saw.
  var probeLooks: [[[Look]]]  // [layers][KV heads][queries]
  /// Whether a probe runs, whether it looks at the second cache, and free slots it leaves alone.
  var isProbing = false
  var looksAtSecond = false
  var reserved = 0
  var turn = 0
  var turnovers = 0

  init(_ settings: EvictionSettings, layers: Int, kvHeads: Int, trainedContext: Int) {
    self.settings = settings
    self.trainedContext = trainedContext
    held = Array(
      repeating: Array(repeating: Array(repeating: nil, count: settings.heldSlots), count: kvHeads),
      count: layers)
    second = held
    looks = Array(repeating: Array(repeating: [], count: kvHeads), count: layers)
    probeLooks = looks
  }

  /// Tokens that are kept, in stream order.
  private func kept(_ layer: Int, _ head: Int) -> [Int] {
    held[layer][head].compactMap { $0?.position }.sorted()
  }

  /// What the next query of a KV head sees.
  func seen(_ layer: Int, _ head: Int) -> [Held?] {
    looksAtSecond ? second[layer][head] : held[layer][head]
  }

  /// Makes room for a chunk; returns how many tokens it has.
  mutating func makeRoom(for count: Int, turning model: SlowModel) -> Int {
    let live = kept(0, 0).count
    var (tokens, drop) = (min(count, settings.chunk), 0)
    if settings.policy.dropsMany {
      if live == settings.slots { drop = settings.drop }
      tokens = min(tokens, settings.slots - live + drop)
    } else {
      drop = max(0, live + tokens - settings.slots)
    }
    if drop > 0 { evictions += 1 }
    for layer in held.indices {
      for head in held[layer].indices where drop > 0 {
        let gone = self.gone(layer, head, drop)
        for slot in held[layer][head].indices {
          if let position = held[layer][head][slot]?.position, gone.contains(position) {
            held[layer][head][slot] = nil
          }
        }
      }
    }
    if turn + tokens > trainedContext && turn > live - drop {
      turnOver(\.held, model)
      turn = kept(0, 0).count
    }
    return tokens
  }

  /// The tokens that go: the lowest scores, of equal ones the oldest.
  private func gone(_ layer: Int, _ head: Int, _ drop: Int) -> Set<Int> {
    let tokens = kept(layer, head)
    var recent = 0
    let score: (Int) -> Int64
    switch settings.policy {
    case .h2o:
      recent = settings.recentPercent * (tokens.count - drop) / 100
      score = { token in
        Int64(looks[layer][head].reduce(0) { $0 + ($1.given[token] ?? 0) })
      }
    case .tova:
      score = { token in
        Int64(looks[layer].reduce(0) { $0 + ($1.last?.given[token] ?? 0) })
      }
    case .valueDifference:
      recent = settings.recent
      let alike = similarities(layer, head)
      score = { token in -Int64(alike[token] ?? 0) }
    case .heavyDifference:
      recent = settings.recent
      let alike = similarities(layer, head)
      let mass = lateMass(layer, head)
      let differing = tokens.sorted { (-(alike[$0] ?? 0), $0) < (-(alike[$1] ?? 0), $1) }
      let heavy = tokens.sorted { (mass[$0] ?? 0, $0) < (mass[$1] ?? 0, $1) }
      score = { token in
        Int64((differing.firstIndex(of: token) ?? 0) + (heavy.firstIndex(of: token) ?? 0))
      }
    default:
      recent = settings.recent
      let last = looks[layer][head].suffix(settings.history)
      let heads = UInt64(looks[layer][head].isEmpty ? 1 : headsPerGroup)
      score = { token in
        -Int64(
          last.count { look in
            look.given[token].map { $0 * UInt64(look.seen) < heads << 24 } ?? false
          })
      }
    }
    let order = tokens.dropLast(recent).map { (score($0), $0) }.sorted { $0 < $1 }
    return Set(order.prefix(drop).map(\.1))
  }

  /// How alike each token's value is to the mean.
  private func similarities(_ layer: Int, _ head: Int) -> [Int: Int] {
    let taken = held[layer][head].compactMap { $0 }
    let alike = ValueDifferences.similarities(
      taken.map(\.value), isInt4: valuesAreInt4, dimensions: dimensions)
    return Dictionary(uniqueKeysWithValues: zip(taken.map(\.position), alike))
  }

  /// What each token was given, halved at each eviction so far but this one.
  private func lateMass(_ layer: Int, _ head: Int) -> [Int: UInt64] {
    var mass: [Int: UInt64] = [:]
    for epoch in 0..<evictions {
      mass = mass.mapValues { $0 >> 1 }
      for look in looks[layer][head] where look.evictions == epoch {
        mass.merge(look.given) { $0 + $1 }
      }
    }
    return mass
  }

  var evictions = 0
  var headsPerGroup = 1
  var dimensions = 0
  var valuesAreInt4 = false

  /// Rotates what a cache keeps to its place in stream order.
  mutating func turnOver(_ cache: WritableKeyPath<Self, [[[Held?]]]>, _ model: SlowModel) {
    turnovers += 1
    for layer in held.indices {
      for head in held[layer].indices {
        let order = self[keyPath: cache][layer][head].compactMap { $0?.position }.sorted()
        for slot in held[layer][head].indices {
          guard var one = self[keyPath: cache][layer][head][slot],
            let place = order.firstIndex(of: one.position)
          else { continue }
          if place != one.turn {
            let d = model.pack.model.headDimension
            let key = (0..<d).map { one.key[$0 / 32].value($0 % 32, format: .int8) }
            one.key = Reference.cached(
              model.turned(key, to: place - one.turn), isInt4: false)
          }
          one.turn = place
          self[keyPath: cache][layer][head][slot] = one
        }
      }
    }
  }

  /// Puts a token into the lowest free slot that is not reserved.
  mutating func store(
    _ layer: Int, position: Int, keys: [[QuantizedGroup]], values: [[QuantizedGroup]]
  ) {
    for head in held[layer].indices {
      let free = held[layer][head].indices.filter {
        held[layer][head][$0] == nil && second[layer][head][$0] == nil
      }
      precondition(free.count > reserved, "room was made")
      let one = Held(position: position, turn: turn, key: keys[head], value: values[head])
      if looksAtSecond {
        second[layer][head][free[reserved]] = one
      } else {
        held[layer][head][free[reserved]] = one
      }
    }
  }
}

extension SlowModel {
  /// One query head over the slots of a KV head, free ones unseen; the policy takes note.
  mutating func attend(_ layer: Int, kvHead: Int, prepared: Reference.Row) -> [Float] {
    guard let slots = eviction?.seen(layer, kvHead) else { return [] }
    let d = pack.model.headDimension
    let none = Reference.cached([Float](repeating: 0, count: d), isInt4: valuesAreInt4)
    let scores = slots.map { slot in
      slot.map {
        Reference.score(query: prepared, key: $0.key, isInt4: keysAreInt4, dimensions: d)
      } ?? 0
    }
    var total = (output: [Float](repeating: 0, count: d), top: KernelSet.emptyTop, sum: Float(0))
    var runs: [Reference.Run] = []
    for start in stride(from: 0, to: scores.count, by: RunShape.runSlots) {
      let range = start..<min(start + RunShape.runSlots, scores.count)
      let run = Reference.softmax(
        Array(scores[range]), isVisible: slots[range].map { $0 != nil })
      let part = Reference.weightedSum(
        run.numerators, values: slots[range].map { $0?.value ?? none }, isInt4: valuesAreInt4,
        dimensions: d)
      Reference.merge(part: part, top: run.top, sum: run.sum, into: &total)
      runs.append(run)
    }
    let row = Reference.probabilities(runs, top: total.top, sum: total.sum)
    note(layer, kvHead, slots, row)
    let output = total.output.map { $0 / total.sum }
    return valuesAreInt4 ? rotated(output) : output
  }

  private mutating func note(
    _ layer: Int, _ head: Int, _ slots: [SlowEviction.Held?], _ row: [UInt32]
  ) {
    let evictions = eviction?.evictions ?? 0
    let looks: WritableKeyPath<SlowEviction, [[[SlowEviction.Look]]]> =
      eviction?.isProbing == true ? \.probeLooks : \.looks
    if eviction?[keyPath: looks][layer][head].last?.query != position {
      eviction?[keyPath: looks][layer][head].append(
        SlowEviction.Look(
          query: position, seen: slots.count { $0 != nil }, evictions: evictions, given: [:]))
    }
    let last = (eviction?[keyPath: looks][layer][head].count ?? 1) - 1
    for (slot, given) in zip(slots, row) {
      guard let position = slot?.position else { continue }
      eviction?[keyPath: looks][layer][head][last].given[position, default: 0] += UInt64(given)
    }
  }
}
