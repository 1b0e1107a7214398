import Foundation

/// What the cases of one task and length add up to under one configuration of the cache.
package struct Summary: Equatable, Sendable {
  /// Task and length.
  package var group: CaseGroup
  /// The cache.
  package var cache: CachePolicy
  /// How many cases.
  package var cases: Int
  /// Most slots that any of them took.
  package var peakSlots: Int
  /// How good.
  package var quality: Quality
  /// Mean KL divergence to the full cache in nats; `nil` where nothing was compared.
  package var divergence: Double?

  /// Accuracy of replies, or perplexity of streams.
  package enum Quality: Equatable, Sendable {
    /// Mean score, 0 to 1.
    case accuracy(Double)
    /// Of all tokens but the first, and of those of answers.
    case perplexity(Double, answers: Double)
  }

  /// Groups results in the order they come.
  package static func all(of results: [CaseResult]) -> [Summary] {
    struct Key: Hashable {
      var group: CaseGroup
      var cache: CachePolicy
    }
    var order: [Key] = []
    var members: [Key: [CaseResult]] = [:]
    for result in results {
      let key = Key(group: result.group, cache: result.cache)
      if members[key] == nil { order.append(key) }
      members[key, default: []].append(result)
    }
    return order.map { Summary($0.group, $0.cache, members[$0, default: []]) }
  }

  private init(_ group: CaseGroup, _ cache: CachePolicy, _ results: [CaseResult]) {
    self.group = group
    self.cache = cache
    cases = results.count
    peakSlots = results.map(\.peakSlots).max() ?? 0
    quality = Self.quality(results)
    let compared = results.reduce(0) { $0 + $1.comparedTokens }
    divergence = compared == 0 ? nil : results.reduce(0) { $0 + $1.divergence } / Double(compared)
    if cache == .full { divergence = 0 }
  }

  private static func quality(_ results: [CaseResult]) -> Quality {
    var (score, nll, tokens, answerNLL, answerTokens) = (0.0, 0.0, 0, 0.0, 0)
    for result in results {
      switch result.finding {
      case .reply(let one, _): score += one
      case .stream(let one, let count, let answerOne, let answerCount):
        nll += one
        tokens += count
        answerNLL += answerOne
        answerTokens += answerCount
      }
    }
    if tokens == 0 { return .accuracy(score / Double(results.count)) }
    return .perplexity(
      exp(nll / Double(tokens)), answers: exp(answerNLL / Double(max(answerTokens, 1))))
  }

  /// One line of JSON without a line feed.
  package var json: String {
    var line = JSONLine()
    line.add("task", group.task.rawValue)
    line.add("length", group.length)
    line.add("policy", cache.name)
    line.add("budget", cache.budget)
    line.add("cases", cases)
    line.add("peak", peakSlots)
    switch quality {
    case .accuracy(let share): line.add("accuracy", share, decimals: 5)
    case .perplexity(let all, let answers):
      line.add("ppl", all, decimals: 5)
      line.add("answer_ppl", answers, decimals: 5)
    }
    if let divergence { line.add("kl", divergence, decimals: 6) }
    return line.text
  }
}
