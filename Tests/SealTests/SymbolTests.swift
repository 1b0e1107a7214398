import Foundation
import Testing

/// A kind of board and the names its build uses.
enum Board: String, CaseIterable, CustomTestStringConvertible {
  case arm64
  case x86 = "x86-64"

  var folder: String { ".build/boards/\(rawValue)" }
  var triple: String { self == .arm64 ? "aarch64-none-none-elf" : "x86_64-unknown-linux-gnu" }
  var testDescription: String { rawValue }
}

@Suite(
  .enabled(
    if: present(
      ".build/boards/arm64/terrarium-board.symbols", ".build/boards/x86-64/terrarium-board.symbols")
  )) struct SymbolTests
{
  private static let allocators: Set<String> = [
    "malloc", "calloc", "realloc", "free", "posix_memalign", "aligned_alloc", "memalign", "brk",
    "sbrk",
  ]

  private func objects(_ board: Board) throws -> [String] {
    let list =
      "\(board.folder)/\(board.triple)/release/terrarium-board.product/Objects.LinkFileList"
    return try String(contentsOf: packageFile(list), encoding: .utf8).split(separator: "\n")
      .map { $0.trimmingCharacters(in: ["'", "\""]) }
  }

  private func undefined(_ objects: [String]) throws -> [String] {
    let finished = try run(["Boards/undefined-symbols"] + objects)
    #expect(finished.status == 0, "\(finished.error)")
    return finished.output.split(separator: "\n").map(String.init)
  }

  private func defined(_ file: String) throws -> Set<String> {
    let finished = try run(["llvm-nm", "--defined-only", "--format=just-symbols", file])
    #expect(finished.status == 0, "\(finished.error)")
    return Set(finished.output.split(separator: "\n").map(String.init))
  }

  /// Compiles C for x86-64 into a file that exists while `body` runs.
  private func withObject(_ source: String, _ body: (String) throws -> Void) throws {
    let base = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString).path
    try source.write(toFile: base + ".c", atomically: true, encoding: .utf8)
    defer {
      for suffix in [".c", ".o"] { try? FileManager.default.removeItem(atPath: base + suffix) }
    }
    #expect(try run(["clang", "-c", "-o", base + ".o", base + ".c"]).status == 0)
    try body(base + ".o")
  }

  @Test(arguments: Board.allCases) func objectsAskOnlyForWhatIsListed(board: Board) throws {
    let list = try String(
      contentsOf: packageFile("Boards/\(board.rawValue)/undefined-symbols.txt"), encoding: .utf8)
    let expected = list.split(separator: "\n").map(String.init)
    #expect(try undefined(objects(board)) == expected)
    #expect(Self.allocators.isDisjoint(with: expected))
  }

  @Test(arguments: Board.allCases) func theProgramDefinesNoAllocator(board: Board) throws {
    let names = try defined("\(board.folder)/terrarium-board.symbols")
    #expect(names.contains("_start") && names.contains("main"))
    #expect(names.intersection(Self.allocators) == [])
  }

  @Test func canaryAnAllocatingObjectIsSeen() throws {
    try withObject("void *malloc(unsigned long); void *canary(void) { return malloc(1); }") {
      let names = Set(try undefined(objects(.x86) + [$0]))
      #expect(names.intersection(Self.allocators) == ["malloc"])
    }
    try withObject("void *malloc(unsigned long size) { return (void *)size; }") {
      let names = try defined($0)
      #expect(names.intersection(Self.allocators) == ["malloc"])
    }
  }

  @Test func theProgramForARM64IsSmall() throws {
    let path = packageFile("\(Board.arm64.folder)/terrarium-board").path
    let size = try FileManager.default.attributesOfItem(atPath: path)[.size] as? Int
    // With twelve cache policies and the kernels of three instruction sets.
    #expect(try #require(size) < 400_000)
  }

  /// The flag of the toolsets is what refuses: the same file compiles without it.
  @Test func canaryTheCompilerRefusesAClassInstance() throws {
    let base = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString).path
    defer {
      for suffix in [".swift", ".o"] { try? FileManager.default.removeItem(atPath: base + suffix) }
    }
    let source = """
      final class Box { var value = 0 }
      public func make() -> Int { let box = Box(); keep(box); return box.value }
      @inline(never) func keep(_ box: Box) { box.value += 1 }
      """
    try source.write(toFile: base + ".swift", atomically: true, encoding: .utf8)
    let compile = [
      "swiftc", "-target", "aarch64-none-none-elf", "-parse-as-library", "-wmo", "-Onone",
      "-enable-experimental-feature", "Embedded", "-c", "-o", base + ".o", base + ".swift",
    ]
    for board in Board.allCases {
      let toolset = packageFile("Boards/\(board.rawValue)/toolset.json")
      #expect(try String(contentsOf: toolset, encoding: .utf8).contains("\"-no-allocations\""))
    }
    let allowed = try run(compile)
    #expect(allowed.status == 0, "\(allowed.error)")
    let refused = try run(compile + ["-Xfrontend", "-no-allocations"])
    #expect(refused.status != 0)
    #expect(refused.error.contains("-no-allocations"))
  }
}
