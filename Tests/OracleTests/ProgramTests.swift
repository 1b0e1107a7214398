import Foundation
import Testing

/// Runs of the program under test: packs a model and writes its logits.
enum Program {
  /// Packs a GGUF and returns the path of the pack, named after the options.
  static func pack(_ model: String, _ options: [String] = []) throws -> String {
    let stem = URL(filePath: model).deletingPathExtension().lastPathComponent
    let name = ([stem] + options.filter { !$0.hasPrefix("-") }).joined(separator: "-")
    let file = try Oracle.folder.get().appending(path: "\(name)-\(UUID().uuidString).terra").path
    let ended = try run(["pack", model, "-o", file] + options)
    if ended.status != 0 { throw Oracle.Failure(text: "pack \(model): \(ended.errors)") }
    return file
  }

  /// Writes the logits of `ids` and returns the path of the file.
  static func logits(_ pack: String, ids: String, _ options: [String]) throws -> String {
    let file = try Oracle.folder.get().appending(path: "\(UUID().uuidString).f32").path
    try logits(pack, ids: ids, options, into: file)
    return file
  }

  /// Writes the logits of `ids` with each cache format; returns a path with `{kv}` for the format.
  static func logits(_ pack: String, ids: String, caches: [String]) throws -> String {
    let pattern = try Oracle.folder.get().appending(path: "\(UUID().uuidString)-{kv}.f32").path
    for cache in caches {
      try logits(
        pack, ids: ids, ["--kv", cache],
        into: pattern.replacingOccurrences(of: "{kv}", with: cache))
    }
    return pattern
  }

  /// Removes what `logits(_:ids:caches:)` wrote.
  static func remove(_ pattern: String, caches: [String]) {
    for cache in caches {
      try? FileManager.default.removeItem(
        atPath: pattern.replacingOccurrences(of: "{kv}", with: cache))
    }
  }

  private static func logits(
    _ pack: String, ids: String, _ options: [String], into file: String
  ) throws {
    let ended = try run(["logits", pack, "--ids", ids, "-o", file] + options)
    if ended.status != 0 { throw Oracle.Failure(text: "logits \(pack): \(ended.errors)") }
  }

  static func run(_ arguments: [String]) throws -> Oracle.Ended {
    guard let program = Oracle.program else { throw Oracle.Failure(text: "no program") }
    return try Oracle.run(program, arguments)
  }
}

/// Proof that the runtime computes the model: the oracle judges its logits.
@Suite(.enabled(if: Oracle.judgesProgram, Oracle.programAbsence))
struct ProgramTests {
  private static let caches = ["int8", "int4", "int8,int4"]

  @Test(arguments: GeneratedModel.all)
  func `generated models keep the bound`(model: GeneratedModel) throws {
    let pack = try Program.pack(model.file())
    defer { try? FileManager.default.removeItem(atPath: pack) }
    let verdicts = try judge(pack, ids: model.texts, [model.file()])
    for (cache, verdict) in zip(Self.caches, verdicts) {
      expectHolds(verdict, "\(model.name) | as the file | \(cache)")
    }
  }

  @Test(arguments: GeneratedModel.all.filter { !$0.faults.isEmpty })
  func `models with something wrong fail the bound of the right one`(
    model: GeneratedModel
  ) throws {
    for fault in model.faults {
      let wrong = try model.file(fault: fault)
      let pack = try Program.pack(wrong)
      defer { try? FileManager.default.removeItem(atPath: pack) }
      let logits = try Program.logits(pack, ids: model.ids, [])
      defer { try? FileManager.default.removeItem(atPath: logits) }
      let verdict = try Verdict.one([wrong, "--truth", model.file(), model.ids, logits])
      #expect(!verdict.holds && verdict.klRatio > 4, "\(model.name): \(fault)")
    }
  }

  /// Pooled over the texts of both models, and each by itself, if need be without one token.
  @Test(arguments: ["int8", "int4"])
  func `real models keep the bound`(weights: String) throws {
    let verdicts = try RealModel.all.map { try judge($0, weights: weights) }
    for (index, cache) in Self.caches.enumerated() {
      for (model, verdicts) in zip(RealModel.all, verdicts) {
        let what = "\(model.name) | \(weights) | \(cache)"
        if model.isChaotic(weights: weights, cache: cache) {
          show(verdicts[index], what)
          let verdict = verdicts[index]
          #expect(verdict.klButOne <= verdict.klRatioMax * verdict.klButOneSimulated, "\(what)")
          #expect(verdict.top1 >= verdict.top1Min, "\(what)")
        } else {
          expectHolds(verdicts[index], what)
        }
      }
      expectHolds(.pooled(verdicts.map { $0[index] }), "both | \(weights) | \(cache)")
    }
  }

  private func judge(_ model: RealModel, weights: String) throws -> [Verdict] {
    let options = ["--weights", weights, "--embedding", "int8"]
    let pack = try Program.pack(model.file, options)
    defer { try? FileManager.default.removeItem(atPath: pack) }
    return try judge(pack, ids: model.texts.map(model.ids), [model.file] + options)
  }

  /// The verdicts on the logits of all texts, one for each cache format.
  private func judge(
    _ pack: String, ids: [String], _ arguments: [String]
  ) throws -> [Verdict] {
    var logits: [String] = []
    defer { for file in logits { Program.remove(file, caches: Self.caches) } }
    var arguments = arguments + Self.caches.flatMap { ["--kv", $0] }
    for text in ids {
      logits.append(try Program.logits(pack, ids: text, caches: Self.caches))
      arguments += [text, logits[logits.count - 1]]
    }
    return try Verdict.all(arguments)
  }

  /// What Q4_K_M takes away from float32 weights, and what packing it takes away besides.
  @Test func `a mix of Q4_K and Q6_K is not worse than its size once packed`() throws {
    let model = try #require(GeneratedModel.all.first { $0.name == "qwen2-q4k-d64" })
    print("weights | file alone | packed | packed and run, KV int8   (KL from float32 weights)")
    for (name, options) in [
      ("as the file: Q4_K to int4, Q6_K to int8", []), ("all int8", ["--weights", "int8"]),
      ("all int4", ["--weights", "int4"]),
    ] {
      let pack = try Program.pack(model.file(), options)
      defer { try? FileManager.default.removeItem(atPath: pack) }
      let logits = try Program.logits(pack, ids: model.ids, [])
      defer { try? FileManager.default.removeItem(atPath: logits) }
      let verdict = try Verdict.one(
        [model.file(), "--original", model.file(fault: "original")] + options
          + [model.ids, logits])
      let costs = try #require(verdict.klOriginal)
      print(([name] + costs.map { String(format: "%.4f", $0) }).joined(separator: " | "))
      if options.isEmpty { #expect(costs[1] < costs[0] * 1.05 && costs[2] < costs[0] * 1.1) }
    }
  }

  @Test(arguments: [
    GeneratedModel.all[0], GeneratedModel.all[1], GeneratedModel.all[4], GeneratedModel.all[8],
  ])
  func `threads, tiles, kernels and repetition change no bit`(model: GeneratedModel) throws {
    let pack = try Program.pack(model.file())
    defer { try? FileManager.default.removeItem(atPath: pack) }
    for format in ["int8", "int4"] {
      func logits(_ options: [String]) throws -> Data {
        let file = try Program.logits(pack, ids: model.ids, ["--kv", format] + options)
        defer { try? remove(file) }
        return try Data(contentsOf: URL(filePath: file))
      }
      let expected = try logits(["--threads", "1", "--chunk", "64"])
      #expect(expected.count == 250 * 320 * 4)
      for options in [
        ["--threads", "1", "--chunk", "64"], ["--threads", "2", "--chunk", "1"],
        ["--threads", "3", "--chunk", "7"], ["--threads", "4", "--chunk", "512"],
        ["--threads", "2", "--isa", "portable"],
      ] {
        #expect(try logits(options) == expected, "\(model.name) KV \(format) \(options)")
      }
    }
  }

  private func remove(_ file: String) throws { try FileManager.default.removeItem(atPath: file) }

  private func expectHolds(_ verdict: Verdict, _ what: String) {
    show(verdict, what)
    #expect(verdict.klRatio <= verdict.klRatioMax, "\(what)")
    #expect(verdict.top1 >= verdict.top1Min, "\(what)")
  }

  /// Prints a row: KL and top-1 agreement, each beside that of the simulation; the cost of packing.
  private func show(_ verdict: Verdict, _ what: String) {
    print(
      String(
        format: "%@ | KL %.5f / %.5f = %.2f (at most %.1f) | top-1 %.1f / %.1f %%",
        what, verdict.kl, verdict.klSimulated, verdict.klRatio, verdict.klRatioMax,
        verdict.top1 * 100, verdict.top1Simulated * 100),
      String(
        format: "| packing %.5f | without the worst token %.5f / %.5f",
        verdict.klPacking, verdict.klButOne, verdict.klButOneSimulated))
  }
}
