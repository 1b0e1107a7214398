import Foundation
import Testing

/// Generated models whose shapes divide badly: odd head counts, one KV head, head dimensions from
/// 48 to 256, rows and columns beside multiples of 16 and 32.
enum OddShapes {
  /// A Python with numpy and gguf, which .ci/setup makes.
  private static let python = ".build/venv/bin/python3"

  static let isPresent = present(
    python, Subject.hosted.program, Subject.board.program,
    Board.arm64.folder + "/terrarium-board")

  /// The packs, written once; each with the bits of its weights.
  private static let folder: Result<String, any Error> = Result {
    let folder = ".build/odd-shapes"
    let made = try run(
      [python, "Tests/OracleTests/Tools/odd_shapes.py", folder],
      Treatment(environment: ["PYTHONDONTWRITEBYTECODE": "1"]))
    try #require(made.status == 0, "\(made.error)")
    for (name, bits) in [
      ("d48-9-heads", "int8"), ("d64-7-heads", "int4"), ("d80-5-heads", "int4"),
      ("d96-3-heads", "int4"), ("d128-5-heads", "int8"), ("d256-3-heads", "int8"),
    ] {
      let packed = try run([
        Subject.hosted.program, "pack", "\(folder)/\(name).gguf", "-o", "\(folder)/\(name).terra",
        "--force", "--weights", bits,
      ])
      try #require(packed.status == 0, "\(packed.error)")
    }
    return folder
  }

  private static func logits(_ name: String, _ cache: String, _ hash: String) -> Logits {
    Logits(
      name: name, cache: cache, hash: hash, model: { try folder.get() + "/\(name).terra" },
      ids: { try Data(contentsOf: packageFile(folder.get() + "/ids.i32")) })
  }

  static let all = [
    logits("d48-9-heads", "int8", "0"),
    logits("d48-9-heads", "int4", "0"),
    logits("d64-7-heads", "int8", "0"),
    logits("d64-7-heads", "int4", "0"),
    logits("d80-5-heads", "int8", "0"),
    logits("d80-5-heads", "int4", "0"),
    logits("d96-3-heads", "int8", "0"),
    logits("d96-3-heads", "int4", "0"),
    logits("d128-5-heads", "int8", "0"),
    logits("d128-5-heads", "int4", "0"),
    logits("d256-3-heads", "int8", "0"),
    logits("d256-3-heads", "int4", "0"),
  ]
}

extension Setting {
  /// Threads and tiles on this machine, each instruction set, each build.
  static let oddNative: [Setting] =
    [1, 2, 3, 4].flatMap { threads in
      [1, 7, 64].map { Setting(program: [Subject.hosted.program], threads: threads, chunk: $0) }
    } + sets.map { Setting(program: [Subject.hosted.program], threads: 3, chunk: 16, set: $0) }
    + [Setting(program: [Subject.board.program], threads: 4, chunk: 5)]

  /// One emulated core for each instruction set of ARM64.
  static let oddEmulated: [Setting] = [("cortex-a53", 3, 7), ("cortex-a76", 4, 64), ("max", 2, 16)]
    .map { core, threads, chunk in
      Setting(
        program: ["qemu-aarch64-static", "-cpu", core, Board.arm64.folder + "/terrarium-board"],
        threads: threads, chunk: chunk)
    }
}

@Suite(.serialized, .enabled(if: OddShapes.isPresent)) struct OddShapeTests {
  @Test(arguments: OddShapes.all) func sameBitsOnThisMachine(logits: Logits) throws {
    try logits.compare(Setting.oddNative)
  }

  @Test(arguments: OddShapes.all) func sameBitsOnEmulatedCores(logits: Logits) throws {
    try logits.compare(Setting.oddEmulated)
  }
}
