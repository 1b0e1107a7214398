import Kernels
package import ModelFormat
package import Units
package import Quantization

/// What work on some tokens reads and computes at the least.
package struct Cost: Equatable, Sendable {
  /// Bytes of weights, norms and cache that must be read.
  package var bytes = 0
  /// Operations, two for each multiply-add, on weights, keys or values of eight bits.
  package var int8Operations = 0
  /// The same of four bits.
  package var int4Operations = 0

  package init() {}

  package var operations: Int { int8Operations + int4Operations }

  fileprivate mutating func add(operations: Int, isInt8: Bool) {
    if isInt8 { int8Operations += operations } else { int4Operations += operations }
  }

  package static func += (left: inout Cost, right: Cost) {
    left.bytes += right.bytes
    left.int8Operations += right.int8Operations
    left.int4Operations += right.int4Operations
  }
}

/// What a model's work costs, counted from the header of its pack file.
///
/// A tile of tokens reads every weight once, one row of the embedding for each token, and each live
/// slot of the cache once; a generated token is a tile of one. The logits of the last token of a
/// tile that wants them read the output matrix.
package struct ModelCost: Sendable {
  /// Weights, norms and biases.
  package let parameters: Int
  /// Their bytes in the pack.
  package let bytes: Int
  /// The format of most weights.
  package let mainFormat: WeightFormat

  private let model: Hyperparameters
  private let keys: KeyLayout
  private let values: ValueLayout
  private var layers = Cost()
  private var logits = Cost()
  private let embeddingRowBytes: Int

  package init(_ header: PackHeader, keys: CacheFormat, values: CacheFormat) {
    model = header.hyperparameters
    self.keys = KeyLayout(format: keys, headDimension: model.headDimension)
    self.values = ValueLayout(format: values, headDimension: model.headDimension)
    var parameters = 0
    var bytes = 0
    var weights: [WeightFormat: Int] = [:]
    for index in 0..<model.matrixCount {
      let record = header.matrix(at: index)
      parameters += record.rows * record.columns
      bytes += Int(record.bytes)
      weights[record.format, default: 0] += record.rows * record.columns
      if record.role.isPerLayer { Self.add(record, to: &layers) }
    }
    for index in 0..<model.vectorCount {
      let record = header.vector(at: index)
      parameters += record.count
      layers.bytes += record.count * MemoryLayout<Float>.size
    }
    Self.add(header.logitsMatrix, to: &logits)
    let embedding = header.matrix(.embedding)
    embeddingRowBytes = Int(embedding.bytes) / embedding.rows
    self.parameters = parameters
    self.bytes =
      bytes
      + (0..<model.vectorCount).reduce(0) { sum, index in
        sum + header.vector(at: index).count * MemoryLayout<Float>.size
      }
    mainFormat =
      weights.max { ($0.value, $1.key.rawValue) < ($1.value, $0.key.rawValue) }?.key ?? .int8
  }

  private static func add(_ record: MatrixRecord, to cost: inout Cost) {
    cost.bytes += Int(record.bytes)
    cost.add(operations: 2 * record.rows * record.columns, isInt8: record.format == .int8)
  }

  /// A tile of `count` tokens, the first at stream position `start`, in a cache of `slotsMax` slots.
  package func tile(
    start: Int, count: Int, wantsLogits: Bool, slotsMax: Int = .max
  ) -> Cost {
    var cost = Cost()
    let slots = min(start + count, slotsMax)
    let start = slots - count
    cost.bytes =
      layers.bytes + count * embeddingRowBytes
      + model.layers * model.kvHeads * (keys.bytes(slots: slots) + values.bytes(slots: slots))
    cost.int8Operations = count * layers.int8Operations
    cost.int4Operations = count * layers.int4Operations
    // Token t sees t + 1 slots, with one multiply-add per head, dimension and slot for its key and
    // one for its value.
    let seen = count * start + count * (count + 1) / 2
    let operations = 2 * model.layers * model.queryDimension * seen
    cost.add(operations: operations, isInt8: keys.format == .int8)
    cost.add(operations: operations, isInt8: values.format == .int8)
    if wantsLogits { cost += logits }
    return cost
  }

  /// A prompt of `prompt` tokens in tiles of `tileTokens` and then `generated` single tokens, all
  /// after `depth` tokens that are in the cache, of which `slotsMax` at most are kept.
  package func work(
    prompt: Int, generated: Int, depth: Int, tileTokens: Int, slotsMax: Int = .max
  ) -> Cost {
    var cost = Cost()
    var done = 0
    while done < prompt {
      let count = min(tileTokens, prompt - done)
      cost += tile(
        start: depth + done, count: count, wantsLogits: done + count == prompt, slotsMax: slotsMax)
      done += count
    }
    for token in 0..<generated {
      cost += tile(
        start: depth + prompt + token, count: 1, wantsLogits: true, slotsMax: slotsMax)
    }
    return cost
  }

  /// What a policy runs beside the tokens of a prompt: `probed` tokens over a cache of `slots` slots,
  /// and the logits of `outputs` tokens.
  package func beside(probed: Int, outputs: Int, slots: Int, tileTokens: Int) -> Cost {
    var cost = Cost()
    var left = probed
    while left > 0 {
      let count = min(left, tileTokens, slots)
      cost += tile(start: slots - count, count: count, wantsLogits: false)
      left -= count
    }
    cost.bytes += outputs.dividedRoundingUp(by: tileTokens) * logits.bytes
    cost.int8Operations += outputs * logits.int8Operations
    cost.int4Operations += outputs * logits.int4Operations
    return cost
  }

  /// The same share of every part, for `part` of the `of` layers.
  package static func share(_ cost: Cost, part: Int, of layers: Int) -> Cost {
    var share = Cost()
    share.bytes = cost.bytes / layers * part
    share.int8Operations = cost.int8Operations / layers * part
    share.int4Operations = cost.int4Operations / layers * part
    return share
  }
}

extension ModelCost {
  /// How tables call the model: architecture, size and format, as in `llama 1B Q8_0`.
  package func description(_ header: PackHeader) -> String {
    let architecture = "\(header.hyperparameters.architecture.name)"
    let known = SyntheticShape.all.first { $0.model.hasSameShape(as: header.hyperparameters) }
    return "\(architecture) \(known?.size ?? Self.size(parameters)) \(mainFormat.ggufName)"
  }

  /// A number of parameters as `2.5M`, `135M`, `1.2B` or `8B`.
  package static func size(_ parameters: Int) -> String {
    let isBillions = parameters >= 999_500_000
    let tenths =
      isBillions
      ? (parameters + 50_000_000) / 100_000_000 : (parameters + 50_000) / 100_000
    let unit = isBillions ? "B" : "M"
    if tenths >= 100 { return "\((tenths + 5) / 10)\(unit)" }
    return tenths % 10 == 0 ? "\(tenths / 10)\(unit)" : "\(tenths / 10).\(tenths % 10)\(unit)"
  }
}

extension Hyperparameters {
  /// Whether all sizes of tensors are those of `other`.
  fileprivate func hasSameShape(as other: Hyperparameters) -> Bool {
    var like = other
    like.trainedContext = trainedContext
    like.rmsEpsilon = rmsEpsilon
    return self == like
  }
}

extension WeightFormat {
  /// The GGUF type that holds the same numbers.
  package var ggufName: String {
    switch self {
    case .int8: "Q8_0"
    case .int4: "Q4_0"
    case .int4Asymmetric: "Q4_1"
    }
  }
}
