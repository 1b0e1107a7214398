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
      "0a23bdef1b1a355654c851eb4cfeb11bc235f7794e50ce64944ade01bf7bf336"),
    logits(
      "d48-9-heads", "int4",
      "b4fb08429b3032a5a0ee4dd1c2e57be0e8232e0bbf85c11290c54dd70f0e4b3f"),
    logits(
      "d64-7-heads", "int8",
      "0c1d3f95490a2c199e015157a466e796168700957d4760e0fc56ee1acc1ede5e"),
    logits(
      "d64-7-heads", "int4",
      "5bc6f1b36623f02f56b62ddefebde5274c54ee31e020e406817d0c072f2c875c"),
    logits(
      "d80-5-heads", "int8",
      "c81e0265d200163887dc802deafdbe38b459822c93e63f88d42afdf40f89a409"),
    logits(
      "d80-5-heads", "int4",
      "f23299edd0b477ff3abd4f39fcf192bcce49d62331cab4c1911a9a1f49076e02"),
    logits(
      "d96-3-heads", "int8",
      "9d5887633599179f9a40e9892733b1796b3ccf71b79ada023b660e5025013489"),
    logits(
      "d96-3-heads", "int4",
      "9c5c42872ec3eab02821e31f8277b476521640c8e254da30b94208b52a75dc0f"),
    logits(
      "d128-5-heads", "int8",
      "ad9fec0cd28ade4361532d14ea1f68cc4a65511ed87d2566cbc23ab673c79f23"),
    logits(
      "d128-5-heads", "int4",
      "605f2af55c28ad4c2ee276c9e83745be3949da45d7fb435b7213b84962d95033"),
    logits(
      "d256-3-heads", "int8",
      "e20bf3dd656279bfd41dadd03b385413080b1c815bfafa0b996788001a00a20f"),
    logits(
      "d256-3-heads", "int4",
      "e666435183196378720aad1aac7190d34e2f5f152e15ac6d1844b51238db18cc"),
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
