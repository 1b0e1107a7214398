package import Kernels
package import Memory
package import Units

/// How the next token is chosen; the names and the order of the steps are llama.cpp's.
package struct SamplerSettings: BitwiseCopyable {
  /// 0: always the likeliest token.
  package var temperature: Float = 0
  /// Sample among this many of the likeliest; 0: among all.
  package var topK = 40
  /// Sample among the likeliest whose probabilities reach this sum.
  package var topP: Float = 0.95
  /// Drop tokens that are less likely than this times the likeliest.
  package var minP: Float = 0.05
  /// Divides positive and multiplies negative logits of recent tokens; 1: off.
  package var repeatPenalty: Float = 1
  /// Seed of the random numbers.
  package var seed: UInt64 = 0

  /// Greedy.
  package init() {}
}

/// Chooses tokens from logits, in fixed memory and with the same bits everywhere.
///
/// Steps: repeat penalty over the last 64 tokens; greedy ends here; top-k, top-p, min-p, each on
/// what the one before left; temperature; one random number. Of equal logits the lower id wins.
package struct Sampler: BitwiseCopyable {
  /// The settings.
  package let settings: SamplerSettings

  private let candidates: FixedBuffer<Int32>  // [V]
  private let weights: FixedBuffer<Float>  // [V]
  private let recent: FixedBuffer<Int32>  // [64]
  private var recentCount = 0
  private var random: UInt64

  /// Tokens that the repeat penalty looks back.
  private static let recentMax = 64

  /// Takes its memory from the current region of `arena`.
  package init(_ settings: SamplerSettings, vocabulary: Int, in arena: inout Arena) {
    self.settings = settings
    candidates = arena.take(vocabulary)
    weights = arena.take(vocabulary)
    recent = arena.take(Self.recentMax)
    random = settings.seed
  }

  /// Tells the sampler a token of the stream, for the repeat penalty.
  package mutating func observe(_ token: Int) {
    recent[recentCount % Self.recentMax] = Int32(token)
    recentCount += 1
  }

  /// The next token; `logits` [vocabulary] are finite, and are changed by the repeat penalty.
  package mutating func next(_ logits: FixedBuffer<Float>, kernels: KernelSet) -> Int {
    if settings.repeatPenalty != 1 { penalize(logits) }
    guard settings.temperature > 0 else { return Self.likeliest(logits) }
    var count = sortLikeliest(logits)
    let top = logits[Int(candidates[0])]
    for index in 0..<count { weights[index] = logits[Int(candidates[index])] - top }
    let likelihoods = weights.extracting(0..<count)
    kernels.exponential(likelihoods, into: likelihoods)
    count = keptByTopP(count)
    while count > 1 && weights[count - 1] < settings.minP { count -= 1 }

    for index in 0..<count {
      weights[index] = (logits[Int(candidates[index])] - top) / settings.temperature
    }
    let tempered = weights.extracting(0..<count)
    kernels.exponential(tempered, into: tempered)
    var total: Float = 0
    for index in 0..<count { total += weights[index] }
    var rest = uniform() * total
    for index in 0..<count {
      rest -= weights[index]
      if rest < 0 { return Int(candidates[index]) }
    }
    return Int(candidates[0])
  }

  /// The largest logit's index; of equal ones the lowest.
  package static func likeliest(_ logits: FixedBuffer<Float>) -> Int {
    var best = 0
    for index in 1..<logits.count where logits[index] > logits[best] { best = index }
    return best
  }

  private func penalize(_ logits: FixedBuffer<Float>) {
    let count = min(recentCount, Self.recentMax)
    for index in 0..<count {
      var isRepeated = false
      for earlier in 0..<index where recent[earlier] == recent[index] { isRepeated = true }
      let token = Int(recent[index])
      if isRepeated || token >= logits.count { continue }
      let logit = logits[token]
      logits[token] =
        logit > 0 ? logit / settings.repeatPenalty : logit * settings.repeatPenalty
    }
  }

  /// Puts the ids of the top-k logits at the front of `candidates`, likeliest first.
  ///
  /// A heap over all ids, from which the k likeliest are taken: O(V + k log V).
  private func sortLikeliest(_ logits: FixedBuffer<Float>) -> Int {
    let count = logits.count
    let wanted = settings.topK == 0 ? count : min(settings.topK, count)
    for index in 0..<count { candidates[index] = Int32(index) }
    var parent = count / 2
    while parent > 0 {
      parent -= 1
      sink(parent, in: count, logits)
    }
    for taken in 0..<wanted {
      let last = count - 1 - taken
      let top = candidates[0]
      candidates[0] = candidates[last]
      candidates[last] = top
      sink(0, in: last, logits)
    }
    // The likeliest stand at the end, in rising order: turn the whole row round.
    for index in 0..<count / 2 {
      let other = count - 1 - index
      let id = candidates[index]
      candidates[index] = candidates[other]
      candidates[other] = id
    }
    return wanted
  }

  private func sink(_ start: Int, in count: Int, _ logits: FixedBuffer<Float>) {
    var parent = start
    while true {
      var child = 2 * parent + 1
      if child >= count { return }
      if child + 1 < count && precedes(child + 1, child, logits) { child += 1 }
      if !precedes(child, parent, logits) { return }
      let id = candidates[parent]
      candidates[parent] = candidates[child]
      candidates[child] = id
      parent = child
    }
  }

  private func precedes(_ one: Int, _ other: Int, _ logits: FixedBuffer<Float>) -> Bool {
    let (a, b) = (candidates[one], candidates[other])
    let (x, y) = (logits[Int(a)], logits[Int(b)])
    return x > y || (x == y && a < b)
  }

  /// How many of the first `count` candidates top-p keeps.
  private func keptByTopP(_ count: Int) -> Int {
    guard settings.topP < 1 else { return count }
    var total: Float = 0
    for index in 0..<count { total += weights[index] }
    var sum: Float = 0
    for index in 0..<count {
      sum += weights[index]
      if sum >= settings.topP * total { return index + 1 }
    }
    return count
  }

  /// A number in 0..<1 of 24 random bits.
  ///
  /// Source: SplitMix64, Steele et al., Fast Splittable Pseudorandom Number Generators, figure 14.
  private mutating func uniform() -> Float {
    random &+= 0x9E37_79B9_7F4A_7C15
    var bits = random
    bits = (bits ^ bits &>> 30) &* 0xBF58_476D_1CE4_E5B9
    bits = (bits ^ bits &>> 27) &* 0x94D0_49BB_1331_11EB
    bits ^= bits &>> 31
    return Float(bits &>> 40) / 16_777_216
  }
}
