import Commands
import Foundation
import Kernels
import ModelFormat
import TestSupport
import Testing
import Units

private let common = ["run", "m.terra", "--profile", "p.toml"]

@Suite struct RunCommandTests {
  @Test func aReplyIsPrintedAndThenTheFigures() throws {
    let world = BuiltIn.world()
    #expect(run(common + ["-p", "Hello", "-n", "6"], in: world) == .success)
    #expect(world.outputText.count > 1 && world.outputText.hasSuffix("\n"))
    #expect(world.messageText.hasPrefix("launch "))
    #expect(world.messageText.contains("allocations after launch 0"))
    #expect(world.messageText.filter { $0 == "\n" }.count == 2)
    let again = BuiltIn.world()
    #expect(run(common + ["-p", "Hello", "-n", "6"], in: again) == .success)
    #expect(again.output == world.output)
  }

  @Test func jsonHoldsTheSameReply() throws {
    let plain = BuiltIn.world()
    #expect(run(common + ["-p", "Hello", "-n", "6"], in: plain) == .success)
    let world = BuiltIn.world()
    #expect(run(common + ["-p", "Hello", "-n", "6", "--json"], in: world) == .success)
    let result = try object(world.outputText)
    #expect((result["reply"] as? String).map { $0 + "\n" } == plain.outputText)
    #expect(world.messages.isEmpty)
    #expect(result["reply_tokens"] as? Int ?? 0 > 0)
    #expect(result["allocations_after_launch"] as? Int == 0)
    #expect(result["peak_resident_bytes"] as? Int == 2_000_000)
    let reserved = plain.calls.compactMap { $0.hasPrefix("reserve ") ? Int($0.dropFirst(8)) : nil }
    #expect(reserved.count == 1)
    #expect(result["planned_bytes"] as? Int ?? 0 > reserved[0])
  }

  @Test func bothEndsOfALongPromptAreTimed() throws {
    func rates(_ prompt: String) throws -> [Double] {
      let world = BuiltIn.world()
      let words = ["-c", "1024", "-p", prompt, "-n", "1", "--json"]
      #expect(run(common + words, in: world) == .success)
      let result = try object(world.outputText)
      let names = ["prompt_first_tenth_ts", "prompt_last_tenth_ts"]
      return try names.map { try #require(result[$0] as? Double) }
    }
    // Tiles of 64 tokens: one tile has a first tenth only.
    let long = try rates(String(repeating: "one two three ", count: 60))
    #expect(long.allSatisfy { $0 > 0 })
    let short = try rates("Hello")
    #expect(short[0] > 0 && short[1] == 0)
  }

  @Test func documentAndInstructionAreOneInput() throws {
    func tokens(_ words: [String], _ files: [String: String], input: [String] = []) throws -> Int {
      let world = BuiltIn.world()
      for (name, content) in files { world.files[name] = Array(content.utf8) }
      world.input = input.map { Array($0.utf8) }
      #expect(run(common + words + ["-n", "1", "--json"], in: world) == .success)
      return try #require(try object(world.outputText)["prompt_tokens"] as? Int)
    }
    let together = try tokens(["-p", "one two\nthree"], [:])
    #expect(try tokens(["-f", "d", "-p", "three"], ["d": "one two"]) == together)
    #expect(try tokens(["-f", "d", "-p", "three"], ["d": "one two\n"]) == together)
    #expect(try tokens(["-f", "-", "-p", "three"], [:], input: ["one", " ", "two"]) == together)
  }

  @Test func stopTextsEndTheReply() throws {
    let whole = BuiltIn.world()
    #expect(run(common + ["-p", "Hello", "-n", "12"], in: whole) == .success)
    let reply = whole.outputText.dropLast()
    guard reply.utf8.count > 4 else { return }
    let stop = String(reply.dropFirst(2).prefix(2))
    let world = BuiltIn.world()
    #expect(
      run(common + ["-p", "Hello", "-n", "12", "--json", "--stop", stop], in: world) == .success)
    let result = try object(world.outputText)
    #expect(result["ending"] as? String == "stop")
    let expected = reply.range(of: stop).map { String(reply[..<$0.lowerBound]) }
    #expect(result["reply"] as? String == expected)
  }

  @Test func aConversationAnswersEachLine() {
    let world = BuiltIn.world()
    world.input = [Array("Hel".utf8), Array("lo\n\nAgain".utf8)]
    #expect(run(common + ["--chat", "-n", "4"], in: world) == .success)
    #expect(world.messageText.hasPrefix("launch "))
    #expect(!world.messageText.contains("> "), "nobody types")
    let first = BuiltIn.world()
    #expect(run(common + ["-p", "Hello", "-n", "4"], in: first) == .success)
    #expect(world.outputText.hasPrefix(first.outputText))
    #expect(world.output.count > first.output.count)
    let typed = BuiltIn.world()
    typed.terminals = [0]
    typed.input = [Array("Hello\n".utf8)]
    #expect(run(common + ["--chat", "-n", "1"], in: typed) == .success)
    #expect(typed.messageText.hasPrefix("> > launch "))
  }

  @Test func linesThatCameEarlyAreKept() throws {
    // However the lines come, in one piece or one by one: what is said is the same.
    func conversation(_ input: [String], documentWords: Int) -> World {
      let world = BuiltIn.world()
      world.files["p.toml"] = Array(
        "budget = \"64 MiB\"\nthreads = 1\ncontext = 1500\nprompt-bytes = \"1 KiB\"".utf8)
      world.files["d"] = Array(String(repeating: "a ", count: documentWords).utf8)
      world.input = input.map { Array($0.utf8) }
      return world
    }
    let lines = ["Hello\n", "What is the second line here?\n", "And the third?\n"]
    let system = String(repeating: "c ", count: 100)
    let words = common + ["--chat", "-f", "d", "--system", system, "-n", "3"]
    let (whole, single) = (
      conversation([lines.joined()], documentWords: 300), conversation(lines, documentWords: 300)
    )
    #expect(run(words, in: whole) == .success)
    #expect(run(words, in: single) == .success)
    #expect(whole.output == single.output)
    // A system message that would overwrite lines that wait is refused.
    let tight = conversation([lines.joined()], documentWords: 350)
    #expect(failure(words, .doesNotFit, in: tight).contains("the input is longer than 1,024"))
  }

  @Test func theLongestInputIsExact() {
    for (bytes, code) in [(1023, ExitCode.success), (1024, .success), (1100, .doesNotFit)] {
      for words in [["-f", "d"], ["-f", "-"], ["-p", String(repeating: "a ", count: bytes / 2)]] {
        let world = BuiltIn.world()
        world.files["p.toml"] = Array(
          "budget = \"64 MiB\"\nthreads = 1\ncontext = 1500\nprompt-bytes = \"1 KiB\"".utf8)
        world.files["d"] = (0..<bytes).map { $0 % 2 == 0 ? 97 : 32 }
        world.input = [world.files["d"] ?? []]
        #expect(run(common + words + ["-n", "0"], in: world) == code, "\(bytes), \(words)")
        if code == .doesNotFit {
          #expect(world.messageText.contains("the input is longer than 1,024 bytes"))
        }
      }
    }
  }

  @Test func aFullContextIsAClearEnd() throws {
    let world = BuiltIn.world()
    #expect(
      run(common + ["-p", "Hello", "-n", "500", "-c", "24", "--json"], in: world) == .success)
    let ending = try object(world.outputText)["ending"] as? String
    #expect(ending == "context_full" || ending == "end_of_text")
    let long = String(repeating: "word and ", count: 40)
    #expect(
      failure(common + ["-p", long, "-c", "24"], .doesNotFit).contains(
        "does not fit the context of 24; raise --context"))
    let streaming = BuiltIn.world()
    #expect(
      run(
        common + ["-p", long, "-n", "30", "-c", "24", "--policy", "streaming"], in: streaming)
        == .success)
  }

  @Test(arguments: [
    "truncate", "h2o", "tova", "snapkv", "scissorhands", "scissorhands-paper", "citrus-shared",
    "citrus-individual", "infinipot", "gemfilter", "gemfilter-vote", "valuediff", "valuediff-h2o",
  ])
  func everyPolicyReadsLongInputsAndRepliesOn(policy: String) throws {
    let world = BuiltIn.world()
    world.files["d"] = Array(String(repeating: "The key of Leo is 67612. ", count: 40).utf8)
    let words = ["-c", "64", "--policy", policy, "--prompt-max", "700"]
    let input = ["-f", "d", "-p", "What is the key?", "-n", "40", "--raw", "--json"]
    #expect(run(common + input + words, in: world) == .success)
    let result = try object(world.outputText)
    #expect(result["allocations_after_launch"] as? Int == 0)
    #expect(result["ending"] as? String != "context_full")
    let tokens = try #require(result["prompt_tokens"] as? Int)
    #expect(tokens > 400)
    let isSelected = policy == "truncate" || policy.hasPrefix("gemfilter")
    #expect(result["chosen_tokens"] as? Int == (isSelected ? 48 : tokens))
    let probes = policy.hasPrefix("citrus") || policy == "infinipot"
    let probed = try #require(result["probed_rows"] as? Int)
    #expect(probes ? probed > 0 : probed == 0)
    let outputs = try #require(result["output_rows"] as? Int)
    #expect(policy == "infinipot" ? outputs > 400 : outputs == 0)
  }

  @Test func policiesSayWhatTheyNeed() {
    let cases: [([String], String)] = [
      (["-c", "31", "--policy", "h2o"], "a policy that evicts needs at least 32 slots, not 31"),
      (
        ["-c", "40", "--policy", "h2o", "--tune", "policy-chunk=21"],
        "policy-chunk is 21, more than half of the context of 40"
      ),
      (
        ["-c", "64", "--policy", "scissorhands", "--tune", "scissorhands-history=17"],
        "scissorhands-history is 17; it may be at most twice scissorhands-drop, 16"
      ),
      (
        ["-c", "64", "--policy", "scissorhands", "--tune", "scissorhands-drop=60"],
        "scissorhands-drop and scissorhands-recent are 70 together, more than the context of 64"
      ),
      (
        ["-c", "64", "--policy", "valuediff", "--tune", "valuediff-recent=57"],
        "valuediff-drop and valuediff-recent are 65 together, more than the context of 64"
      ),
      (
        ["-c", "64", "--policy", "snapkv", "--tune", "snapkv-window=48"],
        "snapkv-window leaves no slot: with the reserve of 16 it may be at most 47"
      ),
      (
        ["-c", "64", "--policy", "infinipot", "--keys", "int4"],
        "infinipot counts positions anew, which int4 keys do not bear; use --keys int8"
      ),
      (
        ["-c", "64", "--policy", "citrus-shared", "--kv", "int4"],
        "citrus-shared counts positions anew, which int4 keys do not bear; use --keys int8"
      ),
      (
        ["-c", "64", "--policy", "citrus-individual", "--keys", "int4"],
        "citrus-individual counts positions anew, which int4 keys do not bear; use --keys int8"
      ),
    ]
    for (words, message) in cases {
      #expect(failure(common + ["-p", "Hello"] + words, .doesNotFit).contains(message))
    }
    let long = String(repeating: "word and ", count: 40)
    #expect(
      failure(common + ["-p", long, "-c", "64", "--policy", "citrus-shared"], .doesNotFit)
        .contains("finds no room for a document beside the instruction"))
    #expect(
      failure(
        common + ["-p", long, "-c", "64", "--policy", "snapkv", "--prompt-max", "70"],
        .doesNotFit
      ).contains("is longer than what snapkv holds before it chooses, 70; raise --prompt-max"))
  }

  @Test func aSecondQuestionThatDoesNotFitIsRefused() {
    let world = BuiltIn.world()
    world.input = (0..<3).map { _ in
      Array((String(repeating: "word and ", count: 4) + "\n").utf8)
    }
    let message = failure(
      common + ["--chat", "-n", "20", "-c", "64", "--policy", "truncate"], .doesNotFit, in: world)
    #expect(message.contains("the policy truncate chose its tokens for an earlier question"))
  }

  /// Each question gets the answer that it would have got alone.
  @Test(arguments: [
    "truncate", "snapkv", "citrus-shared", "citrus-individual", "infinipot", "gemfilter-vote",
  ])
  func policiesThatChooseForAQuestionReadTheDocumentAgain(policy: String) {
    func world(_ input: String) -> World {
      let world = BuiltIn.world()
      world.files["d"] = Array(
        (0..<20).map { "The pet of Nils is dog number \($0). " }.joined().utf8)
      world.input = [Array(input.utf8)]
      return world
    }
    let words =
      common + ["-f", "d", "-n", "8", "-c", "96", "--policy", policy, "--prompt-max", "1000"]
    let questions = ["What is it?", "Who is Nils?", "Why?"]
    let chat = world(questions.map { $0 + "\n" }.joined())
    #expect(run(words + ["--chat"], in: chat) == .success)
    let alone = questions.map { question in
      let world = world("")
      #expect(run(words + ["-p", question], in: world) == .success)
      return world.outputText
    }
    // The last line feed ends the output of a run.
    #expect(chat.outputText == alone.joined() + "\n" || chat.outputText == alone.joined())
    let note = "\(policy) reads the document again for this question"
    #expect(chat.messageText.components(separatedBy: note).count == questions.count)
  }

  @Test func interruptsEndCleanly() {
    for checks in [0, 1, 3] {
      let world = BuiltIn.world()
      world.checksBeforeInterrupt = checks
      let message = failure(common + ["-p", "Hello", "-n", "50"], .interrupted, in: world)
      #expect(message.hasSuffix("terrarium: interrupted\n"))
      #expect(message.hasPrefix("launch "), "the figures come all the same")
    }
    let waiting = BuiltIn.world()
    waiting.errors[.readInput] = .interrupted
    waiting.checksBeforeInterrupt = 0
    #expect(
      failure(common + ["--chat"], .interrupted, in: waiting).hasSuffix("terrarium: interrupted\n"))
  }

  @Test func contradictionsAreUsageErrors() {
    for (words, message) in [
      (["--chat", "-p", "x"], "--chat and --prompt"), (["--chat", "--json"], "--chat and --json"),
      (["--chat", "-f", "-"], "--chat and --file"),
      (["-p", "x", "--raw", "--prefix", "y"], "--raw and --prefix"),
      (["-p", "x", "--raw", "--suffix", "y"], "--raw and --suffix"),
      (["-p", "x", "--raw", "--system", "y"], "--raw and --system"),
    ] {
      #expect(
        failure(common + words, .usage) == "terrarium: \(message) exclude each other\n")
    }
    let stop = String(repeating: "s", count: 1025)
    #expect(
      failure(common + ["-p", "x", "--stop", stop], .usage).contains("is no value for --stop"))
    #expect(failure(["run"], .usage) == "terrarium: terrarium run needs a model file\n")
  }

  @Test func whatIsMissingOrTooLongIsNamed() {
    #expect(failure(common, .usage).contains("give --prompt TEXT, --file FILE or --chat"))
    let empty = BuiltIn.world()
    empty.files["d"] = []
    for words in [["-p", ""], ["-f", "d"], ["-f", "-"], ["-f", "d", "-p", ""]] {
      empty.messages = []
      #expect(
        failure(common + words, .missingInput, in: empty) == "terrarium: the input is empty\n")
    }
    #expect(
      failure(common + ["-f", "no"], .missingInput)
        == "terrarium: cannot read no: no such file or folder\n")
    let small = BuiltIn.world()
    small.files["p.toml"] = Array("budget = \"64 MiB\"\nthreads = 1\nprompt-bytes = \"1 KiB\"".utf8)
    small.files["d"] = [UInt8](repeating: 97, count: 5000)
    #expect(failure(common + ["-f", "d"], .doesNotFit, in: small).contains("raise prompt-bytes"))
  }

  @Test func errorsOfTheMachineAreNamed() {
    for (call, error, code, message) in [
      (Call.reserve, HostError.noMemory, ExitCode.doesNotFit, "the system does not grant "),
      (.startWorkers, .system(11), .doesNotFit, "the threads could not be started"),
      (.writeOutput, .closedPipe, .cannotWrite, "cannot write standard output: nobody reads"),
      (.open, .notPermitted, .missingInput, "cannot read "),
    ] {
      let world = BuiltIn.world()
      world.errors[call] = error
      #expect(
        failure(common + ["-p", "x", "-n", "3"], code, in: world).hasPrefix(
          "terrarium: \(message)"))
    }
    let input = BuiltIn.world()
    input.errors[.readInput] = .system(5)
    #expect(
      failure(common + ["-f", "-"], .missingInput, in: input)
        == "terrarium: cannot read -: system error 5\n")
  }

  @Test func damageIsFoundWhileLoading() throws {
    let header = try BuiltIn.header
    let places: [(UInt64, String)] = [
      (header.section(.tokenizer).offset + 200, "tokenizer"),
      (header.section(.chatTemplate).offset + 5, "chat template"),
      (header.section(.rotary).offset, "rotary"),
      (header.section(.vectors).offset + 9, "vectors"),
      (header.matrix(.embedding).offset + 77, "embedding"),
      (header.matrix(.down, layer: 2).offset, "down of layer 2"),
    ]
    for (offset, name) in places {
      let world = BuiltIn.world()
      world.files["m.terra"]?[Int(offset)] ^= 4
      #expect(
        failure(common + ["-p", "x"], .badFile, in: world)
          == "terrarium: m.terra: damaged: the checksum of \(name) is wrong; copy or pack the "
          + "file again\n")
    }
    let cut = BuiltIn.world()
    cut.files["m.terra"]?.removeLast()
    #expect(failure(common + ["-p", "x"], .badFile, in: cut).hasPrefix("terrarium: m.terra: "))
  }

  @Test func otherProcessorsKernelsAreRefused() {
    #if arch(arm64)
      let foreign = "avx2"
    #else
      let foreign = "neon"
    #endif
    let message = failure(common + ["-p", "x", "--isa", foreign], .doesNotFit)
    #expect(message.hasPrefix("terrarium: this processor has no \(foreign); it has "))
    #expect(message.contains("portable; name one of these, or leave isa and --isa out"))
    let plan = BuiltIn.world()
    plan.files["p.toml"]? += Array("isa = \"\(foreign)\"\n".utf8)
    #expect(run(["plan", "m.terra", "--profile", "p.toml"], in: plan) == .success)
    #expect(
      plan.outputText.contains(
        "\nkernels  \(foreign), fixed; this processor cannot run them\n"))
  }

  @Test func theReportNamesTheKernelsAndWhy() throws {
    for (words, expected) in [(["--isa", "portable"], "portable (fixed)"), ([], nil)] {
      let world = BuiltIn.world()
      #expect(run(common + ["-p", "x", "-n", "1"] + words, in: world) == .success)
      let line = try #require(world.messageText.split(separator: "\n").first)
      // Chosen freely, it depends on the machine; equal times are all that this world has.
      let best = InstructionSets.ofThisProcessor(hwcap: 2, hwcap2: 0)
      let reason = best.candidates.count == 1 ? "only one" : "measured"
      #expect(
        line.contains(", kernels \(expected ?? "\(best.best.name) (\(reason))")"), "\(line)")
      let json = BuiltIn.world()
      #expect(run(common + ["-p", "x", "-n", "1", "--json"] + words, in: json) == .success)
      let result = try object(json.outputText)
      #expect(
        result["kernels"] as? String == expected.map { _ in "portable" } ?? "\(best.best.name)")
      #expect(result["kernels_choice"] as? String == expected.map { _ in "fixed" } ?? reason)
    }
  }
}

@Suite struct LogitsCommandTests {
  private let words = ["logits", "m.terra", "--profile", "p.toml", "--ids", "ids", "-o", "out"]

  private func world(_ ids: [Int32]) -> World {
    let world = BuiltIn.world()
    world.files["ids"] = ids.flatMap { id in
      (0..<4).map { UInt8(truncatingIfNeeded: id >> (8 * $0)) }
    }
    return world
  }

  @Test func logitsAreWrittenWholeAndHashed() throws {
    var outputs: [[UInt8]] = []
    for chunk in ["1", "2", "64"] {
      let world = world([0, 5, 17, 900, 3])
      #expect(run(words + ["--chunk", chunk], in: world) == .success)
      let output = try #require(world.files["out"])
      #expect(output.count == 5 * 936 * 4)
      #expect(world.files["out.partial"] == nil)
      var digest = SHA256()
      let bytes = memory(output.count, of: UInt8.self)
      for (index, byte) in output.enumerated() { bytes[index] = byte }
      digest.update(bytes.bytes)
      let sum = digest.digest
      let hexadecimal = (0..<32).map {
        String(UInt16(sum[$0]) + 256, radix: 16).dropFirst()
      }.joined()
      #expect(world.outputText == hexadecimal + "\n")
      outputs.append(output)
    }
    #expect(outputs[0] == outputs[1] && outputs[1] == outputs[2])
  }

  @Test func needsAreNamed() {
    #expect(failure(["logits"], .usage).contains("needs a model file"))
    #expect(failure(["logits", "m.terra"], .usage).contains("needs --ids"))
    #expect(failure(["logits", "m.terra", "--ids", "x"], .usage).contains("needs --output"))
    #expect(failure(words, .missingInput).contains("cannot read ids: no such file"))
  }

  @Test func badIDsAreRefusedAndLeaveNothing() {
    for (ids, message) in [
      ([936], "token id 936 at position 0 is outside the vocabulary of 936"),
      ([3, -1], "token id -1 at position 1 is outside the vocabulary of 936"),
      ([], "ids: 0 bytes are no whole, positive number"),
    ] as [([Int32], String)] {
      let world = world(ids)
      #expect(failure(words, .badFile, in: world).contains(message))
      #expect(world.files["out"] == nil && world.files["out.partial"] == nil)
    }
    let odd = world([1])
    odd.files["ids"]?.append(0)
    #expect(failure(words, .badFile, in: odd).contains("ids: 5 bytes are no whole"))
    let long = world([Int32](repeating: 1, count: 257))
    #expect(
      failure(words, .doesNotFit, in: long).contains("257 tokens does not fit the context of 256"))
    #expect(long.files["out.partial"] == nil)
  }

  @Test func outputsThatCannotBeWrittenLeaveNothing() {
    for (call, error) in [
      (Call.create, HostError.notPermitted), (.writeFile, .noSpace), (.rename, .system(18)),
    ] {
      let world = world([1, 2])
      world.errors[call] = error
      #expect(failure(words, .cannotWrite, in: world).hasPrefix("terrarium: cannot write out: "))
      #expect(world.files["out"] == nil && world.files["out.partial"] == nil)
    }
    let interrupted = world([1, 2])
    interrupted.checksBeforeInterrupt = 0
    #expect(failure(words, .interrupted, in: interrupted) == "terrarium: interrupted\n")
    #expect(interrupted.files["out.partial"] == nil)
  }
}
