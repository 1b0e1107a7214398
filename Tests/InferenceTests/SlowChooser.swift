import Eviction
import Foundation
import Inference
import Kernels
import TestSupport

/// Policies that choose for a prompt, from their definitions: on lists, one token at a time.
///
/// Shares nothing with the fast ones but the numbers of the policy.
struct SlowChooser {
  private var model: SlowModel
  private var cache: SlowEviction
  private let settings: EvictionSettings
  private var logits: [Float] = []
  /// −log P of each token when it was read, in 1/256 nat: infinipot.
  private var surprise: [Int: Int] = [:]
  /// citrus: tokens of the newest chunk, and whether the instruction has a cache of its own.
  private var newest = 0
  private var isApart = false
  private var promptEnd = 0

  /// Logits behind every token of the stream.
  private(set) var rows: [[Float]] = []
  /// The most slots that were taken at any moment.
  private(set) var peak = 0
  /// Tokens that were run only to see what they look at.
  private(set) var probed = 0

  init(_ model: SlowModel, _ cache: SlowEviction) {
    self.model = model
    self.cache = cache
    settings = cache.settings
  }

  private var live: Int { cache.held[0][0].count { $0 != nil } }
  private var secondLive: Int { cache.second[0][0].count { $0 != nil } }

  /// The stream positions of the slots of a KV head; `nil` for free ones.
  func positions(_ layer: Int, _ head: Int) -> [Int?] {
    cache.held[layer][head].map { $0?.position }
  }

  // MARK: Reading

  private mutating func run(_ token: Int) -> [Float] {
    model.eviction = cache
    let logits = model.next(token)
    if let changed = model.eviction { cache = changed }
    peak = max(peak, live + secondLive)
    return logits
  }

  private mutating func read(_ token: Int) {
    if let most = logits.max() {
      // Exponentials are summed up in parts of 256 words, each over its own largest logit.
      let parts = stride(from: 0, to: logits.count, by: 256).map { start in
        let part = Array(logits[start..<min(start + 256, logits.count)])
        return Reference.softmax(part, isVisible: part.map { _ in true })
      }
      let sum = parts.reduce(0.0) {
        $0 + Double(Reference.exponential($1.top - most)) * Double($1.sum)
      }
      let nats = log(sum) + Double(most) - Double(logits[token])
      surprise[model.position] = Int(min(max(nats * 256, 0), 65_535))
    } else {
      surprise[model.position] = 65_535
    }
    logits = run(token)
    rows.append(logits)
  }

  /// Runs a probe behind `reserved` tokens to come; leaves `probeLooks`.
  private mutating func run(probe: [Int], reserved: Int) {
    let (position, turn) = (model.position, cache.turn)
    model.position += reserved
    cache.reserved = reserved
    cache.isProbing = true
    cache.looksAtSecond = isApart
    if isApart { cache.turn = secondLive }
    cache.probeLooks = cache.probeLooks.map { $0.map { _ in [] } }
    for token in probe { _ = run(token) }
    peak = max(peak, live + secondLive + reserved)
    probed += probe.count
    forEachHead { cache, layer, head in
      for slot in cache.held[layer][head].indices {
        if let one = cache.held[layer][head][slot], one.position >= position {
          cache.held[layer][head][slot] = nil
        }
        if let one = cache.second[layer][head][slot], one.position >= position {
          cache.second[layer][head][slot] = nil
        }
      }
    }
    cache.isProbing = false
    cache.looksAtSecond = false
    cache.reserved = 0
    (model.position, cache.turn) = (position, turn)
  }

  private mutating func forEachHead(_ body: (inout SlowEviction, Int, Int) -> Void) {
    for layer in cache.held.indices {
      for head in cache.held[layer].indices { body(&cache, layer, head) }
    }
  }

  /// Reads document and instruction, and what is said afterwards.
  mutating func read(document: [Int], instruction: [Int], probe: [Int], reply: [Int]) {
    switch settings.policy {
    case .citrusShared, .citrusIndividual: readCitrus(document, probe)
    case .infiniPot: readPot(document, instruction, probe)
    default: for token in document { read(token) }
    }
    for token in instruction { read(token) }
    if settings.policy == .snapKV { chooseSnap() }
    promptEnd = model.position
    for token in reply {
      if live == settings.slots { dropOldest() }
      // Positions are counted anew where the trained context ends.
      if cache.turn + 1 > cache.trainedContext && cache.turn > live { turnOver() }
      read(token)
    }
  }

  private mutating func dropOldest() {
    let end = promptEnd
    forEachHead { cache, layer, head in
      let oldest = cache.held[layer][head].compactMap { $0?.position }.filter { $0 >= end }.min()
      for slot in cache.held[layer][head].indices
      where oldest != nil && cache.held[layer][head][slot]?.position == oldest {
        cache.held[layer][head][slot] = nil
      }
    }
  }

  /// The `count` tokens with the highest scores; of equal scores the newer.
  private func best(_ count: Int, of tokens: [Int], by score: (Int) -> Int) -> Set<Int> {
    let order = tokens.map { (score($0), $0) }.sorted { $0 < $1 }
    return Set(order.suffix(count).map(\.1))
  }

  /// What some queries gave a token.
  private static func given(_ looks: [SlowEviction.Look], _ token: Int) -> Int {
    looks.reduce(0) { $0 + Int($1.given[token] ?? 0) }
  }

  /// Keeps only `tokens` of a KV head.
  private static func keep(
    _ tokens: Set<Int>, in cache: inout SlowEviction, _ layer: Int, _ head: Int
  ) {
    for slot in cache.held[layer][head].indices {
      if let one = cache.held[layer][head][slot], !tokens.contains(one.position) {
        cache.held[layer][head][slot] = nil
      }
    }
  }

  private mutating func turnOver() {
    cache.turnOver(\.held, model)
    cache.turn = live
  }

  /// Moves what is kept to the first slots, in the order of slots.
  private mutating func pack() {
    forEachHead { cache, layer, head in
      let kept = cache.held[layer][head].filter { $0 != nil }
      let free = cache.held[layer][head].count - kept.count
      cache.held[layer][head] = kept + Array(repeating: nil, count: free)
    }
  }

  // MARK: Citrus

  private mutating func readCitrus(_ document: [Int], _ instruction: [Int]) {
    let caches = settings.policy == .citrusIndividual ? 2 : 1
    let free = settings.slots - instruction.count
    let chunk = min(settings.chunk, free / (caches == 1 ? 5 : 9))
    let kept = (free - (caches + 1) * chunk) / caches
    var done = 0
    while done < document.count {
      let count = min(chunk, document.count - done)
      if isApart || live + count + instruction.count > settings.slots { evict(kept) }
      run(probe: instruction, reserved: count)
      cache.looks = cache.looks.map { $0.map { _ in [] } }
      for token in document[done..<done + count] { read(token) }
      newest = count
      done += count
    }
    guard isApart || live + instruction.count + settings.reserve > settings.slots else { return }
    evict(kept)
    if isApart {
      cache.held = cache.second
      forEachHead { cache, layer, head in
        cache.second[layer][head] = cache.second[layer][head].map { _ in nil }
      }
      cache.turn = live
      isApart = false
    }
    run(probe: instruction, reserved: 0)
    newest = 0
    evictShared(kept)
    pack()
  }

  private mutating func evict(_ kept: Int) {
    if settings.policy == .citrusShared { evictShared(kept) } else { evictBoth(kept) }
  }

  /// Tokens of a list that a layer's heads gave the most; the newest chunk has no score and stays.
  private func chosen(
    _ kept: Int, of list: [SlowEviction.Held?], by looks: [[SlowEviction.Look]]
  ) -> Set<Int> {
    let tokens = list.compactMap { $0?.position }
    let scored = model.position - newest
    let best = best(kept, of: tokens.filter { $0 < scored }) { token in
      looks.reduce(0) { $0 + Self.given($1, token) }
    }
    return best.union(tokens.filter { $0 >= scored })
  }

  private mutating func evictShared(_ kept: Int) {
    for layer in cache.held.indices {
      let stay = chosen(kept, of: cache.held[layer][0], by: cache.probeLooks[layer])
      for head in cache.held[layer].indices { Self.keep(stay, in: &cache, layer, head) }
    }
    turnOver()
  }

  private mutating func evictBoth(_ kept: Int) {
    let (old, wasApart) = (cache, isApart)
    for layer in old.held.indices {
      let first = chosen(kept, of: old.held[layer][0], by: old.looks[layer])
      let source = wasApart ? old.second[layer][0] : old.held[layer][0]
      var second = chosen(kept, of: source, by: old.probeLooks[layer])
      let added = Set(old.held[layer][0].compactMap { $0?.position })
        .filter { $0 >= model.position - newest }
      second.formUnion(added)
      for head in old.held[layer].indices {
        var mine = old.held[layer][head]
        var theirs = old.second[layer][head]
        for slot in mine.indices {
          if let one = theirs[slot], !second.contains(one.position) { theirs[slot] = nil }
          guard let one = mine[slot], !first.contains(one.position) else { continue }
          mine[slot] = nil
          if !wasApart && second.contains(one.position) { theirs[slot] = one }
        }
        for slot in mine.indices {
          guard let one = mine[slot], second.contains(one.position),
            wasApart ? added.contains(one.position) : true,
            let target = mine.indices.first(where: { mine[$0] == nil && theirs[$0] == nil })
          else { continue }
          theirs[target] = one
        }
        cache.held[layer][head] = mine
        cache.second[layer][head] = theirs
      }
    }
    isApart = true
    turnOver()
    cache.turnOver(\.second, model)
  }

  // MARK: InfiniPot

  private mutating func readPot(_ document: [Int], _ instruction: [Int], _ catalyst: [Int]) {
    for token in document {
      if live + catalyst.count == settings.slots { distil(catalyst) }
      read(token)
    }
    if live + instruction.count + settings.reserve > settings.slots {
      distil(catalyst)
      pack()
    }
  }

  private mutating func distil(_ catalyst: [Int]) {
    run(probe: catalyst, reserved: 0)
    let (surprise, settings) = (surprise, settings)
    let old = self
    forEachHead { cache, layer, head in
      let tokens = cache.held[layer][head].compactMap { $0?.position }
      let novel = old.best(settings.novel, of: tokens) { surprise[$0] ?? 0 }
      let rest = old.best(
        settings.distilled - settings.novel, of: tokens.filter { !novel.contains($0) }
      ) { Self.given(cache.probeLooks[layer][head], $0) }
      Self.keep(novel.union(rest), in: &cache, layer, head)
    }
    turnOver()
  }

  // MARK: SnapKV

  private mutating func chooseSnap() {
    let prefix = model.position - settings.window
    let count = settings.slots - settings.reserve - settings.window
    guard prefix > count else { return }
    let (settings, old) = (settings, self)
    forEachHead { cache, layer, head in
      let scores = (0..<prefix).map { token in
        Self.given(cache.looks[layer][head].suffix(settings.window), token)
      }
      let reach = settings.poolsByMaximum ? 3 : 2
      let best = old.best(count, of: Array(0..<prefix)) { token in
        let near = scores[max(token - reach, 0)...min(token + reach, prefix - 1)]
        return settings.poolsByMaximum ? near.max() ?? 0 : near.reduce(0, +)
      }
      Self.keep(best.union(prefix..<prefix + settings.window), in: &cache, layer, head)
    }
    pack()
  }

  private static func given(_ looks: ArraySlice<SlowEviction.Look>, _ token: Int) -> Int {
    given(Array(looks), token)
  }
}
