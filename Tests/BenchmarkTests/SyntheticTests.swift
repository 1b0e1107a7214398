import Benchmark
import Foundation
import Inference
import Kernels
import Memory
import ModelFormat
import Packing
import Quantization
import Testing
import TestSupport
import Units

@Suite struct SyntheticTests {
  /// A shape small enough to be looked at weight by weight.
  private func shape(tied: Bool, columns: Int = 256) -> SyntheticShape {
    let model = Hyperparameters(
      architecture: .qwen2, layers: 1, modelDimension: columns, queryHeads: 4, kvHeads: 2,
      headDimension: 64, feedForwardDimension: 512, vocabulary: 320, trainedContext: 512,
      rotatedDimensions: 64, ropePairing: .split, rmsEpsilon: 1e-5, hasTiedOutput: tied,
      hasQueryKeyValueBias: true, hasQueryKeyNorm: false)
    return SyntheticShape(
      name: "Small", size: "1M", model: model, ropeBase: 10_000, ropeStretch: 8)
  }

  private func inFolder(_ body: (String) throws -> Void) throws {
    let folder = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    try body(folder.path)
  }

  @Test(arguments: [true, false], [WeightFormat.int8, .int4])
  func ggufFilesPack(tied: Bool, format: WeightFormat) throws {
    try inFolder { folder in
      let source = folder + "/a.gguf"
      let target = folder + "/a.terra"
      try SyntheticGGUF.write(shape(tied: tied), format: format, to: source)
      let report = try Packer.pack(input: source, output: target)
      let held = try HeldHeader(path: target)
      var model = held.header.hyperparameters
      model.trainedContext = 512
      #expect(model == shape(tied: tied).model)
      #expect(held.header.matrix(.down).format == format)
      #expect(held.header.logitsMatrix.format == .int8)
      // What is stored in our own formats is kept; Q6_K becomes int8.
      for row in report.rows {
        #expect(row.source == (format == .int8 ? .q80 : row.target == .int8 ? .q6K : .q40))
        #expect(row.relativeError < (row.source == .q6K ? 0.01 : 1e-9))
      }
    }
  }

  @Test func outputsThatFillNoBlocksOf256AreQ80() throws {
    try inFolder { folder in
      try SyntheticGGUF.write(
        shape(tied: true, columns: 288), format: .int4, to: folder + "/a.gguf")
      let report = try Packer.pack(input: folder + "/a.gguf", output: folder + "/a.terra")
      #expect(report.rows.first?.source == .q80)
    }
  }

  @Test(arguments: [WeightFormat.int8, .int4]) func launchesAreFilled(format: WeightFormat) throws {
    let shape = shape(tied: true)
    let held = HeldHeader(shape, format: format)
    var measuring = Arena(measuringWithPageBytes: 4096)
    _ = Model(header: held.header, in: &measuring)
    var real = RealArena(byteCount: measuring.usedBytes)
    let model = Model(header: held.header, in: &real.arena)
    RandomWeights.fill(model, shape)
    for index in 0..<shape.model.matrixCount {
      let matrix = model.matrix(at: index)
      let (rows, columns) = (matrix.layout.rows, matrix.layout.columns)
      var square: Float = 0
      for row in 0..<rows {
        for column in 0..<columns {
          let weight = matrix.layout.weight(row: row, column: column, of: matrix.bytes.bytes)
          square += weight * weight
        }
      }
      #expect(abs(square / Float(rows) - 1) < 0.2, "\(shape.model.matrix(at: index))")
    }
    #expect(model.vector(.outputNorm)[0] == 1)
    #expect(model.vector(.keyBias)[127] == 0.01)
    // Without a stretch of its own the first pair turns by one radian per position.
    #expect(model.rotary[0] == Rotary.turnFraction(index: 0, rotated: 64, theta: 10_000, factor: 1))
    #expect(model.rotary[31] > 0)
  }

  @Test func int8WeightsAreNeverMinus128() throws {
    let shape = shape(tied: true)
    let held = HeldHeader(shape, format: .int8)
    var measuring = Arena(measuringWithPageBytes: 4096)
    _ = Model(header: held.header, in: &measuring)
    var real = RealArena(byteCount: measuring.usedBytes)
    let model = Model(header: held.header, in: &real.arena)
    RandomWeights.fill(model, shape)
    let matrix = model.matrix(.gate)
    var lowest: Int8 = 0
    for group in 0..<matrix.layout.groups {
      for row in 0..<16 {
        for k in 0..<32 {
          let offset = matrix.layout.quantOffset(row: row, group: group, k: k).offset
          lowest = min(lowest, Int8(bitPattern: matrix.bytes[offset]))
        }
      }
    }
    #expect(lowest == -127)
  }

  @Test func fileThatCannotBeWrittenIsNamed() throws {
    #expect {
      try SyntheticGGUF.write(shape(tied: true), format: .int8, to: "/no/such/folder/a.gguf")
    } throws: { error in
      (error as? BenchmarkError)?.exitCode == 73 && "\(error)".contains("/no/such/folder/a.gguf")
    }
  }

  @Test func headersThatAreNoneAreNamed() throws {
    try inFolder { folder in
      #expect(throws: BenchmarkError.unreadable(folder + "/a")) {
        try HeldHeader(path: folder + "/a")
      }
      try Data("no pack".utf8).write(to: URL(fileURLWithPath: folder + "/b"))
      #expect {
        try HeldHeader(path: folder + "/b")
      } throws: { error in
        (error as? BenchmarkError)?.exitCode == 65
      }
    }
  }
}
