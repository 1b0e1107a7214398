import Foundation
import Testing

/// A document from the corpus, and a question about it.
private struct LongDocument {
  let file: URL
  let question: String

  static let script = packageFile("../shared/eval/corpus.py")

  /// Writes a document of about so many tokens into `folder`.
  init(tokens: Int, in folder: URL) throws {
    let written = try run(["python3", Self.script.path, "\(tokens)", "1"])
    file = folder.appending(path: "\(tokens).txt")
    try written.output.write(to: file, atomically: true, encoding: .utf8)
    let answered = written.error.trimmingCharacters(in: .newlines)
    question = answered.split(separator: " ").dropLast().joined(separator: " ")
  }
}

/// Which tokens of the prompt the cache held when the reply began.
private struct HeldPositions {
  let promptTokens: Int
  /// Of each set of slots, without those of the reply and free ones.
  let sets: [Set<Int>]

  init(_ data: Data) throws {
    let words = stride(from: 0, to: data.count, by: 4).map { start in
      (0..<4).reduce(UInt32(0)) { $0 | UInt32(data[data.startIndex + start + $1]) << (8 * $1) }
    }
    try #require(words.count > 3 && words[0] == 0x3148_4554)
    promptTokens = Int(words[1])
    var sets: [Set<Int>] = []
    var next = 3 + Int(words[1])
    for _ in 0..<words[2] {
      let slots = words[next + 1..<next + 1 + Int(words[next])]
      let tokens = Int(words[1])
      sets.append(Set(slots.map { Int($0) }.filter { $0 < tokens }))
      next += 1 + slots.count
    }
    self.sets = sets
  }

  /// The share of sets that hold a token.
  func share(_ token: Int) -> Double {
    Double(sets.count { $0.contains(token) }) / Double(sets.count)
  }
}

/// Documents of any length in the memory of the cache, under every policy that does not hold the
/// prompt.
@Suite(
  .serialized,
  .enabled(
    if: present(Subject.hosted.program, "../shared/eval/corpus.py") && Scenario.model != nil))
struct LongInputTests {
  private static let slots = 256
  private static let policies = [
    "streaming", "h2o", "tova", "scissorhands", "scissorhands-paper", "citrus-shared", "infinipot",
  ]

  /// What a run printed, and what its cache held when the reply began.
  private func read(
    _ document: LongDocument, _ policy: String, promptKibibytes: Int, in folder: URL
  ) throws -> (figures: [String: Any], held: HeldPositions) {
    let slots = folder.appending(path: "held")
    defer { try? FileManager.default.removeItem(at: slots) }
    let finished = try run(
      [
        Subject.hosted.program, "run", try #require(Scenario.model), "--raw", "--json",
        "--file", document.file.path, "--prompt", document.question, "--tokens", "8",
        "--policy", policy, "--budget", "\(Self.slots)", "--threads", "2", "--explain", "-",
        "--tune", "prompt-bytes=\(promptKibibytes) KiB",
      ], Treatment(environment: ["TERRARIUM_HELD_SLOTS": slots.path]))
    #expect(finished.status == 0, "\(finished.error)")
    let figures = try JSONSerialization.jsonObject(with: Data(finished.output.utf8))
    return (
      try #require(figures as? [String: Any]), try HeldPositions(try Data(contentsOf: slots))
    )
  }

  private func withFolder(_ body: (URL) throws -> Void) throws {
    let folder = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    try body(folder)
  }

  /// The cache took the slots of the plan, and the process its bytes: no more, and all but what of
  /// the program was never used.
  private func expectPlan(
    _ policy: String, _ figures: [String: Any], _ held: HeldPositions
  ) throws {
    let peak = try #require(figures["peak_slots"] as? Int)
    // CItruS divides what the instruction leaves into chunks, which may leave a few slots over.
    #expect(policy == "citrus-shared" ? peak >= Self.slots * 9 / 10 : peak == Self.slots)
    #expect(peak <= Self.slots)
    #expect(held.sets.allSatisfy { $0.count <= Self.slots })
    let planned = try #require(figures["planned_bytes"] as? Int)
    let resident = try #require(figures["peak_resident_bytes"] as? Int)
    #expect(resident <= planned)
    #expect(resident >= planned - 512 << 10)
    #expect(figures["allocations_after_launch"] as? Int == 0)
  }

  @Test(arguments: policies) func tenTimesTheDocumentInTheSameMemory(policy: String) throws {
    try withFolder { folder in
      let documents = try [1000, 10_000].map { try LongDocument(tokens: $0, in: folder) }
      var arenas: Set<Int> = []
      for document in documents {
        let (figures, held) = try read(document, policy, promptKibibytes: 64, in: folder)
        try expectPlan(policy, figures, held)
        arenas.insert(try #require(figures["arena_bytes"] as? Int))
        try expectLandmarks(policy, held)
        // The model was trained with 2,048 tokens: there positions are counted anew.
        let turnovers = try #require(figures["turnovers"] as? Int)
        switch policy {
        case "streaming": #expect(turnovers == 0)
        case "citrus-shared", "infinipot": #expect(turnovers > 0)
        default: #expect((turnovers > 0) == (held.promptTokens > 2048))
        }
      }
      #expect(arenas.count == 1)
    }
  }

  @Test func aHundredThousandTokens() throws {
    try withFolder { folder in
      let document = try LongDocument(tokens: 100_000, in: folder)
      let (figures, held) = try read(document, "scissorhands", promptKibibytes: 512, in: folder)
      try expectPlan("scissorhands", figures, held)
      try expectLandmarks("scissorhands", held)
      #expect(held.promptTokens > 90_000)
      #expect(try #require(figures["turnovers"] as? Int) > 40)
    }
  }

  /// What each policy is about is still there: sinks, heavy hitters, the newest tokens.
  private func expectLandmarks(_ policy: String, _ held: HeldPositions) throws {
    let last = held.promptTokens - 1
    switch policy {
    case "streaming":
      let window = last - Self.slots + 5...last
      #expect((Array(0..<4) + Array(window)).allSatisfy { held.share($0) == 1 })
    case "h2o":
      // Half of the slots are the newest; the others got the most probability of the whole stream,
      // so that old ones go on leading.
      #expect((last - 100...last).allSatisfy { held.share($0) == 1 })
      #expect(held.sets.allSatisfy { set in set.count { $0 < last / 2 } > 20 })
    case "scissorhands", "scissorhands-paper":
      #expect((last - 9...last).allSatisfy { held.share($0) == 1 })
    case "tova": #expect(held.share(last) == 1)
    case "infinipot":
      // The first token is the one whose surprise nothing tells: it counts as the largest.
      #expect(([0] + Array(last - 5...last)).allSatisfy { held.share($0) == 1 })
    default:
      // The instruction stays whole.
      #expect((last - 5...last).allSatisfy { held.share($0) == 1 })
    }
  }
}
