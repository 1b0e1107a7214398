import Foundation

/// Results beside expected ones of the same cases, policies and budgets, case by case.
package struct Comparison {
  /// How far results may be off.
  package struct Limits: Equatable, Sendable {
    /// Mean accuracy of all tasks and lengths, either way.
    package var accuracy: Double
    /// Accuracy of one task that is worse, beside two standard errors of the difference.
    package var task: Double
    /// Perplexity of all tokens, either way, relative.
    package var perplexity: Double
    /// Where two policies are farther apart than this, their order must be the same.
    package var order: Double

    /// For a cache in int8, or with any part of it in int4.
    package init(isInt4: Bool) {
      accuracy = isInt4 ? 0.04 : 0.02
      task = isInt4 ? 0.05 : 0.03
      perplexity = isInt4 ? 0.05 : 0.02
      order = 0.05
    }
  }

  /// Scores of the same cases: what was found less what was expected.
  package struct Paired: Equatable, Sendable {
    /// How many cases.
    package var count: Int
    /// Mean score.
    package var own: Double
    /// Mean score that was expected.
    package var expected: Double
    /// Standard error of the mean difference.
    package var standardError: Double

    /// Mean difference.
    package var difference: Double { own - expected }

    /// Pairs of own and expected score.
    init(_ pairs: [(own: Double, expected: Double)]) {
      count = pairs.count
      let size = Double(max(count, 1))
      own = pairs.reduce(0) { $0 + $1.own } / size
      expected = pairs.reduce(0) { $0 + $1.expected } / size
      let mean = own - expected
      let squares = pairs.reduce(0) { sum, pair in
        let off = pair.own - pair.expected - mean
        return sum + off * off
      }
      standardError = count > 1 ? (squares / (size - 1) / size).squareRoot() : 0
    }
  }

  /// One configuration of the cache.
  package struct Row: Equatable, Sendable {
    /// The configuration.
    package var cache: CachePolicy
    /// All tasks that are scored, together; `nil` where there is none.
    package var all: Paired?
    /// The share of replies that are the expected ones to the letter.
    package var sameReplies: Double
    /// Each task by itself.
    package var tasks: [(kind: TaskKind, scores: Paired)]
    /// Perplexity of all streams, as a multiple of the expected one; `nil` where there is none.
    package var perplexityRatio: Double?

    package static func == (one: Row, other: Row) -> Bool {
      one.cache == other.cache && one.all == other.all && one.sameReplies == other.sameReplies
        && one.perplexityRatio == other.perplexityRatio
        && one.tasks.elementsEqual(other.tasks) { $0 == $1 }
    }
  }

  /// A row for each configuration, in the order they come.
  package let rows: [Row]

  /// Results without an expected one.
  package let unknown: Int

  private let limits: Limits

  /// Pairs results with expected ones by case, policy and budget.
  package init(_ results: [CaseResult], expected: [CaseResult], limits: Limits) {
    struct Key: Hashable {
      var id: String
      var cache: CachePolicy
    }
    let known = Dictionary(expected.map { (Key(id: $0.id, cache: $0.cache), $0) }) { $1 }
    var order: [CachePolicy] = []
    var pairs: [CachePolicy: [(CaseResult, CaseResult)]] = [:]
    var unknown = 0
    for result in results {
      guard let other = known[Key(id: result.id, cache: result.cache)] else {
        unknown += 1
        continue
      }
      if pairs[result.cache] == nil { order.append(result.cache) }
      pairs[result.cache, default: []].append((result, other))
    }
    rows = order.map { Self.row($0, pairs[$0, default: []]) }
    self.unknown = unknown
    self.limits = limits
  }

  private static func row(_ cache: CachePolicy, _ pairs: [(CaseResult, CaseResult)]) -> Row {
    var scores: [TaskKind: [(own: Double, expected: Double)]] = [:]
    var order: [TaskKind] = []
    var (same, nll, expectedNLL, tokens) = (0, 0.0, 0.0, 0)
    for (own, other) in pairs {
      switch (own.finding, other.finding) {
      case (.reply(let score, let output), .reply(let expected, let expectedOutput)):
        let task = own.group.task
        if scores[task] == nil { order.append(task) }
        scores[task, default: []].append((score, expected))
        if output == expectedOutput { same += 1 }
      case (.stream(let one, let count, _, _), .stream(let two, _, _, _)):
        nll += one
        expectedNLL += two
        tokens += count
      default: break
      }
    }
    let all = order.flatMap { scores[$0, default: []] }
    return Row(
      cache: cache, all: all.isEmpty ? nil : Paired(all),
      sameReplies: Double(same) / Double(max(all.count, 1)),
      tasks: order.map { ($0, Paired(scores[$0, default: []])) },
      perplexityRatio: tokens == 0 ? nil : exp((nll - expectedNLL) / Double(tokens)))
  }

  // MARK: Verdict

  /// What is beyond the limits, a sentence each; empty: the results are as good as expected.
  package var defects: [String] { rows.flatMap(defects) + orderDefects }

  private func defects(of row: Row) -> [String] {
    var defects: [String] = []
    let label = row.cache.label
    if let all = row.all, Self.isBeyond(all.difference, limits.accuracy) {
      defects.append(
        "\(label): mean accuracy is off by \(Self.points(all)) points; the limit is "
          + Self.number(100 * limits.accuracy))
    }
    for (kind, scores) in row.tasks
    where scores.difference < 0
      && Self.isBeyond(scores.difference, limits.task + 2 * scores.standardError)
    {
      defects.append(
        "\(label): \(kind.rawValue) is worse by \(Self.points(scores)) points; the limit is "
          + "\(Self.number(100 * limits.task)) and two standard errors")
    }
    if let ratio = row.perplexityRatio, Self.isBeyond(ratio - 1, limits.perplexity) {
      defects.append(
        "\(label): perplexity is off by \(Self.percent(ratio)); the limit is "
          + "\(Self.number(100 * limits.perplexity)) %")
    }
    return defects
  }

  /// Whether a difference is larger than a limit, which means of fractions may reach but for their
  /// rounding.
  private static func isBeyond(_ difference: Double, _ limit: Double) -> Bool {
    abs(difference) > limit + 1e-9
  }

  /// Policies of the same budget that are clearly apart, but here the other way round.
  private var orderDefects: [String] {
    var defects: [String] = []
    for better in rows {
      for worse in rows where worse.cache.budget == better.cache.budget {
        guard let one = better.all, let other = worse.all,
          one.expected - other.expected > limits.order, one.own <= other.own
        else { continue }
        defects.append(
          "\(better.cache.label) should be better than \(worse.cache.label) by "
            + "\(Self.number(100 * (one.expected - other.expected))) points and is worse by "
            + Self.number(100 * (other.own - one.own)))
      }
    }
    return defects
  }

  // MARK: Text

  /// A row per configuration as Markdown, then what is beyond the limits.
  package var text: String {
    var text = "Accuracy in per cent, all tasks and lengths together; differences in points, with "
    text += "their standard errors; perplexity less the expected one.\n\n"
    let head = [
      "policy", "budget", "cases", "accuracy", "expected", "difference", "same replies",
      "worst task", "perplexity",
    ]
    var lines = [head, ["---", "---"] + head.dropFirst(2).map { _ in "---:" }]
    for row in rows { lines.append(cells(row)) }
    text += lines.map { "| " + $0.joined(separator: " | ") + " |\n" }.joined()
    let defects = defects
    text += defects.isEmpty ? "\nEverything is within the limits.\n" : "\nBeyond the limits:\n"
    for defect in defects { text += "- \(defect)\n" }
    if unknown > 0 { text += "\n\(unknown) results have no expected ones.\n" }
    return text
  }

  private func cells(_ row: Row) -> [String] {
    let budget = row.cache.budget == 0 ? "-" : String(row.cache.budget)
    var cells = [row.cache.name, budget]
    if let all = row.all {
      cells += [
        String(all.count), Self.number(100 * all.own), Self.number(100 * all.expected),
        Self.points(all), String(format: "%.0f %%", 100 * row.sameReplies),
      ]
    } else {
      cells += ["0", "-", "-", "-", "-"]
    }
    let worst = row.tasks.min { $0.scores.difference < $1.scores.difference }
    cells.append(worst.map { "\($0.kind.rawValue) \(Self.points($0.scores))" } ?? "-")
    cells.append(row.perplexityRatio.map(Self.percent) ?? "-")
    return cells
  }

  private static func number(_ value: Double) -> String { String(format: "%.1f", value) }

  private static func points(_ scores: Paired) -> String {
    String(format: "%+.1f ± %.1f", 100 * scores.difference, 100 * scores.standardError)
  }

  private static func percent(_ ratio: Double) -> String {
    String(format: "%+.1f %%", 100 * (ratio - 1))
  }
}
