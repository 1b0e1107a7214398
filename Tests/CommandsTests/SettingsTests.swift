import Commands
import Inference
import Profiles
import Testing
import Units

@Suite struct SettingsTests {
  private func resolve(
    _ strings: [String], verb: Verb = .run, in world: World = World()
  ) throws(Failure) -> Profile {
    let options = try CommandRunner<FakeHost>.parse(verb, words(strings))
    do {
      return try World.$current.withValue(world) {
        try Settings<FakeHost>.resolve(options, in: planning())
      }
    } catch let error as Failure {
      throw error
    } catch {
      preconditionFailure("only failures are thrown")
    }
  }

  private func failure(_ strings: [String], in world: World = World()) -> (String, ExitCode)? {
    do {
      _ = try resolve(strings, in: world)
      return nil
    } catch {
      let code = World.$current.withValue(world) {
        CommandRunner<FakeHost>.report(error, in: planning())
      }
      return (world.messageText, code)
    }
  }

  @Test func withoutOptionsTheDefaultHolds() throws {
    var expected = Profile.default
    expected.threads = 3
    expected.sharesProcessors = true
    #expect(try resolve([]) == expected)
    let world = World()
    world.processors = Array(0..<500)
    #expect(try resolve([], in: world).threads == 64)
  }

  @Test func optionsChangeTheProfile() throws {
    let found = try resolve([
      "-c", "99", "-t", "2", "-n", "7", "--kv", "int4,int8", "--policy", "streaming", "--isa",
      "portable",
    ])
    var expected = Profile.default
    expected.contextTokens = 99
    expected.threads = 2
    expected.replyTokens = 7
    expected.keyFormat = .int4
    expected.policy = .streaming
    expected.instructionSet = .portable
    expected.sharesProcessors = true
    #expect(found == expected)
    let budget = try resolve(["--budget", "128"])
    #expect(budget.contextTokens == 128 && budget.policy == .heavyDifference)
    #expect(try resolve(["--budget", "64", "--policy", "full"]).policy == .full)
    #expect(try resolve(["--policy", "tova", "--budget", "64"]).policy == .tova)
    #expect(try resolve(["--context", "64"]).policy == .full)
    #expect(try resolve(["--prompt-max", "9000"]).promptMaxTokens == 9000)
    let tuned = try resolve([
      "--policy", "scissorhands-paper", "--tune", "scissorhands-drop=16", "--tune",
      "scissorhands-threshold=stream", "--tune", "gemfilter-exact=true",
    ])
    #expect(tuned.policy == .scissorhandsPaper && tuned.scissorhandsDrop == 16)
    #expect(tuned.scissorhandsThreshold == .stream && tuned.gemFilterIsExact)
    #expect(try resolve(["-n", "-1"]).replyTokens == .max)
    #expect(try resolve(["--chunk", "7"], verb: .logits).tileTokens == 7)
  }

  @Test func cacheFormatsHaveTheirSpellings() throws {
    let cases: [([String], CacheFormat, CacheFormat)] = [
      (["--kv", "int4"], .int4, .int4), (["--kv", "int8,int4"], .int8, .int4),
      (["--kv=q4_0,q8_0"], .int4, .int8), (["-ctk", "q4_0"], .int4, .int8),
      (["-ctv", "int4"], .int8, .int4), (["--kv", "int4", "--keys", "int8"], .int8, .int4),
      (["--keys", "int8", "--kv", "int4"], .int8, .int4),
    ]
    for (words, keys, values) in cases {
      let found = try resolve(words)
      #expect(found.keyFormat == keys && found.valueFormat == values, "\(words)")
    }
    for bad in ["", ",", "int4,", ",int4", "int5", "int4,int8,int4", "INT4", "f16"] {
      #expect(failure(["--kv", bad])?.0.contains("is no value for --kv") == true, "\(bad)")
      #expect(failure(["--kv", bad])?.1 == .usage, "\(bad)")
    }
  }

  @Test func tunedKeysAreChecked() {
    for bad in ["scissorhands-drop", "drop=3", "=3", ""] {
      let (text, code) = failure(["--tune", bad]) ?? ("", .success)
      #expect(code == .usage && text.contains("`\(bad)` is no value for --tune"), "\(bad)")
    }
    let (text, code) = failure(["--tune", "h2o-recent=100"]) ?? ("", .success)
    #expect(code == .doesNotFit)
    #expect(text.contains("h2o-recent: is out of range; write a whole number from 0 to 99"))
    let many = (0..<9).flatMap { _ in ["--tune", "h2o-recent=10"] }
    #expect(failure(many)?.0.contains("--tune may be given at most 8 times") == true)
    #expect(
      failure(["--budget", "640MiB"])?.0.contains("`640MiB` is no value for --budget") == true)
  }

  @Test func limitsAreHeld() {
    let good = [
      ["-c", "0"], ["-c", "1073741824"], ["-t", "1"], ["-t", "256"], ["-n", "0"], ["-n", "-1"],
    ]
    for words in good { #expect(failure(words) == nil, "\(words)") }
    let bad = [
      ["-c", "-1"], ["-c", "1073741825"], ["-t", "0"], ["-t", "257"], ["-n", "-2"],
      ["--policy", "none"], ["--isa", "sse2"], ["-c", "x"],
    ]
    for words in bad {
      let (text, code) = failure(words) ?? ("", .success)
      #expect(code == .usage && text.contains("`\(words[1])` is no value for --"), "\(words)")
    }
  }

  @Test func samplersHaveTheirLimits() throws {
    func sampler(_ strings: [String]) throws(Failure) -> SamplerSettings {
      try Settings<FakeHost>.sampler(try CommandRunner<FakeHost>.parse(.run, words(strings)))
    }
    let plain = try sampler([])
    #expect(plain.temperature == 0 && plain.topK == 40 && plain.topP == 0.95)
    #expect(plain.minP == 0.05 && plain.repeatPenalty == 1 && plain.seed == 0)
    let all = try sampler([
      "--temp", "0.8", "--top-k", "0", "--top-p", "1", "--min-p", "0.1", "--repeat-penalty", "1.1",
      "-s", "9223372036854775807",
    ])
    #expect(all.temperature == 0.8 && all.topK == 0 && all.topP == 1)
    #expect(all.minP == 0.1 && all.repeatPenalty == 1.1 && all.seed == UInt64(Int.max))
    for bad in [
      ["--temp", "-0.1"], ["--temp", "101"], ["--top-k", "-1"], ["--top-p", "1.01"],
      ["--min-p", "2"], ["--repeat-penalty", "0"], ["--seed", "-1"], ["--seed", "1.5"],
    ] {
      #expect(throws: Failure.self, "\(bad)") { try sampler(bad) }
    }
  }

  @Test func profilesAreFoundByNameAndByPath() throws {
    let profile = Array("budget = \"1 GiB\"\nthreads = 2\n".utf8)
    for (path, argument) in [
      ("Profiles/mine.toml", "mine"), ("mine.toml", "mine.toml"), ("mine", "mine"),
      ("some/where", "some/where"), ("/home/someone/project/.build/Profiles/mine.toml", "mine"),
      ("/home/someone/project/Profiles/mine.toml", "mine"), ("/home/Profiles/mine.toml", "mine"),
    ] {
      let world = World()
      world.files[path] = profile
      #expect(try resolve(["--profile", argument], in: world).budgetBytes == 1 << 30, "\(path)")
    }
  }

  @Test func theNearestProfileIsTaken() throws {
    let world = World()
    world.files["Profiles/mine.toml"] = Array("budget = \"3 GiB\"".utf8)
    world.files["/home/someone/project/Profiles/mine.toml"] = Array("budget = \"1 GiB\"".utf8)
    #expect(try resolve(["--profile", "mine"], in: world).budgetBytes == 3 << 30)
  }

  @Test func profilesThatAreNotThereOrWrongAreNamed() {
    let (unknown, code) = failure(["--profile", "mine"]) ?? ("", .success)
    #expect(code == .doesNotFit)
    #expect(
      unknown.contains("there is no profile `mine`") && unknown.contains("Profiles/mine.toml"))
    let (missing, missingCode) = failure(["--profile", "a/b.toml"]) ?? ("", .success)
    #expect(missingCode == .missingInput)
    #expect(missing == "terrarium: cannot read a/b.toml: no such file or folder\n")
    let world = World()
    world.files["p.toml"] = Array("budget = \"1 GiB\"\nbudgie = 3\n".utf8)
    let (defect, defectCode) = failure(["--profile", "p.toml"], in: world) ?? ("", .success)
    #expect(defectCode == .doesNotFit)
    #expect(defect.hasPrefix("terrarium: p.toml:2: `budgie` is no key of a profile"))
    let long = World()
    long.files["p.toml"] = [UInt8](repeating: 35, count: 70_000)
    #expect(failure(["--profile", "p.toml"], in: long)?.1 == .doesNotFit)
    let unreadable = World()
    unreadable.files["p.toml"] = []
    unreadable.errors[.readFile] = .system(5)
    let (read, readCode) = failure(["--profile", "p.toml"], in: unreadable) ?? ("", .success)
    #expect(readCode == .missingInput)
    #expect(read == "terrarium: cannot read p.toml: system error 5\n")
  }
}
