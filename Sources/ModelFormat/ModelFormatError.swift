package import Units

/// A number in the header of a pack file.
package enum HeaderField: UInt32, BitwiseCopyable, Sendable {
  case headerBytes, architecture, layers, modelDimension, queryHeads, kvHeads, headDimension
  case feedForwardDimension, vocabulary, trainedContext, rotatedDimensions, ropePairing, flags
  case sectionCount, matrixCount, vectorCount, reserved, modelName, sourceName

  /// The name in messages.
  package var name: StaticString {
    switch self {
    case .headerBytes: "header bytes"
    case .architecture: "architecture"
    case .layers: "layers"
    case .modelDimension: "model dimension"
    case .queryHeads: "query heads"
    case .kvHeads: "KV heads"
    case .headDimension: "head dimension"
    case .feedForwardDimension: "feed-forward dimension"
    case .vocabulary: "vocabulary"
    case .trainedContext: "trained context"
    case .rotatedDimensions: "rotated dimensions"
    case .ropePairing: "rope pairing"
    case .flags: "flags"
    case .sectionCount: "section count"
    case .matrixCount: "matrix count"
    case .vectorCount: "vector count"
    case .reserved: "reserved bytes"
    case .modelName: "model name"
    case .sourceName: "source name"
    }
  }
}

/// A number in the record of a section, a matrix or a vector.
package enum RecordField: UInt32, BitwiseCopyable, Sendable {
  case role, layer, rows, columns, count, offset, bytes, reserved

  /// The name in messages.
  package var name: StaticString {
    switch self {
    case .role: "role"
    case .layer: "layer"
    case .rows: "rows"
    case .columns: "columns"
    case .count: "count"
    case .offset: "offset"
    case .bytes: "bytes"
    case .reserved: "reserved bytes"
    }
  }
}

/// What is wrong with a pack file.
package enum ModelFormatError: Error, Equatable, BitwiseCopyable, Sendable {
  /// The file ends before its header does.
  case truncatedHeader(bytes: Int, needed: Int)
  /// The file does not start with the magic bytes.
  case notAPack
  /// The file was written by a newer program.
  case newerVersion(found: UInt32, supported: UInt32)
  /// The file was written by an older program.
  case olderVersion(found: UInt32, supported: UInt32)
  /// The file is longer or shorter than its header says.
  case fileBytes(stated: UInt64, found: UInt64)
  case headerChecksum(stated: UInt64, computed: UInt64)
  case unknownArchitecture(UInt32)
  case unknownRopePairing(UInt32)
  case unknownFlags(UInt32)
  case outOfRange(HeaderField, found: Int, minimum: Int, maximum: Int)
  /// A number of the header is not what the others imply.
  case header(HeaderField, found: UInt64, expected: UInt64)
  case headsDoNotDivide(queryHeads: Int, kvHeads: Int)
  case rotatedDimensionsOdd(Int)
  case epsilonNotPositive(bits: UInt32)
  /// A name holds something else than printable ASCII, or bytes after its end.
  case badText(HeaderField)
  /// The record of a section is not what the header implies.
  case section(SectionKind, RecordField, found: UInt64, expected: UInt64)
  /// The record of a matrix is not what the hyperparameters imply.
  case matrix(MatrixRole, layer: Int, RecordField, found: UInt64, expected: UInt64)
  /// A matrix is stored in a format that this program does not know.
  case unknownWeightFormat(MatrixRole, layer: Int, UInt32)
  /// The record of a vector is not what the hyperparameters imply.
  case vector(VectorRole, layer: Int, RecordField, found: UInt64, expected: UInt64)
  /// The sizes in the file do not fit 64 bits.
  case sizeOverflow
  /// The bytes of a section are damaged.
  case sectionChecksum(SectionKind, stated: UInt64, computed: UInt64)

  /// Appends one sentence without a final newline.
  package func describe(into text: inout TextBuffer) {
    switch self {
    case .truncatedHeader(let bytes, let needed):
      text.append("the header is cut off: ")
      text.append(bytes)
      text.append(" of ")
      text.append(needed)
      text.append(" bytes")
    case .notAPack: text.append("not a pack file (wrong magic bytes)")
    case .newerVersion(let found, let supported):
      text.append("format version ")
      text.append(Int(truncatingIfNeeded: found))
      text.append(" is newer than this program, which reads up to ")
      text.append(Int(truncatingIfNeeded: supported))
    case .olderVersion(let found, let supported):
      text.append("format version ")
      text.append(Int(truncatingIfNeeded: found))
      text.append(" is older than version ")
      text.append(Int(truncatingIfNeeded: supported))
      text.append(", the one this program reads: pack the GGUF file again")
    case .fileBytes(let stated, let found):
      Self.append(&text, "file size", found, stated)
    case .headerChecksum: text.append("the header is damaged (checksum differs)")
    case .unknownArchitecture(let raw): Self.append(&text, "unknown architecture ", raw)
    case .unknownRopePairing(let raw): Self.append(&text, "unknown rope pairing ", raw)
    case .unknownFlags(let raw): Self.append(&text, "unknown flags ", raw)
    case .outOfRange(let field, let found, let minimum, let maximum):
      text.append(field.name)
      text.append(" is ")
      text.append(found)
      text.append(", allowed are ")
      text.append(minimum)
      text.append(" to ")
      text.append(maximum)
    case .header(let field, let found, let expected):
      Self.append(&text, field.name, found, expected)
    case .headsDoNotDivide(let queryHeads, let kvHeads):
      text.append(queryHeads)
      text.append(" query heads are no multiple of ")
      text.append(kvHeads)
      text.append(" KV heads")
    case .rotatedDimensionsOdd(let found):
      text.append("an odd number of rotated dimensions: ")
      text.append(found)
    case .epsilonNotPositive: text.append("the RMS epsilon is not finite and positive")
    case .badText(let field):
      text.append(field.name)
      text.append(" is not printable ASCII")
    case .sizeOverflow: text.append("the sizes in the file overflow 64 bits")
    default: describeRecord(into: &text)
    }
  }

  private func describeRecord(into text: inout TextBuffer) {
    switch self {
    case .section(let kind, let field, let found, let expected):
      text.append("section ")
      text.append(kind.name)
      text.append(": ")
      Self.append(&text, field.name, found, expected)
    case .matrix(let role, let layer, let field, let found, let expected):
      Self.append(&text, role.name, isPerLayer: role.isPerLayer, layer: layer)
      Self.append(&text, field.name, found, expected)
    case .unknownWeightFormat(let role, let layer, let raw):
      Self.append(&text, role.name, isPerLayer: role.isPerLayer, layer: layer)
      Self.append(&text, "unknown weight format ", raw)
      text.append("; a newer program may read it")
    case .vector(let role, let layer, let field, let found, let expected):
      Self.append(&text, role.name, isPerLayer: role.isPerLayer, layer: layer)
      Self.append(&text, field.name, found, expected)
    case .sectionChecksum(let kind, _, _):
      text.append("section ")
      text.append(kind.name)
      text.append(" is damaged (checksum differs)")
    default: preconditionFailure("described above")
    }
  }

  private static func append(
    _ text: inout TextBuffer, _ name: StaticString, isPerLayer: Bool, layer: Int
  ) {
    text.append(name)
    if isPerLayer {
      text.append(" of layer ")
      text.append(layer)
    }
    text.append(": ")
  }

  private static func append(_ text: inout TextBuffer, _ label: StaticString, _ raw: UInt32) {
    text.append(label)
    text.append(Int(truncatingIfNeeded: raw))
  }

  private static func append(
    _ text: inout TextBuffer, _ name: StaticString, _ found: UInt64, _ expected: UInt64
  ) {
    text.append(name)
    text.append(" is ")
    text.append(unsigned: found)
    text.append(", expected ")
    text.append(unsigned: expected)
  }
}

extension TextBuffer {
  /// Appends a decimal number of up to 20 digits.
  fileprivate mutating func append(unsigned value: UInt64) {
    let tens = value / 10
    if tens > 0 { append(Int(truncatingIfNeeded: tens)) }
    append(byte: 48 + UInt8(truncatingIfNeeded: value % 10))
  }
}
