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
  case noResults
  case badProfile(String, line: Int)
  case probesTooShort(length: Int, budget: Int)
  case noFilterLayer(best: Int, covered: Int, of: Int)
  case noExpected(String)
  case beyondLimits(Int)
  case interrupted

  /// The code the process exits with.
  package var exitCode: Int32 {
    switch self {
    case .missing, .unreadable: 66
    case .badProfile: 78
    case .badCase, .noCases, .tokenizer, .badHeldSlots, .noResults, .noExpected: 65
    case .unknownPolicy, .probesTooShort: 64
    case .childFailed(let status): status
    case .childNotStarted, .childAllocated, .badAnswer: 70
    case .cannotWrite: 73
    case .noConverter: 66
    case .beyondLimits, .noFilterLayer: 1
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
    case .noResults: "no result is left; look at --results, --set, --policy and --tasks"
    case .badProfile(let path, let line):
      "\(path):\(line): not a profile; `terrarium plan MODEL --profile \(path)` says why"
    case .probesTooShort(let length, let budget):
      "probes of \(length) tokens fit into \(budget) slots; raise --lengths or lower --budget"
    case .noFilterLayer(let best, let covered, let count):
      "no layer covers the needle in 95 of 100 probes, layer \(best) in \(covered) of \(count); "
        + "raise --budget, or choose by `gemfilter-layer = \(best)` yourself"
    case .noExpected(let path): "\(path): it has no case, policy and budget of these results"
    case .beyondLimits(let count):
      "\(count == 1 ? "one limit is" : "\(count) limits are") exceeded; they stand below the table"
    case .interrupted: "interrupted"
    }
  }
}
