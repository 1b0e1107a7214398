/// What came of one case under one configuration of the cache.
package struct CaseResult: Equatable, Sendable {
  /// The case.
  package var id: String
  /// Task and length of the case.
  package var group: CaseGroup
  /// Where the asked fact stands, in per cent; `nil` where there is none.
  package var depth: Int?
  /// The cache.
  package var cache: CachePolicy
  /// Most slots that were ever taken.
  package var peakSlots: Int
  /// What was found.
  package var finding: Finding
  /// KL to the full cache summed over `comparedTokens` distributions, in nats.
  package var divergence: Double
  /// Distributions that were compared with those of the full cache.
  package var comparedTokens: Int

  /// Joins everything.
  package init(
    id: String, group: CaseGroup, depth: Int?, cache: CachePolicy, peakSlots: Int,
    finding: Finding, divergence: Double = 0, comparedTokens: Int = 0
  ) {
    self.id = id
    self.group = group
    self.depth = depth
    self.cache = cache
    self.peakSlots = peakSlots
    self.finding = finding
    self.divergence = divergence
    self.comparedTokens = comparedTokens
  }

  /// The outcome of a reply, or of a stream.
  package enum Finding: Equatable, Sendable {
    /// The reply and its score from 0 to 1.
    case reply(score: Double, output: String)
    /// Negative log likelihood in nats over all tokens but the first, and over those of answers.
    case stream(nll: Double, tokens: Int, answerNLL: Double, answerTokens: Int)

    /// Whether a stream was read.
    var isStream: Bool {
      if case .stream = self { true } else { false }
    }
  }

  /// One line of JSON without a line feed.
  package var json: String {
    var line = JSONLine()
    line.add("id", id)
    line.add("policy", cache.name)
    line.add("budget", cache.budget)
    switch finding {
    case .reply(let score, let output):
      line.add("score", score, decimals: 5)
      line.add("output", output)
    case .stream(let nll, let tokens, let answerNLL, let answerTokens):
      line.add("nll", nll, decimals: 4)
      line.add("tokens", tokens)
      line.add("answer_nll", answerNLL, decimals: 4)
      line.add("answer_tokens", answerTokens)
    }
    line.add("peak", peakSlots)
    return line.text
  }
}
