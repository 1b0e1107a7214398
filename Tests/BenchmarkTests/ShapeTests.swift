import Benchmark
import Kernels
import ModelFormat
import Packing
import Quantization
import Testing
import Units

@Suite struct ShapeTests {
  /// The number of parameters that the authors' own weight files hold, by name.
  static let published: [(name: String, parameters: Int)] = [
    ("SmolLM2-135M", 134_515_008), ("SmolLM2-360M", 361_821_120),
    ("SmolLM2-1.7B", 1_711_376_384), ("TinyLlama-1.1B", 1_100_048_384),
    ("Llama-3.2-1B", 1_235_814_400), ("Llama-3.2-3B", 3_212_749_824),
    ("Llama-3.1-8B", 8_030_261_248), ("Qwen2.5-0.5B", 494_032_768),
    ("Qwen2.5-1.5B", 1_543_714_304), ("Qwen2.5-3B", 3_085_938_688),
    ("Qwen3-0.6B", 596_049_920), ("Qwen3-1.7B", 1_720_574_976),
  ]

  @Test func allAreCompared() {
    #expect(SyntheticShape.all.map(\.name) == Self.published.map(\.name))
  }

  @Test(arguments: published) func hasThePublishedParameters(name: String, parameters: Int) throws {
    let shape = try SyntheticShape.named(name)
    try shape.model.validate()
    let cost = ModelCost(HeldHeader(shape, format: .int8).header, keys: .int8, values: .int8)
    #expect(cost.parameters == parameters)
  }

  @Test(arguments: SyntheticShape.all.map(\.name)) func needsNoPadding(name: String) throws {
    let model = try SyntheticShape.named(name).model
    for index in 0..<model.matrixCount {
      let (rows, columns) = model.shape(of: model.matrix(at: index).role)
      #expect(rows % 32 == 0 && columns % 32 == 0)
    }
  }

  @Test func isFoundInAnyCase() throws {
    #expect(try SyntheticShape.named("smollm2-135m").name == "SmolLM2-135M")
    #expect {
      try SyntheticShape.named("GPT-5")
    } throws: { error in
      "\(error)".contains("there is no shape `GPT-5`; known are SmolLM2-135M, ")
        && (error as? BenchmarkError)?.exitCode == 64
    }
    #expect(SyntheticShape.list.split(separator: "\n").count == SyntheticShape.all.count)
  }

  @Test func stretchesLongWavesAsLlama3Does() throws {
    let factors = try SyntheticShape.named("Llama-3.2-1B").ropeFactors
    // From the `rope_freqs.weight` that llama.cpp's converter writes for this model.
    #expect(factors.count == 32)
    #expect(factors[..<15].allSatisfy { $0 == 1 })
    #expect(factors[18...].allSatisfy { $0 == 32 })
    #expect(factors[15] > 1 && factors[15] < factors[16] && factors[16] < factors[17])
    #expect(try SyntheticShape.named("Qwen2.5-0.5B").ropeFactors == Array(repeating: 1, count: 32))
  }

  @Test func describesModelsAsLlamaBenchDoes() throws {
    func description(_ name: String, _ format: WeightFormat) throws -> String {
      let held = HeldHeader(try SyntheticShape.named(name), format: format)
      return ModelCost(held.header, keys: .int8, values: .int8).description(held.header)
    }
    #expect(try description("Llama-3.2-1B", .int8) == "llama 1B Q8_0")
    #expect(try description("SmolLM2-135M", .int4) == "llama 135M Q4_0")
    #expect(try description("Qwen2.5-0.5B", .int4) == "qwen2 0.5B Q4_0")
    #expect(ModelCost.size(260_032) == "0.3M")
    #expect(ModelCost.size(2_541_504) == "2.5M")
    #expect(ModelCost.size(134_515_008) == "135M")
    #expect(ModelCost.size(999_600_000) == "1B")
    #expect(ModelCost.size(1_235_814_400) == "1.2B")
    #expect(ModelCost.size(70_000_000_000) == "70B")
  }
}
