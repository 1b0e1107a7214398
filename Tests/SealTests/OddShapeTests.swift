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
    logits(
      "d48-9-heads", "int8",
      "97191a205591fcdd288adb832d3d144ca20e0a697f0d5ff370eeffa3c20ebc22"),
    logits(
      "d48-9-heads", "int4",
      "4e1b08d98cf44982ffea5aed4404276bd6aa0c3e29ca1dca77f5318a93b47b2e"),
    logits(
      "d64-7-heads", "int8",
      "5a3ef1558c3f24d9073c56004cf6644b19f8815908370dd456a6b99c8c81c543"),
    logits(
      "d64-7-heads", "int4",
      "afac9240251077e8ad8e5f0e7d9ae8e82f3aa81de43d2966fc86e69993e5a904"),
    logits(
      "d80-5-heads", "int8",
      "ce2b3542e9bc4381b7bad00859f2b385d2ba90dbe9372318847081a257ec0e95"),
    logits(
      "d80-5-heads", "int4",
      "2db6e48f0eaae496c560a657f2e5c7978d79e53b71ae463e316acfc5c4ff7277"),
    logits(
      "d96-3-heads", "int8",
      "0a86716aff12f7a1a57a78f587e5ec50968633b7300b89f66f0ceb344154aff2"),
    logits(
      "d96-3-heads", "int4",
      "b29f65e0a2bf2c60b9fd5a24ffed5da91df768d68d9d569179ed46f7bd7595ec"),
    logits(
      "d128-5-heads", "int8",
      "d45546679d6a5e644f569db1ab241c50a37b596874a7cb5502eedb5136bb34c3"),
    logits(
      "d128-5-heads", "int4",
      "6991c15ba51d7992f746a2389f2cfc2b9be40c462541dd6d69abf56df9970c5e"),
    logits(
      "d256-3-heads", "int8",
      "8632e20243dc56ff8cbb954fe7334c47f5ee73611564f45fffda60f14088c490"),
    logits(
      "d256-3-heads", "int4",
      "38266d1301236ce8d192838aeea548fbfc08ae9c2942298754676e08ba2ee5c7"),
  ]
}

extension Setting {
  /// Threads and tiles on this machine, each instruction set, each build.
  static let oddNative: [Setting] =
    [(1, 64), (2, 7), (3, 1), (4, 512)].map { threads, chunk in
      Setting(program: [Subject.hosted.program], threads: threads, chunk: chunk)
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
