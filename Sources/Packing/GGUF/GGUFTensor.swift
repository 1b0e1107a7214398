/// A tensor as the header of a GGUF file describes it, checked against the file's size.
package struct GGUFTensor: Sendable {
  package let name: String
  package let type: TensorType
  /// Sizes, fastest-varying first, without trailing ones.
  package let dimensions: [Int]
  /// Where its data starts in the file, in bytes.
  package let offset: UInt64
  package let bytes: UInt64

  /// Elements of one row.
  package var columns: Int { dimensions[0] }

  /// Bytes of one row.
  package var rowBytes: Int { columns / type.blockElements * type.blockBytes }
}
