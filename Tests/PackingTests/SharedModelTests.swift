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
    let testbed = try packed(input: folder + "/testbed-f16.gguf", PackOptions(weights: .int4))
    #expect(testbed.header.hyperparameters.vocabulary == 936)
    #expect(testbed.header.matrix(.embedding).format == .int8)
    #expect(testbed.header.matrix(.gate, layer: 5).format == .int4)
    #expect(testbed.report.rows.allSatisfy { $0.relativeError < 0.1 })
  }
}
