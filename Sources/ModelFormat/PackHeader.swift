package import Quantization
package import Units

/// Where a section lies.
package struct SectionRecord: BitwiseCopyable, Equatable, Sendable {
  /// Where it starts in the file, in bytes.
  package let offset: UInt64
  package let bytes: UInt64
  /// XXH64 of its bytes; 0 in a header made from a GGUF file.
  package let checksum: UInt64
}

/// Where a matrix lies and how it is stored.
package struct MatrixRecord: BitwiseCopyable, Equatable, Sendable {
  package let role: MatrixRole
  package let layer: Int
  package let format: WeightFormat
  /// Outputs.
  package let rows: Int
  /// Inputs.
  package let columns: Int
  /// Where it starts in the file, in bytes.
  package let offset: UInt64
  package let bytes: UInt64
  /// XXH64 of its bytes; 0 in a header made from a GGUF file.
  package let checksum: UInt64
}

/// Where a vector lies.
package struct VectorRecord: BitwiseCopyable, Equatable, Sendable {
  package let role: VectorRole
  package let layer: Int
  /// Elements of float32.
  package let count: Int
  /// Where it starts in the section of vectors, in bytes.
  package let offset: UInt64
}

/// The header of a pack file, validated: everything that a plan and a launch need to know.
///
/// A view of the header's bytes, which must stay as they were validated. Trust: the bytes come from
/// a file that anyone may have written; after `init` every number is consistent with every other
/// one and with the size of the file, and the accessors cannot fail.
package struct PackHeader: BitwiseCopyable {
  /// The header as it lies in the file.
  package let bytes: FixedBuffer<UInt8>
  package let hyperparameters: Hyperparameters
  /// Bytes of the whole file.
  package let fileBytes: UInt64

  /// The size of the header, told by the first `PackLayout.prefixBytes` bytes of the file.
  ///
  /// At most `PackLayout.headerBytesMax`, so that memory may be reserved for it.
  package static func headerBytes(prefix: RawSpan) throws(ModelFormatError) -> Int {
    guard prefix.byteCount >= 8 else {
      throw .truncatedHeader(bytes: prefix.byteCount, needed: PackLayout.prefixBytes)
    }
    guard prefix.loadLittleEndian(at: 0, as: UInt64.self) == PackLayout.magic else {
      throw .notAPack
    }
    guard prefix.byteCount >= PackLayout.prefixBytes else {
      throw .truncatedHeader(bytes: prefix.byteCount, needed: PackLayout.prefixBytes)
    }
    let version = prefix.loadLittleEndian(at: 8, as: UInt32.self)
    guard version <= PackLayout.version else {
      throw .newerVersion(found: version, supported: PackLayout.version)
    }
    guard version == PackLayout.version else {
      throw .olderVersion(found: version, supported: PackLayout.version)
    }
    let stated = Int(truncatingIfNeeded: prefix.loadLittleEndian(at: 12, as: UInt32.self))
    let minimum = PackLayout.offset(ofMatrix: 0)
    guard stated >= minimum && stated <= PackLayout.headerBytesMax else {
      throw .outOfRange(
        .headerBytes, found: stated, minimum: minimum, maximum: PackLayout.headerBytesMax)
    }
    return stated
  }

  /// Validates the header at the start of `bytes`, of a file of `fileBytes` bytes.
  ///
  /// `bytes` may reach further than the header; what follows it is not looked at.
  package init(
    validating bytes: FixedBuffer<UInt8>, fileBytes: UInt64
  ) throws(ModelFormatError) {
    let headerBytes = try Self.headerBytes(prefix: bytes.bytes)
    guard bytes.count >= headerBytes else {
      throw .truncatedHeader(bytes: bytes.count, needed: headerBytes)
    }
    let header = bytes.extracting(0..<headerBytes)
    let stated = header.bytes.loadLittleEndian(at: 16, as: UInt64.self)
    guard stated == fileBytes else { throw .fileBytes(stated: stated, found: fileBytes) }
    let checksum = header.bytes.loadLittleEndian(at: 24, as: UInt64.self)
    let computed = Self.checksum(ofHeader: header.bytes)
    guard checksum == computed else {
      throw .headerChecksum(stated: checksum, computed: computed)
    }
    let model = try Self.hyperparameters(in: header.bytes)
    self.bytes = header
    self.hyperparameters = model
    self.fileBytes = fileBytes
    try validateCounts()
    try validateTexts()
    try validateTables()
  }

  /// The same header in other memory, which holds a copy of its bytes.
  package func relocated(to copy: FixedBuffer<UInt8>) -> PackHeader {
    precondition(copy.count == bytes.count, "a copy of the header")
    return PackHeader(self, at: copy)
  }

  private init(_ header: PackHeader, at copy: FixedBuffer<UInt8>) {
    bytes = copy
    hyperparameters = header.hyperparameters
    fileBytes = header.fileBytes
  }

  /// The checksum of a header, taken as if its own field were zero.
  package static func checksum(ofHeader header: RawSpan) -> UInt64 {
    var state = XXH64()
    state.update(header.extracting(0..<24))
    let zero = InlineArray<8, UInt8>(repeating: 0)
    // SAFETY: bytes have no padding.
    unsafe state.update(zero.span.bytes)
    state.update(header.extracting(32..<header.byteCount))
    return state.digest
  }

  /// Where a section lies.
  package func section(_ kind: SectionKind) -> SectionRecord {
    let start = PackLayout.offset(ofSection: kind)
    return SectionRecord(
      offset: word(at: start + 8), bytes: word(at: start + 16), checksum: word(at: start + 24))
  }

  /// The matrix at `index` of the table, in the order in which they lie in the file.
  package func matrix(at index: Int) -> MatrixRecord {
    let (role, layer) = hyperparameters.matrix(at: index)
    let (rows, columns) = hyperparameters.shape(of: role)
    let start = PackLayout.offset(ofMatrix: index)
    guard let format = WeightFormat(rawValue: half(at: start + 8)) else {
      preconditionFailure("the header was validated")
    }
    return MatrixRecord(
      role: role, layer: layer, format: format, rows: rows, columns: columns,
      offset: word(at: start + 24), bytes: word(at: start + 32), checksum: word(at: start + 40))
  }

  /// The matrix of a role; traps where the model has none (a tied output, a layer too many).
  package func matrix(_ role: MatrixRole, layer: Int = 0) -> MatrixRecord {
    guard let index = hyperparameters.index(of: role, layer: layer) else {
      preconditionFailure("the model has no such matrix")
    }
    return matrix(at: index)
  }

  /// The matrix that makes the logits: the output matrix, or the embedding where they are tied.
  package var logitsMatrix: MatrixRecord {
    matrix(hyperparameters.hasTiedOutput ? .embedding : .output)
  }

  /// The vector at `index` of the table, in the order in which they lie in their section.
  package func vector(at index: Int) -> VectorRecord {
    let (role, layer) = hyperparameters.vector(at: index)
    let start = PackLayout.offset(ofVector: index, hyperparameters)
    return VectorRecord(
      role: role, layer: layer, count: hyperparameters.count(of: role),
      offset: word(at: start + 16))
  }

  /// The vector of a role; traps where the model has none.
  package func vector(_ role: VectorRole, layer: Int = 0) -> VectorRecord {
    guard let index = hyperparameters.index(of: role, layer: layer) else {
      preconditionFailure("the model has no such vector")
    }
    return vector(at: index)
  }

  /// The model's name for people; printable ASCII, possibly empty.
  package var modelName: FixedBuffer<UInt8> { text(PackLayout.modelNameRange) }

  /// What the pack was made from, for people; printable ASCII, possibly empty.
  package var sourceName: FixedBuffer<UInt8> { text(PackLayout.sourceNameRange) }

  private func text(_ range: Range<Int>) -> FixedBuffer<UInt8> {
    var end = range.lowerBound
    while end < range.upperBound && bytes[end] != 0 { end += 1 }
    return bytes.extracting(range.lowerBound..<end)
  }

  private func word(at offset: Int) -> UInt64 { bytes.bytes.loadLittleEndian(at: offset) }

  private func half(at offset: Int) -> UInt32 { bytes.bytes.loadLittleEndian(at: offset) }
}
