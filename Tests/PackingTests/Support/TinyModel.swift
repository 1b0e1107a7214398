import ModelFormat
import Packing

/// Small models as GGUF files, with seeded weights.
struct TinyModel {
  var architecture = "llama"
  var layers = 2
  var modelDimension = 64
  var queryHeads = 4
  var kvHeads = 2
  var headDimension = 16
  var feedForwardDimension = 96
  var vocabulary = 260
  var isTied = true
  var hasBias = false
  var hasNorms = false
  var hasRopeFactors = false
  /// The type of all matrices but the embedding and the output.
  var type = TensorType.f32
  /// Where not `nil`, only matrices whose names end so have this type; the others are Q8_0, which
  /// is quick to pack.
  var suffix: String?
  var embeddingType = TensorType.f32
  var seed: UInt64 = 1

  /// A model of an architecture with what belongs to it.
  init(_ architecture: String = "llama") {
    self.architecture = architecture
    hasBias = architecture == "qwen2"
    hasNorms = architecture == "qwen3"
  }

  var builder: GGUFBuilder {
    var builder = GGUFBuilder()
    builder["general.architecture"] = .string(architecture)
    builder["general.name"] = .string("tiny")
    let numbers: [(String, Int)] = [
      ("context_length", 128), ("embedding_length", modelDimension), ("block_count", layers),
      ("feed_forward_length", feedForwardDimension), ("attention.head_count", queryHeads),
      ("attention.head_count_kv", kvHeads), ("attention.key_length", headDimension),
      ("attention.value_length", headDimension),
    ]
    for (key, number) in numbers {
      builder["\(architecture).\(key)"] = .uint32(UInt32(number))
    }
    builder["\(architecture).attention.layer_norm_rms_epsilon"] = .float32(1e-5)
    addTokenizer(to: &builder)
    addTensors(to: &builder)
    return builder
  }

  /// A byte-level vocabulary: 256 bytes, one merge, special tokens up to the size.
  private func addTokenizer(to builder: inout GGUFBuilder) {
    builder["tokenizer.ggml.model"] = .string("gpt2")
    builder["tokenizer.ggml.pre"] = .string("gpt-2")
    var shifted: UInt32 = 256
    var pieces = (0..<256).map { byte in
      let isPlain = (33...126).contains(byte) || (161...172).contains(byte) || byte >= 174
      if !isPlain { shifted += 1 }
      return String(Character(Unicode.Scalar(isPlain ? UInt32(byte) : shifted - 1) ?? "?"))
    }
    pieces.append("ab")
    while pieces.count < vocabulary { pieces.append("<|special \(pieces.count)|>") }
    builder["tokenizer.ggml.tokens"] = .strings(Array(pieces.prefix(vocabulary)))
    builder["tokenizer.ggml.token_type"] = .int32s(
      (0..<vocabulary).map { $0 <= 256 ? 1 : 3 })
    builder["tokenizer.ggml.merges"] = .strings(["a b"])
    builder["tokenizer.ggml.bos_token_id"] = .uint32(UInt32(min(257, vocabulary - 1)))
    builder["tokenizer.ggml.eos_token_id"] = .uint32(UInt32(min(258, vocabulary - 1)))
  }

  private func addTensors(to builder: inout GGUFBuilder) {
    var generator = SeededGenerator(state: seed)
    func matrix(_ name: String, _ asked: TensorType, _ columns: Int, _ rows: Int) {
      let isPlain = suffix.map { !name.hasSuffix($0) } ?? false
      let type = isPlain ? .q80 : asked
      builder.tensors.append(
        GGUFBuilder.Tensor(
          name: name, dimensions: [UInt64(columns), UInt64(rows)], type: type.rawValue,
          data: Self.blocks(type, count: columns * rows / type.blockElements, &generator)))
    }
    func vector(_ name: String, _ count: Int) {
      var data = Bytes()
      for _ in 0..<count {
        data.append(Float.random(in: 0.5...1.5, using: &generator).bitPattern)
      }
      builder.tensors.append(
        GGUFBuilder.Tensor(
          name: name, dimensions: [UInt64(count)], type: 0, data: data.bytes))
    }
    let query = queryHeads * headDimension
    let keyValue = kvHeads * headDimension
    matrix("token_embd.weight", embeddingType, modelDimension, vocabulary)
    if !isTied { matrix("output.weight", embeddingType, modelDimension, vocabulary) }
    vector("output_norm.weight", modelDimension)
    if hasRopeFactors { vector("rope_freqs.weight", headDimension / 2) }
    for layer in 0..<layers {
      let prefix = "blk.\(layer)."
      matrix(prefix + "attn_q.weight", type, modelDimension, query)
      matrix(prefix + "attn_k.weight", type, modelDimension, keyValue)
      matrix(prefix + "attn_v.weight", type, modelDimension, keyValue)
      matrix(prefix + "attn_output.weight", type, query, modelDimension)
      matrix(prefix + "ffn_gate.weight", type, modelDimension, feedForwardDimension)
      matrix(prefix + "ffn_up.weight", type, modelDimension, feedForwardDimension)
      matrix(prefix + "ffn_down.weight", type, feedForwardDimension, modelDimension)
      vector(prefix + "attn_norm.weight", modelDimension)
      vector(prefix + "ffn_norm.weight", modelDimension)
      if hasBias {
        vector(prefix + "attn_q.bias", query)
        vector(prefix + "attn_k.bias", keyValue)
        vector(prefix + "attn_v.bias", keyValue)
      }
      if hasNorms {
        vector(prefix + "attn_q_norm.weight", headDimension)
        vector(prefix + "attn_k_norm.weight", headDimension)
      }
    }
  }

  /// Random blocks of a type whose halves are all finite.
  static func blocks(
    _ type: TensorType, count: Int, _ generator: inout SeededGenerator
  ) -> [UInt8] {
    if type == .f32 || type == .bf16 {
      var data = Bytes()
      for _ in 0..<count {
        let bits = Float.random(in: -1...1, using: &generator).bitPattern
        if type == .f32 { data.append(bits) } else { data.append(UInt16(bits >> 16)) }
      }
      return data.bytes
    }
    var bytes = generator.bytes(count * type.blockBytes)
    for block in 0..<count {
      for offset in halves(type) {
        // The top exponent bit off: below 2 and never infinite.
        bytes[block * type.blockBytes + offset + 1] &= 0xBF
      }
    }
    return bytes
  }

  /// Where the halves of a block lie.
  static func halves(_ type: TensorType) -> [Int] {
    switch type {
    case .f32, .bf16: []
    case .f16, .q80, .q40, .q50: [0]
    case .q41, .q51, .q4K, .q5K: [0, 2]
    case .q6K: [208]
    }
  }
}
