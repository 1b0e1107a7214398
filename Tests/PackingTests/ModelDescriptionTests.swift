import Kernels
import ModelFormat
import Packing
import Testing

@Suite struct ModelDescriptionTests {
  @Test func llamaIsDescribed() throws {
    let model = try describe(TinyModel().builder)
    #expect(
      model.hyperparameters
        == Hyperparameters(
          architecture: .llama, layers: 2, modelDimension: 64, queryHeads: 4, kvHeads: 2,
          headDimension: 16, feedForwardDimension: 96, vocabulary: 260, trainedContext: 128,
          rotatedDimensions: 16, ropePairing: .interleaved, rmsEpsilon: 1e-5,
          hasTiedOutput: true, hasQueryKeyValueBias: false, hasQueryKeyNorm: false))
    #expect(model.name == "tiny")
    #expect(model.ropeBase == 10_000)
    #expect(model.sourceName == "GGUF F32")
    #expect(model.matrices[1].name == "blk.0.attn_q.weight")
    #expect(model.vectors[0].name == "output_norm.weight")
  }

  @Test func qwenIsDescribed() throws {
    let qwen2 = try describe(TinyModel("qwen2").builder).hyperparameters
    #expect(qwen2.ropePairing == .split && qwen2.hasQueryKeyValueBias && !qwen2.hasQueryKeyNorm)
    var tiny = TinyModel("qwen3")
    tiny.isTied = false
    let qwen3 = try describe(tiny.builder).hyperparameters
    #expect(qwen3.ropePairing == .split && !qwen3.hasQueryKeyValueBias && qwen3.hasQueryKeyNorm)
    #expect(!qwen3.hasTiedOutput)
  }

  @Test func absentKeysHaveTheirDefaults() throws {
    var builder = TinyModel().builder
    builder["llama.attention.key_length"] = nil
    builder["llama.attention.value_length"] = nil
    #expect(try describe(builder).hyperparameters.headDimension == 16)
    var tiny = TinyModel()
    tiny.kvHeads = tiny.queryHeads
    builder = tiny.builder
    builder["llama.attention.head_count_kv"] = nil
    #expect(try describe(builder).hyperparameters.kvHeads == 4)
  }

  @Test func biasesOfLlamaAreKept() throws {
    var tiny = TinyModel()
    tiny.hasBias = true
    #expect(try describe(tiny.builder).hyperparameters.hasQueryKeyValueBias)
  }

  @Test func slidingWindowLimitsTheContext() throws {
    var builder = TinyModel().builder
    builder["llama.attention.sliding_window"] = .uint32(100)
    #expect(try describe(builder).hyperparameters.trainedContext == 100)
    builder["llama.attention.sliding_window"] = .uint32(4096)
    #expect(try describe(builder).hyperparameters.trainedContext == 128)
  }

  @Test func nameIsCleaned() throws {
    var builder = TinyModel().builder
    builder["general.name"] = .string("a\u{1B}[31mé" + String(repeating: "x", count: 200))
    let name = try describe(builder).name
    #expect(name.hasPrefix("a?[31m?xx") && name.utf8.count == 128)
  }

  struct Defect: Sendable, CustomTestStringConvertible {
    let name: String
    let error: PackingError
    let make: @Sendable (inout GGUFBuilder) -> Void

    init(
      _ name: String, _ error: PackingError,
      _ make: @escaping @Sendable (inout GGUFBuilder) -> Void
    ) {
      self.name = name
      self.error = error
      self.make = make
    }

    var testDescription: String { name }
  }

  static let keys: [Defect] = [
    Defect("no architecture", .gguf(.missingKey("general.architecture"))) {
      $0["general.architecture"] = nil
    },
    Defect("architecture", .unknownArchitecture("mamba")) {
      $0["general.architecture"] = .string("mamba")
    },
    Defect("no layers", .gguf(.missingKey("llama.block_count"))) { $0["llama.block_count"] = nil },
    Defect("zero layers", .unsupported(key: "llama.block_count", value: "0")) {
      $0["llama.block_count"] = .uint32(0)
    },
    Defect(
      "too many layers",
      .hyperparameters(.outOfRange(.layers, found: 5000, minimum: 1, maximum: 1024))
    ) { $0["llama.block_count"] = .uint32(5000) },
    Defect("huge number", .tooLarge(key: "llama.context_length", 1 << 40)) {
      $0["llama.context_length"] = .uint64(1 << 40)
    },
    Defect(
      "layers as text",
      .gguf(.wrongType(key: "llama.block_count", expected: "integer", found: "string"))
    ) { $0["llama.block_count"] = .string("2") },
    Defect("heads", .hyperparameters(.headsDoNotDivide(queryHeads: 4, kvHeads: 3))) {
      $0["llama.attention.head_count_kv"] = .uint32(3)
    },
    Defect("head dimension", .headDimension(modelDimension: 64, queryHeads: 3)) {
      $0["llama.attention.head_count"] = .uint32(3)
      $0["llama.attention.key_length"] = nil
    },
    Defect("value length", .keyAndValueLengthDiffer(key: 16, value: 8)) {
      $0["llama.attention.value_length"] = .uint32(8)
    },
    Defect("rotated odd", .hyperparameters(.rotatedDimensionsOdd(7))) {
      $0["llama.rope.dimension_count"] = .uint32(7)
    },
    Defect(
      "rotated beyond the head",
      .hyperparameters(.outOfRange(.rotatedDimensions, found: 18, minimum: 0, maximum: 16))
    ) { $0["llama.rope.dimension_count"] = .uint32(18) },
    Defect("epsilon", .hyperparameters(.epsilonNotPositive(bits: 0xFF80_0000))) {
      $0["llama.attention.layer_norm_rms_epsilon"] = .float32(-.infinity)
    },
    Defect(
      "no epsilon", .gguf(.missingKey("llama.attention.layer_norm_rms_epsilon"))
    ) { $0["llama.attention.layer_norm_rms_epsilon"] = nil },
    Defect("rope base", .ropeBase(0)) { $0["llama.rope.freq_base"] = .float32(0) },
    Defect("yarn", .unsupported(key: "llama.rope.scaling.type", value: "yarn")) {
      $0["llama.rope.scaling.type"] = .string("yarn")
    },
    Defect("linear", .unsupported(key: "llama.rope.scaling.factor", value: "4.0")) {
      $0["llama.rope.scaling.type"] = .string("linear")
      $0["llama.rope.scaling.factor"] = .float32(4)
    },
    Defect("old scaling", .unsupported(key: "llama.rope.scale_linear", value: "2.0")) {
      $0["llama.rope.scale_linear"] = .float32(2)
    },
    Defect("experts", .unsupported(key: "llama.expert_count", value: "8")) {
      $0["llama.expert_count"] = .uint32(8)
    },
    Defect("a part of a model", .unsupported(key: "split.count", value: "3")) {
      $0["split.count"] = .uint32(3)
    },
    Defect("not causal", .unsupported(key: "llama.attention.causal", value: "false")) {
      $0["llama.attention.causal"] = .bool(0)
    },
    Defect("logit scale", .unsupported(key: "llama.logit_scale", value: "0.25")) {
      $0["llama.logit_scale"] = .float32(0.25)
    },
    Defect("no tokenizer", .gguf(.missingKey("tokenizer.ggml.tokens"))) {
      $0["tokenizer.ggml.tokens"] = nil
    },
    Defect("vocabulary", .vocabularySize(tokens: 1, rows: 260)) {
      $0["tokenizer.ggml.tokens"] = .strings(["a"])
    },
    Defect("stated vocabulary", .vocabularySize(tokens: 261, rows: 260)) {
      $0["llama.vocab_size"] = .uint32(261)
    },
    Defect(
      "token out of range",
      .tokenOutOfRange(key: "tokenizer.ggml.bos_token_id", 260, vocabulary: 260)
    ) { $0["tokenizer.ggml.bos_token_id"] = .uint32(260) },
  ]

  static let tensors: [Defect] = [
    Defect("no embedding", .missingTensor("token_embd.weight")) {
      $0.tensors.remove(at: $0.index(of: "token_embd.weight"))
    },
    Defect("missing", .missingTensor("blk.1.ffn_up.weight")) {
      $0.tensors.remove(at: $0.index(of: "blk.1.ffn_up.weight"))
    },
    Defect("unknown", .unknownTensor("blk.0.attn_output.bias")) {
      $0.tensors[$0.index(of: "blk.1.ffn_up.weight")].name = "blk.0.attn_output.bias"
    },
    Defect("norms in llama", .unknownTensor("blk.0.attn_q_norm.weight")) {
      var norm = $0.tensors[$0.index(of: "output_norm.weight")]
      norm.name = "blk.0.attn_q_norm.weight"
      $0.tensors.append(norm)
    },
    Defect("a layer too many", .unknownTensor("blk.2.attn_norm.weight")) {
      var norm = $0.tensors[$0.index(of: "output_norm.weight")]
      norm.name = "blk.2.attn_norm.weight"
      $0.tensors.append(norm)
    },
    Defect(
      "shape",
      .wrongShape(tensor: "blk.0.ffn_down.weight", found: [64, 96], expected: [96, 64])
    ) { $0.tensors[$0.index(of: "blk.0.ffn_down.weight")].dimensions = [64, 96] },
    Defect(
      "embedding of one dimension",
      .wrongShape(tensor: "token_embd.weight", found: [16_640], expected: [64, 16_640])
    ) { $0.tensors[$0.index(of: "token_embd.weight")].dimensions = [16_640] },
    Defect(
      "vector", .wrongShape(tensor: "output_norm.weight", found: [32], expected: [64])
    ) { $0.tensors[$0.index(of: "output_norm.weight")].dimensions = [32] },
    Defect(
      "rope factors", .wrongShape(tensor: "rope_freqs.weight", found: [64], expected: [8])
    ) {
      var factors = $0.tensors[$0.index(of: "output_norm.weight")]
      factors.name = "rope_freqs.weight"
      $0.tensors.append(factors)
    },
  ]

  @Test(arguments: keys + tensors) func defectIsNamed(_ defect: Defect) {
    var builder = TinyModel().builder
    defect.make(&builder)
    let found = #expect(throws: PackingError.self) { _ = try describe(builder) }
    #expect(found == defect.error)
    if let found {
      #expect(!found.description.isEmpty)
      #expect(found.exitCode == 65)
    }
  }

  private func describe(_ builder: GGUFBuilder) throws -> ModelDescription {
    let bytes = builder.bytes
    return try ModelDescription(GGUFHeader(bytes: bytes, fileBytes: UInt64(bytes.count)))
  }
}
