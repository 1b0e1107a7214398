import Cache
import Commands
import Foundation
import Inference
import Kernels
import Memory
import ModelFormat
import Profiles
import TestSupport
import Tokenization
import Units

/// The model that the package ships.
enum BuiltIn {
  static let bytes: [UInt8] = {
    let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
      .deletingLastPathComponent().deletingLastPathComponent()
    let file = root.appendingPathComponent("Sources/terrarium/Resources/built-in.terra")
    guard let data = try? Data(contentsOf: file) else {
      preconditionFailure("the package has its built-in model")
    }
    return [UInt8](data)
  }()

  /// A world with the model as `m.terra` and a profile `p.toml` of one thread.
  static func world() -> World {
    let world = World()
    world.files["m.terra"] = bytes
    world.files["p.toml"] = Array("budget = \"64 MiB\"\nthreads = 1\ncontext = 256\n".utf8)
    return world
  }

  static var header: PackHeader {
    get throws {
      let memory = memory(bytes.count, of: UInt8.self)
      for (index, byte) in bytes.enumerated() { memory[index] = byte }
      return try PackHeader(validating: memory, fileBytes: UInt64(bytes.count))
    }
  }

  /// The memory of a run with tokenizer and chat template, but without weights.
  ///
  /// `addsBegin`: as if the vocabulary wanted its begin token before every text.
  static func memoryOfRun(
    addsBegin: Bool = false, promptBytes: Int = 4096, context: Int = 256
  ) throws -> RunMemory {
    let header = try header
    var profile = Profile(budgetBytes: 1 << 30)
    profile.contextTokens = context
    profile.promptBytes = promptBytes
    profile.wordBytes = 64
    profile.threads = 1
    let shape = RunShape(
      model: header.hyperparameters, profile: profile, kernelPageBytes: 4096)
    let plan = shape.plan(header: header, programBytes: 0)
    let room = memory(plan.arenaBytes, of: UInt8.self)
    // SAFETY: zeroed, aligned to a cache line and never given back.
    var arena = unsafe Arena(
      unsafeBase: UnsafeMutableRawPointer(room.unsafeBaseAddress), byteCount: room.count,
      pageBytes: 4096)
    let memory = RunMemory(
      header: header, shape: shape, sampler: SamplerSettings(), kernels: KernelSet(.portable),
      in: &arena)
    for (kind, target) in [
      (SectionKind.tokenizer, memory.text.tokenizer), (.chatTemplate, memory.text.template),
    ] {
      let start = Int(header.section(kind).offset)
      for index in 0..<target.count { target[index] = bytes[start + index] }
    }
    if addsBegin { memory.text.tokenizer[16] |= UInt8(TokenizerLayout.addsBeginFlag) }
    return memory
  }
}
