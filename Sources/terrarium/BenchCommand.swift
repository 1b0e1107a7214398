internal import ArgumentParser
internal import Benchmark
internal import Foundation
internal import Platform
internal import Quantization

/// `terrarium bench`: how fast the model is here, and how fast it could be.
struct BenchCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "bench",
    abstract: "Measure speed as llama-bench does, beside what this machine can do.",
    discussion: """
      Options that take a list take several values with commas between, or ranges (1-8*2); every \
      combination is a row, launched and sealed as a process of its own. Without a model the one \
      that is built in is measured.

      Bandwidth and integer peak are measured in turn with the repetitions, with as many threads. \
      MB/token: what one token must read, every weight once and the live slots of the cache; read \
      %: the share of the bandwidth; peak %: the share of the integer peak.

      Examples:
        terrarium bench model.terra -p 512 -n 64 -t 1,2
        terrarium bench model.terra -p 0 -n 32 -d 0,8192 --kv int8,int4 -o json
        terrarium bench --synthetic SmolLM2-135M,Llama-3.2-1B --weights int8,int4
        terrarium bench -p 512 -n 64 -d 8192 --policy full,h2o,scissorhands --budget 1024
        terrarium bench model.gguf --against llama-cpp-python
        terrarium bench --synthetic SmolLM2-135M,Qwen2.5-0.5B,Llama-3.2-1B --weights int8,int4 \
      -p 512 -n 64 -t 1,2 --against llama-cpp-python
      """)

  @Argument(help: "Pack files, or GGUF files, which are packed into temporary ones.")
  var models: [String] = []

  @Option(name: .shortAndLong, help: "The same, a list.")
  var model: [String] = []

  @Option(help: "Shapes to fill with random weights, a list; `list` prints all.")
  var synthetic: [String] = []

  @Option(
    help: """
      Bits of random weights, a list: int8, int4. With --against the file is Q8_0, or Q4_0 with an \
      embedding of Q6_K, or Q8_0 where Q6_K has no blocks of that length. (default: int8)
      """)
  var weights: [String] = []

  @Option(name: [.customShort("p"), .long], help: "Tokens of the prompt, a list. (default: 512)")
  var nPrompt: [String] = []

  @Option(name: [.customShort("n"), .long], help: "Tokens to generate, a list. (default: 128)")
  var nGen: [String] = []

  @Option(
    name: .customLong("pg", withSingleDash: true),
    help: "Tokens of a prompt and a reply that are timed together, as in 512,128.")
  var pairs: [String] = []

  @Option(
    name: [.customShort("d"), .long],
    help: "Tokens in the cache before the test begins, a list. (default: 0)")
  var nDepth: [String] = []

  @Option(name: [.customShort("t"), .long], help: "Threads, a list. (default: the profile's)")
  var threads: [String] = []

  @Option(name: .shortAndLong, help: "Repetitions, all of them in the results.")
  var repetitions = 5

  @Option(help: "Format of keys and values, a list: int8, int4. (default: the profile's)")
  var kv: [String] = []

  @Option(
    name: [.customLong("ctk", withSingleDash: true), .long],
    help: "Format of keys alone, a list.")
  var cacheTypeK: [String] = []

  @Option(
    name: [.customLong("ctv", withSingleDash: true), .long],
    help: "Format of values alone, a list.")
  var cacheTypeV: [String] = []

  @Option(help: "Instruction set, as for run.")
  var isa: String?

  @Option(help: "Memory profile: a name or a file, as for run.")
  var profile: String?

  @Option(help: "Tokens of context. (default: what the test needs)")
  var context: Int?

  @Option(
    help: """
      Cache policies, a list, as for run. Each is measured in turn with the full cache at as many \
      slots; depth is then how much of the stream it has read.
      """)
  var policy: [String] = []

  @Option(help: "Slots of the cache, a list. (default: what the test needs)")
  var budget: [String] = []

  @Option(
    help: """
      Tokens of the longest prompt, for policies that hold it until they have chosen. (default: what \
      the test needs)
      """)
  var promptMax: Int?

  @Option(help: "KEY=VALUE: any key of a profile, such as scissorhands-drop=16; several times.")
  var tune: [String] = []

  @Option(help: "Tokens that prefill handles at once. (default: the profile's)")
  var chunk: Int?

  @Flag(
    help: """
      Measure generating at a depth in turn with generating at depth 0, and print what a slot costs \
      as a multiple of what reading it takes; of three depths or more also the line through them.
      """)
  var slope = false

  @Option(name: .shortAndLong, help: "Output: md, json, jsonl or csv.")
  var output: OutputFormat = .markdown

  @Flag(help: "The same as --output json.")
  var json = false

  @Flag(help: "The same as --output csv.")
  var csv = false

  @Flag(help: "The same as --output md.")
  var md = false

  @Option(
    help: """
      Measure llama-cpp-python too, in turn, on the same GGUF file, and print the ratios of the \
      medians. With depth its keys and values are f16 and q8_0, and the faster one counts.
      """)
  var against: String?

  @Option(help: "A folder where files of random weights stay for the next time; with --against.")
  var keep: String?

  @Option(help: "The Python that has llama-cpp-python.")
  var python = "python3"

  @Option(help: "Types of llama.cpp's keys and values, a list: f16, q8_0, q4_0.")
  var peerKv: [String] = []

  @Option(help: "Flash attention of llama.cpp, a list: auto, on, off.")
  var peerFlash: [String] = ["auto"]

  func run() throws {
    if ValueList.items(synthetic) == ["list"] {
      print(SyntheticShape.list, terminator: "")
      return
    }
    do throws(BenchmarkError) {
      let progress = BenchProgress()
      let benchmark = try Benchmark(
        try request(),
        BenchmarkEnvironment(
          program: try program(), isInterrupted: { Linux.isInterrupted },
          write: { FileHandle.standardOutput.write(Data($0.utf8)) }, progress: progress.show))
      defer { progress.show("") }
      try benchmark.run()
    } catch {
      if case .rowFailed = error { throw ExitCode(error.exitCode) }
      FileHandle.standardError.write(Data("terrarium bench: \(error)\n".utf8))
      throw ExitCode(error.exitCode)
    }
  }

  private func program() throws(BenchmarkError) -> String {
    do {
      return try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
    } catch {
      throw .unreadable("/proc/self/exe")
    }
  }
}

extension OutputFormat: ExpressibleByArgument {}

extension BenchCommand {
  private func request() throws(BenchmarkError) -> BenchmarkRequest {
    var request = BenchmarkRequest()
    request.peer = try peer()
    request.subjects = try subjects()
    let counts = 0...1 << 24
    if !nPrompt.isEmpty {
      request.prompts = try ValueList.integers(nPrompt, option: "-p", in: counts)
    }
    if !nGen.isEmpty { request.generated = try ValueList.integers(nGen, option: "-n", in: counts) }
    if !nDepth.isEmpty { request.depths = try ValueList.integers(nDepth, option: "-d", in: counts) }
    request.pairs = try ValueList.pairs(pairs, option: "-pg")
    request.threads = try ValueList.integers(threads, option: "-t", in: 1...256)
    guard 1...10_000 ~= repetitions else {
      throw .badValue("\(repetitions)", option: "-r", allowed: "1 to 10000")
    }
    request.repetitions = repetitions
    request.caches = try caches()
    request.policies = policy.isEmpty ? [] : ValueList.items(policy)
    request.budgets = try ValueList.integers(budget, option: "--budget", in: 1...1 << 30)
    request.promptMax = promptMax
    request.context = context
    guard request.context == nil || request.budgets.isEmpty else {
      throw .usage("--budget and --context are the same: give one")
    }
    for tune in tune { request.runOptions += ["--tune", tune] }
    if let isa { request.runOptions += ["--isa", isa] }
    if let profile { request.runOptions += ["--profile", profile] }
    if let chunk { request.runOptions += ["--chunk", "\(chunk)"] }
    guard [json, csv, md].filter({ $0 }).count < 2 else {
      throw .usage("--json, --csv and --md exclude each other")
    }
    request.format = json ? .json : csv ? .csv : md ? .markdown : output
    request.keptFolder = keep
    request.measuresSlope = slope
    return request
  }

  private func subjects() throws(BenchmarkError) -> [BenchmarkRequest.Subject] {
    var formats: [WeightFormat] = []
    for word in ValueList.items(weights.isEmpty ? ["int8"] : weights) {
      switch word {
      case "int8": formats.append(.int8)
      case "int4": formats.append(.int4)
      default: throw .badValue(word, option: "--weights", allowed: "int8 or int4")
      }
    }
    if synthetic.isEmpty && !weights.isEmpty {
      throw .usage("--weights is for --synthetic; a file has the weights it has")
    }
    var subjects = ValueList.paths(models + model).map { BenchmarkRequest.Subject.file($0) }
    for name in ValueList.items(synthetic) {
      for format in formats { subjects.append(.synthetic(name, format)) }
    }
    if subjects.isEmpty {
      guard against == nil else { throw .usage("--against needs a GGUF file or --synthetic") }
      guard let builtIn = HostedCommands.builtInModel() else {
        throw .usage("there is no built-in model beside the program: give a model")
      }
      subjects = [.file(builtIn)]
    }
    return subjects
  }

  private func caches() throws(BenchmarkError) -> [BenchmarkRequest.CacheFormats] {
    let both = try formats(kv, option: "--kv")
    let keys = try formats(cacheTypeK, option: "-ctk")
    let values = try formats(cacheTypeV, option: "-ctv")
    if !both.isEmpty {
      guard keys.isEmpty && values.isEmpty else {
        throw .usage("--kv excludes -ctk and -ctv")
      }
      return both.map { BenchmarkRequest.CacheFormats(keys: $0, values: $0) }
    }
    if keys.isEmpty && values.isEmpty { return [] }
    return (keys.isEmpty ? ["int8"] : keys).flatMap { keys in
      (values.isEmpty ? ["int8"] : values).map {
        BenchmarkRequest.CacheFormats(keys: keys, values: $0)
      }
    }
  }

  /// `int8` or `int4`, also by the names llama.cpp has for them.
  private func formats(_ texts: [String], option: String) throws(BenchmarkError) -> [String] {
    var formats: [String] = []
    for text in ValueList.items(texts) {
      switch text {
      case "int8", "q8_0": formats.append("int8")
      case "int4", "q4_0": formats.append("int4")
      default: throw .badValue(text, option: option, allowed: "int8 or int4")
      }
    }
    return formats
  }

  private func peer() throws(BenchmarkError) -> BenchmarkRequest.PeerRequest? {
    guard let against else { return nil }
    guard against == "llama-cpp-python" else {
      throw .badValue(against, option: "--against", allowed: "llama-cpp-python")
    }
    var peer = BenchmarkRequest.PeerRequest()
    peer.python = python
    peer.caches = ValueList.items(peerKv)
    for type in peer.caches where !["f16", "q8_0", "q4_0"].contains(type) {
      throw .badValue(type, option: "--peer-kv", allowed: "f16, q8_0 or q4_0")
    }
    peer.flash = ValueList.items(peerFlash)
    for word in peer.flash where !["auto", "on", "off"].contains(word) {
      throw .badValue(word, option: "--peer-flash", allowed: "auto, on or off")
    }
    return peer
  }
}

/// One line on a terminal's standard error that is written anew; silent elsewhere.
private struct BenchProgress: Sendable {
  private let isShown = isatty(STDERR_FILENO) == 1

  func show(_ text: String) {
    guard isShown else { return }
    FileHandle.standardError.write(Data("\r\u{1B}[K\(text)".utf8))
  }
}
