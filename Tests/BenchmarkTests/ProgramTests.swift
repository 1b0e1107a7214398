import Foundation
import Testing

private let packageFolder = URL(filePath: #filePath).deletingLastPathComponent()
  .deletingLastPathComponent().deletingLastPathComponent()
private let program = packageFolder.appending(path: ".build/release/terrarium").path
private let stories = packageFolder.appending(path: "../shared/models/stories260K-f32.gguf").path
private let fixtures = packageFolder.appending(path: "Tests/BenchmarkTests/Fixtures").path

/// Whether a file is there; says which one is not.
private func present(_ path: String) -> Bool {
  if FileManager.default.fileExists(atPath: path) { return true }
  print("\(path) is missing: what needs it is not tested")
  return false
}

private struct Finished {
  var status: Int32
  var output: String
  var error: String
}

/// Runs `terrarium bench` to its end.
private func bench(
  _ words: [String], environment: [String: String] = [:]
) throws -> Finished {
  let process = Process()
  process.executableURL = URL(filePath: program)
  process.arguments = ["bench"] + words
  process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
  let folder = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
  try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
  defer { try? FileManager.default.removeItem(at: folder) }
  let files = ["output", "error"].map { folder.appending(path: $0) }
  for file in files { try Data().write(to: file) }
  process.standardInput = FileHandle.nullDevice
  process.standardOutput = try FileHandle(forWritingTo: files[0])
  process.standardError = try FileHandle(forWritingTo: files[1])
  try process.run()
  process.waitUntilExit()
  return Finished(
    status: process.terminationStatus, output: try String(contentsOf: files[0], encoding: .utf8),
    error: try String(contentsOf: files[1], encoding: .utf8))
}

extension [String: Any] {
  /// Whether the policy of a row runs tokens over the cache only to see what they look at.
  fileprivate var probes: Bool {
    (self["policy"] as? String).map { ["citrus-shared", "infinipot"].contains($0) } ?? false
  }
}

@Suite(.serialized, .enabled(if: present(program)))
struct BenchProgramTests {
  private func rows(_ text: String) throws -> [[String: Any]] {
    try #require(try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [[String: Any]])
  }

  @Test func builtInModelIsMeasuredSealed() throws {
    let finished = try bench([
      "-p", "16", "-n", "4", "-pg", "8,2", "-r", "2", "-t", "1,2", "-d", "0,8", "--json",
    ])
    #expect(finished.status == 0, "\(finished.error)")
    #expect(finished.error.isEmpty)
    let rows = try rows(finished.output)
    #expect(rows.count == 12)
    let tests = rows.map { [$0["n_threads"], $0["n_depth"], $0["n_prompt"], $0["n_gen"]] }
    #expect(tests.first as? [Int] == [1, 0, 16, 0])
    #expect(tests[4] as? [Int] == [1, 8, 0, 4])
    #expect(tests.last as? [Int] == [2, 8, 8, 2])
    for row in rows {
      for name in [
        "avg_ns", "avg_ts", "median_ts", "bytes_per_token", "read_gb_per_s", "read_share",
        "machine_read_gb_per_s", "ops_per_token", "gop_per_s", "machine_int8_gop_per_s",
        "machine_int4_gop_per_s", "op_share", "launch_seconds", "planned_bytes", "model_size",
        "n_batch",
      ] {
        #expect(try #require(row[name] as? Double) > 0, "\(name)")
      }
      // Sealed: nothing allocated, and no more resident than was planned.
      #expect(row["allocations_after_launch"] as? Int == 0)
      #expect(
        try #require(row["peak_resident_bytes"] as? Int)
          <= #require(row["planned_bytes"] as? Int))
      #expect((row["samples_ns"] as? [Int])?.count == 2)
      #expect((row["samples_ts"] as? [Double])?.count == 2)
      #expect(row["model_n_params"] as? Int == 2_541_504)
      #expect(row["model_type"] as? String == "llama 2.5M Q8_0")
      #expect(row["isa"] as? String != "")
    }
  }

  @Test func cacheFormatsAreRows() throws {
    let finished = try bench([
      "-p", "0", "-n", "2", "-r", "1", "-t", "1", "-ctk", "int8,q4_0", "-ctv", "int4", "-o", "csv",
      "--isa", "portable", "--chunk", "8", "--context", "64",
    ])
    #expect(finished.status == 0, "\(finished.error)")
    let lines = finished.output.split(separator: "\n")
    try #require(lines.count == 3)
    #expect(lines[1].contains("\"int8\",\"int4\"") && lines[2].contains("\"int4\",\"int4\""))
    #expect(lines[1].contains("\"portable\",\"64\""))
  }

  @Test func policiesAreRowsBesideTheFullCache() throws {
    let finished = try bench([
      "-p", "64", "-n", "4", "-d", "96", "-r", "3", "-t", "2", "--json", "--budget", "48",
      "--policy",
      "full,truncate,streaming,h2o,tova,snapkv,scissorhands,citrus-shared,infinipot,gemfilter",
    ])
    #expect(finished.status == 0, "\(finished.error)")
    let rows = try rows(finished.output)
    #expect(rows.count == 20)
    for (index, row) in rows.enumerated() {
      let policy = try #require(row["policy"] as? String)
      let isPrompt = index < 10
      let isFiltered = policy == "gemfilter" && isPrompt
      #expect(row["n_prompt"] as? Int == (isFiltered ? 160 : isPrompt ? 64 : 0))
      #expect(
        row["n_depth"] as? Int == (policy == "full" ? isPrompt ? 16 : 46 : isFiltered ? 0 : 96))
      #expect(row["allocations_after_launch"] as? Int == 0)
      #expect(
        try #require(row["peak_resident_bytes"] as? Int)
          <= #require(row["planned_bytes"] as? Int))
      #expect(row["budget"] as? Int == 48)
      guard policy != "full" else {
        #expect(row["full_samples_ts"] == nil)
        continue
      }
      // A reply goes on in a full cache from its first repetition on.
      #expect(isPrompt || row["attended_slots"] as? Int == 48)
      #expect(isPrompt || row["full_n_depth"] as? Int == 46)
      let ours = try #require(row["samples_ts"] as? [Double])
      let full = try #require(row["full_samples_ts"] as? [Double])
      #expect(ours.count == 3 && full.count == 3)
      let added = zip(full, ours).map { $0 / $1 - 1 }.sorted()[1]
      #expect(abs(try #require(row["added_share"] as? Double) - added) < 0.001)
      #expect(try #require(row["added_share_error"] as? Double) >= 0)
      #expect((try #require(row["first_pass_seconds"] as? Double) > 0) == isFiltered)
      let (probed, outputs) = (row["probed_rows_per_token"], row["output_rows_per_token"])
      #expect((try #require(probed as? Double) > 0) == (isPrompt && row.probes))
      let hasOutputs = isPrompt && policy == "infinipot"
      #expect(try #require(outputs as? Double) == (hasOutputs ? 1 : 0))
      #expect((try #require(row["output_share"] as? Double) > 0) == hasOutputs)
    }
  }

  /// Only a row that generates at a depth has depth 0 beside it.
  @Test func aDepthIsMeasuredBesideDepthZero() throws {
    let finished = try bench([
      "-p", "4", "-n", "4", "-d", "0,64", "-t", "1", "-r", "2", "--slope", "--json",
    ])
    #expect(finished.status == 0, "\(finished.error)")
    let rows = try rows(finished.output)
    try #require(rows.count == 4)
    for row in rows.prefix(3) { #expect(row["slope"] == nil && row["start_samples_ts"] == nil) }
    let deep = rows[3]
    #expect(deep["n_gen"] as? Int == 4 && deep["n_depth"] as? Int == 64)
    #expect((deep["start_samples_ts"] as? [Double])?.count == 2)
    #expect(deep["slope"] is Double && deep["slope_at_start"] is Double)
    #expect(deep["start_bytes_per_token"] as? Double == rows[1]["bytes_per_token"] as? Double)
    #expect(
      try #require(deep["bytes_per_token"] as? Double)
        > (try #require(rows[1]["bytes_per_token"] as? Double)))
    #expect(deep["allocations_after_launch"] as? Int == 0)
  }

  @Test func whereThereIsRoomEveryRepetitionStartsAnew() throws {
    let finished = try bench([
      "-p", "8", "-n", "4", "-d", "16", "-r", "4", "-t", "1", "--json", "--budget", "64",
      "--policy", "truncate,streaming,h2o,snapkv,citrus-individual,infinipot,gemfilter",
    ])
    #expect(finished.status == 0, "\(finished.error)")
    let rows = try rows(finished.output)
    #expect(rows.count == 14)
    for (index, row) in rows.enumerated() {
      let isFiltered = index == 6
      #expect(row["attended_slots"] as? Int == (index < 7 ? 24 : 20))
      #expect(row["full_n_depth"] as? Int == (isFiltered ? 0 : 16))
    }
  }

  @Test func randomWeightsNeedNoFile() throws {
    let finished = try bench([
      "--synthetic", "smollm2-135m", "--weights", "int4", "-p", "2", "-n", "1", "-r", "1", "-t",
      "1", "-o", "jsonl",
    ])
    #expect(finished.status == 0, "\(finished.error)")
    let lines = finished.output.split(separator: "\n")
    try #require(lines.count == 2)
    #expect(lines[0].contains("\"model_filename\": \"SmolLM2-135M\""))
    #expect(lines[0].contains("\"model_type\": \"llama 135M Q4_0\""))
    #expect(lines[0].contains("\"model_n_params\": 134515008"))
  }

  @Test(arguments: [
    (["--synthetic", "nope"], 64, "there is no shape `nope`; known are SmolLM2-135M"),
    (["-p", "1,x"], 64, "`x` is no value for -p"),
    (["-t", "0"], 64, "`0` is no value for -t"),
    (["--kv", "int3"], 64, "`int3` is no value for --kv"),
    (["--weights", "int8"], 64, "--weights is for --synthetic"),
    (["-p", "0", "-n", "0"], 64, "nothing to measure"),
    (["-r", "0"], 64, "`0` is no value for -r"),
    (["--json", "--csv"], 64, "exclude each other"),
    (["--kv", "int8", "-ctk", "int8"], 64, "--kv excludes"),
    (["--against", "vllm"], 64, "`vllm` is no value for --against"),
    (["--against", "llama-cpp-python"], 64, "--against needs a GGUF file"),
    (["/no/such/model.terra"], 66, "/no/such/model.terra: cannot be read"),
    ([#filePath], 65, "not a pack file"),
    (["-p", "64", "-n", "0", "--context", "16"], 78, "does not fit the context of 16"),
    (["--profile", "no-such-profile"], 78, "there is no profile `no-such-profile`"),
    (["--synthetic", "Llama-3.1-8B", "-p", "8", "-n", "0"], 78, "bytes are missing from a budget"),
    (["--isa", "nonsense"], 64, "`nonsense` is no value for --isa"),
    (["--policy", "nonsense"], 64, "`nonsense` is no value for --policy"),
    (["--policy", "h2o", "--budget", "9"], 78, "at least 32 slots, not 9"),
    (["--policy", "h2o", "--budget", "0"], 64, "`0` is no value for --budget"),
    (["--budget", "64", "--context", "64"], 64, "--budget and --context are the same"),
    (["--slope", "-n", "4"], 64, "--slope needs tokens to generate at a depth"),
    (["--slope", "-d", "64", "-n", "4", "--policy", "h2o"], 64, "--slope measures beside depth 0"),
    (["--policy", "gemfilter", "--prompt-max", "70", "--budget", "64", "-p", "80"], 78, "80"),
  ])
  func refusesByName(words: [String], status: Int32, message: String) throws {
    let finished = try bench(words)
    #expect(finished.status == status)
    #expect(finished.output.isEmpty)
    #expect(finished.error.contains(message), "\(finished.error)")
  }

  @Test func listsShapes() throws {
    let finished = try bench(["--synthetic", "list"])
    #expect(finished.status == 0)
    #expect(finished.output.hasPrefix("SmolLM2-135M"))
  }

  @Test func missingPythonIsNamed() throws {
    let finished = try bench([
      "--synthetic", "SmolLM2-135M", "--against", "llama-cpp-python", "--python", "no-such-python",
    ])
    #expect(finished.status == 69)
    #expect(finished.error.contains("there is no `no-such-python` that runs"))
    #expect(finished.error.contains("pip install llama-cpp-python"))
  }

  @Test func missingPackageIsNamed() throws {
    let finished = try bench(
      ["--synthetic", "SmolLM2-135M", "--against", "llama-cpp-python"],
      environment: ["PYTHONPATH": fixtures, "FAKE_LLAMA": "missing"])
    #expect(finished.status == 69)
    #expect(finished.error.contains("python3 has no llama_cpp"))
    #expect(finished.error.contains("pip install llama-cpp-python"))
  }

  @Test(.enabled(if: present(stories))) func comparesInTurnOnTheSameFile() throws {
    let finished = try bench(
      [
        stories, "-p", "8", "-n", "4", "-d", "0,16", "-r", "3", "-t", "1", "--against",
        "llama-cpp-python", "--json",
      ], environment: ["PYTHONPATH": fixtures])
    #expect(finished.status == 0, "\(finished.error)")
    let rows = try rows(finished.output)
    #expect(rows.count == 4)
    for row in rows {
      #expect(row["peer"] as? String == "llama-cpp-python fake")
      let theirs = try #require(row["peer_median_ts"] as? Double)
      let ours = try #require(row["median_ts"] as? Double)
      #expect(abs(try #require(row["ratio"] as? Double) - ours / theirs) < 0.001)
      let f16 = try #require(row["peer_samples_ts f16"] as? [Double]).sorted()
      #expect(f16.count == 3)
      let q8 = (row["peer_samples_ts q8_0"] as? [Double])?.sorted()
      #expect((q8 != nil) == (row["n_depth"] as? Int == 16))
      // The faster one counts.
      let isF16 = q8.map { f16[1] >= $0[1] } ?? true
      #expect(row["peer_type_kv"] as? String == (isF16 ? "f16" : "q8_0"))
      #expect(abs(theirs - max(f16[1], q8?[1] ?? 0)) < 0.001)
    }
  }

  @Test(.enabled(if: present(stories))) func failuresOfThePeerAreNamed() throws {
    let finished = try bench(
      [stories, "-p", "8", "-n", "0", "--against", "llama-cpp-python"],
      environment: ["PYTHONPATH": fixtures, "FAKE_LLAMA": "unloadable"])
    #expect(finished.status == 69)
    #expect(finished.error.contains("llama.cpp: cannot load"))
  }
}
