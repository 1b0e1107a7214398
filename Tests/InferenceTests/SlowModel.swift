import Inference
import Kernels
import ModelFormat
import Profiles
import Quantization
import TestSupport
import Units

/// The forward pass straight from its formulas, one token and one number at a time.
///
/// Nothing is shared with the fast one but the definitions of the quantizers. The cache is a list:
/// one entry per kept token, and a hole for one that was dropped.
struct SlowModel {
  /// What the cache keeps of a token, in one layer.
  struct Entry {
    let position: Int
    let keys: [[QuantizedGroup]]  // [KV heads][groups]
    let values: [[QuantizedGroup]]  // [KV heads][groups]
  }

  let pack: TinyPack
  let slots: Int
  let isStreaming: Bool
  let keysAreInt4: Bool
  let valuesAreInt4: Bool
  private var entries: [[Entry?]]  // [layers][slots]
  /// Slots of dropped tokens, the first one dropped first.
  private var holes: [[Int]]  // [layers]
  var position = 0

  /// What a policy that looks at attention keeps instead.
  var eviction: SlowEviction?

  init(_ pack: TinyPack, _ profile: Profile) {
    self.pack = pack
    slots = profile.contextTokens
    isStreaming = profile.policy == .streaming
    keysAreInt4 = profile.keyFormat == .int4
    valuesAreInt4 = profile.valueFormat == .int4
    entries = Array(repeating: [], count: pack.model.layers)
    holes = entries.map { _ in [] }
  }

  private func kept(_ layer: Int) -> Int { entries[layer].count { $0 != nil } }

  /// Drops the oldest tokens but the first four, as many as a chunk of `count` needs.
  mutating func makeRoom(for count: Int) {
    guard isStreaming else { return }
    for layer in entries.indices {
      while kept(layer) + count > slots {
        let window = entries[layer].indices.filter { (entries[layer][$0]?.position ?? 0) >= 4 }
        let oldest = window.min {
          entries[layer][$0]?.position ?? 0 < entries[layer][$1]?.position ?? 0
        }
        guard let oldest else { preconditionFailure("a chunk is no larger than the window") }
        entries[layer][oldest] = nil
        holes[layer].append(oldest)
      }
    }
  }

  /// The logits after one more token.
  mutating func next(_ token: Int) -> [Float] {
    let model = pack.model
    let (embedding, format) = pack.matrix(.embedding)
    var x = (0..<model.modelDimension).map {
      embedding[token][$0 / 32].value($0 % 32, format: format)
    }
    for layer in 0..<model.layers {
      let z = normalized(x, .attentionNorm, layer)
      var q = linear(.query, layer, z)
      var k = linear(.key, layer, z)
      var v = linear(.value, layer, z)
      if model.hasQueryKeyValueBias {
        q = sum(q, pack.vector(.queryBias, layer: layer))
        k = sum(k, pack.vector(.keyBias, layer: layer))
        v = sum(v, pack.vector(.valueBias, layer: layer))
      }
      store(layer, keys: heads(k), values: heads(v))
      let perGroup = model.queryHeads / model.kvHeads
      var attended: [Float] = []
      for (head, query) in heads(q).enumerated() {
        attended += attend(layer, kvHead: head / perGroup, query: query)
      }
      x = sum(x, linear(.attentionOutput, layer, attended))
      let y = normalized(x, .feedForwardNorm, layer)
      let gate = linear(.gate, layer, y)
      let up = linear(.up, layer, y)
      x = sum(x, linear(.down, layer, zip(gate, up).map { Reference.silu($0) * $1 }))
    }
    position += 1
    eviction?.turn += 1
    let z = Reference.rmsNorm(x, weight: pack.vector(.outputNorm), epsilon: model.rmsEpsilon)
    return linear(model.hasTiedOutput ? .embedding : .output, 0, z)
  }

  private func linear(_ role: MatrixRole, _ layer: Int, _ x: [Float]) -> [Float] {
    let (rows, format) = pack.matrix(role, layer: layer)
    let quantized = Reference.quantize(x)
    return rows.map { Reference.product($0, format: format, x: quantized) }
  }

  private func normalized(_ x: [Float], _ role: VectorRole, _ layer: Int) -> [Float] {
    Reference.rmsNorm(
      x, weight: pack.vector(role, layer: layer), epsilon: pack.model.rmsEpsilon)
  }

  private func sum(_ a: [Float], _ b: [Float]) -> [Float] { zip(a, b).map { $0 + $1 } }

  private func heads(_ x: [Float]) -> [[Float]] {
    let d = pack.model.headDimension
    return stride(from: 0, to: x.count, by: d).map { Array(x[$0..<$0 + d]) }
  }

  func turned(_ head: [Float], to position: Int) -> [Float] {
    let count = pack.fractions.count
    let isInterleaved = pack.model.ropePairing == .interleaved
    let angles = pack.fractions.map {
      Rotary.sineAndCosine(phase: UInt64(bitPattern: Int64(position)) &* $0)
    }
    return Reference.rope(
      head, pairs: (0..<count).map { isInterleaved ? (2 * $0, 2 * $0 + 1) : ($0, $0 + count) },
      cosines: angles.map(\.cosine), sines: angles.map(\.sine))
  }

  /// The Walsh–Hadamard rotation of int4 caches, block by block.
  func rotated(_ head: [Float]) -> [Float] {
    let memory = buffer(head)
    WalshHadamard.transform(
      memory, blockLength: WalshHadamard.blockLength(headDimension: head.count))
    return array(memory)
  }

  /// Keeps the token; where no slot is new, in place of the one that was dropped first.
  private mutating func store(_ layer: Int, keys: [[Float]], values: [[Float]]) {
    let turn = eviction?.turn ?? position
    let entry = Entry(
      position: position,
      keys: keys.map { key in
        var key = key
        if pack.model.hasQueryKeyNorm { key = normalized(key, .keyNorm, layer) }
        key = turned(key, to: turn)
        return Reference.cached(keysAreInt4 ? rotated(key) : key, isInt4: keysAreInt4)
      },
      values: values.map {
        Reference.cached(valuesAreInt4 ? rotated($0) : $0, isInt4: valuesAreInt4)
      })
    if eviction != nil {
      eviction?.store(layer, position: position, keys: entry.keys, values: entry.values)
      return
    }
    if entries[layer].count < slots {
      entries[layer].append(entry)
      return
    }
    entries[layer][holes[layer].removeFirst()] = entry
  }

  /// One query head over everything kept.
  private mutating func attend(_ layer: Int, kvHead: Int, query: [Float]) -> [Float] {
    let d = pack.model.headDimension
    var query = query
    if pack.model.hasQueryKeyNorm { query = normalized(query, .queryNorm, layer) }
    func prepared(_ position: Int) -> Reference.Row {
      let turned = turned(query, to: position)
      return Reference.quantize(keysAreInt4 ? rotated(turned) : turned)
    }
    if let turn = eviction?.turn {
      return attend(layer, kvHead: kvHead, prepared: prepared(turn))
    }
    // Once tokens have been dropped, the first ones see the query at its place among the kept.
    let own = prepared(position)
    let forFirst = prepared(kept(layer) - 1)
    let none = Reference.cached([Float](repeating: 0, count: d), isInt4: valuesAreInt4)
    let scores = entries[layer].map { entry in
      entry.map { entry in
        Reference.score(
          query: entry.position < 4 && isStreaming ? forFirst : own, key: entry.keys[kvHead],
          isInt4: keysAreInt4, dimensions: d)
      } ?? 0
    }
    let values = entries[layer].map { $0?.values[kvHead] ?? none }
    var total = (output: [Float](repeating: 0, count: d), top: KernelSet.emptyTop, sum: Float(0))
    for start in stride(from: 0, to: scores.count, by: RunShape.runSlots) {
      let slots = start..<min(start + RunShape.runSlots, scores.count)
      let run = Reference.softmax(
        Array(scores[slots]), isVisible: entries[layer][slots].map { $0 != nil })
      let part = Reference.weightedSum(
        run.numerators, values: Array(values[slots]), isInt4: valuesAreInt4, dimensions: d)
      Reference.merge(part: part, top: run.top, sum: run.sum, into: &total)
    }
    let output = total.output.map { $0 / total.sum }
    return valuesAreInt4 ? rotated(output) : output
  }
}
