import Evaluation
import Foundation
import Packing
import Testing
import Units

/// The package's folder.
let packageFolder = URL(filePath: #filePath).deletingLastPathComponent()
  .deletingLastPathComponent().deletingLastPathComponent()

/// Task sets, and what the float reference reaches on them.
enum Shared {
  static let folder = packageFolder.deletingLastPathComponent().appending(path: "shared/eval")
  static let isPresent = FileManager.default.fileExists(
    atPath: folder.appending(path: "expected-cases.jsonl").path)
  static let absence: Comment = "the float reference's figures, ../shared/eval, are not here"

  /// The objects of a file of one per line.
  static func lines(_ name: String) throws -> [[String: Any]] {
    let data = try Data(contentsOf: folder.appending(path: name))
    return try data.split(separator: 10).map {
      try #require(try JSONSerialization.jsonObject(with: Data($0)) as? [String: Any])
    }
  }

  /// The task sets.
  static func cases() throws -> [TaskCase] {
    try TaskSet.read(path: folder.appending(path: "public").path, TaskSet.Selection())
  }

  /// The reference's results of every case, as this program would have found them.
  static func results() throws -> [CaseResult] {
    let cases = Dictionary(uniqueKeysWithValues: try cases().map { ($0.id, $0) })
    return try lines("expected-cases.jsonl").map { line in
      let id = try #require(line["id"] as? String)
      let one = try #require(cases[id])
      func number(_ name: String) throws -> Double {
        let value = line[name] as? Double
        return try #require(value)
      }
      func count(_ name: String) throws -> Int {
        let value = line[name] as? Int
        return try #require(value)
      }
      let cache = CachePolicy(
        name: try #require(line["policy"] as? String), budget: try count("budget"))
      let finding: CaseResult.Finding =
        line["nll"] == nil
        ? .reply(score: try number("score"), output: try #require(line["output"] as? String))
        : .stream(
          nll: try number("nll"), tokens: try count("tokens"),
          answerNLL: try number("answer_nll"), answerTokens: try count("answer_tokens"))
      return CaseResult(
        id: id, group: CaseGroup(task: one.task, length: one.length), depth: one.depth,
        cache: cache, peakSlots: try count("peak"), finding: finding)
    }
  }
}

/// The built program, and the model and tasks that come with it.
enum Program {
  static let model = packageFolder.appending(
    path: "Sources/terrarium/Resources/built-in.terra"
  ).path
  static let tasks = packageFolder.appending(path: "Sources/terrarium/Resources/tasks.jsonl").path

  /// The one beside the tests.
  static let path: String? = {
    let tests = URL(filePath: "/proc/self/exe").resolvingSymlinksInPath()
    let path = tests.deletingLastPathComponent().appending(path: "terrarium").path
    return FileManager.default.isExecutableFile(atPath: path) ? path : nil
  }()
  static let absence: Comment = "the program is not built beside the tests"

  struct Ended {
    var status: Int32
    var output: String
    var errors: String
  }

  /// Runs the program to its end; what it writes goes through files, which never fill up.
  static func run(_ words: [String], input: Data = Data()) throws -> Ended {
    try withFolder { folder in
      let source = folder.appending(path: "input")
      try input.write(to: source)
      let process = Process()
      process.executableURL = URL(filePath: try #require(path))
      process.arguments = words
      process.standardInput = try FileHandle(forReadingFrom: source)
      let files = try ["output", "errors"].map { name in
        let file = folder.appending(path: name)
        try Data().write(to: file)
        return file
      }
      process.standardOutput = try FileHandle(forWritingTo: files[0])
      process.standardError = try FileHandle(forWritingTo: files[1])
      try process.run()
      process.waitUntilExit()
      return Ended(
        status: process.terminationStatus,
        output: try String(contentsOf: files[0], encoding: .utf8),
        errors: try String(contentsOf: files[1], encoding: .utf8))
    }
  }
}

/// Calls `body` with a folder that is gone afterwards.
func withFolder<Result>(_ body: (URL) throws -> Result) throws -> Result {
  let folder = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
  try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
  defer { try? FileManager.default.removeItem(at: folder) }
  return try body(folder)
}

/// The tokenizer of the built-in model.
func builtInTokenizer() throws -> HostedTokenizer {
  try HostedTokenizer(section: try TokenizerFile.section(path: Program.model))
}

/// A result of a reply.
func reply(
  _ task: TaskKind, length: Int = 256, depth: Int? = nil, _ policy: String, _ budget: Int,
  score: Double, peak: Int = 100, divergence: Double = 0, compared: Int = 0
) -> CaseResult {
  CaseResult(
    id: "\(task.rawValue)-\(length)", group: CaseGroup(task: task, length: length), depth: depth,
    cache: CachePolicy(name: policy, budget: budget), peakSlots: peak,
    finding: .reply(score: score, output: " \"a\""), divergence: divergence,
    comparedTokens: compared)
}
