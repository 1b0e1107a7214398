internal import ArgumentParser
internal import Evaluation
internal import Foundation
internal import Packing
internal import Platform
internal import Tokenization
internal import Units

/// `terrarium eval`: what policies and budgets keep of a model, measured on task sets.
struct EvalCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "eval",
    abstract: "Measure accuracy, perplexity and divergence of cache policies on task sets.",
    discussion: """
      Every configuration runs in sealed children of its own, greedily: begin token, document, \
      question. Without a model it takes the built-in one, without a set the small built-in one. \
      A Markdown table goes to standard output.
      """)

  @Argument(help: "A pack file, or a GGUF file, which is packed beside itself once.")
  var model: String?

  @Option(help: "Policies, separated by commas, or all.")
  var policy = "all"

  @Option(help: "Budgets in slots, separated by commas. (default: 128,256)")
  var budget: String?

  @Option(help: "KV cache format: int8 or int4, values apart if given (int8,int4).")
  var kv = "int8"

  @Option(name: [.customLong("set")], help: "Cases: a JSONL file or a folder of them.")
  var set: String?

  @Option(help: "Tasks to run, separated by commas: needle, passkey, qa, summary, ppl.")
  var tasks = ""

  @Option(help: "Lengths to run, separated by commas.")
  var lengths = ""

  @Option(help: "Run the first N cases of each task and length.")
  var limit: Int?

  @Option(name: .shortAndLong, help: "Threads in all. (default: one per processor)")
  var threads: Int?

  @Option(help: "Children that run at once. (default: 2, one where there is one thread)")
  var processes: Int?

  @Option(help: "Memory budget and device, as for run.")
  var profile: String?

  @Option(help: "KEY=VALUE: any key of a profile, such as scissorhands-drop=16; several times.")
  var tune: [String] = []

  @Flag(help: "Do not run the full cache for comparison; there is no KL then.")
  var noKl = false

  @Option(help: "Write one line per task, length, policy and budget.")
  var json: String?

  @Option(help: "Write one line per case.")
  var cases: String?

  @Option(help: "Compare case by case with these results; exit code 1 beyond the limits.")
  var expected: String?

  @Option(help: "Run nothing: take the results from files that --cases wrote, with commas.")
  var results: String?

  @Option(
    help: "Only auto: search for the layer at which gemfilter chooses, into the profile's file.")
  var filterLayer: String?

  @Option(
    name: [.customLong("pictures"), .customLong("svg")],
    help: "Write pictures into a folder: SVG, and PNG where rsvg-convert is installed.")
  var pictures: String?

  func validate() throws {
    _ = try budgets()
    _ = try Self.integers(lengths, option: "--lengths", in: 1...1 << 24)
    for task in Self.words(tasks) where TaskKind(rawValue: task) == nil {
      throw ValidationError("--tasks: \(task) is none of needle, passkey, qa, summary, ppl")
    }
    if let limit, limit < 1 { throw ValidationError("--limit must be at least 1") }
    if let threads, !(1...256 ~= threads) { throw ValidationError("--threads must be 1 to 256") }
    if let processes, !(1...64 ~= processes) {
      throw ValidationError("--processes must be 1 to 64")
    }
    try validateFilterLayer()
    if results != nil && (model != nil || budget != nil || cases != nil) {
      throw ValidationError("--results runs nothing: it takes no model, --budget or --cases")
    }
  }

  func run() throws {
    var line = ProgressLine()
    do {
      if filterLayer == nil { try evaluate(&line) } else { try findFilterLayer(&line) }
    } catch let error as EvaluationError {
      line.clear()
      FileHandle.standardError.write(Data("terrarium eval: \(error.description)\n".utf8))
      throw ExitCode(error.exitCode)
    }
  }

  private func evaluate(_ line: inout ProgressLine) throws {
    let keysTurn = Self.words(kv).first != "int4"
    let caches = try CachePolicy.configurations(
      names: policy, budgets: budgets(), keysTurn: keysTurn || results != nil)
    if !keysTurn && results == nil && Self.words(policy).contains("all") {
      let names = CachePolicy.turningNames.joined(separator: ", ")
      FileHandle.standardError.write(
        Data(
          ("terrarium eval: left out as they rotate keys again, which int4 does not bear: "
            + "\(names); --kv int8,int4 has them\n").utf8))
    }
    var selection = TaskSet.Selection()
    selection.tasks = Set(Self.words(tasks))
    selection.lengths = Set(try Self.integers(lengths, option: "--lengths", in: 1...1 << 24))
    selection.limit = limit
    let set = try TaskSet.read(path: try set ?? Self.builtInSet(), selection)
    let outputs = try OutputFiles(json: json, cases: cases, pictures: pictures)
    let other = try expected.map { path throws(EvaluationError) in
      try ResultFile.read(path: path, cases: set)
    }
    let results =
      if let results {
        try Self.words(results).flatMap { path throws(EvaluationError) in
          try ResultFile.read(path: path, cases: set)
        }.filter { one in caches.contains { $0.name == one.cache.name } }
      } else {
        try results(of: set, caches, &line)
      }
    if results.isEmpty { throw EvaluationError.noResults }
    let summaries = Summary.all(of: results)
    try outputs.write(results: results, summaries: summaries)
    print(EvaluationTable.text(summaries), terminator: "")
    if let other { try compare(results, other) }
  }

  private func results(
    of set: [TaskCase], _ caches: [CachePolicy], _ line: inout ProgressLine
  ) throws -> [CaseResult] {
    let pack = try packedModel()
    let hosted = try tokenizer(pack)
    var encoded: [EncodedCase] = []
    for one in set { encoded.append(try EncodedCase(one, hosted)) }
    let results = try Evaluator(settings(pack), cases: encoded, tokenizer: hosted).run(
      caches, isInterrupted: { Linux.isInterrupted }
    ) { done, total, cache in
      line.show(done: done, total: total, what: cache.label)
    }
    line.clear()
    return results
  }

  private func compare(_ results: [CaseResult], _ other: [CaseResult]) throws {
    let limits = Comparison.Limits(isInt4: Self.words(kv).contains("int4"))
    let comparison = Comparison(results, expected: other, limits: limits)
    if comparison.rows.isEmpty { throw EvaluationError.noExpected(expected ?? "") }
    print("\n" + comparison.text, terminator: "")
    let count = comparison.defects.count
    if count > 0 { throw EvaluationError.beyondLimits(count) }
  }

  func settings(_ pack: String) -> Evaluator.Settings {
    var settings = Evaluator.Settings(
      program: URL(filePath: "/proc/self/exe").resolvingSymlinksInPath(), model: pack)
    settings.options =
      ["--kv", kv] + (profile.map { ["--profile", $0] } ?? []) + tune.flatMap { ["--tune", $0] }
    let threads = threads ?? min(Linux.processors(into: .empty), 64)
    settings.processes = processes ?? min(threads, 2)
    settings.threads = max(threads / settings.processes, 1)
    settings.comparesWithFull = !noKl
    return settings
  }

  func packedModel() throws -> String {
    guard let model else {
      guard let builtIn = HostedCommands.builtInModel() else {
        throw EvaluationError.missing("the built-in model")
      }
      return builtIn
    }
    guard FileManager.default.fileExists(atPath: model) else {
      throw EvaluationError.missing(model)
    }
    guard HostedCommands.isGGUF(model) else { return model }
    let (packed, exitCode) = HostedCommands.pack(of: model)
    guard let packed else { throw ExitCode(exitCode) }
    return packed
  }

  func tokenizer(_ pack: String) throws -> HostedTokenizer {
    do {
      return try HostedTokenizer(
        section: try TokenizerFile.section(path: pack), wordBytesMax: 1 << 20)
    } catch let error as PackingError {
      FileHandle.standardError.write(Data("terrarium eval: \(pack): \(error)\n".utf8))
      throw ExitCode(error.exitCode)
    } catch {
      FileHandle.standardError.write(
        Data("terrarium eval: \(pack): its tokenizer is damaged; pack the file again\n".utf8))
      throw ExitCode(65)
    }
  }

  private static func builtInSet() throws -> String {
    guard let path = Bundle.module.path(forResource: "tasks", ofType: "jsonl") else {
      throw EvaluationError.missing("the built-in task set")
    }
    return path
  }

  func budgets() throws -> [Int] {
    let budgets = try Self.integers(budget ?? "128,256", option: "--budget", in: 5...1 << 24)
    if budgets.isEmpty { throw ValidationError("--budget names no number") }
    return budgets
  }

  private static func words(_ list: String) -> [String] {
    list.split(separator: ",").map { $0.trimmingCharacters(in: .whitespaces) }
  }

  static func integers(
    _ list: String, option: String, in range: ClosedRange<Int>
  ) throws -> [Int] {
    try words(list).map { word in
      guard let value = Int(word), range.contains(value) else {
        throw ValidationError(
          "\(option): \(word) is no number from \(range.lowerBound) to \(range.upperBound)")
      }
      return value
    }
  }
}
