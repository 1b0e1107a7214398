package import Foundation

/// Results of cases in a file of one JSON object per line, as `--cases` writes them.
package enum ResultFile {
  /// The members of a line that tell anything a task set does not.
  private struct Line: Decodable {
    var id: String
    var policy: String
    var budget: Int
    var peak: Int
    var score: Double?
    var output: String?
    var nll: Double?
    var tokens: Int?
    var answerNLL: Double?
    var answerTokens: Int?

    enum CodingKeys: String, CodingKey {
      case id, policy, budget, peak, score, output, nll, tokens
      case answerNLL = "answer_nll"
      case answerTokens = "answer_tokens"
    }

    /// What was found; `nil` where members are missing.
    var finding: CaseResult.Finding? {
      if let score, let output { return .reply(score: score, output: output) }
      guard let nll, let tokens, let answerNLL, let answerTokens else { return nil }
      return .stream(
        nll: nll, tokens: tokens, answerNLL: answerNLL, answerTokens: answerTokens)
    }
  }

  /// Reads the results of `cases` in a file; those of other cases are left out.
  package static func read(
    path: String, cases: [TaskCase]
  ) throws(EvaluationError) -> [CaseResult] {
    guard FileManager.default.fileExists(atPath: path) else { throw .missing(path) }
    guard let data = FileManager.default.contents(atPath: path) else { throw .unreadable(path) }
    return try parse(data, name: path, cases: cases)
  }

  /// The results of `cases` in a file's bytes; a line that is no result is named.
  package static func parse(
    _ data: Data, name: String, cases: [TaskCase]
  ) throws(EvaluationError) -> [CaseResult] {
    let known = Dictionary(cases.map { ($0.id, $0) }) { first, _ in first }
    let decoder = JSONDecoder()
    var results: [CaseResult] = []
    for (index, bytes) in data.split(separator: 10, omittingEmptySubsequences: false).enumerated()
    where !bytes.isEmpty {
      guard let line = try? decoder.decode(Line.self, from: Data(bytes)),
        let finding = line.finding
      else {
        throw .badCase(file: name, line: index + 1, reason: "not a result of a case")
      }
      guard let one = known[line.id] else { continue }
      guard finding.isStream == one.task.isStream else {
        throw .badCase(
          file: name, line: index + 1, reason: "\(line.id) is another kind of task in the set")
      }
      results.append(
        CaseResult(
          id: line.id, group: CaseGroup(task: one.task, length: one.length), depth: one.depth,
          cache: CachePolicy(name: line.policy, budget: line.budget), peakSlots: line.peak,
          finding: finding))
    }
    return results
  }
}
