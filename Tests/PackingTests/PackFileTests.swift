import Foundation
import ModelFormat
import Packing
import Testing
import Units

/// Files: where they come from, where they go, and what is left when something fails.
@Suite struct PackFileTests {
  @Test func outputIsKeptUnlessReplaced() throws {
    let (input, output) = try files()
    defer { remove(input, output) }
    try Data("precious".utf8).write(to: URL(fileURLWithPath: output))
    #expect(throws: PackingError.outputExists(output)) {
      _ = try Packer.pack(input: input, output: output)
    }
    #expect(try String(contentsOfFile: output, encoding: .utf8) == "precious")
    _ = try Packer.pack(input: input, output: output, replacing: true)
    #expect(try Data(contentsOf: URL(fileURLWithPath: output)).first == 0x89)
  }

  @Test func interruptionLeavesNothing() throws {
    let (input, output) = try files()
    defer { remove(input, output) }
    var calls = 0
    #expect(throws: PackingError.interrupted) {
      _ = try Packer.pack(input: input, output: output, resources: PackResources(threads: 1)) {
        done, total in
        #expect(done <= total)
        calls += 1
        return calls < 3
      }
    }
    #expect(calls == 3)
    #expect(leftovers(output).isEmpty)
  }

  @Test func defectLeavesNothing() throws {
    let (input, output) = try files(cutBy: 10)
    defer { remove(input, output) }
    #expect(throws: PackingError.self) { _ = try Packer.pack(input: input, output: output) }
    #expect(leftovers(output).isEmpty)
  }

  @Test func problemsOfThePathsAreNamed() throws {
    let (input, output) = try files()
    defer { remove(input, output) }
    let missing = #expect(throws: PackingError.gguf(.missing)) {
      _ = try Packer.pack(input: input + "-none", output: output)
    }
    #expect(missing?.exitCode == 66)
    #expect(throws: PackingError.gguf(.notAFile)) {
      _ = try Packer.pack(input: "/tmp", output: output)
    }
    let unwritable = #expect(throws: PackingError.cannotWrite("/none/x.terra", errno: ENOENT)) {
      _ = try Packer.pack(input: input, output: "/none/x.terra")
    }
    #expect(unwritable?.exitCode == 73)
    #expect(throws: PackingError.outputIsInput) {
      _ = try Packer.pack(input: input, output: input, replacing: true)
    }
  }

  @Test func progressEndsAtTheWhole() throws {
    let (input, output) = try files()
    defer { remove(input, output) }
    var last: UInt64 = 0
    let report = try Packer.pack(input: input, output: output, resources: PackResources(threads: 2))
    { done, total in
      #expect(done > last && done <= total)
      last = done
      return true
    }
    #expect(last == report.fileBytes)
  }

  @Test func headerLargerThanTheFirstReadIsFound() throws {
    var builder = TinyModel().builder
    builder["general.license"] = .string(String(repeating: "x", count: 3 << 20))
    let bytes = builder.bytes
    let input = temporaryFile("long.gguf")
    try Data(bytes).write(to: URL(fileURLWithPath: input))
    defer { remove(input) }
    let header = try GGUFFile(path: input).header
    #expect(try header.tensors().count == builder.tensors.count)
    #expect(try header.string("general.license", limit: 4 << 20)?.utf8.count == 3 << 20)
  }

  /// A model as a file and the place for its pack.
  private func files(cutBy count: Int = 0) throws -> (input: String, output: String) {
    let input = temporaryFile("in.gguf")
    let bytes = TinyModel().builder.bytes.dropLast(count)
    try Data(bytes).write(to: URL(fileURLWithPath: input))
    return (input, temporaryFile("out.terra"))
  }

  private func remove(_ paths: String...) {
    for path in paths { try? FileManager.default.removeItem(atPath: path) }
  }

  private func leftovers(_ output: String) -> [String] {
    let name = URL(fileURLWithPath: output).lastPathComponent
    let all = try? FileManager.default.contentsOfDirectory(atPath: "/tmp")
    return all?.filter { $0.hasPrefix(name) } ?? []
  }
}
