import ModelFormat
import Packing
import Quantization
import Testing
import Units

@Suite struct PackHeaderTests {
  @Test(arguments: Sample.all) func headerSurvivesTheRoundTrip(_ sample: Sample) throws {
    let builder = sample.builder
    let header = try parse(builder.bytes, fileBytes: builder.fileBytes)
    #expect(header.hyperparameters == sample.model)
    #expect(header.fileBytes == builder.fileBytes)
    #expect(text(header.modelName) == "a model")
    #expect(text(header.sourceName) == "GGUF F16")
    #expect(header.section(.tokenizer).bytes == 1000)
    #expect(header.section(.chatTemplate).bytes == 77)
    #expect(header.section(.rotary).bytes == UInt64(sample.model.rotatedDimensions * 4))
    for index in 0..<sample.model.matrixCount {
      let matrix = header.matrix(at: index)
      let (rows, columns) = sample.model.shape(of: matrix.role)
      #expect(matrix.format == sample.formats[index])
      #expect(matrix.rows == rows && matrix.columns == columns)
      #expect(matrix.offset == builder.matrixOffsets[index] && matrix.offset % 65_536 == 0)
      #expect(matrix.bytes == UInt64(matrix.format.bytes(rows: rows, columns: columns)))
      #expect(header.matrix(matrix.role, layer: matrix.layer) == matrix)
    }
    var end: UInt64 = 0
    for index in 0..<sample.model.vectorCount {
      let vector = header.vector(at: index)
      #expect(vector.offset == end)
      #expect(header.vector(vector.role, layer: vector.layer) == vector)
      end += (UInt64(vector.count) * 4 + 63) / 64 * 64
    }
    #expect(header.section(.vectors).bytes == end)
    let output = sample.model.hasTiedOutput ? MatrixRole.embedding : .output
    #expect(header.logitsMatrix.role == output)
  }

  @Test(arguments: Sample.all) func tensorsAreFoundWhereTheTableHasThem(_ sample: Sample) {
    let model = sample.model
    var matrices: [String] = ["embedding 0"]
    var vectors: [String] = ["output norm 0"]
    if !model.hasTiedOutput { matrices.append("output 0") }
    for layer in 0..<model.layers {
      for name in ["query", "key", "value", "attention output", "gate", "up", "down"] {
        matrices.append("\(name) \(layer)")
      }
      vectors += ["attention norm \(layer)", "feed-forward norm \(layer)"]
      if model.hasQueryKeyValueBias {
        vectors += ["query bias \(layer)", "key bias \(layer)", "value bias \(layer)"]
      }
      if model.hasQueryKeyNorm { vectors += ["query norm \(layer)", "key norm \(layer)"] }
    }
    #expect(matrices.count == model.matrixCount)
    #expect(vectors.count == model.vectorCount)
    for (index, name) in matrices.enumerated() {
      let (role, layer) = model.matrix(at: index)
      #expect("\(role.name) \(layer)" == name)
      #expect(model.index(of: role, layer: layer) == index)
    }
    for (index, name) in vectors.enumerated() {
      let (role, layer) = model.vector(at: index)
      #expect("\(role.name) \(layer)" == name)
      #expect(model.index(of: role, layer: layer) == index)
    }
    #expect(model.index(of: .query, layer: model.layers) == nil)
    #expect(model.index(of: .query, layer: -1) == nil)
    #expect((model.index(of: .output, layer: 0) == nil) == model.hasTiedOutput)
    #expect((model.index(of: .keyBias, layer: 0) == nil) != model.hasQueryKeyValueBias)
    #expect((model.index(of: .keyNorm, layer: 0) == nil) != model.hasQueryKeyNorm)
  }

  @Test func everyTruncationIsRefused() {
    let builder = Sample.all[0].builder
    for count in 0..<builder.bytes.count {
      let bytes = Array(builder.bytes[..<count])
      #expect(throws: ModelFormatError.self) { try parse(bytes, fileBytes: UInt64(count)) }
      #expect(throws: ModelFormatError.self) { try parse(bytes, fileBytes: builder.fileBytes) }
    }
  }

  @Test func bytesBehindTheHeaderAreNotLookedAt() throws {
    let builder = Sample.all[0].builder
    let longer = builder.bytes + [UInt8](repeating: 0xFF, count: 1000)
    let header = try parse(longer, fileBytes: builder.fileBytes)
    #expect(header.bytes.count == builder.bytes.count)
  }

  @Test func layoutOfTheFixedPartIsAsDocumented() {
    let bytes = Sample.all[0].builder.bytes
    #expect(Array(bytes[0..<8]) == [0x89, 0x54, 0x45, 0x52, 0x52, 0x41, 0x0D, 0x0A])
    #expect(Array(bytes[8..<12]) == [3, 0, 0, 0])
    #expect(bytes[36] == 2 && bytes[40] == 64)
    #expect(PackLayout.offset(ofSection: .tokenizer) == 256)
    #expect(PackLayout.offset(ofMatrix: 0) == 416)
  }
}
