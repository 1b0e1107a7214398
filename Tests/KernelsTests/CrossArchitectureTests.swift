import Foundation
import Testing

/// Every instruction set gives the same bits, also those of other processors.
///
/// A C program (Tests/CKernelsProbe) hashes all results of all kernels. Its portable hash is the
/// one of the kernels that the other tests compare with the reference; every other hash must be
/// equal.
@Suite struct CrossArchitectureTests {
  static let root = URL(filePath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent().deletingLastPathComponent()
  static let clang = executable("clang")
  static let qemu = executable("qemu-aarch64-static")

  private static func executable(_ name: String) -> URL? {
    let path = ProcessInfo.processInfo.environment["PATH"] ?? ""
    let found = path.split(separator: ":")
      .map { URL(filePath: String($0)).appending(path: name) }
      .first { FileManager.default.isExecutableFile(atPath: $0.path) }
    if found == nil { print("kernels not compared across architectures: no \(name)") }
    return found
  }

  private func run(_ program: URL, _ arguments: [String]) throws -> String {
    let process = Process()
    let pipe = Pipe()
    process.executableURL = program
    process.arguments = arguments
    process.standardOutput = pipe
    try process.run()
    let output = try pipe.fileHandleForReading.readToEnd() ?? Data()
    process.waitUntilExit()
    #expect(process.terminationStatus == 0, "\(program.path) \(arguments)")
    return String(bytes: output, encoding: .utf8) ?? ""
  }

  /// Builds the probe and returns where it lies.
  private func build(_ name: String, _ flags: [String]) throws -> URL {
    let kernels = Self.root.appending(path: "Sources/CKernels")
    let files = try FileManager.default.contentsOfDirectory(atPath: kernels.path)
    let sources = files.filter { $0.hasSuffix(".c") }.map { kernels.appending(path: $0).path }
    let probe = Self.root.appending(path: "Tests/CKernelsProbe/probe.c").path
    let output = FileManager.default.temporaryDirectory
      .appending(path: "terrarium-\(name)-\(ProcessInfo.processInfo.processIdentifier)")
    let compiler = try #require(Self.clang)
    _ = try run(
      compiler,
      ["-O2", "-Wall", "-Werror", "-I\(kernels.path)/include", probe, "-o", output.path]
        + sources + flags)
    return output
  }

  /// The lines of the probe as (set, hash).
  private func hashes(_ text: String) -> [String: String] {
    let pairs = text.split(separator: "\n").map { $0.split(separator: " ").map(String.init) }
    return Dictionary(uniqueKeysWithValues: pairs.map { ($0[0], $0[1]) })
  }

  @Test(.enabled(if: clang != nil)) func setsOfThisArchitectureAgree() throws {
    #if arch(x86_64)
      // The one AVX-512 instruction in plain C, so that its kernels run on every machine.
      let probe = try build("vnni", ["-DKERNEL_EMULATE_VNNI", "-lm"])
      defer { try? FileManager.default.removeItem(at: probe) }
      let sets = hashes(try run(probe, ["7"]))
      #expect(Set(sets.keys) == ["portable", "avx2", "avx512vnni"])
      #expect(Set(sets.values).count == 1)
    #endif
    let native = try build("native", ["-lm"])
    defer { try? FileManager.default.removeItem(at: native) }
    let found = hashes(try run(native, []))
    #expect(found["portable"] == Self.constant)
    #expect(Set(found.values).count == 1)
  }

  @Test(.enabled(if: clang != nil && qemu != nil)) func setsOfArm64Agree() throws {
    let probe = try build(
      "arm64",
      [
        "--target=aarch64-linux-gnu", "-ffreestanding", "-nostdlib", "-static", "-fuse-ld=lld",
      ])
    defer { try? FileManager.default.removeItem(at: probe) }
    let expected: [(String, [String])] = [
      ("cortex-a53", ["portable", "neon"]), ("cortex-a72", ["portable", "neon"]),
      ("cortex-a76", ["portable", "neon", "dotprod"]),
      ("neoverse-n1", ["portable", "neon", "dotprod"]),
      ("max", ["portable", "neon", "dotprod", "i8mm"]),
    ]
    let emulator = try #require(Self.qemu)
    for (processor, names) in expected {
      let found = hashes(try run(emulator, ["-cpu", processor, probe.path]))
      #expect(Set(found.keys) == Set(names), "\(processor)")
      #expect(Set(found.values) == [Self.constant], "\(processor)")
    }
  }

  /// The hash of every set on every processor.
  static let constant = "602e2eec2fa8a409"
}
