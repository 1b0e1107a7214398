import Evaluation
import Foundation
import Testing

@Suite struct TaskSetTests {
  private static let line =
    #"{"id": "a", "task": "needle", "length": 256, "depth": 10, "document": "d\n", "#
    + #""question": "q", "answer": "x"}"#

  private func parse(_ text: String) throws -> [TaskCase] {
    try TaskSet.parse(Data(text.utf8), name: "set.jsonl")
  }

  /// What is said about a file that is refused.
  private func refusal(_ text: String) -> String? {
    do {
      _ = try parse(text)
      return nil
    } catch let error as EvaluationError {
      #expect(error.exitCode == 65)
      return error.description
    } catch {
      return "\(error)"
    }
  }

  @Test func readsLines() throws {
    let cases = try parse(Self.line + "\n\n" + Self.line.replacing(#""a""#, with: #""b""#))
    #expect(cases.map(\.id) == ["a", "b"])
    #expect(cases[0].task == .needle && cases[0].length == 256 && cases[0].depth == 10)
    #expect(cases[0].document == "d\n" && cases[0].question == "q" && cases[0].answer == "x")
    #expect(cases[0].spans == nil)
  }

  @Test func defectsAreNamedWithTheirLine() {
    func changed(_ old: String, _ new: String) -> String? {
      refusal(Self.line + "\n" + Self.line.replacing(old, with: new))
    }
    #expect(refusal("{") == "set.jsonl:1: not a JSON object")
    #expect(refusal("[]")?.hasPrefix("set.jsonl:1: ") == true)
    #expect(refusal("\u{0}") == "set.jsonl:1: not a JSON object")
    #expect(changed("x", "x") == "set.jsonl:2: the id a came before")
    #expect(changed(#""answer": "x""#, "\"b\": 1") == "set.jsonl:2: `answer` is missing")
    #expect(changed("256", "\"l\"") == "set.jsonl:2: `length` has the wrong type")
    #expect(changed("256", "0") == "set.jsonl:2: length is out of range")
    #expect(changed("256", "99999999999") == "set.jsonl:2: length is out of range")
    #expect(changed("10", "101") == "set.jsonl:2: depth is no percentage")
    #expect(changed(#""d\n""#, "\"\"") == "set.jsonl:2: the document is empty")
    #expect(changed(#""x""#, "\"\"") == "set.jsonl:2: the answer is empty")
    #expect(
      changed("needle", "sleep")
        == "set.jsonl:2: `task` is none of needle, passkey, qa, summary, ppl")
    #expect(
      changed(#""x""#, #""x", "spans": [[3, 2]]"#)
        == "set.jsonl:2: a span is not a start and an end")
  }

  @Test func selects() throws {
    let cases = try TaskSet.read(path: Program.tasks, TaskSet.Selection())
    var selection = TaskSet.Selection()
    selection.lengths = [256]
    selection.tasks = ["needle", "qa"]
    selection.limit = 2
    let chosen = TaskSet.select(cases, selection)
    #expect(chosen.map(\.length) == [256, 256, 256, 256])
    #expect(chosen.map(\.task) == [.needle, .needle, .qa, .qa])
    #expect(chosen[0].id == "needle-256-1000")
  }

  @Test func missingAndEmptySets() throws {
    #expect(throws: EvaluationError.self) {
      try TaskSet.read(path: "/nonexistent", TaskSet.Selection())
    }
    try withFolder { folder in
      #expect(throws: EvaluationError.self) {
        try TaskSet.read(path: folder.path, TaskSet.Selection())
      }
      try Data(Self.line.utf8).write(to: folder.appending(path: "b.jsonl"))
      try Data("no case".utf8).write(to: folder.appending(path: "notes.txt"))
      #expect(try TaskSet.read(path: folder.path, TaskSet.Selection()).map(\.id) == ["a"])
    }
  }
}
