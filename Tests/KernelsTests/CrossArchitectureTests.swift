import Foundation
import Testing

/// Every instruction set gives the same bits, also those of other processors.
///
/// A C program (Tests/CKernelsProbe) hashes all results of all kernels. Its portable hash is the
/// one of the kernels that the other tests compare with the reference; every other hash must be
/// equal. Kernels run natively where the processor has the instructions, on cores that QEMU
/// emulates (ARM64), and with emulated intrinsics (VNNI); what could not be run is printed.
@Suite struct CrossArchitectureTests {
  /// The hash of every set on every processor.
  static let constant = "8fa2e09f6a307d08"

  static let root = URL(filePath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent().deletingLastPathComponent()
  static let clang = executable("clang")
  static let qemu = executable("qemu-aarch64-static")

  /// Emulated intrinsics: Debian's libsimde-dev.
  static let hasEmulation = FileManager.default.fileExists(
    atPath: "/usr/include/simde/x86/avx512.h")

  /// Files whose special instructions a header emulates, and the macro that asks for it.
  static let emulated = [
    ("avxvnni", "AVXVNNI.c", "KERNEL_EMULATE_AVXVNNI"),
    ("avx512vnni", "AVX512VNNI.c", "KERNEL_EMULATE_AVX512"),
  ]

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

  /// Builds the probe in `folder`, the named files with emulated intrinsics.
  private func build(
    in folder: URL, _ flags: [String], emulating: [(name: String, file: String, macro: String)] = []
  ) throws -> URL {
    let compiler = try #require(Self.clang)
    let kernels = Self.root.appending(path: "Sources/CKernels").path
    let tests = Self.root.appending(path: "Tests/CKernelsProbe").path
    let common = ["-O2", "-Wall", "-Werror", "-I\(kernels)/include"]
    var inputs = try FileManager.default.contentsOfDirectory(atPath: kernels)
      .filter { name in name.hasSuffix(".c") && !emulating.contains { $0.file == name } }
      .map { "\(kernels)/\($0)" }
    for one in emulating {
      let object = folder.appending(path: one.name + ".o").path
      let emulation = ["-mavx2", "-mfma", "-mf16c", "-include", "\(tests)/emulation.h"]
      _ = try run(
        compiler,
        common + emulation + ["-D\(one.macro)", "-c", "\(kernels)/\(one.file)", "-o", object])
      inputs.append(object)
    }
    let output = folder.appending(path: "probe")
    _ = try run(
      compiler, common + ["\(tests)/probe.c", "-o", output.path] + inputs + flags)
    return output
  }

  /// Runs `body` with a folder of its own.
  private func withFolder(_ body: (URL) throws -> Void) throws {
    let folder = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    try body(folder)
  }

  /// The lines of the probe as (set, hash); says where they were run.
  private func hashes(_ text: String, _ place: String) -> [String: String] {
    let pairs = text.split(separator: "\n").map { $0.split(separator: " ").map(String.init) }
    let sets = pairs.map { $0[0] }.joined(separator: ", ")
    print("kernels run \(place): \(sets)")
    return Dictionary(uniqueKeysWithValues: pairs.map { ($0[0], $0[1]) })
  }

  @Test(.enabled(if: clang != nil)) func setsOfThisProcessorAgree() throws {
    try withFolder { folder in
      let found = hashes(try run(build(in: folder, ["-lm"]), []), "natively")
      #expect(found["portable"] == Self.constant)
      #expect(Set(found.values).count == 1)
      #if arch(x86_64)
        let missing = ["avx2", "avxvnni", "avx512vnni"].filter { found[$0] == nil }
        if missing.contains("avx2") || !Self.hasEmulation {
          print("kernels not run, natively or emulated: \(missing.joined(separator: ", "))")
        }
      #else
        print("kernels not run, natively or emulated: avx2, avxvnni, avx512vnni")
      #endif
    }
  }

  /// The whole files, on every machine with AVX2.
  @Test(.enabled(if: clang != nil && hasEmulation)) func setsWithEmulatedIntrinsicsAgree() throws {
    #if arch(x86_64)
      try withFolder { folder in
        let native = try run(build(in: folder, ["-lm"]), [])
        guard native.contains("avx2 ") else { return }
        let probe = try build(in: folder, ["-lm"], emulating: Self.emulated)
        // portable, avx2, avxvnni, avx512vnni, whatever the processor says.
        let found = hashes(try run(probe, ["15"]), "with emulated intrinsics")
        #expect(Set(found.keys) == ["portable", "avx2", "avxvnni", "avx512vnni"])
        #expect(Set(found.values) == [Self.constant])
      }
    #endif
  }

  @Test(.enabled(if: clang != nil)) func setsOfArm64Agree() throws {
    guard let emulator = Self.qemu else {
      #if !arch(arm64)
        print("kernels not run, natively or emulated: neon, dotprod, i8mm")
      #endif
      return
    }
    let expected: [(String, [String])] = [
      ("cortex-a53", ["portable", "neon"]), ("cortex-a72", ["portable", "neon"]),
      ("cortex-a76", ["portable", "neon", "dotprod"]),
      ("neoverse-n1", ["portable", "neon", "dotprod"]),
      ("max", ["portable", "neon", "dotprod", "i8mm"]),
    ]
    try withFolder { folder in
      let probe = try build(
        in: folder,
        [
          "--target=aarch64-linux-gnu", "-ffreestanding", "-nostdlib", "-static", "-fuse-ld=lld",
        ])
      for (processor, names) in expected {
        let found = hashes(
          try run(emulator, ["-cpu", processor, probe.path]), "on an emulated \(processor)")
        #expect(Set(found.keys) == Set(names), "\(processor)")
        #expect(Set(found.values) == [Self.constant], "\(processor)")
      }
    }
  }
}
