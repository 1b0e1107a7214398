import Inference
import Kernels
import Memory
import TestSupport
import Testing
import Units

/// The obvious sampler: arrays, a full sort, one step after the other in llama.cpp's order.
private struct SlowSampler {
  let settings: SamplerSettings
  var history: [Int] = []
  var random: UInt64

  init(_ settings: SamplerSettings) {
    self.settings = settings
    random = settings.seed
  }

  /// SplitMix64 as published; the top 24 bits as a fraction.
  mutating func uniform() -> Float {
    random &+= 0x9E37_79B9_7F4A_7C15
    var z = random
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    z = z ^ (z >> 31)
    return Float(z >> 40) / 16_777_216
  }

  mutating func next(_ given: [Float]) -> Int {
    var logits = given
    for token in Set(history.suffix(64)) where settings.repeatPenalty != 1 {
      if logits[token] > 0 {
        logits[token] /= settings.repeatPenalty
      } else {
        logits[token] *= settings.repeatPenalty
      }
    }
    var kept = logits.indices.sorted { (logits[$1], $0) < (logits[$0], $1) }
    guard settings.temperature > 0 else { return kept[0] }
    if settings.topK > 0 { kept = Array(kept.prefix(settings.topK)) }
    let top = logits[kept[0]]
    let likelihoods = kept.map { Reference.exponential(logits[$0] - top) }
    var count = kept.count
    if settings.topP < 1 {
      let total = likelihoods.reduce(0, +)
      var sum: Float = 0
      count = 0
      while count < kept.count {
        sum += likelihoods[count]
        count += 1
        if sum >= settings.topP * total { break }
      }
    }
    kept = Array(kept.prefix(count)).enumerated().filter {
      $0.offset == 0 || likelihoods[$0.offset] >= settings.minP
    }.map(\.element)
    let weights = kept.map { Reference.exponential((logits[$0] - top) / settings.temperature) }
    var rest = uniform() * weights.reduce(0, +)
    for (token, weight) in zip(kept, weights) {
      rest -= weight
      if rest < 0 { return token }
    }
    return kept[0]
  }
}

@Suite struct SamplerTests {
  private func sampler(_ settings: SamplerSettings, vocabulary: Int) -> Sampler {
    var real = RealArena(byteCount: 1 << 20)
    real.arena.begin(.sampler)
    return Sampler(settings, vocabulary: vocabulary, in: &real.arena)
  }

  @Test func equalsTheSlowSampler() {
    var random = Random(seed: 1)
    for round in 0..<300 {
      var settings = SamplerSettings()
      settings.temperature = [0, 0.1, 0.7, 1, 3][random.below(5)]
      settings.topK = [0, 1, 2, 5, 40, 1000][random.below(6)]
      settings.topP = [0, 0.1, 0.5, 0.95, 1][random.below(5)]
      settings.minP = [0, 0.05, 0.5, 1][random.below(4)]
      settings.repeatPenalty = [1, 1.1, 2, 0.5][random.below(4)]
      settings.seed = random.next()
      let vocabulary = [1, 2, 3, 17, 64, 200][round % 6]
      var fast = sampler(settings, vocabulary: vocabulary)
      var slow = SlowSampler(settings)
      // Few distinct values, so that there are ties.
      let levels = [2, 5, 1000][random.below(3)]
      for _ in 0..<8 {
        let logits = (0..<vocabulary).map { _ in
          Float(random.below(levels) - levels / 2) * (levels == 1000 ? 0.01 : 1.5)
        }
        #expect(fast.next(buffer(logits), kernels: bestKernels) == slow.next(logits))
        for _ in 0..<random.below(30) {
          let token = random.below(vocabulary)
          fast.observe(token)
          slow.history.append(token)
        }
      }
    }
  }

  @Test func greedyTakesTheLowestOfEqualIds() {
    #expect(Sampler.likeliest(buffer([1, 3, 2, 3] as [Float])) == 1)
    #expect(Sampler.likeliest(buffer([-1, -1] as [Float])) == 0)
    #expect(Sampler.likeliest(buffer([-0.0, 0.0] as [Float])) == 0)
    #expect(Sampler.likeliest(buffer([7] as [Float])) == 0)
  }

  @Test func penaltiesLookBackSixtyFourTokens() {
    var settings = SamplerSettings()
    settings.repeatPenalty = 4
    var sampler = sampler(settings, vocabulary: 3)
    // Once or often: a token is penalized once; a negative logit sinks too.
    for _ in 0..<3 { sampler.observe(0) }
    let logits = buffer([8, 3, -1] as [Float])
    #expect(sampler.next(logits, kernels: bestKernels) == 1)
    #expect(array(logits) == [2, 3, -1])
    sampler.observe(2)
    #expect(sampler.next(buffer([-9, -5, -1] as [Float]), kernels: bestKernels) == 2)
    #expect(sampler.next(buffer([-9, -3, -1] as [Float]), kernels: bestKernels) == 1)
    // Token 0 was last seen 64 tokens ago, then 65.
    for _ in 0..<62 { sampler.observe(2) }
    #expect(sampler.next(buffer([8, 3, -9] as [Float]), kernels: bestKernels) == 1)
    for _ in 0..<3 { sampler.observe(2) }
    #expect(sampler.next(buffer([8, 3, -9] as [Float]), kernels: bestKernels) == 0)
  }

  @Test func randomNumbersArePublishedOnes() {
    // SplitMix64 from seed 0: e220a839…, 6e789e6a…, 06c45d18…, f88bb8a8…, 1b39896a…
    var settings = SamplerSettings()
    settings.temperature = 1
    settings.topK = 0
    settings.topP = 1
    settings.minP = 0
    var sampler = sampler(settings, vocabulary: 16)
    let logits = [Float](repeating: 0.5, count: 16)
    let drawn = (0..<5).map { _ in sampler.next(buffer(logits), kernels: bestKernels) }
    #expect(drawn == [0xE, 0x6, 0x0, 0xF, 0x1])
  }

  @Test func drawsFollowTheProbabilities() {
    var settings = SamplerSettings()
    settings.temperature = 1
    settings.topK = 0
    settings.topP = 1
    settings.minP = 0
    settings.seed = 42
    var sampler = sampler(settings, vocabulary: 4)
    // Weights 1 : 2 : 4 : 8, up to rounding.
    let logits = buffer([0, 0.6931472, 1.3862944, 2.0794415] as [Float])
    var counts = [0, 0, 0, 0]
    for _ in 0..<15_000 { counts[sampler.next(logits, kernels: bestKernels)] += 1 }
    for (token, count) in counts.enumerated() {
      #expect(abs(count - 1000 << token) < 200, "\(counts)")
    }
  }

  @Test func seedsDecide() {
    func draws(_ seed: UInt64) -> [Int] {
      var settings = SamplerSettings()
      settings.temperature = 1
      settings.seed = seed
      var sampler = sampler(settings, vocabulary: 30)
      let logits = (0..<30).map { Float($0 % 7) / 3 }
      return (0..<40).map { _ in sampler.next(buffer(logits), kernels: bestKernels) }
    }
    #expect(draws(5) == draws(5))
    #expect(draws(5) != draws(6))
  }
}
