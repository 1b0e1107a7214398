package import Kernels

/// A family of models whose forward pass this program knows.
package enum Architecture: UInt32, BitwiseCopyable, Sendable {
  case llama = 1
  case qwen2 = 2
  case qwen3 = 3

  /// The name that GGUF files use.
  package var name: StaticString {
    switch self {
    case .llama: "llama"
    case .qwen2: "qwen2"
    case .qwen3: "qwen3"
    }
  }
}

/// The numbers that define a model's shape; everything else about its size follows from them.
package struct Hyperparameters: BitwiseCopyable, Equatable, Sendable {
  package var architecture: Architecture
  package var layers: Int
  package var modelDimension: Int
  package var queryHeads: Int
  package var kvHeads: Int
  package var headDimension: Int
  package var feedForwardDimension: Int
  /// Number of token ids, hence rows of the embedding.
  package var vocabulary: Int
  /// Tokens of context that the model was trained with.
  package var trainedContext: Int
  /// Dimensions of each head, from the first, that rope turns; even.
  package var rotatedDimensions: Int
  package var ropePairing: RopePairing
  package var rmsEpsilon: Float
  /// Whether the embedding serves as the output matrix too.
  package var hasTiedOutput: Bool
  /// Whether the query, key and value projections add a bias.
  package var hasQueryKeyValueBias: Bool
  /// Whether each head's query and key pass an RMS norm before rope.
  package var hasQueryKeyNorm: Bool

  package init(
    architecture: Architecture, layers: Int, modelDimension: Int, queryHeads: Int, kvHeads: Int,
    headDimension: Int, feedForwardDimension: Int, vocabulary: Int, trainedContext: Int,
    rotatedDimensions: Int, ropePairing: RopePairing, rmsEpsilon: Float, hasTiedOutput: Bool,
    hasQueryKeyValueBias: Bool, hasQueryKeyNorm: Bool
  ) {
    self.architecture = architecture
    self.layers = layers
    self.modelDimension = modelDimension
    self.queryHeads = queryHeads
    self.kvHeads = kvHeads
    self.headDimension = headDimension
    self.feedForwardDimension = feedForwardDimension
    self.vocabulary = vocabulary
    self.trainedContext = trainedContext
    self.rotatedDimensions = rotatedDimensions
    self.ropePairing = ropePairing
    self.rmsEpsilon = rmsEpsilon
    self.hasTiedOutput = hasTiedOutput
    self.hasQueryKeyValueBias = hasQueryKeyValueBias
    self.hasQueryKeyNorm = hasQueryKeyNorm
  }

  /// Values of all query heads together.
  package var queryDimension: Int { queryHeads * headDimension }

  /// Values of all key heads together; as many as of all value heads.
  package var kvDimension: Int { kvHeads * headDimension }
}

extension Hyperparameters {
  /// Largest accepted values: far above any model of these families, small enough that no product
  /// of two of them overflows, and that the header of the most layers stays within its limit.
  package static let layersMax = 1024
  package static let modelDimensionMax = 1 << 17
  package static let headsMax = 4096
  package static let headDimensionMax = 512
  package static let feedForwardDimensionMax = 1 << 20
  package static let vocabularyMax = 1 << 24
  package static let trainedContextMax = 1 << 30

  /// Checks every number against its limits and against the others.
  package func validate() throws(ModelFormatError) {
    try Self.check(.layers, layers, 1...Self.layersMax)
    try Self.check(.modelDimension, modelDimension, 1...Self.modelDimensionMax)
    try Self.check(.queryHeads, queryHeads, 1...Self.headsMax)
    try Self.check(.kvHeads, kvHeads, 1...queryHeads)
    try Self.check(.headDimension, headDimension, 1...Self.headDimensionMax)
    try Self.check(.feedForwardDimension, feedForwardDimension, 1...Self.feedForwardDimensionMax)
    try Self.check(.vocabulary, vocabulary, 1...Self.vocabularyMax)
    try Self.check(.trainedContext, trainedContext, 1...Self.trainedContextMax)
    try Self.check(.rotatedDimensions, rotatedDimensions, 0...headDimension)
    guard queryHeads % kvHeads == 0 else {
      throw .headsDoNotDivide(queryHeads: queryHeads, kvHeads: kvHeads)
    }
    guard rotatedDimensions % 2 == 0 else { throw .rotatedDimensionsOdd(rotatedDimensions) }
    guard rmsEpsilon.isFinite && rmsEpsilon > 0 else {
      throw .epsilonNotPositive(bits: rmsEpsilon.bitPattern)
    }
  }

  private static func check(
    _ field: HeaderField, _ value: Int, _ allowed: ClosedRange<Int>
  ) throws(ModelFormatError) {
    guard allowed.contains(value) else {
      throw .outOfRange(
        field, found: value, minimum: allowed.lowerBound, maximum: allowed.upperBound)
    }
  }
}
