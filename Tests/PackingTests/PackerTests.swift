import Foundation
import Kernels
import ModelFormat
import Packing
import Quantization
import Testing
import Units

@Suite struct PackerTests {
  /// A type, the options, and the format and the largest error to expect, relative to the largest
  /// weight of the group; 0: exact.
  struct Case: Sendable, CustomTestStringConvertible {
    var source: TensorType
    var weights: WeightBits?
    var format: WeightFormat
    var error: Float

    var testDescription: String { "\(source.name) as \(format)" }
  }

  static let cases: [Case] = [
    Case(source: .f32, weights: nil, format: .int8, error: 0.0041),
    Case(source: .f16, weights: nil, format: .int8, error: 0.0041),
    Case(source: .bf16, weights: nil, format: .int8, error: 0.0041),
    Case(source: .q80, weights: nil, format: .int8, error: 0),
    Case(source: .q50, weights: nil, format: .int8, error: 0),
    Case(source: .q51, weights: nil, format: .int8, error: 0.0041),
    Case(source: .q5K, weights: nil, format: .int8, error: 0.0041),
    Case(source: .q6K, weights: nil, format: .int8, error: 0.0041),
    Case(source: .q40, weights: nil, format: .int4, error: 0),
    Case(source: .q41, weights: nil, format: .int4Asymmetric, error: 0),
    Case(source: .q4K, weights: nil, format: .int4Asymmetric, error: 0.001),
    Case(source: .q40, weights: .int8, format: .int8, error: 0),
    Case(source: .q4K, weights: .int8, format: .int8, error: 0.0041),
    Case(source: .q80, weights: .int4, format: .int4, error: 0.31),
    Case(source: .f32, weights: .int4, format: .int4, error: 0.31),
  ]

  @Test(arguments: cases) func everyWeightComesBack(_ sample: Case) throws {
    var tiny = TinyModel()
    tiny.type = sample.source
    tiny.modelDimension = 256
    tiny.headDimension = 64
    tiny.feedForwardDimension = 256
    tiny.layers = 1
    tiny.suffix = "ffn_down.weight"
    var builder = tiny.builder
    // −128 never occurs in Q8_0; it could not be kept.
    removeLowest(&builder)
    let pack = try packed(builder, PackOptions(weights: sample.weights))
    for role in [MatrixRole.down, .embedding] {
      let record = pack.header.matrix(role)
      let isSample = role == .down
      if isSample { #expect(record.format == sample.format) }
      let layout = WeightLayout(
        format: record.format, rows: record.rows, columns: record.columns)
      let matrix = Array(pack.bytes[Int(record.offset)..<Int(record.offset + record.bytes)])
      let name = isSample ? "blk.0.ffn_down.weight" : "token_embd.weight"
      let source = builder.tensors[builder.index(of: name)]
      let limit = isSample ? sample.error : 0
      let rowBytes = source.data.count / record.rows
      for row in stride(from: 0, to: record.rows, by: 7) {
        let data = Array(source.data[row * rowBytes..<(row + 1) * rowBytes])
        let weights = zeros(record.columns, of: Float.self)
        Dequantization.row(
          isSample ? sample.source : .q80, data.rawSpan, columns: record.columns, into: weights)
        var largest = [Float](repeating: 0, count: record.columns / 32)
        for column in 0..<record.columns {
          largest[column / 32] = max(largest[column / 32], weights[column].magnitude)
        }
        for column in 0..<record.columns {
          let found = layout.weight(row: row, column: column, of: matrix.rawSpan)
          let error = (found - weights[column]).magnitude
          let bound = limit * largest[column / 32] + (limit > 0 ? 1e-6 : 0)
          #expect(error <= bound, "row \(row), column \(column) of \(source.name)")
        }
      }
    }
    let row = try #require(pack.report.rows.first { $0.role == .down })
    #expect(row.source == sample.source && row.target == sample.format && row.matrices == 1)
    #expect((row.relativeError == 0) == (sample.error == 0))
  }

  @Test func embeddingHasItsOwnBits() throws {
    let cases: [(TensorType, PackOptions, WeightFormat)] = [
      (.f32, PackOptions(), .int8), (.f32, PackOptions(weights: .int4), .int8),
      (.f32, PackOptions(embedding: .int4), .int4), (.q40, PackOptions(), .int4),
      (.q40, PackOptions(weights: .int8), .int4), (.q41, PackOptions(), .int4Asymmetric),
      (.q40, PackOptions(embedding: .int8), .int8), (.q80, PackOptions(), .int8),
    ]
    for (source, options, format) in cases {
      #expect(options.format(of: .embedding, source: source) == format)
      #expect(options.format(of: .output, source: source) == format)
    }
  }

  @Test(arguments: ["llama", "qwen2", "qwen3"])
  func headerOfTheSourceIsThatOfThePack(_ architecture: String) throws {
    var tiny = TinyModel(architecture)
    tiny.isTied = architecture == "qwen2"
    tiny.hasRopeFactors = architecture == "llama"
    let builder = tiny.builder
    let pack = try packed(builder, PackOptions())
    var planned = pack.planned
    // Equal but for the checksums.
    let model = pack.header.hyperparameters
    var final = pack.bytes
    for index in 0..<5 { clear(8, at: 256 + index * 32 + 24, &final) }
    for index in 0..<model.matrixCount {
      clear(8, at: PackLayout.offset(ofMatrix: index) + 40, &final)
    }
    clear(8, at: 24, &final)
    clear(8, at: 24, &planned)
    #expect(planned == Array(final[..<planned.count]))
    #expect(UInt64(pack.bytes.count) == pack.header.fileBytes)
  }

  @Test func everyChecksumIsThatOfItsBytes() throws {
    let pack = try packed(TinyModel("qwen3").builder, PackOptions())
    for raw in 1...5 {
      let kind = try #require(SectionKind(rawValue: UInt32(raw)))
      let section = pack.header.section(kind)
      let bytes = Array(pack.bytes[Int(section.offset)..<Int(section.offset + section.bytes)])
      #expect(XXH64.hash(bytes.rawSpan) == section.checksum)
    }
    for index in 0..<pack.header.hyperparameters.matrixCount {
      let record = pack.header.matrix(at: index)
      let bytes = Array(pack.bytes[Int(record.offset)..<Int(record.offset + record.bytes)])
      #expect(XXH64.hash(bytes.rawSpan) == record.checksum)
    }
  }

  @Test func vectorsAndPhasesAreKept() throws {
    var tiny = TinyModel("qwen2")
    tiny.hasRopeFactors = true
    let builder = tiny.builder
    let pack = try packed(builder, PackOptions())
    let vectors = pack.header.section(.vectors)
    let bias = pack.header.vector(.keyBias, layer: 1)
    let start = Int(vectors.offset + bias.offset)
    let source = builder.tensors[builder.index(of: "blk.1.attn_k.bias")]
    #expect(Array(pack.bytes[start..<start + bias.count * 4]) == source.data)
    let rotary = Int(pack.header.section(.rotary).offset)
    let factors = builder.tensors[builder.index(of: "rope_freqs.weight")].data
    for index in 0..<8 {
      let factor = Float(
        bitPattern: factors.rawSpan.loadLittleEndian(at: index * 4, as: UInt32.self))
      let fraction = pack.bytes.rawSpan.loadLittleEndian(at: rotary + index * 8, as: UInt64.self)
      #expect(
        fraction
          == Rotary.turnFraction(
            index: index, rotated: 16, theta: 10_000, factor: Double(factor)))
    }
  }

  @Test func resultDoesNotDependOnThreadsAndBlocks() throws {
    var tiny = TinyModel()
    tiny.vocabulary = 1000
    tiny.modelDimension = 128
    tiny.suffix = "ffn_gate.weight"
    let builder = tiny.builder
    let one = try packed(builder, PackOptions(weights: .int4), PackResources(threads: 1))
    let three = try packed(
      builder, PackOptions(weights: .int4), PackResources(threads: 3, blockBytes: 20_000))
    #expect(one.bytes == three.bytes)
    #expect(one.report == three.report)
  }

  @Test func weightsThatAreNotFiniteAreRefused() throws {
    for (name, row) in [("blk.1.ffn_down.weight", 33), ("blk.0.attn_norm.weight", 0)] {
      var builder = TinyModel().builder
      let index = builder.index(of: name)
      let element = row * Int(builder.tensors[index].dimensions[0]) + 5
      for (byte, value) in [UInt8](arrayLiteral: 0, 0, 0x80, 0xFF).enumerated() {
        builder.tensors[index].data[element * 4 + byte] = value
      }
      #expect(throws: PackingError.notFinite(tensor: name, row: row)) {
        _ = try packed(builder, PackOptions())
      }
    }
    var builder = TinyModel().builder
    var factors = builder.tensors[builder.index(of: "blk.0.attn_norm.weight")]
    factors.name = "rope_freqs.weight"
    factors.dimensions = [8]
    factors.data = [UInt8](repeating: 0, count: 32)
    builder.tensors.append(factors)
    #expect(throws: PackingError.ropeFactor(index: 0, 0)) {
      _ = try packed(builder, PackOptions())
    }
  }

  @Test func tableNamesWhatWasDone() throws {
    let pack = try packed(TinyModel().builder, PackOptions(weights: .int4))
    let lines = PackTable.text(pack.report).split(separator: "\n").map(String.init)
    #expect(
      lines[0] == "tensor            source  packed  matrices  weights  bits/weight    error")
    #expect(lines.count == 9)
    #expect(lines[1].hasPrefix("embedding         F32     int8           1   16,640"))
    #expect(PackTable.grouped(1_234_567) == "1,234,567")
    #expect(PackTable.grouped(12) == "12")
  }

  private func removeLowest(_ builder: inout GGUFBuilder) {
    for tensor in builder.tensors.indices where builder.tensors[tensor].type == 8 {
      for index in builder.tensors[tensor].data.indices
      where index % 34 >= 2 && builder.tensors[tensor].data[index] == 0x80 {
        builder.tensors[tensor].data[index] = 0x81
      }
    }
  }

  private func clear(_ count: Int, at offset: Int, _ bytes: inout [UInt8]) {
    for byte in 0..<count { bytes[offset + byte] = 0 }
  }
}
