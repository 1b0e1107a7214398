import Foundation
import ModelFormat
import Packing
import Quantization
import Testing
import Units

/// Where the given models lie, beside the project; the tests that need them are skipped without.
private let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
  .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
  .appendingPathComponent("shared/models").path

private let hasModels = FileManager.default.fileExists(atPath: folder)

@Suite(.enabled(if: hasModels, "../shared/models is absent"))
struct SharedModelTests {
  @Test func modelsPack() throws {
    let stories = try packed(input: folder + "/stories260K-f32.gguf", PackOptions())
    #expect(stories.header.hyperparameters.headDimension == 8)
    #expect(stories.header.hyperparameters.feedForwardDimension == 172)
    #expect(stories.header.matrix(.down, layer: 4).columns == 172)
    #expect(stories.report.rows.allSatisfy { $0.relativeError < 0.007 })
    let file = try GGUFFile(path: folder + "/testbed-f16.gguf")
    let planned = try Packer.headerBytes(of: file, options: PackOptions(weights: .int4))
    let buffer = zeros(planned.count, of: UInt8.self)
    for (index, byte) in planned.enumerated() { buffer[index] = byte }
    let fileBytes = buffer.bytes.loadLittleEndian(at: 16, as: UInt64.self)
    let testbed = try PackHeader(validating: buffer, fileBytes: fileBytes)
    #expect(testbed.hyperparameters.vocabulary == 936)
    #expect(testbed.matrix(.embedding).format == .int8)
    #expect(testbed.matrix(.gate, layer: 5).format == .int4)
  }
}
