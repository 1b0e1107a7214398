import Evaluation
import Foundation
import Testing

/// Every policy beside the float reference, case by case; part of what README shows of the whole set.
@Suite(
  .serialized, .enabled(if: Program.path != nil, Program.absence),
  .enabled(if: Shared.isPresent, Shared.absence))
struct FaithfulTests {
  private func comparison(
    _ words: [String], isInt4: Bool
  ) throws -> (Comparison, [CaseResult], output: String) {
    try withFolder { folder in
      let file = folder.appending(path: "cases.jsonl")
      let expected = Shared.folder.appending(path: "expected-cases.jsonl").path
      let ended = try Program.run(
        [
          "eval", "--set", Shared.folder.appending(path: "public").path, "--no-kl",
          "--expected", expected, "--cases", file.path, "--kv", isInt4 ? "int4" : "int8",
        ] + words)
      // Few cases may well be beyond the limits of many.
      #expect(ended.status == 0 || ended.status == 1, "\(ended.errors)")
      let cases = try Shared.cases()
      let results = try ResultFile.read(path: file.path, cases: cases)
      return (
        Comparison(
          results, expected: try Shared.results(), limits: Comparison.Limits(isInt4: isInt4)),
        results, ended.output
      )
    }
  }

  /// Means may be off by the limit and two standard errors of so few cases; those of all policies
  /// together, which read the same cases, and perplexity by half as much again as the limit.
  private func check(_ comparison: Comparison, isInt4: Bool) {
    let limits = Comparison.Limits(isInt4: isInt4)
    var (own, expected, count) = (0.0, 0.0, 0)
    for row in comparison.rows {
      if let all = row.all {
        let most = limits.accuracy + 2 * all.standardError
        #expect(abs(all.difference) <= most, "\(row.cache.label): \(all)")
        own += all.own * Double(all.count)
        expected += all.expected * Double(all.count)
        count += all.count
      }
      for (kind, scores) in row.tasks {
        let least = -(limits.task + 3 * scores.standardError)
        #expect(scores.difference >= least, "\(row.cache.label), \(kind.rawValue): \(scores)")
      }
      if let ratio = row.perplexityRatio {
        #expect(abs(ratio - 1) <= 1.5 * limits.perplexity, "\(row.cache.label): \(ratio)")
      }
    }
    #expect(abs(own - expected) / Double(max(count, 1)) <= 1.5 * limits.accuracy)
  }

  @Test func int8IsTheReference() throws {
    let reference = Set(try Shared.results().map(\.cache.name))
    let names = CachePolicy.knownNames.filter(reference.contains)
    #expect(names.count >= 12)
    let policies = names.joined(separator: ",")
    let (comparison, results, output) = try comparison(
      ["--policy", policies, "--budget", "128", "--lengths", "256,512", "--limit", "3"],
      isInt4: false)
    #expect(comparison.rows.map(\.cache.name) == names)
    #expect(comparison.rows.allSatisfy { $0.all?.count == 24 })
    #expect(comparison.unknown == 0)
    check(comparison, isInt4: false)
    // The program says the same.
    #expect(output.hasSuffix(comparison.text))
    // No more slots than there are, and as many as the reference's.
    let most = Dictionary(
      grouping: try Shared.results(), by: { "\($0.id) \($0.cache.label)" })
    for result in results {
      let other = try #require(most["\(result.id) \(result.cache.label)"]?.first)
      guard result.finding == other.finding else { continue }
      #expect(result.peakSlots <= other.peakSlots, "\(result.id), \(result.cache.label)")
    }
  }

  @Test func int4IsTheReference() throws {
    let policies = "full,truncate,streaming,h2o,tova,snapkv,scissorhands,gemfilter-vote"
    let (comparison, _, _) = try comparison(
      ["--policy", policies, "--budget", "128", "--lengths", "256,512", "--limit", "2"],
      isInt4: true)
    #expect(comparison.rows.count == 8)
    check(comparison, isInt4: true)
  }
}
