package import ModelFormat

/// A model as its GGUF header describes it: every number and tensor known and consistent.
///
/// No weight has been looked at.
package struct ModelDescription: Sendable {
  package let hyperparameters: Hyperparameters
  /// The model's name, printable ASCII.
  package let name: String
  /// The base of the rope frequencies.
  package let ropeBase: Double
  /// The matrices in the order of the pack file.
  package let matrices: [GGUFTensor]
  /// The vectors in the order of the pack file.
  package let vectors: [GGUFTensor]
  /// Divisors of the rope frequencies, one per rotated pair.
  package let ropeFactors: GGUFTensor?

  /// Checks that the model in a GGUF file is one that the forward pass computes.
  package init(_ header: GGUFHeader) throws(PackingError) {
    let keys = try ModelKeys(header)
    try keys.refuseUnsupported()
    let names = try TensorNames(header)
    let embedding = try names.tensor(Self.name(of: .embedding, layer: 0))
    guard embedding.dimensions.count == 2 else {
      throw .wrongShape(
        tensor: embedding.name, found: embedding.dimensions,
        expected: [try keys.positive("embedding_length"), embedding.columns])
    }
    let model = try keys.hyperparameters(
      vocabulary: embedding.dimensions[1], hasOutput: names.contains("output.weight"),
      hasBias: names.contains(Self.name(of: .queryBias, layer: 0)))
    do throws(ModelFormatError) { try model.validate() } catch { throw .hyperparameters(error) }
    try keys.checkVocabulary(model.vocabulary)
    try names.refuseUnknown(model)
    self.hyperparameters = model
    self.name = try keys.modelName()
    self.ropeBase = try keys.ropeBase()
    var matrices: [GGUFTensor] = []
    for index in 0..<model.matrixCount {
      let (role, layer) = model.matrix(at: index)
      let tensor = try names.tensor(Self.name(of: role, layer: layer))
      let (rows, columns) = model.shape(of: role)
      try Self.check(tensor, [columns, rows])
      matrices.append(tensor)
    }
    self.matrices = matrices
    var vectors: [GGUFTensor] = []
    for index in 0..<model.vectorCount {
      let (role, layer) = model.vector(at: index)
      let tensor = try names.tensor(Self.name(of: role, layer: layer))
      try Self.check(tensor, [model.count(of: role)])
      vectors.append(tensor)
    }
    self.vectors = vectors
    ropeFactors = names.optional(ropeFactorsName)
    if let ropeFactors { try Self.check(ropeFactors, [model.rotatedDimensions / 2]) }
  }

  /// What the model was packed from: the tensor type of most of its weights.
  package var sourceName: String {
    var weights: [TensorType: Int] = [:]
    for matrix in matrices { weights[matrix.type, default: 0] += matrix.dimensions.reduce(1, *) }
    let most = weights.max { ($0.value, $0.key.rawValue) < ($1.value, $1.key.rawValue) }
    return "GGUF " + (most?.key.name ?? "")
  }

  private static func check(_ tensor: GGUFTensor, _ expected: [Int]) throws(PackingError) {
    var shape = expected
    while shape.count > 1 && shape.last == 1 { shape.removeLast() }
    guard tensor.dimensions == shape else {
      throw .wrongShape(tensor: tensor.name, found: tensor.dimensions, expected: expected)
    }
  }

  /// The GGUF name of a matrix.
  package static func name(of role: MatrixRole, layer: Int) -> String {
    switch role {
    case .embedding: "token_embd.weight"
    case .output: "output.weight"
    case .query: "blk.\(layer).attn_q.weight"
    case .key: "blk.\(layer).attn_k.weight"
    case .value: "blk.\(layer).attn_v.weight"
    case .attentionOutput: "blk.\(layer).attn_output.weight"
    case .gate: "blk.\(layer).ffn_gate.weight"
    case .up: "blk.\(layer).ffn_up.weight"
    case .down: "blk.\(layer).ffn_down.weight"
    }
  }

  /// The GGUF name of a vector.
  package static func name(of role: VectorRole, layer: Int) -> String {
    switch role {
    case .outputNorm: "output_norm.weight"
    case .attentionNorm: "blk.\(layer).attn_norm.weight"
    case .feedForwardNorm: "blk.\(layer).ffn_norm.weight"
    case .queryBias: "blk.\(layer).attn_q.bias"
    case .keyBias: "blk.\(layer).attn_k.bias"
    case .valueBias: "blk.\(layer).attn_v.bias"
    case .queryNorm: "blk.\(layer).attn_q_norm.weight"
    case .keyNorm: "blk.\(layer).attn_k_norm.weight"
    }
  }
}

/// The GGUF name of the divisors of the rope frequencies.
let ropeFactorsName = "rope_freqs.weight"

/// The tensors of a GGUF file by name.
struct TensorNames {
  private let tensors: [String: GGUFTensor]

  init(_ header: GGUFHeader) throws(PackingError) {
    do throws(GGUFError) {
      let list = try header.tensors()
      // The reader has refused names that appear twice.
      tensors = Dictionary(uniqueKeysWithValues: list.map { ($0.name, $0) })
    } catch {
      throw .gguf(error)
    }
  }

  func contains(_ name: String) -> Bool { tensors[name] != nil }

  func optional(_ name: String) -> GGUFTensor? { tensors[name] }

  func tensor(_ name: String) throws(PackingError) -> GGUFTensor {
    guard let tensor = tensors[name] else { throw .missingTensor(name) }
    return tensor
  }

  /// Refuses what the model as described would leave unread.
  func refuseUnknown(_ model: Hyperparameters) throws(PackingError) {
    var known: Set<String> = [ropeFactorsName]
    for index in 0..<model.matrixCount {
      let (role, layer) = model.matrix(at: index)
      known.insert(ModelDescription.name(of: role, layer: layer))
    }
    for index in 0..<model.vectorCount {
      let (role, layer) = model.vector(at: index)
      known.insert(ModelDescription.name(of: role, layer: layer))
    }
    if let name = tensors.keys.filter({ !known.contains($0) }).min() {
      throw .unknownTensor(name)
    }
  }
}
