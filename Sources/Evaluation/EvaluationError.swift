/// Why an evaluation ends early, each with its exit code.
package enum EvaluationError: Error, CustomStringConvertible {
  case missing(String)
  case unreadable(String)
  case badCase(file: String, line: Int, reason: String)
  case noCases(String)
  case unknownPolicy(String, known: [String])
  case tokenizer(String)
  case childNotStarted(String)
  case childFailed(status: Int32)
  case childAllocated(Int)
  case badAnswer
  case cannotWrite(String)
  case badHeldSlots(String)
  case noConverter
  case interrupted

  /// The code the process exits with.
  package var exitCode: Int32 {
    switch self {
    case .missing, .unreadable: 66
    case .badCase, .noCases, .tokenizer, .badHeldSlots: 65
    case .unknownPolicy: 64
    case .childFailed(let status): status
    case .childNotStarted, .childAllocated, .badAnswer: 70
    case .cannotWrite: 73
    case .noConverter: 66
    case .interrupted: 130
    }
  }

  /// One sentence: what is wrong, the limit, the remedy.
  package var description: String {
    switch self {
    case .missing(let path): "\(path): no such file or folder"
    case .unreadable(let path): "\(path): cannot be read"
    case .badCase(let file, let line, let reason): "\(file):\(line): \(reason)"
    case .noCases(let path): "\(path): no case is left; look at --tasks, --lengths and --limit"
    case .unknownPolicy(let name, let known):
      "there is no policy `\(name)`; there are: \(known.joined(separator: ", "))"
    case .tokenizer(let text): "the text of a case cannot be made tokens: \(text)"
    case .childNotStarted(let reason): "a child could not be started: \(reason)"
    case .childFailed: "a child ended early; what it said stands above"
    case .childAllocated(let count):
      "a sealed child allocated \(count) times after its launch; please report this"
    case .badAnswer: "a child answered what nobody asked; please report this"
    case .cannotWrite(let path): "\(path): cannot be written"
    case .badHeldSlots(let path): "\(path): not what a run writes about its slots"
    case .noConverter:
      "PNG pictures need rsvg-convert; on Debian: apt-get install librsvg2-bin (SVG is written)"
    case .interrupted: "interrupted"
    }
  }
}
