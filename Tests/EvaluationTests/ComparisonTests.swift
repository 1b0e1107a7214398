import Evaluation
import Foundation
import Testing

@Suite struct ComparisonTests {
  private static func stream(_ id: Int, _ policy: String, nll: Double) -> CaseResult {
    CaseResult(
      id: "ppl-\(id)", group: CaseGroup(task: .ppl, length: 256), depth: nil,
      cache: CachePolicy(name: policy, budget: 128), peakSlots: 128,
      finding: .stream(nll: nll, tokens: 100, answerNLL: 1, answerTokens: 10))
  }

  private static func replies(
    _ task: TaskKind, _ policy: String, _ scores: [Double]
  ) -> [CaseResult] {
    scores.enumerated().map { index, score in
      var result = reply(task, policy, 128, score: score)
      result.id = "\(task.rawValue)-\(index)"
      result.finding = .reply(score: score, output: score == 1 ? "right" : "wrong")
      return result
    }
  }

  @Test func casesArePaired() throws {
    let own =
      Self.replies(.needle, "h2o", [1, 0, 1, 1]) + Self.replies(.qa, "h2o", [0, 0])
      + [Self.stream(1, "h2o", nll: 101), Self.stream(2, "h2o", nll: 99)]
    let other =
      Self.replies(.qa, "h2o", [0, 1]) + Self.replies(.needle, "h2o", [1, 1, 1, 1])
      + [Self.stream(1, "h2o", nll: 98), Self.stream(2, "h2o", nll: 98)]
    let unknown = Self.replies(.qa, "tova", [0])
    let comparison = Comparison(
      own + unknown, expected: other, limits: Comparison.Limits(isInt4: false))
    #expect(comparison.unknown == 1 && comparison.rows.count == 1)
    let row = try #require(comparison.rows.first)
    let all = try #require(row.all)
    #expect(row.cache.label == "h2o 128" && all.count == 6)
    #expect(all.own == 0.5 && abs(all.expected - 5.0 / 6) < 1e-12)
    // Differences 0, −1, 0, 0, 0, −1: variance 4/15, over 6 cases.
    #expect(abs(all.standardError - (4.0 / 15 / 6).squareRoot()) < 1e-12)
    #expect(abs(row.sameReplies - 4.0 / 6) < 1e-12)
    #expect(row.tasks.map(\.kind) == [.needle, .qa])
    #expect(row.tasks.map(\.scores.difference) == [-0.25, -0.5])
    #expect(abs((row.perplexityRatio ?? 0) - exp(4.0 / 200)) < 1e-12)
    #expect(
      comparison.text.contains(
        "| h2o | 128 | 6 | 50.0 | 83.3 | -33.3 ± 21.1 | 67 % | qa -50.0 ± 50.0 | +2.0 % |\n"))
    #expect(comparison.text.hasSuffix("1 results have no expected ones.\n"))
  }

  /// 100 cases of a task, `right` of them right, beside 50 of 100.
  private func defects(
    right: Int, isInt4: Bool = false, nll: Double = 100, task: TaskKind = .needle
  ) -> [String] {
    func scores(_ count: Int) -> [Double] { (0..<100).map { $0 < count ? 1 : 0 } }
    return Comparison(
      Self.replies(task, "h2o", scores(right)) + [Self.stream(1, "h2o", nll: nll)],
      expected: Self.replies(task, "h2o", scores(50)) + [Self.stream(1, "h2o", nll: 100)],
      limits: Comparison.Limits(isInt4: isInt4)
    ).defects
  }

  @Test func limitsOfEachConfiguration() {
    #expect(defects(right: 50).isEmpty)
    #expect(defects(right: 48).isEmpty && defects(right: 52).isEmpty)
    #expect(
      defects(right: 47) == [
        "h2o 128: mean accuracy is off by -3.0 ± 1.7 points; the limit is 2.0"
      ])
    #expect(defects(right: 53).count == 1)
    #expect(defects(right: 46, isInt4: true).isEmpty)
    #expect(defects(right: 45, isInt4: true).count == 1)
    // A task may be worse by 3 points and two standard errors: 8 of 100 have one of 2.7 points.
    #expect(defects(right: 42).count == 1)
    #expect(
      defects(right: 39).last
        == "h2o 128: needle is worse by -11.0 ± 3.1 points; the limit is 3.0 and two standard errors"
    )
    #expect(defects(right: 61).count == 1)
    #expect(defects(right: 50, nll: 101.9).isEmpty && defects(right: 50, nll: 98.1).isEmpty)
    #expect(
      defects(right: 50, nll: 102.1) == [
        "h2o 128: perplexity is off by +2.1 %; the limit is 2.0 %"
      ])
    #expect(defects(right: 50, nll: 97).count == 1)
    #expect(defects(right: 50, isInt4: true, nll: 104.8).isEmpty)
  }

  @Test func theOrderOfPolicies() {
    func comparison(_ own: (Int, Int), _ other: (Int, Int)) -> [String] {
      func results(_ counts: (Int, Int)) -> [CaseResult] {
        [("h2o", counts.0), ("tova", counts.1)].flatMap { name, count in
          Self.replies(.needle, name, (0..<1000).map { $0 < count ? 1 : 0 })
        }
      }
      return Comparison(
        results(own), expected: results(other), limits: Comparison.Limits(isInt4: true)
      ).defects.filter { $0.contains("should be better") }
    }
    #expect(comparison((500, 480), (520, 465)).isEmpty)
    #expect(
      comparison((490, 500), (520, 465)) == [
        "h2o 128 should be better than tova 128 by 5.5 points and is worse by 1.0"
      ])
    #expect(comparison((490, 500), (510, 465)).isEmpty)
  }

  @Test func resultsAreRead() throws {
    let cases = try TaskSet.parse(
      Data(
        (#"{"id": "a", "task": "qa", "length": 256, "depth": 10, "document": "d\n", "#
          + #""question": "q", "answer": "x"}"#).utf8), name: "set.jsonl")
    var own = reply(.qa, length: 256, depth: 10, "h2o", 128, score: 0.25, peak: 77)
    own.id = "a"
    var other = own
    other.id = "b"
    let text = own.json + "\n" + other.json + "\n\n"
    #expect(try ResultFile.parse(Data(text.utf8), name: "r", cases: cases) == [own])
    func refusal(_ text: String) -> String? {
      do {
        _ = try ResultFile.parse(Data(text.utf8), name: "r", cases: cases)
        return nil
      } catch {
        #expect(error.exitCode == 65)
        return error.description
      }
    }
    #expect(refusal(own.json + "\n{}") == "r:2: not a result of a case")
    #expect(refusal("nothing") == "r:1: not a result of a case")
    #expect(
      refusal(own.json.replacing("\"score\"", with: "\"points\""))
        == "r:1: not a result of a case")
    #expect(
      refusal(Self.stream(1, "h2o", nll: 3).json.replacing("ppl-1", with: "a"))
        == "r:1: a is another kind of task in the set")
  }
}
