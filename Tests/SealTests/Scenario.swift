import Foundation
import Testing

/// A build of the program that the proofs are made on.
enum Subject: String, CaseIterable, CustomTestStringConvertible {
  case hosted
  case board

  /// The built program.
  var program: String {
    switch self {
    case .hosted: ".build/release/terrarium"
    case .board: ".build/boards/x86-64/terrarium-board"
    }
  }

  var testDescription: String { rawValue }
}

/// One way to use the program for about 1,000 tokens.
struct Scenario: CustomTestStringConvertible {
  var name: String
  var words: [String]
  var input = Data()
  /// Ctrl-C after so many bytes of output.
  var interruptsAfter: Int?
  /// The builds that know the command.
  var subjects = Subject.allCases

  /// How it ends.
  var status: Int32 { interruptsAfter == nil ? 0 : 130 }

  var testDescription: String { name }

  /// The model file that comes with the package.
  static let model: String? = {
    let sources = FileManager.default.enumerator(atPath: packageFile("Sources").path)
    while let path = sources?.nextObject() as? String {
      if path.hasSuffix(".terra") { return "Sources/" + path }
    }
    print("Sources holds no packed model: its seal is not tested")
    return nil
  }()

  /// All ways with one thread and with 8; the longest one also with 2, 3 and 64, far more than there
  /// are processors; every policy with 1 and 64; every policy in an evaluation.
  static let all: [Scenario] =
    ways(threadCount: 1) + ways(threadCount: 8)
    + [2, 3, 64].compactMap { ways(threadCount: $0).last }
    + Policy.names.flatMap { policy in [1, 64].map { Policy.run(policy, threadCount: $0) } }
    + Policy.names.map(Policy.evaluation)

  /// All ways, each on the builds that know its command.
  static let onSubjects: [(Subject, Scenario)] = all.flatMap { scenario in
    scenario.subjects.map { ($0, scenario) }
  }

  private static func ways(threadCount: Int) -> [Scenario] {
    let start = ["run", model ?? "", "--threads", "\(threadCount)", "--seed", "1"]
    let endless =
      start + ["--policy", "streaming", "--raw", "--tokens", "1000", "--temperature", "1"]
    return [
      Scenario(
        name: "document, \(threadCount) threads",
        words: endless + ["--file", "Tests/SealTests/Interposer/interposer.c"]),
      Scenario(
        name: "chat, \(threadCount) threads",
        words: start + ["--chat", "--tokens", "1000", "--policy", "streaming"],
        input: Data(String(repeating: "Where is the key?\n", count: 150).utf8)),
      Scenario(
        name: "Ctrl-C, \(threadCount) threads",
        words: endless + ["--prompt", "Once", "--tokens", "1000000"], interruptsAfter: 4000),
      Scenario(
        name: "streaming, \(threadCount) threads",
        words: endless + ["--prompt", "Once", "--context", "128"]),
    ]
  }
}
