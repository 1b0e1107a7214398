import Benchmark
import Kernels
import ModelFormat
import Packing
import Quantization
import TestSupport
import Testing
import Units

@Suite struct CostTests {
  // Sizes that fill tiles and blocks without padding.
  static let model = Hyperparameters(
    architecture: .qwen2, layers: 2, modelDimension: 64, queryHeads: 4, kvHeads: 2,
    headDimension: 64, feedForwardDimension: 128, vocabulary: 128, trainedContext: 512,
    rotatedDimensions: 64, ropePairing: .split, rmsEpsilon: 1e-5, hasTiedOutput: false,
    hasQueryKeyValueBias: true, hasQueryKeyNorm: false)

  static func header(tied: Bool, formats cycle: [WeightFormat]) throws -> PackHeader {
    var model = Self.model
    model.hasTiedOutput = tied
    let formats = (0..<model.matrixCount).map { cycle[$0 % cycle.count] }
    let builder = PackHeaderBuilder(
      model, name: "small", sourceName: "test", formats: formats, tokenizerBytes: 0,
      templateBytes: 0)
    return try PackHeader(validating: buffer(builder.bytes), fileBytes: builder.fileBytes)
  }

  /// Bytes and multiply-adds of one matrix, weight by weight.
  private func slow(_ record: MatrixRecord) -> Cost {
    var cost = Cost()
    var halfBytes = 0
    for _ in 0..<record.rows {
      for column in 0..<record.columns {
        halfBytes += record.format == .int8 ? 2 : 1
        if column % 32 == 0 { halfBytes += record.format == .int4Asymmetric ? 8 : 4 }
        if record.format == .int8 { cost.int8Operations += 2 } else { cost.int4Operations += 2 }
      }
    }
    cost.bytes = halfBytes / 2
    return cost
  }

  /// A tile, token by token, head by head, slot by slot; only slots that fill whole blocks.
  private func slow(
    _ header: PackHeader, start: Int, count: Int, keys: CacheFormat, values: CacheFormat,
    wantsLogits: Bool
  ) -> Cost {
    let model = header.hyperparameters
    var cost = Cost()
    for index in 0..<model.matrixCount {
      let record = header.matrix(at: index)
      let one = slow(record)
      if record.role == .embedding { cost.bytes += count * one.bytes / record.rows }
      let isOutput = record.role == header.logitsMatrix.role
      if record.role.isPerLayer || (isOutput && wantsLogits) { cost.bytes += one.bytes }
      for _ in 0..<(record.role.isPerLayer ? count : isOutput && wantsLogits ? 1 : 0) {
        cost.int8Operations += one.int8Operations
        cost.int4Operations += one.int4Operations
      }
    }
    for index in 0..<model.vectorCount { cost.bytes += 4 * header.vector(at: index).count }
    func element(_ format: CacheFormat) -> Int { format == .int8 ? 2 : 1 }
    for _ in 0..<model.layers {
      // Two scale bytes for each slot, head and group of 32 dimensions, here two groups.
      cost.bytes +=
        model.kvHeads * (start + count)
        * (model.headDimension * (element(keys) + element(values)) / 2 + 8)
      for token in 0..<count {
        for _ in 0..<model.queryHeads {
          let operations = 2 * model.headDimension * (start + token + 1)
          for format in [keys, values] {
            if format == .int8 {
              cost.int8Operations += operations
            } else {
              cost.int4Operations += operations
            }
          }
        }
      }
    }
    return cost
  }

  @Test(
    arguments: [true, false], [[WeightFormat.int8], [.int4], [.int8, .int4, .int4Asymmetric]])
  func tileIsTheSlowCount(tied: Bool, formats: [WeightFormat]) throws {
    let header = try Self.header(tied: tied, formats: formats)
    for (keys, values) in [(CacheFormat.int8, CacheFormat.int8), (.int4, .int8), (.int4, .int4)] {
      let cost = ModelCost(header, keys: keys, values: values)
      for (start, count) in [(0, 32), (31, 1), (96, 64)] {
        for wantsLogits in [false, true] {
          #expect(
            cost.tile(start: start, count: count, wantsLogits: wantsLogits)
              == slow(
                header, start: start, count: count, keys: keys, values: values,
                wantsLogits: wantsLogits))
        }
      }
    }
  }

  @Test func workIsTilesAndTokens() throws {
    let cost = ModelCost(
      try Self.header(tied: true, formats: [.int4]), keys: .int8, values: .int4)
    var expected = Cost()
    expected += cost.tile(start: 10, count: 64, wantsLogits: false)
    expected += cost.tile(start: 74, count: 36, wantsLogits: true)
    expected += cost.tile(start: 110, count: 1, wantsLogits: true)
    expected += cost.tile(start: 111, count: 1, wantsLogits: true)
    #expect(cost.work(prompt: 100, generated: 2, depth: 10, tileTokens: 64) == expected)
    #expect(cost.work(prompt: 0, generated: 0, depth: 10, tileTokens: 64) == Cost())
    // A cache of 50 slots is full at 50: the token itself takes one of them.
    expected = cost.tile(start: 49, count: 1, wantsLogits: true)
    expected += cost.tile(start: 49, count: 1, wantsLogits: true)
    #expect(
      cost.work(prompt: 0, generated: 2, depth: 100, tileTokens: 64, slotsMax: 50) == expected)
  }

  @Test func workBesideAPromptIsProbesAndLogits() throws {
    let header = try Self.header(tied: false, formats: [.int8, .int4])
    let cost = ModelCost(header, keys: .int8, values: .int4)
    let output = slow(header.logitsMatrix)
    // 100 tokens over 96 slots are tiles of 64 and 36; logits of 130 tokens are read thrice.
    var expected = slow(
      header, start: 32, count: 64, keys: .int8, values: .int4, wantsLogits: false)
    expected += slow(header, start: 60, count: 36, keys: .int8, values: .int4, wantsLogits: false)
    expected.bytes += 3 * output.bytes
    expected.int8Operations += 130 * output.int8Operations
    expected.int4Operations += 130 * output.int4Operations
    #expect(cost.beside(probed: 100, outputs: 130, slots: 96, tileTokens: 64) == expected)
    #expect(cost.beside(probed: 0, outputs: 0, slots: 96, tileTokens: 64) == Cost())
  }

  @Test func countsParametersAndBytes() throws {
    let header = try Self.header(tied: false, formats: [.int8, .int4])
    let cost = ModelCost(header, keys: .int8, values: .int8)
    var (parameters, bytes) = (0, 0)
    var weights: [WeightFormat: Int] = [:]
    for index in 0..<header.hyperparameters.matrixCount {
      let record = header.matrix(at: index)
      parameters += record.rows * record.columns
      weights[record.format, default: 0] += record.rows * record.columns
      bytes += slow(record).bytes
    }
    for index in 0..<header.hyperparameters.vectorCount {
      parameters += header.vector(at: index).count
      bytes += 4 * header.vector(at: index).count
    }
    #expect(cost.parameters == parameters)
    #expect(cost.bytes == bytes)
    #expect(
      cost.mainFormat == (weights[.int8, default: 0] >= weights[.int4, default: 0] ? .int8 : .int4))
  }

  @Test func oneGeneratedTokenReadsEveryWeightOnce() throws {
    let shape = try SyntheticShape.named("SmolLM2-135M")
    let cost = ModelCost(HeldHeader(shape, format: .int8).header, keys: .int8, values: .int8)
    let token = cost.tile(start: 0, count: 1, wantsLogits: true)
    // 576 columns of the embedding's row, and the first block of slots of every KV head.
    let row = 576 / 32 * 34
    let block = 16 * (64 + 4) + 32 * (64 + 4)
    #expect(token.bytes == cost.bytes + row + 30 * 3 * block)
    #expect(token.operations == 2 * (cost.parameters - 61 * 576) + 4 * 30 * 576)
  }
}
