import Evaluation
import Foundation
import Testing

/// The built program with the built-in model on the built-in tasks.
@Suite(.serialized, .enabled(if: Program.path != nil, Program.absence))
struct ProgramTests {
  /// The lines of a file by their id.
  private func lines(_ file: URL) throws -> [[String: Any]] {
    try Data(contentsOf: file).split(separator: 10).map {
      try #require(try JSONSerialization.jsonObject(with: Data($0)) as? [String: Any])
    }
  }

  private func cases(_ words: [String]) throws -> String {
    try withFolder { folder in
      let file = folder.appending(path: "cases.jsonl")
      let ended = try Program.run(["eval", "--cases", file.path] + words)
      #expect(ended.status == 0, "\(ended.errors)")
      return try String(contentsOf: file, encoding: .utf8)
    }
  }

  /// Mean accuracy within 2 points of the float reference and perplexity within 2 %, over all
  /// built-in tasks, with keys and values in int8; the same slots in every case.
  @Test(.enabled(if: Shared.isPresent, Shared.absence))
  func fullIsAsGoodAsTheReference() throws {
    try withFolder { folder in
      let file = folder.appending(path: "cases.jsonl")
      let ended = try Program.run([
        "eval", "--policy", "full", "--no-kl", "--cases", file.path,
      ])
      #expect(ended.status == 0, "\(ended.errors)")
      let expected = Dictionary(
        uniqueKeysWithValues: try Shared.results().filter { $0.cache == .full }.map { ($0.id, $0) })
      var (scores, sums) = ([(Double, Double)](), (0.0, 0.0, 0))
      let lines = try lines(file)
      for line in lines {
        let id = try #require(line["id"] as? String)
        let reference = try #require(expected[id])
        switch reference.finding {
        case .reply(let score, let output):
          scores.append((try #require(line["score"] as? Double), score))
          // The peak follows from the length of the reply.
          if line["output"] as? String == output {
            #expect(line["peak"] as? Int == reference.peakSlots)
          }
        case .stream(let nll, let tokens, _, let answerTokens):
          #expect(line["tokens"] as? Int == tokens)
          #expect(line["answer_tokens"] as? Int == answerTokens)
          sums.0 += try #require(line["nll"] as? Double)
          sums.1 += nll
          sums.2 += tokens
        }
      }
      #expect(scores.count == 63 && lines.count == 66)
      let own = scores.reduce(0) { $0 + $1.0 } / Double(scores.count)
      let reference = scores.reduce(0) { $0 + $1.1 } / Double(scores.count)
      #expect(abs(own - reference) <= 0.02, "\(own) beside \(reference)")
      let ratio = exp((sums.0 - sums.1) / Double(sums.2))
      #expect(abs(ratio - 1) <= 0.02, "perplexity \(ratio) of the reference's")
    }
  }

  /// A policy that drops nothing is the full cache, bit for bit.
  @Test func aLargeBudgetIsTheFullCache() throws {
    try withFolder { folder in
      let file = folder.appending(path: "summary.jsonl")
      let ended = try Program.run([
        "eval", "--policy", "full,streaming", "--budget", "64,512", "--lengths", "256",
        "--limit", "2", "--json", file.path,
      ])
      #expect(ended.status == 0, "\(ended.errors)")
      #expect(ended.errors.isEmpty, "\(ended.errors)")
      let lines = try lines(file)
      #expect(lines.count == 15)
      func figures(_ policy: String, _ budget: Int) -> [[String: Any]] {
        lines.filter { $0["policy"] as? String == policy && $0["budget"] as? Int == budget }
      }
      for (full, same) in zip(figures("full", 0), figures("streaming", 512)) {
        #expect(full["kl"] as? Double == 0 && same["kl"] as? Double == 0)
        for name in ["accuracy", "ppl", "answer_ppl", "peak"] {
          #expect(full[name] as? Double == same[name] as? Double, "\(name)")
        }
      }
      for short in figures("streaming", 64) {
        #expect(try #require(short["kl"] as? Double) > 0.01)
        #expect(short["peak"] as? Int == 64)
      }
      #expect(ended.output.hasPrefix("Accuracy in per cent; ppl: of all tokens (of the answers)."))
    }
  }

  /// `--tune` is what the same line of a profile is; what no profile knows is refused by name.
  @Test func anyKeyOfAProfileIsTuned() throws {
    let words = [
      "--policy", "infinipot", "--budget", "96", "--tasks", "needle,qa", "--lengths", "256",
      "--limit", "3", "--no-kl",
    ]
    try withFolder { folder in
      let profile = folder.appending(path: "plain.toml")
      try "budget = \"1 GiB\"\ninfinipot-novel = 0\n"
        .write(to: profile, atomically: true, encoding: .utf8)
      let tuned = try cases(words + ["--tune", "infinipot-novel=0"])
      #expect(tuned == (try cases(words + ["--profile", profile.path])))
      #expect(tuned != (try cases(words)))
      let refused = try Program.run(["eval"] + words + ["--tune", "infinipot-new=0"])
      #expect(refused.status != 0)
      #expect(refused.errors.contains("infinipot-new"), "\(refused.errors)")
    }
  }

  /// The full cache has room for a stream alone, without the question that is not asked of it.
  @Test func streamsAloneAreRead() throws {
    let cases = try cases(["--policy", "full", "--tasks", "ppl", "--lengths", "256"])
    #expect(cases.split(separator: "\n").count == 1)
  }

  /// A sealed child can still say what is wrong.
  @Test func anErrorAfterTheSealHasItsMessage() throws {
    // A request of 9 tokens for a cache of 8: magic, kind, document, question, reply, stop byte ….
    let words: [Int32] = [0x3156_4554, 0, 5, 4, 0, 10, 0, -1, 0, 0] + Array(300..<309)
    let input = words.reduce(into: Data()) { data, word in
      for place in 0..<4 { data.append(UInt8(truncatingIfNeeded: word >> (8 * place))) }
    }
    let model = try #require(Program.path) + "_terrarium.resources/built-in.terra"
    let ended = try Program.run(
      ["eval-worker", "4096", "-", "0", model, "--policy", "full", "--context", "8"], input: input)
    #expect(ended.status == 78)
    #expect(ended.errors.contains("9 tokens does not fit the context of 8"), "\(ended.errors)")
  }

  /// Every policy gives the full cache's distributions where prompt, reserve and reply fit.
  @Test(arguments: ["int8", "int4", "int8,int4"])
  func whereAllFitsEveryPolicyIsTheFullCache(formats: String) throws {
    try withFolder { folder in
      let file = folder.appending(path: "summary.jsonl")
      let ended = try Program.run([
        "eval", "--policy", "all", "--budget", "512", "--lengths", "256", "--limit", "1",
        "--kv", formats, "--json", file.path,
      ])
      #expect(ended.status == 0, "\(ended.errors)")
      let isInt4 = formats == "int4"
      #expect(ended.errors.contains("left out as they rotate keys again") == isInt4)
      let lines = try lines(file)
      let names = CachePolicy.knownNames.filter {
        !isInt4 || !CachePolicy.turningNames.contains($0)
      }
      #expect(Set(lines.compactMap { $0["policy"] as? String }) == Set(names))
      for line in lines {
        #expect(line["kl"] as? Double == 0, "\(line)")
        let full = lines.first {
          $0["policy"] as? String == "full" && $0["task"] as? String == line["task"] as? String
        }
        for name in ["accuracy", "ppl", "answer_ppl"] {
          #expect(line[name] as? Double == full?[name] as? Double, "\(line)")
        }
      }
    }
  }

  /// Results that were written are read again: the same table, and no difference to themselves.
  @Test func resultsAreTakenAndCompared() throws {
    try withFolder { folder in
      let file = folder.appending(path: "cases.jsonl")
      let ended = try Program.run([
        "eval", "--policy", "streaming,tova", "--budget", "96", "--lengths", "256", "--limit", "2",
        "--no-kl", "--cases", file.path,
      ])
      #expect(ended.status == 0, "\(ended.errors)")
      let again = try Program.run(
        ["eval", "--results", "\(file.path),\(file.path)", "--expected", file.path])
      #expect(again.status == 0, "\(again.errors)")
      #expect(again.output.hasPrefix(ended.output))
      #expect(again.output.contains("100 %"))
      #expect(again.output.hasSuffix("\nEverything is within the limits.\n"))
      let one = try Program.run(["eval", "--results", file.path, "--policy", "tova"])
      #expect(one.output.contains("| tova | 96 |") && !one.output.contains("streaming"))
      let none = try Program.run(["eval", "--results", file.path, "--policy", "h2o"])
      #expect(none.status == 65 && none.errors.contains("no result is left"))

      // Wrong answers and a worse stream.
      var text = try String(contentsOf: file, encoding: .utf8)
      text = text.replacing(/"score": [0-9.]+/, with: "\"score\": 5.0")
      let other = folder.appending(path: "other.jsonl")
      try Data(text.utf8).write(to: other)
      let worse = try Program.run(["eval", "--results", file.path, "--expected", other.path])
      #expect(worse.status == 1 && worse.output.contains("mean accuracy is off by -"))
      #expect(worse.errors.contains("limits are exceeded"))
    }
  }

  @Test func childrenAndThreadsChangeNothing() throws {
    let words = ["--policy", "all", "--budget", "96", "--lengths", "256", "--limit", "2"]
    let one = try cases(words + ["--processes", "1", "--threads", "1"])
    #expect(one.split(separator: "\n").count >= 18)
    #expect(try cases(words + ["--processes", "3", "--threads", "6"]) == one)
  }

  @Test func refusals() throws {
    func check(_ words: [String], _ status: Int32, _ text: String) throws {
      let ended = try Program.run(["eval"] + words)
      #expect(ended.status == status, "\(words) \(ended.errors)")
      #expect(ended.errors.contains(text), "\(ended.errors)")
    }
    try check(["--policy", "none"], 64, "there is no policy `none`; there are: full, streaming")
    try check(["--set", "/nonexistent"], 66, "/nonexistent: no such file or folder")
    try check(["/nonexistent.terra"], 66, "/nonexistent.terra: no such file or folder")
    try check(["--lengths", "7"], 65, "no case is left")
    try check(["--budget", ","], 64, "--budget names no number")
    try check(["--results", "/nonexistent"], 66, "/nonexistent: no such file or folder")
    try check(["--results", "r", "--budget", "64"], 64, "--results runs nothing")
    try check(["--expected", "/nonexistent"], 66, "/nonexistent: no such file or folder")
    try check(["--budget", "3"], 64, "--budget: 3 is no number from 5")
    try check(["--tasks", "sleep"], 64, "sleep is none of needle")
    try check(["--json", "/nonexistent/x"], 73, "/nonexistent/x: cannot be written")
    try check(["--kv", "int3", "--limit", "1"], 64, "int3")
    try withFolder { folder in
      let set = folder.appending(path: "set.jsonl")
      try Data("{}\n".utf8).write(to: set)
      try check(["--set", set.path], 65, "set.jsonl:1: `id` is missing")
      let profile = folder.appending(path: "small.toml")
      try Data("budget = \"8 MiB\"\n".utf8).write(to: profile)
      try check(["--profile", profile.path, "--limit", "1"], 78, "does not fit")
    }
  }

  @Test func aRunIsExplained() throws {
    try withFolder { folder in
      let page = folder.appending(path: "page.html")
      let document = folder.appending(path: "document.txt")
      let filler = String(repeating: "The old road was near the river. ", count: 12)
      try Data(filler.utf8).write(to: document)
      let words = ["run", "-f", document.path, "-p", "Where?", "-n", "4", "--explain", page.path]
      let short = try Program.run(words + ["--policy", "streaming", "-c", "64"])
      #expect(short.status == 0, "\(short.errors)")
      #expect(short.errors.contains("allocations after launch 0"))
      #expect(short.errors.contains("64 held by all of"))
      #expect(short.errors.contains("tokens not held …]"))
      #expect(!short.errors.contains("\u{1B}"))
      let text = try String(contentsOf: page, encoding: .utf8)
      #expect(text.contains("built-in.terra, policy streaming, 64 slots"))
      #expect(text.matches(of: /class="h5" title="token/).count == 64)
      let full = try Program.run(words)
      #expect(full.status == 0 && full.errors.contains(" 0 by none"), "\(full.errors)")
      let chat = try Program.run(["run", "--chat", "--explain", page.path])
      #expect(chat.status == 64)
    }
  }
}
