import Evaluation
import Foundation
import Testing

@Suite struct ReportTests {
  private static let stream = CaseResult(
    id: "ppl-512-1", group: CaseGroup(task: .ppl, length: 512), depth: nil,
    cache: CachePolicy(name: "streaming", budget: 128), peakSlots: 128,
    finding: .stream(nll: 209.56447, tokens: 238, answerNLL: 0.85294, answerTokens: 23),
    divergence: 23.8, comparedTokens: 238)

  private static let results = [
    reply(.needle, depth: 0, "full", 0, score: 1, peak: 253),
    reply(.needle, depth: 50, "full", 0, score: 1, peak: 251),
    reply(.needle, depth: 0, "streaming", 128, score: 0, divergence: 1.5, compared: 2),
    reply(.needle, depth: 50, "streaming", 128, score: 1, peak: 128, divergence: 0.5, compared: 3),
    stream,
  ]

  @Test func aCaseIsOneLine() {
    #expect(
      Self.results[0].json
        == #"{"id": "needle-256", "policy": "full", "budget": 0, "score": 1.0, "#
        + #""output": " \"a\"", "peak": 253}"#)
    #expect(
      Self.stream.json
        == #"{"id": "ppl-512-1", "policy": "streaming", "budget": 128, "nll": 209.5645, "#
        + #""tokens": 238, "answer_nll": 0.8529, "answer_tokens": 23, "peak": 128}"#)
  }

  @Test func outputsAreEscaped() throws {
    var result = Self.results[0]
    let text = "a\\b\n\t\r\u{1B}é😀\u{2028}"
    result.finding = .reply(score: 0.33333333, output: text)
    let json = result.json
    #expect(json.utf8.allSatisfy { $0 >= 32 && $0 < 127 })
    #expect(json.contains(#""score": 0.33333,"#))
    let parsed = try JSONSerialization.jsonObject(with: Data(json.utf8)) as? [String: Any]
    #expect(parsed?["output"] as? String == text)
  }

  @Test func aSummaryIsOneLine() {
    let lines = Summary.all(of: Self.results).map(\.json)
    #expect(
      lines == [
        #"{"task": "needle", "length": 256, "policy": "full", "budget": 0, "cases": 2, "#
          + #""peak": 253, "accuracy": 1.0, "kl": 0.0}"#,
        #"{"task": "needle", "length": 256, "policy": "streaming", "budget": 128, "cases": 2, "#
          + #""peak": 128, "accuracy": 0.5, "kl": 0.4}"#,
        #"{"task": "ppl", "length": 512, "policy": "streaming", "budget": 128, "cases": 1, "#
          + #""peak": 128, "ppl": 2.41216, "answer_ppl": 1.03778, "kl": 0.1}"#,
      ])
  }

  @Test func theTable() {
    #expect(
      EvaluationTable.text(Summary.all(of: Self.results)) == """
        Accuracy in per cent; ppl: of all tokens (of the answers).

        | policy | budget | needle 256 | ppl 512 |
        | --- | --- | --- | --- |
        | full | - | 100 | - |
        | streaming | 128 | 50 | 2.41 (1.04) |

        Mean KL divergence to the full cache in nats, over all tokens of a stream, and over a reply \
        as long as it is the full cache's.

        | policy | budget | needle 256 | ppl 512 |
        | --- | --- | --- | --- |
        | streaming | 128 | 0.4000 | 0.1000 |

        """)
  }

  @Test func configurations() throws {
    let both = try CachePolicy.configurations(names: "full,streaming", budgets: [128, 256])
    #expect(both.map(\.label) == ["full", "streaming 128", "streaming 256"])
    let all = try CachePolicy.configurations(names: "all", budgets: [64])
    #expect(all.map(\.name) == CachePolicy.knownNames)
    #expect(Set(all.map(\.name)).isSuperset(of: ["full", "streaming"]))
    let spaced = try CachePolicy.configurations(names: "h2o, tova,h2o,", budgets: [64])
    #expect(spaced.map(\.name) == ["h2o", "tova"])
    let int4 = try CachePolicy.configurations(names: "all", budgets: [64], keysTurn: false)
    #expect(int4.map(\.name) == all.map(\.name).filter { !CachePolicy.turningNames.contains($0) })
    #expect(CachePolicy.turningNames.contains("infinipot") && !int4.isEmpty)
    let error = #expect(throws: EvaluationError.self) {
      try CachePolicy.configurations(names: "full,no", budgets: [])
    }
    #expect(error?.exitCode == 64)
    #expect(error?.description.hasPrefix("there is no policy `no`; there are: full, ") == true)
  }

  @Test func progress() {
    #expect(
      ProgressLine.text(done: 250, total: 1000, what: "full", seconds: 20)
        == "evaluating [#######.......................]  25 %  full  1:00 left")
    #expect(
      ProgressLine.text(done: 0, total: 0, what: "h2o 64", seconds: 0)
        == "evaluating [..............................]   0 %  h2o 64")
  }
}

/// The reference's cases give the reference's summaries and table.
@Suite(.enabled(if: Shared.isPresent, Shared.absence))
struct ReferenceReportTests {
  @Test func theTableIsTheReferences() throws {
    let summaries = Summary.all(of: try Shared.results())
    let expected = try String(
      contentsOf: Shared.folder.appending(path: "table.md"), encoding: .utf8)
    #expect(EvaluationTable.text(summaries) == expected)
  }

  @Test func fieldsAndFiguresAreTheReferences() throws {
    let summaries = Summary.all(of: try Shared.results())
    let lines = try Shared.lines("expected.jsonl")
    #expect(summaries.count == lines.count)
    for (summary, line) in zip(summaries, lines) {
      let own = try #require(
        try JSONSerialization.jsonObject(with: Data(summary.json.utf8)) as? [String: Any])
      var names = Set(line.keys)
      if line["policy"] as? String == "full" { names.insert("kl") }
      #expect(Set(own.keys) == names)
      for (name, value) in line {
        if let number = value as? Double, let ours = own[name] as? Double {
          // The cases' figures are rounded already.
          #expect(abs(ours - number) <= 1e-4 * max(number, 1), "\(line)")
        } else {
          #expect(own[name] as? String == value as? String)
        }
      }
    }
  }
}
