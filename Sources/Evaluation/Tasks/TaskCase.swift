package import Foundation

/// What a case asks of a model.
package enum TaskKind: String, Codable, Sendable {
  /// One word in filler; right if the reply up to the first full stop is the answer.
  case needle
  /// One key of five digits in filler; scored like `needle`.
  case passkey
  /// One of many facts; scored like `needle`.
  case qa
  /// All facts; the share of them that the reply states, up to the end of its line.
  case summary
  /// A stream read to its end; how well its tokens, and those of its answers, are predicted.
  case ppl

  /// Whether the case is read as a stream instead of replied to.
  package var isStream: Bool { self == .ppl }
}

/// One line of a task set.
package struct TaskCase: Decodable, Equatable, Sendable {
  /// The case's name, the same in every result.
  package var id: String
  /// What is asked.
  package var task: TaskKind
  /// The most tokens of prompt and answer together.
  package var length: Int
  /// Where in the document the asked fact stands, in per cent; `nil` where there is none.
  package var depth: Int?
  /// The text before the question; it ends with a line feed.
  package var document: String
  /// The text after the document.
  package var question: String
  /// What is right.
  package var answer: String
  /// Ranges of characters of a stream that are answers, each as start and end.
  package var spans: [[Int]]?
}

/// The cases of an evaluation, from files of one JSON object per line.
package enum TaskSet {
  /// Which cases of a set are wanted.
  package struct Selection: Sendable {
    /// Tasks; empty: all.
    package var tasks: Set<String> = []
    /// Lengths; empty: all.
    package var lengths: Set<Int> = []
    /// The first so many of each task and length; `nil`: all.
    package var limit: Int?

    /// Every case.
    package init() {}
  }

  /// Reads a file, or all `.jsonl` files of a folder by name.
  package static func read(
    path: String, _ selection: Selection
  ) throws(EvaluationError) -> [TaskCase] {
    var isFolder: ObjCBool = false
    guard unsafe FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) else {
      throw .missing(path)
    }
    var files = [path]
    if isFolder.boolValue {
      guard let names = try? FileManager.default.contentsOfDirectory(atPath: path) else {
        throw .unreadable(path)
      }
      files = names.filter { $0.hasSuffix(".jsonl") }.sorted().map { "\(path)/\($0)" }
    }
    var cases: [TaskCase] = []
    for file in files { cases += try parse(file: file) }
    cases = select(cases, selection)
    if cases.isEmpty { throw .noCases(path) }
    return cases
  }

  /// The cases that `selection` leaves, in order.
  package static func select(_ cases: [TaskCase], _ selection: Selection) -> [TaskCase] {
    var seen: [CaseGroup: Int] = [:]
    return cases.filter { one in
      guard selection.tasks.isEmpty || selection.tasks.contains(one.task.rawValue),
        selection.lengths.isEmpty || selection.lengths.contains(one.length)
      else { return false }
      let group = CaseGroup(task: one.task, length: one.length)
      seen[group, default: 0] += 1
      return selection.limit.map { seen[group, default: 0] <= $0 } ?? true
    }
  }

  private static func parse(file: String) throws(EvaluationError) -> [TaskCase] {
    guard let data = FileManager.default.contents(atPath: file) else { throw .unreadable(file) }
    return try parse(data, name: file)
  }

  /// The cases of a file's bytes; a line that is no case is named.
  package static func parse(_ data: Data, name: String) throws(EvaluationError) -> [TaskCase] {
    let decoder = JSONDecoder()
    var cases: [TaskCase] = []
    var ids: Set<String> = []
    for (index, line) in data.split(separator: 10, omittingEmptySubsequences: false).enumerated()
    where !line.isEmpty {
      let number = index + 1
      let one: TaskCase
      do {
        one = try decoder.decode(TaskCase.self, from: Data(line))
      } catch {
        throw .badCase(file: name, line: number, reason: reason(error))
      }
      try check(one, file: name, line: number)
      guard ids.insert(one.id).inserted else {
        throw .badCase(file: name, line: number, reason: "the id \(one.id) came before")
      }
      cases.append(one)
    }
    return cases
  }

  private static func check(
    _ one: TaskCase, file: String, line: Int
  ) throws(EvaluationError) {
    func refuse(_ reason: String) -> EvaluationError {
      .badCase(file: file, line: line, reason: reason)
    }
    guard one.length > 0 && one.length <= 1 << 24 else { throw refuse("length is out of range") }
    if let depth = one.depth, !(0...100 ~= depth) { throw refuse("depth is no percentage") }
    if one.document.isEmpty { throw refuse("the document is empty") }
    if !one.task.isStream && one.answer.isEmpty { throw refuse("the answer is empty") }
    for span in one.spans ?? [] {
      guard span.count == 2, span[0] >= 0, span[0] <= span[1] else {
        throw refuse("a span is not a start and an end")
      }
    }
  }

  private static func reason(_ error: any Error) -> String {
    switch error {
    case DecodingError.keyNotFound(let key, _): "`\(key.stringValue)` is missing"
    case DecodingError.typeMismatch(_, let context), DecodingError.valueNotFound(_, let context):
      "`\(context.codingPath.map(\.stringValue).joined(separator: "."))` has the wrong type"
    case DecodingError.dataCorrupted(let context) where !context.codingPath.isEmpty:
      "`\(context.codingPath.map(\.stringValue).joined(separator: "."))` is none of "
        + "needle, passkey, qa, summary, ppl"
    default: "not a JSON object"
    }
  }
}

/// Cases that are counted together.
package struct CaseGroup: Hashable, Sendable {
  /// What is asked.
  package var task: TaskKind
  /// How long the cases are.
  package var length: Int

  /// Joins the two.
  package init(task: TaskKind, length: Int) {
    self.task = task
    self.length = length
  }
}
