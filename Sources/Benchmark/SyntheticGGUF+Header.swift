internal import Foundation
internal import ModelFormat

extension SyntheticGGUF {
  /// The header with its keys and its table of tensors.
  static func header(_ shape: SyntheticShape, _ tensors: [Tensor]) -> Data {
    let model = shape.model
    let architecture = "\(model.architecture.name)"
    var keys = GGUFBytes()
    var count: UInt64 = 0
    func key(_ name: String, _ type: UInt32) {
      keys.append(name)
      keys.append(type)
      count += 1
    }
    func integer(_ name: String, _ value: Int) {
      key(name, 4)
      keys.append(UInt32(value))
    }
    func real(_ name: String, _ value: Float) {
      key(name, 6)
      keys.append(value.bitPattern)
    }
    func text(_ name: String, _ value: String) {
      key(name, 8)
      keys.append(value)
    }
    func texts(_ name: String, _ values: [String]) {
      key(name, 9)
      keys.append(UInt32(8))
      keys.append(UInt64(values.count))
      for value in values { keys.append(value) }
    }
    text("general.architecture", architecture)
    text("general.name", "\(shape.name), random weights")
    integer("\(architecture).context_length", model.trainedContext)
    integer("\(architecture).block_count", model.layers)
    integer("\(architecture).embedding_length", model.modelDimension)
    integer("\(architecture).feed_forward_length", model.feedForwardDimension)
    integer("\(architecture).attention.head_count", model.queryHeads)
    integer("\(architecture).attention.head_count_kv", model.kvHeads)
    integer("\(architecture).attention.key_length", model.headDimension)
    integer("\(architecture).attention.value_length", model.headDimension)
    real("\(architecture).attention.layer_norm_rms_epsilon", model.rmsEpsilon)
    real("\(architecture).rope.freq_base", Float(shape.ropeBase))
    integer("\(architecture).rope.dimension_count", model.rotatedDimensions)
    integer("\(architecture).vocab_size", model.vocabulary)
    text("tokenizer.ggml.model", "gpt2")
    text("tokenizer.ggml.pre", "gpt-2")
    texts("tokenizer.ggml.tokens", vocabulary(model.vocabulary))
    key("tokenizer.ggml.token_type", 9)
    keys.append(UInt32(5))
    keys.append(UInt64(model.vocabulary))
    for token in 0..<model.vocabulary { keys.append(UInt32(token == 257 ? 3 : 1)) }
    texts("tokenizer.ggml.merges", ["a b"])
    integer("tokenizer.ggml.bos_token_id", 257)
    integer("tokenizer.ggml.eos_token_id", 257)

    var bytes = GGUFBytes()
    bytes.append(UInt32(0x4655_4747))
    bytes.append(UInt32(3))
    bytes.append(UInt64(tensors.count))
    bytes.append(count)
    bytes.append(keys)
    var offset = 0
    for tensor in tensors {
      bytes.append(tensor.name)
      let dimensions = tensor.kind == .float32 ? [tensor.columns] : [tensor.columns, tensor.rows]
      bytes.append(UInt32(dimensions.count))
      for dimension in dimensions { bytes.append(UInt64(dimension)) }
      bytes.append(tensor.kind.rawValue)
      bytes.append(UInt64(offset))
      offset += tensor.paddedBytes
    }
    bytes.pad(to: 32)
    return bytes.data
  }

  /// The 256 byte tokens as byte-level vocabularies spell them, one merged pair, one control token,
  /// then words that no text contains.
  private static func vocabulary(_ count: Int) -> [String] {
    let printable = Set(33...126).union(161...172).union(174...255)
    var next: UInt32 = 256
    var tokens = (0..<256).map { byte -> String in
      var scalar = UInt32(byte)
      if !printable.contains(byte) {
        scalar = next
        next += 1
      }
      return Unicode.Scalar(scalar).map { String(Character($0)) } ?? ""
    }
    tokens += ["ab", "<|end|>"]
    for index in tokens.count..<count { tokens.append("<\(index)>") }
    return tokens
  }
}

/// Bytes of a GGUF file under construction, little-endian.
struct GGUFBytes {
  private(set) var data = Data()

  mutating func append<Value: FixedWidthInteger>(_ value: Value) {
    for byte in 0..<MemoryLayout<Value>.size {
      data.append(UInt8(truncatingIfNeeded: value >> Value(8 * byte)))
    }
  }

  mutating func append(_ text: String) {
    append(UInt64(text.utf8.count))
    data.append(contentsOf: text.utf8)
  }

  mutating func append(_ bytes: GGUFBytes) { data.append(bytes.data) }

  mutating func pad(to alignment: Int) {
    data.append(Data(count: (alignment - data.count % alignment) % alignment))
  }
}
