/// What a matrix is for.
package enum MatrixRole: UInt32, BitwiseCopyable, Sendable {
  case embedding = 1
  case output = 2
  case query = 3
  case key = 4
  case value = 5
  case attentionOutput = 6
  case gate = 7
  case up = 8
  case down = 9

  /// Whether each layer has one of its own.
  package var isPerLayer: Bool { rawValue >= MatrixRole.query.rawValue }

  /// Matrices of one layer.
  package static let countPerLayer = 7

  /// The name in messages.
  package var name: StaticString {
    switch self {
    case .embedding: "embedding"
    case .output: "output"
    case .query: "query"
    case .key: "key"
    case .value: "value"
    case .attentionOutput: "attention output"
    case .gate: "gate"
    case .up: "up"
    case .down: "down"
    }
  }
}

/// What a vector of float32 is for.
package enum VectorRole: UInt32, BitwiseCopyable, Sendable {
  case outputNorm = 1
  case attentionNorm = 2
  case feedForwardNorm = 3
  case queryBias = 4
  case keyBias = 5
  case valueBias = 6
  case queryNorm = 7
  case keyNorm = 8

  /// Whether each layer has one of its own.
  package var isPerLayer: Bool { self != .outputNorm }

  /// The name in messages.
  package var name: StaticString {
    switch self {
    case .outputNorm: "output norm"
    case .attentionNorm: "attention norm"
    case .feedForwardNorm: "feed-forward norm"
    case .queryBias: "query bias"
    case .keyBias: "key bias"
    case .valueBias: "value bias"
    case .queryNorm: "query norm"
    case .keyNorm: "key norm"
    }
  }
}

/// The order of a model's tensors, and their shapes, which both follow from its hyperparameters.
///
/// Matrices: embedding, output (where untied), then per layer query, key, value, attention output,
/// gate, up, down. Vectors: output norm, then per layer attention norm, feed-forward norm, the three
/// biases (where there are any), query and key norm (where there are any).
/// Reader and writer share this order, so a tensor is found by arithmetic and none can be missing
/// or double.
extension Hyperparameters {
  /// Matrices that belong to no layer.
  private var globalMatrices: Int { hasTiedOutput ? 1 : 2 }

  /// Vectors of one layer.
  package var vectorsPerLayer: Int {
    2 + (hasQueryKeyValueBias ? 3 : 0) + (hasQueryKeyNorm ? 2 : 0)
  }

  /// All matrices of the model.
  package var matrixCount: Int { globalMatrices + layers * MatrixRole.countPerLayer }

  /// All vectors of the model.
  package var vectorCount: Int { 1 + layers * vectorsPerLayer }

  /// The role and layer of the matrix at `index` of the table; layer 0 where it has none.
  package func matrix(at index: Int) -> (role: MatrixRole, layer: Int) {
    precondition(index >= 0 && index < matrixCount, "no such matrix")
    if index == 0 { return (.embedding, 0) }
    if index < globalMatrices { return (.output, 0) }
    let (layer, inner) = (index - globalMatrices).quotientAndRemainder(
      dividingBy: MatrixRole.countPerLayer)
    let raw = MatrixRole.query.rawValue + UInt32(truncatingIfNeeded: inner)
    guard let role = MatrixRole(rawValue: raw) else { preconditionFailure("roles are dense") }
    return (role, layer)
  }

  /// The place of a matrix in the table, or `nil` where the model has no such matrix.
  package func index(of role: MatrixRole, layer: Int) -> Int? {
    switch role {
    case .embedding: return layer == 0 ? 0 : nil
    case .output: return layer == 0 && !hasTiedOutput ? 1 : nil
    default:
      guard layer >= 0 && layer < layers else { return nil }
      let inner = Int(truncatingIfNeeded: role.rawValue - MatrixRole.query.rawValue)
      return globalMatrices + layer * MatrixRole.countPerLayer + inner
    }
  }

  /// Output rows and input columns of a matrix.
  package func shape(of role: MatrixRole) -> (rows: Int, columns: Int) {
    switch role {
    case .embedding, .output: (vocabulary, modelDimension)
    case .query: (queryDimension, modelDimension)
    case .key, .value: (kvDimension, modelDimension)
    case .attentionOutput: (modelDimension, queryDimension)
    case .gate, .up: (feedForwardDimension, modelDimension)
    case .down: (modelDimension, feedForwardDimension)
    }
  }

  /// The role and layer of the vector at `index` of the table; layer 0 where it has none.
  package func vector(at index: Int) -> (role: VectorRole, layer: Int) {
    precondition(index >= 0 && index < vectorCount, "no such vector")
    if index == 0 { return (.outputNorm, 0) }
    let (layer, inner) = (index - 1).quotientAndRemainder(dividingBy: vectorsPerLayer)
    // The roles of a layer are numbered in order; without biases the norms follow directly.
    let skipped = inner >= 2 && !hasQueryKeyValueBias ? 3 : 0
    let raw = VectorRole.attentionNorm.rawValue + UInt32(truncatingIfNeeded: inner + skipped)
    guard let role = VectorRole(rawValue: raw) else { preconditionFailure("roles are dense") }
    return (role, layer)
  }

  /// The place of a vector in the table, or `nil` where the model has no such vector.
  package func index(of role: VectorRole, layer: Int) -> Int? {
    if role == .outputNorm { return layer == 0 ? 0 : nil }
    guard layer >= 0 && layer < layers else { return nil }
    var inner = Int(truncatingIfNeeded: role.rawValue - VectorRole.attentionNorm.rawValue)
    switch role {
    case .queryBias, .keyBias, .valueBias:
      guard hasQueryKeyValueBias else { return nil }
    case .queryNorm, .keyNorm:
      guard hasQueryKeyNorm else { return nil }
      if !hasQueryKeyValueBias { inner -= 3 }
    default: break
    }
    return 1 + layer * vectorsPerLayer + inner
  }

  /// Elements of a vector.
  package func count(of role: VectorRole) -> Int {
    switch role {
    case .outputNorm, .attentionNorm, .feedForwardNorm: modelDimension
    case .queryBias: queryDimension
    case .keyBias, .valueBias: kvDimension
    case .queryNorm, .keyNorm: headDimension
    }
  }
}
