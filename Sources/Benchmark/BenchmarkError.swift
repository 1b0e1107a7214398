/// Why a benchmark ends early.
package enum BenchmarkError: Error, Equatable, CustomStringConvertible {
  /// A value of an option that it cannot have.
  case badValue(String, option: String, allowed: String)
  /// Options that exclude each other, or one that is missing.
  case usage(String)
  case unknownShape(String)
  /// A file that is no model, or a damaged one.
  case badFile(String, problem: String)
  case unreadable(String)
  /// A GGUF file that cannot be packed.
  case packing(String, exitCode: Int32)
  case cannotWrite(String, problem: String)
  /// The program that the benchmark compares with is not here.
  case peerMissing(String)
  /// It is here and does not do what it should.
  case peerFailed(String)
  /// The sealed process of a row ended; it has said why.
  case rowFailed(exitCode: Int32)
  /// A row answered what no row answers.
  case rowSilent(String)
  /// Memory for measuring the bandwidth, in bytes.
  case noMemory(Int)
  case interrupted

  /// The code the program exits with; stable.
  package var exitCode: Int32 {
    switch self {
    case .badValue, .usage, .unknownShape: 64
    case .badFile: 65
    case .unreadable: 66
    case .peerMissing, .peerFailed: 69
    case .rowFailed(let exitCode), .packing(_, let exitCode): exitCode
    case .rowSilent: 70
    case .cannotWrite: 73
    case .noMemory: 78
    case .interrupted: 130
    }
  }

  package var description: String {
    switch self {
    case .badValue(let value, let option, let allowed):
      "`\(value)` is no value for \(option): \(allowed)"
    case .usage(let problem): problem
    case .unknownShape(let name):
      "there is no shape `\(name)`; known are "
        + SyntheticShape.all.map(\.name).joined(separator: ", ")
    case .badFile(let path, let problem): "\(path): \(problem)"
    case .packing(let problem, _): problem
    case .unreadable(let path): "\(path): cannot be read"
    case .cannotWrite(let path, let problem): "\(path): cannot be written: \(problem)"
    case .peerMissing(let problem):
      "\(problem); install it with: pip install llama-cpp-python "
        + "(or name another interpreter with --python)"
    case .peerFailed(let problem): "llama.cpp: \(problem)"
    case .rowFailed(let exitCode): "the measured process ended with exit code \(exitCode)"
    case .rowSilent(let line): "the measured process answered `\(line)`"
    case .noMemory(let bytes):
      "the system does not grant \(bytes) bytes to measure its bandwidth with"
    case .interrupted: "interrupted"
    }
  }
}
