import Eviction
import TestSupport
import Testing
import Units

/// The obvious model of one KV head: a list of tokens in stream order, and a log of all queries.
private struct SlowHead {
  let layer: Int
  let heads: ClosedRange<Int>
  var kept: [Int] = []
  /// What every query so far gave every token it saw.
  var log: [(query: Int, seen: Int, given: [Int: UInt64])] = []

  mutating func read(_ tokens: Range<Int>) {
    for query in tokens {
      kept.append(query)
      var given: [Int: UInt64] = [:]
      for token in kept {
        for head in heads {
          given[token, default: 0] += UInt64(
            Stage.attention(layer, head, query: query, token: token))
        }
      }
      log.append((query, kept.count, given))
    }
  }

  /// Drops those with the smallest scores, of equal ones the older.
  mutating func drop(_ count: Int, protecting recent: Int, _ score: (Int) -> Int64) {
    let mayGo = kept.dropLast(recent).map { (score($0), $0) }.sorted { $0 < $1 }
    let gone = Set(mayGo.prefix(count).map(\.1))
    kept.removeAll { gone.contains($0) }
  }
}

@Suite struct EvictorTests {
  /// Runs chunks of these sizes, the last one over and over, against lists.
  private func compare(
    _ stage: Stage, chunks: [Int], total: Int,
    _ evict: (inout SlowHead, _ chunk: Int) -> Void
  ) {
    let isPerHead = stage.settings.policy.isPerHead
    var slow: [[SlowHead]] = (0..<stage.layers).map { layer in
      isPerHead
        ? (0..<stage.kvHeads).map { SlowHead(layer: layer, heads: $0...$0) }
        : [SlowHead(layer: layer, heads: 0...stage.kvHeads - 1)]
    }
    var position = 0
    var step = 0
    while position < total {
      let wanted = min(chunks[min(step, chunks.count - 1)], total - position)
      let count = stage.read(wanted)
      #expect(count > 0 && count <= wanted)
      for layer in 0..<stage.layers {
        for set in slow[layer].indices {
          evict(&slow[layer][set], count)
          slow[layer][set].read(position..<position + count)
          #expect(stage.kept(layer, set) == slow[layer][set].kept, "after \(position + count)")
        }
      }
      position += count
      step += 1
      #expect(stage.evictor.progress.position == position)
      #expect(stage.evictor.progress.live == slow[0][0].kept.count)
      #expect(stage.evictor.progress.live <= stage.settings.slots)
    }
    #expect(stage.evictor.progress.peak == stage.settings.slots)
  }

  private static let cuts = [[1], [8], [8, 3, 8, 1], [5, 8, 8, 8, 8, 8, 8, 8, 8, 1]]

  @Test(arguments: cuts) func h2o(chunks: [Int]) {
    for percent in [50, 20, 0, 90] {
      let stage = Stage(.h2o, slots: 32) { $0.recentPercent = percent }
      compare(stage, chunks: chunks, total: 200) { head, chunk in
        let keep = stage.settings.slots - chunk
        let log = head.log
        if head.kept.count > keep {
          head.drop(head.kept.count - keep, protecting: percent * keep / 100) { token in
            Int64(log.reduce(0) { $0 + ($1.given[token] ?? 0) })
          }
        }
      }
    }
  }

  @Test(arguments: cuts) func tova(chunks: [Int]) {
    let stage = Stage(.tova, slots: 32)
    compare(stage, chunks: chunks, total: 200) { head, chunk in
      let keep = stage.settings.slots - chunk
      if head.kept.count > keep, let last = head.log.last {
        head.drop(head.kept.count - keep, protecting: 0) { Int64(last.given[$0] ?? 0) }
      }
    }
  }

  /// Votes from a log of all of them; one history shorter than the drop, one as long, one longer.
  @Test(arguments: cuts, [(32, 4, 8), (32, 4, 3), (40, 8, 11), (32, 16, 32), (33, 1, 2)])
  func scissorhands(chunks: [Int], numbers: (slots: Int, drop: Int, history: Int)) {
    for countsStream in [false, true] {
      let stage = Stage(.scissorhands, slots: numbers.slots) {
        $0.drop = numbers.drop
        $0.history = numbers.history
        $0.countsStream = countsStream
      }
      var evictions = 0
      compare(stage, chunks: chunks, total: 300) { head, _ in
        guard head.kept.count == numbers.slots else { return }
        evictions += 1
        let last = head.log.suffix(numbers.history)
        head.drop(numbers.drop, protecting: 10) { token in
          -Int64(
            last.count { entry in
              let divisor = UInt64(countsStream ? entry.query + 1 : entry.seen)
              return entry.given[token].map { $0 * divisor < UInt64(2) << 24 } ?? false
            })
        }
      }
      #expect(evictions > 20)
    }
  }

  /// The end of the prompt keeps its own tokens, and of the others those with the highest mean of 5
  /// neighbours; missing neighbours count as nothing.
  @Test(arguments: [(100, 0), (100, 5), (40, 12), (61, 1)])
  func snapKV(numbers: (prompt: Int, window: Int)) throws {
    let stage = Stage(.snapKV, slots: 40) {
      $0.window = numbers.window
      $0.promptMax = 128
    }
    let settings = stage.settings
    try stage.evictor.beginPrompt(document: numbers.prompt - 7, instruction: 7, probe: 0)
    var position = 0
    while position < numbers.prompt { position += stage.read(numbers.prompt - position) }
    let first = numbers.prompt - settings.window
    let kept = settings.slots - settings.reserve - settings.window
    for layer in 0..<stage.layers {
      for head in 0..<stage.kvHeads {
        stage.evictor.choose(
          in: stage.evictor.table.set(layer: layer, head: head), scratch: stage.evictor.scratch[0])
        var slow = SlowHead(layer: layer, heads: head...head)
        slow.read(0..<numbers.prompt)
        let sums = (0..<first).map { token in
          slow.log.suffix(settings.window).reduce(0) { $0 + ($1.given[token] ?? 0) }
        }
        let pooled = sums.indices.map { index in
          sums[max(index - 2, 0)...min(index + 2, first - 1)].reduce(0, +)
        }
        let order = pooled.indices.sorted { (pooled[$0], $0) < (pooled[$1], $1) }
        let expected = order.suffix(kept).sorted() + Array(first..<numbers.prompt)
        #expect(stage.kept(layer, head) == expected)
      }
    }
    stage.evictor.endChoice()
    #expect(stage.evictor.progress.live == kept + settings.window)
  }

  @Test func scissorhandsDoesNotDependOnTheChunk() {
    let kept = [1, 3, 8].map { chunk in
      let stage = Stage(.scissorhands, slots: 40)
      var position = 0
      while position < 333 { position += stage.read(min(chunk, 333 - position)) }
      return (0..<2).flatMap { layer in (0..<3).map { stage.kept(layer, $0) } }
    }
    #expect(kept[0] == kept[1] && kept[0] == kept[2])
  }
}
