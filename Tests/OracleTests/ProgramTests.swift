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
    let ended = try run(["logits", pack, "--ids", ids, "-o", file] + options)
    if ended.status != 0 { throw Oracle.Failure(text: "logits \(pack): \(ended.errors)") }
    return file
  }

  static func run(_ arguments: [String]) throws -> Oracle.Ended {
    guard let program = Oracle.program else { throw Oracle.Failure(text: "no program") }
    return try Oracle.run(program, arguments)
  }
}

/// Proof that the runtime computes the model: the oracle judges its logits.
@Suite(.enabled(if: Oracle.judgesProgram, Oracle.programAbsence))
struct ProgramTests {
  @Test(arguments: GeneratedModel.all)
  func `generated models keep the bound`(model: GeneratedModel) throws {
    let pack = try Program.pack(model.file())
    defer { try? FileManager.default.removeItem(atPath: pack) }
    for format in ["int8", "int4", "int8,int4"] {
      let logits = try Program.logits(pack, ids: model.ids, ["--kv", format])
      defer { try? FileManager.default.removeItem(atPath: logits) }
      let verdict = try Verdict([model.file(), "--kv", format, model.ids, logits])
      expectHolds(verdict, "\(model.name) KV \(format)")
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
      let verdict = try Verdict([wrong, "--truth", model.file(), model.ids, logits])
      #expect(!verdict.holds && verdict.klRatio > 4, "\(model.name): \(fault)")
    }
  }

  @Test(arguments: RealModel.all, ["int8", "int4"])
  func `real models keep the bound`(model: RealModel, weights: String) throws {
    let options = ["--weights", weights, "--embedding", "int8"]
    let pack = try Program.pack(model.file, options)
    defer { try? FileManager.default.removeItem(atPath: pack) }
    for format in ["int8", "int4", "int8,int4"] {
      var texts: [String] = []
      defer { for file in texts where file.hasSuffix(".f32") { try? remove(file) } }
      for text in model.texts {
        let logits = try Program.logits(pack, ids: model.ids(text), ["--kv", format])
        texts += [model.ids(text), logits]
      }
      let verdict = try Verdict([model.file] + options + ["--kv", format] + texts)
      expectHolds(verdict, "\(model.name) weights \(weights) KV \(format)")
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
      #expect(expected.count == 320 * 320 * 4)
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
    print(
      "\(what): KL \(verdict.kl) = \(verdict.klRatio) of the simulated (at most",
      "\(verdict.klRatioMax)), top-1 \(verdict.top1) (at least \(verdict.top1Min));",
      "packing alone: KL \(verdict.klPacking)")
    #expect(verdict.klRatio <= verdict.klRatioMax, "\(what)")
    #expect(verdict.top1 >= verdict.top1Min, "\(what)")
  }
}
