import Kernels
package import ModelFormat
package import Quantization
internal import Units

/// Writes the header of a pack file; its reader is `PackHeader`.
package struct PackHeaderBuilder {
  package private(set) var bytes: [UInt8]
  private let model: Hyperparameters
  package private(set) var sectionOffsets: [UInt64] = []
  package private(set) var sectionBytes: [UInt64] = []
  package private(set) var matrixOffsets: [UInt64] = []
  package private(set) var matrixBytes: [UInt64] = []
  package private(set) var vectorOffsets: [UInt64] = []
  package private(set) var fileBytes: UInt64 = 0

  /// Lays a file out; all checksums of sections and matrices are zero.
  ///
  /// `formats` has one entry per matrix. `model` has been validated, which excludes overflow.
  package init(
    _ model: Hyperparameters, name: String, sourceName: String, formats: [WeightFormat],
    tokenizerBytes: UInt64, templateBytes: UInt64
  ) {
    precondition(formats.count == model.matrixCount, "one format per matrix")
    self.model = model
    bytes = [UInt8](repeating: 0, count: PackLayout.headerBytes(model))
    put(PackLayout.magic, at: 0)
    put(PackLayout.version, at: 8)
    put(UInt32(bytes.count), at: 12)
    putHyperparameters()
    put(name, in: PackLayout.modelNameRange)
    put(sourceName, in: PackLayout.sourceNameRange)
    var vectorsEnd: UInt64 = 0
    for index in 0..<model.vectorCount {
      let (role, layer) = model.vector(at: index)
      let start = PackLayout.offset(ofVector: index, model)
      put(role.rawValue, at: start)
      put(UInt32(layer), at: start + 4)
      put(UInt32(model.count(of: role)), at: start + 8)
      put(vectorsEnd, at: start + 16)
      vectorOffsets.append(vectorsEnd)
      vectorsEnd += PackLayout.vectorBytes(model, role)
    }
    var end = UInt64(bytes.count)
    end = putSection(.tokenizer, after: end, bytes: tokenizerBytes)
    end = putSection(.chatTemplate, after: end, bytes: templateBytes)
    end = putSection(.rotary, after: end, bytes: PackLayout.rotaryBytes(model))
    end = putSection(.vectors, after: end, bytes: vectorsEnd)
    let matricesStart = end.roundedUp(toMultipleOf: PackLayout.matrixAlignment)
    end = matricesStart
    for (index, format) in formats.enumerated() { end = putMatrix(index, format, after: end) }
    end = putSection(.matrices, after: matricesStart, bytes: end - matricesStart)
    fileBytes = end
    put(end, at: 16)
    seal()
  }

  /// Writes the checksum of the header itself; the last step after any change.
  package mutating func seal() {
    put(PackHeader.checksum(ofHeader: bytes.rawSpan), at: 24)
  }

  /// Writes the checksum of a section.
  package mutating func setChecksum(_ checksum: UInt64, of kind: SectionKind) {
    put(checksum, at: PackLayout.offset(ofSection: kind) + 24)
  }

  /// Writes the checksum of the matrix at `index`.
  package mutating func setChecksum(_ checksum: UInt64, ofMatrix index: Int) {
    put(checksum, at: PackLayout.offset(ofMatrix: index) + 40)
  }

  /// Where a section starts in the file.
  package func offset(of kind: SectionKind) -> UInt64 { sectionOffsets[Int(kind.rawValue) - 1] }

  /// Bytes of a section.
  package func bytes(of kind: SectionKind) -> UInt64 { sectionBytes[Int(kind.rawValue) - 1] }

  private mutating func putHyperparameters() {
    put(model.architecture.rawValue, at: 32)
    let numbers = [
      model.layers, model.modelDimension, model.queryHeads, model.kvHeads, model.headDimension,
      model.feedForwardDimension, model.vocabulary, model.trainedContext,
      model.rotatedDimensions,
    ]
    for (index, number) in numbers.enumerated() { put(UInt32(number), at: 36 + 4 * index) }
    put(model.ropePairing.rawValue, at: 72)
    put(model.rmsEpsilon.bitPattern, at: 76)
    let flags =
      (model.hasTiedOutput ? PackLayout.flagTiedOutput : 0)
      | (model.hasQueryKeyValueBias ? PackLayout.flagQueryKeyValueBias : 0)
      | (model.hasQueryKeyNorm ? PackLayout.flagQueryKeyNorm : 0)
    put(flags, at: 80)
    put(UInt32(PackLayout.sectionCount), at: 84)
    put(UInt32(model.matrixCount), at: 88)
    put(UInt32(model.vectorCount), at: 92)
  }

  private mutating func putSection(
    _ kind: SectionKind, after previousEnd: UInt64, bytes count: UInt64
  ) -> UInt64 {
    let start = PackLayout.offset(ofSection: kind)
    let offset = previousEnd.roundedUp(toMultipleOf: PackLayout.sectionAlignment)
    put(kind.rawValue, at: start)
    put(offset, at: start + 8)
    put(count, at: start + 16)
    sectionOffsets.append(offset)
    sectionBytes.append(count)
    return offset + count
  }

  private mutating func putMatrix(
    _ index: Int, _ format: WeightFormat, after previousEnd: UInt64
  ) -> UInt64 {
    let (role, layer) = model.matrix(at: index)
    let (rows, columns) = model.shape(of: role)
    guard let count = PackLayout.matrixBytes(model, role, format) else {
      preconditionFailure("the limits of the hyperparameters exclude overflow")
    }
    let start = PackLayout.offset(ofMatrix: index)
    let offset = previousEnd.roundedUp(toMultipleOf: PackLayout.matrixAlignment)
    put(role.rawValue, at: start)
    put(UInt32(layer), at: start + 4)
    put(format.rawValue, at: start + 8)
    put(UInt32(rows), at: start + 12)
    put(UInt32(columns), at: start + 16)
    put(offset, at: start + 24)
    put(count, at: start + 32)
    matrixOffsets.append(offset)
    matrixBytes.append(count)
    return offset + count
  }

  private mutating func put<Value: FixedWidthInteger>(_ value: Value, at offset: Int) {
    for byte in 0..<MemoryLayout<Value>.size {
      bytes[offset + byte] = UInt8(truncatingIfNeeded: value >> Value(8 * byte))
    }
  }

  private mutating func put(_ text: String, in range: Range<Int>) {
    for (offset, byte) in zip(range, text.utf8) { bytes[offset] = byte }
  }
}
