import Commands
import Inference
import Kernels
import ModelFormat
import Platform
import Profiles
import Quantization
import TestSupport
import Testing
import Units

/// A model, its formats, and a run of it.
struct ForwardCase: Sendable, CustomTestStringConvertible {
  var name: String
  var architecture = Architecture.llama
  var modelDimension = 64
  var queryHeads = 4
  var kvHeads = 2
  var headDimension = 16
  var rotatedDimensions = 16
  var feedForwardDimension = 96
  var pairing = RopePairing.interleaved
  var isTied = true
  var hasBias = false
  var hasNorms = false
  var weights: [WeightFormat] = [.int8]
  var keys = CacheFormat.int8
  var values = CacheFormat.int8

  var testDescription: String { name }

  var model: Hyperparameters {
    Hyperparameters(
      architecture: architecture, layers: 2, modelDimension: modelDimension,
      queryHeads: queryHeads, kvHeads: kvHeads, headDimension: headDimension,
      feedForwardDimension: feedForwardDimension, vocabulary: 53, trainedContext: 128,
      rotatedDimensions: rotatedDimensions, ropePairing: pairing, rmsEpsilon: 1e-5,
      hasTiedOutput: isTied, hasQueryKeyValueBias: hasBias, hasQueryKeyNorm: hasNorms)
  }

  static let all = [
    ForwardCase(name: "llama, int8, KV int8"),
    ForwardCase(
      name: "llama, ragged, untied, int4, KV int4", modelDimension: 40, queryHeads: 6,
      headDimension: 10, rotatedDimensions: 8, feedForwardDimension: 172, isTied: false,
      weights: [.int4], keys: .int4, values: .int4),
    ForwardCase(
      name: "llama, one KV head, all formats, KV int8,int4", queryHeads: 8, kvHeads: 1,
      headDimension: 8, rotatedDimensions: 8, feedForwardDimension: 33,
      weights: [.int8, .int4, .int4Asymmetric], values: .int4),
    ForwardCase(
      name: "qwen2, biases, KV int4,int8", architecture: .qwen2, queryHeads: 2, kvHeads: 2,
      headDimension: 48, rotatedDimensions: 48, pairing: .split, isTied: false, hasBias: true,
      weights: [.int4Asymmetric, .int8], keys: .int4),
    ForwardCase(
      name: "qwen3, norms, wide heads, KV int8,int4", architecture: .qwen3, modelDimension: 32,
      queryHeads: 3, kvHeads: 1, headDimension: 80, rotatedDimensions: 80, pairing: .split,
      hasNorms: true, weights: [.int4, .int8], values: .int4),
    ForwardCase(
      name: "qwen3, norms and biases, KV int4", architecture: .qwen3, kvHeads: 4, pairing: .split,
      hasBias: true, hasNorms: true, keys: .int4, values: .int4),
  ]
}

/// How the same tokens are cut into tiles and shared by threads.
private struct Cut {
  let tile: Int
  let threads: Int
  let isPortable: Bool
  var isLastRowOnly = false

  static let all = [
    Cut(tile: 1, threads: 1, isPortable: true), Cut(tile: 7, threads: 1, isPortable: false),
    Cut(tile: 64, threads: 1, isPortable: true), Cut(tile: 1, threads: 3, isPortable: false),
    Cut(tile: 7, threads: 2, isPortable: false, isLastRowOnly: true),
    Cut(tile: 64, threads: 3, isPortable: false),
    Cut(tile: 7, threads: 4, isPortable: true), Cut(tile: 64, threads: 4, isPortable: false),
    Cut(tile: 64, threads: 1, isPortable: true, isLastRowOnly: true),
  ]
}

@Suite struct ForwardTests {
  private func profile(_ run: ForwardCase, slots: Int, policy: PolicyChoice) -> Profile {
    var profile = Profile(budgetBytes: 1 << 30)
    profile.contextTokens = slots
    profile.policy = policy
    profile.keyFormat = run.keys
    profile.valueFormat = run.values
    return profile
  }

  /// Reads all but the last 9 tokens in chunks, those one by one.
  private func check(_ run: ForwardCase, _ profile: Profile, tokenCount: Int) throws {
    let pack = try TinyPack(run.model, formats: run.weights, seed: 7)
    var random = Random(seed: 8)
    let tokens = (0..<tokenCount).map { _ in random.below(run.model.vocabulary) }
    var slow = SlowModel(pack, profile)
    let chunk = profile.policyChunk > 0 ? profile.policyChunk : max(profile.contextTokens / 4, 1)
    var expected: [[Float]] = []
    while expected.count < tokenCount {
      let left = tokenCount - 9 - expected.count
      let count = left > 0 && profile.policy == .streaming ? min(chunk, left) : 1
      slow.makeRoom(for: count)
      for token in tokens[expected.count..<expected.count + count] {
        expected.append(slow.next(token))
      }
    }
    #expect(expected.allSatisfy { $0.allSatisfy(\.isFinite) })
    #expect(Set(expected.map(likeliest)).count > 3)
    for cut in Cut.all {
      var profile = profile
      profile.tileTokens = cut.tile
      profile.threads = cut.threads
      let kernels = cut.isPortable ? KernelSet(.portable) : bestKernels
      let session = pack.session(profile, kernels: kernels, pool: try workers(cut.threads))
      let rows = try session.read(tokens, lastRowOnly: cut.isLastRowOnly) {
        max(tokenCount - 9 - $0, 1)
      }
      for (token, row) in rows.enumerated() where !row.isEmpty {
        #expect(
          sameBits(row, expected[token]),
          "token \(token), tile \(cut.tile), \(cut.threads) threads")
      }
    }
  }

  @Test(arguments: ForwardCase.all)
  func fullContextsEqualTheSlowModel(run: ForwardCase) throws {
    try check(run, profile(run, slots: 45, policy: .full), tokenCount: 45)
  }

  @Test(arguments: ForwardCase.all, [(5, 0), (37, 0), (37, 1), (37, 18)])
  func streamingEqualsTheListOfKeptTokens(
    run: ForwardCase, numbers: (slots: Int, chunk: Int)
  ) throws {
    var profile = profile(run, slots: numbers.slots, policy: .streaming)
    profile.policyChunk = numbers.chunk
    try check(run, profile, tokenCount: numbers.slots + 50)
  }

  /// Three runs of slots, overwritten twice: chunks meet every border of a run.
  ///
  /// What one token at a time gives is compared with the slow model above.
  @Test(arguments: [0, 2])
  func chunksThatOverwriteRunsAreTheSameForAnyCut(model: Int) throws {
    let run = ForwardCase.all[model]
    let pack = try TinyPack(run.model, formats: run.weights, seed: 7)
    var random = Random(seed: 9)
    let tokens = (0..<1130).map { _ in random.below(run.model.vocabulary) }
    var expected: [[Float]] = []
    for cut in Cut.all where !cut.isLastRowOnly {
      var profile = profile(run, slots: 530, policy: .streaming)
      profile.tileTokens = cut.tile
      profile.threads = cut.threads
      let session = pack.session(
        profile, kernels: cut.isPortable ? KernelSet(.portable) : bestKernels,
        pool: try workers(cut.threads))
      let rows = try session.read(tokens) { tokens.count - $0 }
      if expected.isEmpty { expected = rows }
      let same = zip(rows, expected).prefix { sameBits($0, $1) }.count
      #expect(same == tokens.count, "tile \(cut.tile), \(cut.threads) threads")
    }
  }

  /// The clock of this test gives each set its own speed; the highest comes first.
  @Test func theFastestKernelsAreFoundAndLeaveNothingBehind() throws {
    let available = InstructionSets.ofThisProcessor(
      hwcap: UInt64(Linux.processorFeatures.first), hwcap2: UInt64(Linux.processorFeatures.second))
    let run = ForwardCase.all[1]
    let pack = try TinyPack(run.model, formats: run.weights, seed: 7)
    var profile = profile(run, slots: 45, policy: .full)
    profile.threads = 1
    let session = pack.session(profile, kernels: bestKernels, pool: .single)
    let all = InstructionSet.highestFirst.indices.map { InstructionSet.highestFirst[$0] }
      .filter { available.contains($0) && $0.isBuilt }
    for wanted in all.indices {
      // Two readings for each of 2 products, set after set, in 5 rounds. Something disturbs the
      // machine for three of them.
      var readings = 0
      var time: UInt64 = 0
      let fastest = session.fastestKernels(among: available) {
        let (round, set) = (readings / 4 / all.count, readings / 4 % all.count)
        if readings % 2 == 1 { time += (set == wanted ? 100 : 200) + (round < 3 ? 1_000 : 0) }
        readings += 1
        return time
      }
      #expect(fastest == all[wanted])
      #expect(readings == 4 * 5 * all.count)
    }
    session.tile[0] = 1
    #expect(session.makeRoom(for: 1) == 1)
    #expect(session.prefill(start: 0, count: 1) && session.project(row: 0))
    var slow = SlowModel(pack, profile)
    #expect(sameBits(array(session.logits), slow.next(1)))
  }
}
