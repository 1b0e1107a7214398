import Foundation
import Testing

/// Logits of one model in one cache format: one hash, whatever computes them.
struct Logits: Sendable, CustomTestStringConvertible {
  var name: String
  var cache: String
  /// How the cache is kept small: policy and slots; empty where everything stays.
  var eviction: [String] = []
  var hash: String
  /// The pack file.
  var model: @Sendable () throws -> String
  /// Token ids as `logits` reads them.
  var ids: @Sendable () throws -> Data

  var testDescription: String {
    "\(name), \(cache) cache \(eviction.joined(separator: " "))"
  }

  static let all = [
    Logits(
      name: "built-in", cache: "int8",
      hash: "45a170e0753d55b10865dd76c7be34387bbacc8f15018b177ef8aa185326ca02", model: builtIn,
      ids: seededIds),
    Logits(
      name: "built-in", cache: "int4",
      hash: "8bbd4a0277e6368f4f681746896db24633427c0541e246249430ed21c0050bc3", model: builtIn,
      ids: seededIds),
    Logits(
      name: "built-in", cache: "int8",
      eviction: ["--policy", "scissorhands", "--budget", "64"],
      hash: "96cdc96d74672be1cd6178679e05cdae15f6358663d405fd318ff7cd7d0abd4f", model: builtIn,
      ids: seededIds),
    Logits(
      name: "built-in", cache: "int8", eviction: ["--budget", "64"],
      hash: "70a2595a23d03864162639d0eedecc84a35ddc8ae9afa26e82ed0787a6336d88", model: builtIn,
      ids: seededIds),
    Logits(
      name: "built-in", cache: "int8", eviction: ["--policy", "infinipot", "--budget", "64"],
      hash: "abdd713073a92fb97adb70bac5b5f6273282446e3b8b0fd1d67ab872de4c7bd2", model: builtIn,
      ids: seededIds),
  ]

  /// From shared files, which are not everywhere.
  static let shared = [
    Logits(
      name: "stories260K", cache: "int8",
      hash: "cac5741431e58989b72a561d9c0718d5202f199a4b72dd21209fac6ec8f065fc", model: stories,
      ids: { try Data(contentsOf: packageFile("../shared/reference/stories260K/story.i32")) }),
    Logits(
      name: "stories260K", cache: "int4",
      hash: "d5dececb3c788c385c75af0ccb7e854a442b6e01cc544dba82fea938c4d99c8e", model: stories,
      ids: { try Data(contentsOf: packageFile("../shared/reference/stories260K/story.i32")) }),
  ]

  /// Every policy at work: a prompt that does not fit, then tokens after it.
  static let policies = Policy.names.map { policy in
    Logits(
      name: "built-in", cache: "int8",
      eviction: [
        "--policy", policy, "--budget", policy == "full" ? "130" : "64", "--prompt-tokens", "100",
        "--prompt-max", "130",
      ],
      hash: Policy.hashes[policy] ?? "missing", model: builtIn, ids: seededIds)
  }

  private static func builtIn() throws -> String { try #require(Scenario.model) }

  private static func stories() throws -> String {
    let pack = ".build/stories260K.terra"
    let result = try run([
      Subject.hosted.program, "pack", "../shared/models/stories260K-f32.gguf", "-o", pack,
      "--force",
    ])
    #expect(result.status == 0, "\(result.error)")
    return pack
  }

  /// 130 ids below 900 from a fixed seed: two whole prefill tiles of 64 and a rest.
  private static func seededIds() -> Data {
    var state: UInt32 = 7
    var data = Data()
    for _ in 0..<130 {
      state = state &* 1_664_525 &+ 1_013_904_223
      let id = (state >> 8) % 900
      data.append(contentsOf: [UInt8(id & 255), UInt8(id >> 8), 0, 0])
    }
    return data
  }
}

extension Logits {
  /// Computes them in every way and expects the hash.
  func compare(_ settings: [Setting]) throws {
    let ids = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
    defer { try? FileManager.default.removeItem(at: ids) }
    try self.ids().write(to: ids)
    let model = try model()
    var hashes: [String: [String]] = [:]
    for setting in settings {
      hashes[try setting.hash(self, ids: ids.path, model: model), default: []]
        .append(setting.testDescription)
    }
    hashes[hash] = nil
    #expect(hashes == [:])
  }
}

/// One way to compute them.
struct Setting: CustomTestStringConvertible {
  var program: [String]
  var threads: Int
  var chunk: Int
  var set: String?

  var words: [String] {
    ["--threads", "\(threads)", "--chunk", "\(chunk)"] + (set.map { ["--isa", $0] } ?? [])
  }

  var testDescription: String { (program + words).joined(separator: " ") }

  /// The hash the program prints; it is the hash of the file it wrote.
  func hash(_ logits: Logits, ids: String, model: String) throws -> String {
    let output = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
    defer { try? FileManager.default.removeItem(at: output) }
    let finished = try run(
      program + ["logits", model, "--ids", ids, "-o", output.path, "--kv", logits.cache]
        + logits.eviction + words)
    #expect(finished.status == 0, "\(finished.error)")
    let sum = try run(["sha256sum", output.path]).output.prefix(64)
    #expect(finished.output == sum + "\n")
    return String(sum)
  }

  /// Every combination of threads and tiles on this machine, each build, each instruction set.
  static let native: [Setting] = Subject.allCases.flatMap { subject in
    [1, 2, 3, 8, 64].flatMap { threads in
      [1, 7, 64, 512].map { Setting(program: [subject.program], threads: threads, chunk: $0) }
    } + sets.map { Setting(program: [subject.program], threads: 2, chunk: 64, set: $0) }
  }

  /// Each thread count and tile on each emulated core.
  static let emulated: [Setting] = ["cortex-a53", "cortex-a72", "cortex-a76", "neoverse-n1", "max"]
    .flatMap { core in
      [(1, 512), (64, 64), (3, 7), (8, 1)].map { threads, chunk in
        let emulator = ["qemu-aarch64-static", "-cpu", core]
        return Setting(
          program: emulator + [Board.arm64.folder + "/terrarium-board"], threads: threads,
          chunk: chunk)
      }
    }

  /// Instruction sets of this machine that can be asked for by name.
  static let sets: [String] = {
    #if arch(x86_64)
      let features = (try? String(contentsOfFile: "/proc/cpuinfo", encoding: .utf8)) ?? ""
      return ["portable"] + (features.contains(" avx2 ") ? ["avx2"] : [])
        + (features.contains(" avx_vnni ") ? ["avxvnni"] : [])
        + (features.contains(" avx512_vnni ") ? ["avx512vnni"] : [])
    #else
      return ["portable", "neon"]
    #endif
  }()
}

@Suite(
  .serialized,
  .enabled(
    if: present(
      Subject.hosted.program, Subject.board.program, Board.arm64.folder + "/terrarium-board")
      && Scenario.model != nil)
) struct SameBitsTests {
  private static let hasShared = present("../shared/models/stories260K-f32.gguf")

  @Test(arguments: Logits.all) func onThisMachine(logits: Logits) throws {
    try logits.compare(Setting.native)
  }

  @Test(arguments: Logits.all) func onEmulatedCores(logits: Logits) throws {
    try logits.compare(Setting.emulated)
  }

  @Test(arguments: Logits.policies) func everyPolicyOnThisMachine(logits: Logits) throws {
    try logits.compare(Setting.oddNative)
  }

  @Test(arguments: Logits.policies) func everyPolicyOnEmulatedCores(logits: Logits) throws {
    try logits.compare(Setting.oddEmulated)
  }

  @Test(.enabled(if: hasShared), arguments: Logits.shared)
  func sharedModelOnThisMachine(logits: Logits) throws {
    try logits.compare(Setting.native)
  }

  @Test(.enabled(if: hasShared), arguments: Logits.shared)
  func sharedModelOnEmulatedCores(logits: Logits) throws {
    try logits.compare(Setting.emulated)
  }

  /// One other id at the end, or another cache format, and the hash tells.
  @Test func canaryOtherInputHasOtherBits() throws {
    let logits = Logits.all[0]
    var ids = try logits.ids()
    ids[ids.count - 4] ^= 1
    let file = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
    defer { try? FileManager.default.removeItem(at: file) }
    try ids.write(to: file)
    let other = try Setting.native[0].hash(logits, ids: file.path, model: logits.model())
    #expect(other != logits.hash)
    #expect(Set((Logits.all + Logits.shared).map(\.hash)).count == 7)
    #expect(Set(Logits.policies.map(\.hash)).count == Policy.names.count)
  }
}
