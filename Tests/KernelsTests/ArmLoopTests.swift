import Foundation
import Testing

/// The hot loops of the ARM kernels have no more instructions than they need.
@Suite struct ArmLoopTests {
  private static let canCount = CrossArchitectureTests.clang != nil && hasSysroot

  private static let hasSysroot: Bool = {
    let complete = CrossArchitectureTests.root.appending(path: ".build/sysroot/arm64/complete")
    let isThere = FileManager.default.fileExists(atPath: complete.path)
    if !isThere { print("ARM instructions not counted: run Boards/arm64/build first") }
    return isThere
  }()

  /// `sdot` in at least 60 % of the vector slots, in half of them where one query meets int4 of the
  /// cache; 1.3 times the published sequence on ARMv8.0.
  @Test(.enabled(if: canCount)) func loopsStayWithinTheirLimits() throws {
    let process = Process()
    let errors = Pipe()
    process.executableURL = CrossArchitectureTests.root.appending(path: "Boards/arm64/mca")
    process.arguments = ["check"]
    process.standardError = errors
    try process.run()
    let output = try errors.fileHandleForReading.readToEnd() ?? Data()
    process.waitUntilExit()
    #expect(process.terminationStatus == 0, "\(String(decoding: output, as: UTF8.self))")
  }
}
