import Kernels
internal import ModelFormat

/// The keys of a GGUF file that describe a model.
struct ModelKeys {
  private let header: GGUFHeader
  let architecture: Architecture
  private let prefix: String

  init(_ header: GGUFHeader) throws(PackingError) {
    self.header = header
    let name = try reading { () throws(GGUFError) in try header.string("general.architecture") }
    guard let name else { throw .gguf(.missingKey("general.architecture")) }
    switch name {
    case "llama": architecture = .llama
    case "qwen2": architecture = .qwen2
    case "qwen3": architecture = .qwen3
    default: throw .unknownArchitecture(name)
    }
    prefix = name + "."
  }

  /// An integer of this architecture.
  private func integer(_ key: String) throws(PackingError) -> Int? {
    let value = try reading { () throws(GGUFError) in try header.unsigned(prefix + key) }
    guard let value else { return nil }
    guard value <= UInt64(Int32.max) else { throw .tooLarge(key: prefix + key, value) }
    return Int(value)
  }

  private func float(_ key: String) throws(PackingError) -> Double? {
    try reading { () throws(GGUFError) in try header.float(prefix + key) }
  }

  private func required(_ key: String) throws(PackingError) -> Int {
    guard let value = try integer(key) else { throw .gguf(.missingKey(prefix + key)) }
    return value
  }

  /// An integer of this architecture that must be there and not be zero.
  func positive(_ key: String) throws(PackingError) -> Int {
    let value = try required(key)
    guard value > 0 else { throw .unsupported(key: prefix + key, value: "0") }
    return value
  }

  /// The numbers of the model, not yet checked against limits.
  func hyperparameters(
    vocabulary: Int, hasOutput: Bool, hasBias: Bool
  ) throws(PackingError) -> Hyperparameters {
    let modelDimension = try positive("embedding_length")
    let queryHeads = try positive("attention.head_count")
    let headDimension: Int
    if let length = try integer("attention.key_length") {
      headDimension = length
    } else {
      guard modelDimension % queryHeads == 0 else {
        throw .headDimension(modelDimension: modelDimension, queryHeads: queryHeads)
      }
      headDimension = modelDimension / queryHeads
    }
    let valueLength = try integer("attention.value_length") ?? modelDimension / queryHeads
    guard valueLength == headDimension else {
      throw .keyAndValueLengthDiffer(key: headDimension, value: valueLength)
    }
    guard let epsilon = try float("attention.layer_norm_rms_epsilon") else {
      throw .gguf(.missingKey(prefix + "attention.layer_norm_rms_epsilon"))
    }
    var context = try positive("context_length")
    // Within its window, attention with a sliding window is attention to everything.
    if let window = try integer("attention.sliding_window"), window > 0 {
      context = min(context, window)
    }
    let isLlama = architecture == .llama
    return Hyperparameters(
      architecture: architecture, layers: try positive("block_count"),
      modelDimension: modelDimension, queryHeads: queryHeads,
      kvHeads: try integer("attention.head_count_kv") ?? queryHeads,
      headDimension: headDimension, feedForwardDimension: try positive("feed_forward_length"),
      vocabulary: vocabulary, trainedContext: context,
      rotatedDimensions: try integer("rope.dimension_count") ?? headDimension,
      ropePairing: isLlama ? .interleaved : .split, rmsEpsilon: Float(epsilon),
      hasTiedOutput: !hasOutput,
      hasQueryKeyValueBias: architecture == .qwen2 || (isLlama && hasBias),
      hasQueryKeyNorm: architecture == .qwen3)
  }

  /// The base of the rope frequencies.
  func ropeBase() throws(PackingError) -> Double {
    let base = try float("rope.freq_base") ?? 10_000
    guard base.isFinite && base >= 1 else { throw .ropeBase(base) }
    return base
  }

  /// The model's name with everything replaced that is not printable ASCII.
  func modelName() throws(PackingError) -> String {
    let name = try reading { () throws(GGUFError) in try header.string("general.name") } ?? ""
    return String(
      decoding: name.unicodeScalars.prefix(PackLayout.modelNameRange.count).map { scalar in
        (32..<127).contains(scalar.value) ? UInt8(scalar.value) : UInt8(ascii: "?")
      }, as: UTF8.self)
  }

  /// Checks the tokenizer's size, and every token that a key names, against the vocabulary.
  func checkVocabulary(_ vocabulary: Int) throws(PackingError) {
    let tokens = try reading { () throws(GGUFError) in
      try header.array("tokenizer.ggml.tokens", of: .string)
    }
    guard let tokens else { throw .gguf(.missingKey("tokenizer.ggml.tokens")) }
    guard tokens.count == vocabulary else {
      throw .vocabularySize(tokens: tokens.count, rows: vocabulary)
    }
    if let stated = try integer("vocab_size"), stated != vocabulary {
      throw .vocabularySize(tokens: stated, rows: vocabulary)
    }
    for key in header.values.keys.sorted()
    where key.hasPrefix("tokenizer.ggml.") && key.hasSuffix("_token_id") {
      let token = try reading { () throws(GGUFError) in try header.unsigned(key) } ?? 0
      guard token < UInt64(vocabulary) else {
        throw .tokenOutOfRange(key: key, token, vocabulary: vocabulary)
      }
    }
  }
}

extension ModelKeys {
  /// Integers that would change the computation unless they have the neutral value.
  private static let neutralIntegers: [(key: String, value: Int)] = [
    ("expert_count", 0), ("expert_used_count", 0), ("leading_dense_block_count", 0),
  ]

  /// Floats that would change the computation unless they have one of the neutral values.
  private static let neutralFloats: [(key: String, values: [Double])] = [
    ("rope.scaling.attn_factor", [0, 1]), ("rope.scaling.yarn_log_multiplier", [0]),
    ("rope.scaling.factor", [0, 1]), ("rope.scale_linear", [0, 1]), ("logit_scale", [0, 1]),
    ("residual_scale", [0, 1]), ("embedding_scale", [0, 1]), ("attention.scale", [0]),
    ("attn_logit_softcapping", [0]), ("final_logit_softcapping", [0]),
    ("attention.clamp_kqv", [0]), ("attention.max_alibi_bias", [0]),
  ]

  /// Refuses what the forward pass does not compute, by the name of the key that asks for it.
  func refuseUnsupported() throws(PackingError) {
    for (key, neutral) in Self.neutralIntegers {
      guard let value = try integer(key), value != neutral else { continue }
      throw .unsupported(key: prefix + key, value: String(value))
    }
    let parts = try reading { () throws(GGUFError) in try header.unsigned("split.count") } ?? 1
    // The other parts of a split model lie in other files.
    guard parts <= 1 else { throw .unsupported(key: "split.count", value: String(parts)) }
    let scaling = try reading { () throws(GGUFError) in
      try header.string(prefix + "rope.scaling.type")
    }
    // A linear scaling by 1 is none; what it divides by is checked below.
    if let scaling, scaling != "none" && scaling != "linear" {
      throw .unsupported(key: prefix + "rope.scaling.type", value: scaling)
    }
    for (key, neutral) in Self.neutralFloats {
      if scaling == "none" && key.hasPrefix("rope.scal") { continue }
      guard let value = try float(key), !neutral.contains(value) else { continue }
      throw .unsupported(key: prefix + key, value: String(value))
    }
    let causal = try reading { () throws(GGUFError) in
      try header.boolean(prefix + "attention.causal")
    }
    if causal == false { throw .unsupported(key: prefix + "attention.causal", value: "false") }
  }
}

/// Passes the error of the reader on as one of the packer.
func reading<Value>(_ body: () throws(GGUFError) -> Value) throws(PackingError) -> Value {
  do throws(GGUFError) { return try body() } catch { throw .gguf(error) }
}
