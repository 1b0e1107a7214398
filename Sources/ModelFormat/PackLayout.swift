package import Quantization

/// The parts of a pack file after its header, in the order in which they lie there.
package enum SectionKind: UInt32, BitwiseCopyable, Sendable {
  case tokenizer = 1
  case chatTemplate = 2
  /// UInt64 per rotated pair: the fraction of a turn, times 2^64, that one position adds.
  case rotary = 3
  /// Every norm and bias, float32, each at a multiple of 64 bytes.
  case vectors = 4
  /// Every matrix in the tile layout of its format, each at a multiple of 64 KiB.
  case matrices = 5

  /// The name in messages.
  package var name: StaticString {
    switch self {
    case .tokenizer: "tokenizer"
    case .chatTemplate: "chat template"
    case .rotary: "rotary"
    case .vectors: "vectors"
    case .matrices: "matrices"
    }
  }
}

/// Where everything lies in a pack file "*.terra", format version 3.
///
/// All numbers are little-endian. The file is the header, then the five sections in the order of
/// `SectionKind`; the first four start at the next multiple of 64 bytes, the matrices at the next
/// multiple of 64 KiB (the largest page of any kernel). Bytes between them are zero. The file ends
/// with the last matrix.
///
/// Header:
///
///     offset  bytes
///          0      8  magic: 89 54 45 52 52 41 0D 0A ("\x89TERRA\r\n")
///          8      4  format version
///         12      4  bytes of the header, tables included
///         16      8  bytes of the file
///         24      8  XXH64 of the header with these 8 bytes as zero
///         32     40  architecture, layers, model dimension, query heads, KV heads, head dimension,
///                    feed-forward dimension, vocabulary, trained context, rotated dimensions
///         72      4  rope pairing
///         76      4  RMS epsilon, float32
///         80      4  flags: 1 tied output, 2 query/key/value biases, 4 query and key norms
///         84     12  number of sections (5), of matrices, of vectors
///         96     32  source, for people: printable ASCII, zero-padded
///        128    128  model name, for people: printable ASCII, zero-padded
///        256    160  sections, 32 bytes each: kind, 0, offset (8), bytes (8), XXH64 (8)
///        416         matrices, 48 bytes each: role, layer, format, rows, columns, 0,
///                    offset in the file (8), bytes (8), XXH64 (8)
///                    vectors, 24 bytes each: role, layer, count, 0, offset in their section (8)
///
/// Fields without a size have 4 bytes. The order of the tables and all shapes, offsets and sizes
/// follow from the hyperparameters, the formats and the sizes of tokenizer and chat template; a file
/// where they do not is refused. So the format of a weight is the only degree of freedom: a new one
/// is a new number in a matrix's record, and an older program refuses that by name.
/// Checksums detect damage, not forgery.
package enum PackLayout {
  package static let version: UInt32 = 3
  /// The magic as a little-endian word.
  package static let magic: UInt64 = 0x0A0D_4152_5245_5489
  /// Bytes to read to learn the size of the header.
  package static let prefixBytes = 32
  package static let fixedBytes = 256
  package static let sectionRecordBytes = 32
  package static let matrixRecordBytes = 48
  package static let vectorRecordBytes = 24
  package static let sectionCount = 5
  package static let headerBytesMax = 1 << 20
  package static let sectionAlignment: UInt64 = 64
  package static let matrixAlignment: UInt64 = 64 << 10

  package static let flagTiedOutput: UInt32 = 1
  package static let flagQueryKeyValueBias: UInt32 = 2
  package static let flagQueryKeyNorm: UInt32 = 4

  package static let sourceNameRange = 96..<128
  package static let modelNameRange = 128..<256

  /// Where the record of a section starts in the header.
  package static func offset(ofSection kind: SectionKind) -> Int {
    fixedBytes + Int(truncatingIfNeeded: kind.rawValue - 1) * sectionRecordBytes
  }

  /// Where the record of the matrix at `index` starts in the header.
  package static func offset(ofMatrix index: Int) -> Int {
    fixedBytes + sectionCount * sectionRecordBytes + index * matrixRecordBytes
  }

  /// Where the record of the vector at `index` starts in the header.
  package static func offset(ofVector index: Int, _ model: Hyperparameters) -> Int {
    offset(ofMatrix: model.matrixCount) + index * vectorRecordBytes
  }

  /// Bytes of the header of a model.
  package static func headerBytes(_ model: Hyperparameters) -> Int {
    offset(ofVector: model.vectorCount, model)
  }

  /// Bytes of the rotary section of a model.
  package static func rotaryBytes(_ model: Hyperparameters) -> UInt64 {
    UInt64(truncatingIfNeeded: model.rotatedDimensions / 2 * MemoryLayout<UInt64>.size)
  }

  /// Bytes of one vector with its padding in the section of vectors.
  package static func vectorBytes(_ model: Hyperparameters, _ role: VectorRole) -> UInt64 {
    let bytes = UInt64(truncatingIfNeeded: model.count(of: role) * MemoryLayout<Float>.size)
    return (bytes + sectionAlignment - 1) & ~(sectionAlignment - 1)
  }

  /// Bytes of one matrix, or `nil` where they overflow.
  package static func matrixBytes(
    _ model: Hyperparameters, _ role: MatrixRole, _ format: WeightFormat
  ) -> UInt64? {
    let (rows, columns) = model.shape(of: role)
    return format.checkedBytes(
      rows: UInt64(truncatingIfNeeded: rows), columns: UInt64(truncatingIfNeeded: columns))
  }
}
