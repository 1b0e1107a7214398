package import ModelFormat
package import Quantization
package import Tokenization

/// What packing did to the matrices of one kind that had the same source and target.
package struct PackReportRow: Equatable, Sendable {
  package let role: MatrixRole
  package let source: TensorType
  package let target: WeightFormat
  package fileprivate(set) var matrices = 0
  package fileprivate(set) var weights = 0
  /// Bytes in the pack file, padding of rows and columns included.
  package fileprivate(set) var bytes: UInt64 = 0
  fileprivate var squaredError = 0.0
  fileprivate var squaredWeights = 0.0

  /// Bits of the file per weight.
  package var bitsPerWeight: Double { Double(bytes) * 8 / Double(weights) }

  /// Root mean square of the errors over that of the weights; 0 where nothing was lost.
  package var relativeError: Double {
    squaredWeights > 0 ? (squaredError / squaredWeights).squareRoot() : 0
  }
}

/// What packing did.
package struct PackReport: Equatable, Sendable {
  /// In the order in which kinds first appear in the file.
  package private(set) var rows: [PackReportRow] = []
  package let fileBytes: UInt64
  /// The family of the chat template; `unrecognised` where there is none that is known.
  package let chatTemplate: ChatTemplateFamily

  init(fileBytes: UInt64, chatTemplate: ChatTemplateFamily) {
    self.fileBytes = fileBytes
    self.chatTemplate = chatTemplate
  }

  mutating func add(
    _ role: MatrixRole, _ source: TensorType, _ target: WeightFormat, weights: Int, bytes: UInt64,
    _ result: TileResult
  ) {
    let found = rows.firstIndex {
      $0.role == role && $0.source == source && $0.target == target
    }
    let index = found ?? rows.count
    if found == nil { rows.append(PackReportRow(role: role, source: source, target: target)) }
    rows[index].matrices += 1
    rows[index].weights += weights
    rows[index].bytes += bytes
    rows[index].squaredError += result.squaredError
    rows[index].squaredWeights += result.squaredWeights
  }
}
