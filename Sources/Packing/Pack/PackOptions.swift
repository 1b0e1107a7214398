package import ModelFormat
package import Quantization

/// What a person may choose about a pack.
package struct PackOptions: Equatable, Sendable {
  /// The bits of weights in general; `nil`: as many as the source suggests.
  package var weights: WeightBits?
  /// The bits of the embedding and the output matrix; `nil`: eight unless the source has four.
  package var embedding: WeightBits?

  package init(weights: WeightBits? = nil, embedding: WeightBits? = nil) {
    self.weights = weights
    self.embedding = embedding
  }

  /// The format of a matrix, decided from its role and the type of its source alone.
  ///
  /// Four bits get a minimum of their own where the source has one.
  package func format(of role: MatrixRole, source: TensorType) -> WeightFormat {
    let isEmbedding = role == .embedding || role == .output
    let asked = isEmbedding ? embedding : weights
    switch asked ?? source.suggestedBits {
    case .int8: return .int8
    case .int4: return source.hasMinimum ? .int4Asymmetric : .int4
    }
  }
}

/// Bits per weight, scales not counted.
package enum WeightBits: String, CaseIterable, Sendable {
  case int8
  case int4
}

extension TensorType {
  /// The bits that keep about what the type holds.
  var suggestedBits: WeightBits {
    switch self {
    case .q40, .q41, .q4K: .int4
    case .f32, .f16, .bf16, .q50, .q51, .q80, .q5K, .q6K: .int8
    }
  }

  /// Whether each group has a minimum beside its scale, and nibbles.
  var hasMinimum: Bool { self == .q41 || self == .q4K }
}
