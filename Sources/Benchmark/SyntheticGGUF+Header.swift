internal import Foundation
internal import ModelFormat

extension SyntheticGGUF {
  /// The header with its keys and its table of tensors.
  static func header(_ shape: SyntheticShape, _ tensors: [Tensor]) -> Data {
    let keys = keys(shape)
    var bytes = GGUFBytes()
    bytes.append(UInt32(0x4655_4747))
    bytes.append(UInt32(3))
    bytes.append(UInt64(tensors.count))
    bytes.append(keys.count)
    bytes.append(keys.bytes)
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

  private static func keys(_ shape: SyntheticShape) -> GGUFKeys {
    let model = shape.model
    let architecture = "\(model.architecture.name)"
    var keys = GGUFKeys()
    keys.add("general.architecture", architecture)
    keys.add("general.name", "\(shape.name), random weights")
    keys.add("\(architecture).context_length", model.trainedContext)
    keys.add("\(architecture).block_count", model.layers)
    keys.add("\(architecture).embedding_length", model.modelDimension)
    keys.add("\(architecture).feed_forward_length", model.feedForwardDimension)
    keys.add("\(architecture).attention.head_count", model.queryHeads)
    keys.add("\(architecture).attention.head_count_kv", model.kvHeads)
    keys.add("\(architecture).attention.key_length", model.headDimension)
    keys.add("\(architecture).attention.value_length", model.headDimension)
    keys.add("\(architecture).attention.layer_norm_rms_epsilon", model.rmsEpsilon)
    keys.add("\(architecture).rope.freq_base", Float(shape.ropeBase))
    keys.add("\(architecture).rope.dimension_count", model.rotatedDimensions)
    keys.add("\(architecture).vocab_size", model.vocabulary)
    keys.add("tokenizer.ggml.model", "gpt2")
    keys.add("tokenizer.ggml.pre", "gpt-2")
    keys.add("tokenizer.ggml.tokens", vocabulary(model.vocabulary))
    // Type 3 is a control token, 1 any other.
    let types = (0..<model.vocabulary).map { $0 == endToken ? 3 : 1 }
    keys.add("tokenizer.ggml.token_type", types)
    keys.add("tokenizer.ggml.merges", ["a b"])
    keys.add("tokenizer.ggml.bos_token_id", endToken)
    keys.add("tokenizer.ggml.eos_token_id", endToken)
    return keys
  }

  /// The token after the bytes and the one pair.
  private static let endToken = 257

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

/// Keys of a GGUF file with their values.
private struct GGUFKeys {
  private(set) var bytes = GGUFBytes()
  private(set) var count: UInt64 = 0

  mutating func add(_ name: String, _ value: Int) {
    begin(name, type: 4)
    bytes.append(UInt32(value))
  }

  mutating func add(_ name: String, _ value: Float) {
    begin(name, type: 6)
    bytes.append(value.bitPattern)
  }

  mutating func add(_ name: String, _ value: String) {
    begin(name, type: 8)
    bytes.append(value)
  }

  mutating func add(_ name: String, _ values: [String]) {
    begin(name, type: 9)
    bytes.append(UInt32(8))
    bytes.append(UInt64(values.count))
    for value in values { bytes.append(value) }
  }

  mutating func add(_ name: String, _ values: [Int]) {
    begin(name, type: 9)
    bytes.append(UInt32(5))
    bytes.append(UInt64(values.count))
    for value in values { bytes.append(UInt32(value)) }
  }

  private mutating func begin(_ name: String, type: UInt32) {
    bytes.append(name)
    bytes.append(type)
    count += 1
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
