import Foundation
import Testing

/// The plan of the board build against what the kernel counts.
@Suite(
  .serialized, .enabled(if: present(Subject.board.program) && Scenario.model != nil))
struct PlanTests {
  private let program = Subject.board.program
  private let model = Scenario.model ?? ""

  /// The plan of a run as `plan --json` prints it.
  private func total(_ words: [String]) throws -> Int {
    let plan = try run([program, "plan", model, "--json"] + words)
    let object = try JSONSerialization.jsonObject(with: Data(plan.output.utf8))
    return try #require((object as? [String: Any])?["total_bytes"] as? Int)
  }

  /// Calls `body` with the path of a profile.
  private func withProfile(_ text: String, _ body: (String) throws -> Void) throws {
    let file = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString + ".toml")
    try Data(text.utf8).write(to: file)
    defer { try? FileManager.default.removeItem(at: file) }
    try body(file.path)
  }

  static let shapes: [[String]] = [
    [], ["--threads", "1"], ["--threads", "3"], ["--threads", "8"], ["--threads", "64"],
    ["--context", "64"], ["--kv", "int4"],
    ["--profile", "raspberry-pi-4-1gb"], ["--profile", "raspberry-pi-zero-2w"],
    ["--policy", "streaming", "--context", "100"],
    ["--policy", "h2o", "--budget", "64"], ["--policy", "tova", "--budget", "64"],
    ["--policy", "scissorhands", "--budget", "2000"], ["--budget", "256"],
    [
      "--policy", "gemfilter", "--tune", "gemfilter-reply=valuediff", "--budget", "64",
      "--prompt-max", "3000",
    ],
    ["--policy", "infinipot", "--budget", "256", "--threads", "3"],
    ["--policy", "citrus-individual", "--budget", "256", "--threads", "3"],
    ["--policy", "snapkv", "--budget", "64", "--prompt-max", "3000"],
    ["--policy", "gemfilter-vote", "--budget", "64", "--prompt-max", "3000"],
  ]

  @Test(arguments: shapes)
  func peakIsThePlanAndNeverAbove(words: [String]) throws {
    let finished = try run(
      [program, "run", model, "--raw", "--prompt", "The key", "--tokens", "60", "--json"] + words)
    #expect(finished.status == 0, "\(finished.error)")
    let object = try JSONSerialization.jsonObject(with: Data(finished.output.utf8))
    let figures = try #require(object as? [String: Any])
    let planned = try #require(figures["planned_bytes"] as? Int)
    let peak = try #require(figures["peak_resident_bytes"] as? Int)
    #expect(try total(words) == planned)
    #expect(peak <= planned)
    #expect(planned - peak <= max(planned / 50, 1 << 20))
  }

  @Test(arguments: [32, 240]) func theEnvironmentHasRoom(kibibytes: Int) throws {
    let words = ["run", model, "--raw", "--prompt", "The key", "--tokens", "3", "--json"]
    // The kernel takes no string of more than 128 KiB.
    let long = (0..<kibibytes / 16).map { "LONG\($0)=" + String(repeating: "x", count: 16 << 10) }
    let finished = try run(["/usr/bin/env"] + long + [program] + words)
    let object = try JSONSerialization.jsonObject(with: Data(finished.output.utf8))
    let figures = try #require(object as? [String: Any])
    let planned = try #require(figures["planned_bytes"] as? Int)
    #expect(try #require(figures["peak_resident_bytes"] as? Int) <= planned)
  }

  @Test func aPageMakesTheDifference() throws {
    let words = ["run", model, "--raw", "--prompt", "The key", "--tokens", "3", "--profile"]
    let needed = try total(["--threads", "2", "--context", "512"])
    func profile(_ budget: Int) -> String {
      "budget = \"\(budget) B\"\nthreads = 2\ncontext = 512\n"
    }
    try withProfile(profile(needed)) { path in
      let finished = try run([program] + words + [path])
      #expect(finished.status == 0, "\(finished.error)")
    }
    try withProfile(profile(needed - 4096)) { path in
      let finished = try run([program] + words + [path])
      #expect(finished.status == 78)
      #expect(finished.output.isEmpty)
      #expect(finished.error.contains("does not fit: 4,096 bytes are missing"))
      #expect(finished.error.contains("would fit"))
    }
  }
}
