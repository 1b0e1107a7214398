import Evaluation
import Foundation
import Packing
import Testing

@Suite struct FilterLayerTests {
  @Test func theFirstLayerThatCoversEnough() {
    #expect(FilterLayerSearch(covered: [94, 95, 100], probes: 100).layer == 2)
    #expect(FilterLayerSearch(covered: [94, 94], probes: 100).layer == nil)
    #expect(FilterLayerSearch(covered: [19], probes: 20).layer == 1)
    #expect(FilterLayerSearch(covered: [], probes: 0).layer == nil)
    #expect(
      FilterLayerSearch(covered: [7, 96], probes: 100)
        .text(CachePolicy(name: "gemfilter", budget: 64), length: 512)
          == """
          Probes of 512 tokens whose needle at depth 50 % is among the tokens that gemfilter 64 chooses.

          | layer | covered |
          | ---: | ---: |
          | 1 | 7 of 100 |
          | 2 | 96 of 100 |

          """)
  }

  /// The needle's tokens are exactly those of the name and the value, in the middle of a prompt that
  /// is as long as it may be.
  @Test(arguments: [64, 256, 1000]) func probesAreWhatTheySay(length: Int) throws {
    let hosted = try builtInTokenizer()
    var documents: Set<String> = []
    for number in 0..<5 {
      let probe = try NeedleProbe(number: number, length: length, hosted)
      let source = probe.prompt.source
      documents.insert(source.document)
      #expect(probe.prompt.promptTokens <= length && probe.prompt.promptTokens > length - 16)
      let needle = try hosted.decode(Array(probe.prompt.document[probe.needle]), startsText: false)
      let text = String(decoding: needle, as: UTF8.self).trimmingCharacters(in: .whitespaces)
      #expect(text.hasSuffix(" is \(source.answer)"), "\(text)")
      let sentences = source.document.components(separatedBy: ". ")
      let place = try #require(sentences.firstIndex { $0.hasPrefix("The ") && $0.hasSuffix(text) })
      #expect(abs(2 * place + 1 - sentences.count) <= 1)
      let name = text.prefix { $0 != " " }
      #expect(source.question.contains("of \(name)?\n"))
      let again = try NeedleProbe(number: number, length: length, hosted)
      #expect(again.prompt.document == probe.prompt.document && again.needle == probe.needle)
    }
    #expect(documents.count == 5)
  }

  @Test func aKeyIsSetInItsLine() {
    func set(_ text: String) -> String { ProfileFile.setting("gemfilter-layer", to: 7, in: text) }
    #expect(set("budget = \"1 GiB\"\n") == "budget = \"1 GiB\"\ngemfilter-layer = 7\n")
    #expect(set("budget = \"1 GiB\"") == "budget = \"1 GiB\"\ngemfilter-layer = 7\n")
    #expect(
      set("# gemfilter-layer = 1\n gemfilter-layer=\"auto\" # found\nthreads = 1\n")
        == "# gemfilter-layer = 1\ngemfilter-layer = 7  # found\nthreads = 1\n")
    #expect(set("gemfilter-layer = 3\r\n\r\n") == "gemfilter-layer = 7\r\n\r\n")
    #expect(set("threads = 1\r\n") == "threads = 1\r\ngemfilter-layer = 7\r\n")
    #expect(set("") == "gemfilter-layer = 7\n")
  }
}

/// The built program searches with the built-in model.
@Suite(.serialized, .enabled(if: Program.path != nil, Program.absence))
struct FilterLayerProgramTests {
  /// Votes cover the needle in the first layer, one last token's products in none; the profile gets
  /// the line, and a run takes it.
  @Test func theLayerIsFoundAndStored() throws {
    try withFolder { folder in
      let profile = folder.appending(path: "small.toml")
      let text = "# mine\nbudget = \"1 GiB\"\ncontext = 128\npolicy = \"gemfilter-vote\"\n"
      try Data(text.utf8).write(to: profile)
      let words = ["eval", "--filter-layer", "auto", "--lengths", "320"]
      let found = try Program.run(
        words + ["--policy", "gemfilter-vote", "--profile", profile.path])
      #expect(found.status == 0, "\(found.errors)")
      #expect(found.output.hasSuffix("\ngemfilter-layer = 1\n"), "\(found.output)")
      #expect(found.output.contains("gemfilter-vote 128 chooses"))
      #expect(found.output.matches(of: /of 100 \|\n/).count == 5)
      #expect(found.errors == "terrarium eval: written into \(profile.path)\n")
      #expect(
        try String(contentsOf: profile, encoding: .utf8) == text + "gemfilter-layer = 1\n")
      let run = try Program.run(["run", "-p", "Where?", "-n", "1", "--profile", profile.path])
      #expect(run.status == 0, "\(run.errors)")

      let none = try Program.run(words + ["--policy", "gemfilter", "--budget", "64"])
      #expect(none.status == 1)
      #expect(none.errors.contains("no layer covers the needle in 95 of 100 probes"))
    }
  }

  @Test func refusals() throws {
    func check(_ words: [String], _ status: Int32, _ text: String) throws {
      let ended = try Program.run(["eval"] + words)
      #expect(ended.status == status, "\(words) \(ended.errors)")
      #expect(ended.errors.contains(text), "\(ended.errors)")
    }
    let auto = ["--filter-layer", "auto"]
    try check(auto, 64, "needs --policy gemfilter")
    try check(["--filter-layer", "3", "--policy", "gemfilter"], 64, "gemfilter-layer = N")
    let whole = auto + ["--policy", "gemfilter"]
    try check(whole + ["--budget", "64,128"], 64, "takes one --budget")
    try check(whole + ["--lengths", "64,128"], 64, "takes one of --lengths")
    try check(whole + ["--limit", "3"], 64, "takes no --limit")
    try check(whole + ["--budget", "128", "--lengths", "100"], 64, "fit into 128 slots")
    try check(whole + ["--profile", "/nonexistent.toml"], 66, "/nonexistent.toml: no such")
    try withFolder { folder in
      let profile = folder.appending(path: "bad.toml")
      try Data("budget = 3\n".utf8).write(to: profile)
      try check(whole + ["--profile", profile.path], 78, "bad.toml:1: not a profile")
    }
  }
}
