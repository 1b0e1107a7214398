internal import Kernels
internal import Quantization
internal import Units

extension PackHeader {
  /// Reads and checks the fixed part of a header.
  static func hyperparameters(in header: RawSpan) throws(ModelFormatError) -> Hyperparameters {
    func number(_ offset: Int) -> Int {
      Int(truncatingIfNeeded: header.loadLittleEndian(at: offset, as: UInt32.self))
    }
    let rawArchitecture = header.loadLittleEndian(at: 32, as: UInt32.self)
    guard let architecture = Architecture(rawValue: rawArchitecture) else {
      throw .unknownArchitecture(rawArchitecture)
    }
    let rawPairing = header.loadLittleEndian(at: 72, as: UInt32.self)
    guard let pairing = RopePairing(rawValue: rawPairing) else {
      throw .unknownRopePairing(rawPairing)
    }
    let flags = header.loadLittleEndian(at: 80, as: UInt32.self)
    let known =
      PackLayout.flagTiedOutput | PackLayout.flagQueryKeyValueBias | PackLayout.flagQueryKeyNorm
    guard flags & ~known == 0 else { throw .unknownFlags(flags) }
    let model = Hyperparameters(
      architecture: architecture, layers: number(36), modelDimension: number(40),
      queryHeads: number(44), kvHeads: number(48), headDimension: number(52),
      feedForwardDimension: number(56), vocabulary: number(60), trainedContext: number(64),
      rotatedDimensions: number(68), ropePairing: pairing,
      rmsEpsilon: Float(bitPattern: header.loadLittleEndian(at: 76)),
      hasTiedOutput: flags & PackLayout.flagTiedOutput != 0,
      hasQueryKeyValueBias: flags & PackLayout.flagQueryKeyValueBias != 0,
      hasQueryKeyNorm: flags & PackLayout.flagQueryKeyNorm != 0)
    try model.validate()
    return model
  }

  /// Checks the number of records, and the size of the header that follows from it.
  func validateCounts() throws(ModelFormatError) {
    try check(.sectionCount, at: 84, PackLayout.sectionCount)
    try check(.matrixCount, at: 88, hyperparameters.matrixCount)
    try check(.vectorCount, at: 92, hyperparameters.vectorCount)
    let expected = PackLayout.headerBytes(hyperparameters)
    guard bytes.count == expected else {
      throw .header(
        .headerBytes, found: UInt64(truncatingIfNeeded: bytes.count),
        expected: UInt64(truncatingIfNeeded: expected))
    }
  }

  private func check(
    _ field: HeaderField, at offset: Int, _ expected: Int
  ) throws(ModelFormatError) {
    let found = UInt64(
      truncatingIfNeeded: bytes.bytes.loadLittleEndian(at: offset, as: UInt32.self))
    let expected = UInt64(truncatingIfNeeded: expected)
    guard found == expected else { throw .header(field, found: found, expected: expected) }
  }

  /// Checks that the names cannot disturb a terminal and are padded with zeros.
  func validateTexts() throws(ModelFormatError) {
    try validateText(.sourceName, PackLayout.sourceNameRange)
    try validateText(.modelName, PackLayout.modelNameRange)
  }

  private func validateText(
    _ field: HeaderField, _ range: Range<Int>
  ) throws(ModelFormatError) {
    var ended = false
    for offset in range {
      let byte = bytes[offset]
      if byte == 0 { ended = true }
      guard ended ? byte == 0 : (32..<127).contains(byte) else { throw .badText(field) }
    }
  }

  /// Walks the whole file as its layout says and compares every record with it.
  func validateTables() throws(ModelFormatError) {
    var end = UInt64(truncatingIfNeeded: bytes.count)
    end = try validateSection(.tokenizer, after: end, bytes: nil)
    end = try validateSection(.chatTemplate, after: end, bytes: nil)
    let rotaryBytes = PackLayout.rotaryBytes(hyperparameters)
    end = try validateSection(.rotary, after: end, bytes: rotaryBytes)
    end = try validateSection(.vectors, after: end, bytes: try validateVectors())
    guard let start = end.checkedAligned(to: PackLayout.matrixAlignment) else {
      throw .sizeOverflow
    }
    let matricesEnd = try validateMatrices(from: start)
    end = try validateSection(.matrices, after: start, bytes: matricesEnd - start)
    guard end == fileBytes else { throw .fileBytes(stated: end, found: fileBytes) }
  }

  /// Checks one section's record and returns where the section ends; `bytes` where it is known.
  private func validateSection(
    _ kind: SectionKind, after previousEnd: UInt64, bytes expectedBytes: UInt64?
  ) throws(ModelFormatError) -> UInt64 {
    let record = PackLayout.offset(ofSection: kind)
    let raw = bytes.bytes.loadLittleEndian(at: record, as: UInt32.self)
    guard raw == kind.rawValue else {
      throw .section(
        kind, .role, found: UInt64(truncatingIfNeeded: raw),
        expected: UInt64(truncatingIfNeeded: kind.rawValue))
    }
    let reserved = bytes.bytes.loadLittleEndian(at: record + 4, as: UInt32.self)
    guard reserved == 0 else {
      throw .section(
        kind, .reserved, found: UInt64(truncatingIfNeeded: reserved), expected: 0)
    }
    let found = section(kind)
    guard let start = previousEnd.checkedAligned(to: PackLayout.sectionAlignment) else {
      throw .sizeOverflow
    }
    guard found.offset == start else {
      throw .section(kind, .offset, found: found.offset, expected: start)
    }
    if let expectedBytes, found.bytes != expectedBytes {
      throw .section(kind, .bytes, found: found.bytes, expected: expectedBytes)
    }
    guard start <= fileBytes && found.bytes <= fileBytes - start else {
      let rest = fileBytes > start ? fileBytes - start : 0
      throw .section(kind, .bytes, found: found.bytes, expected: rest)
    }
    return start + found.bytes
  }

  /// Checks the records of the vectors and returns the bytes of their section.
  private func validateVectors() throws(ModelFormatError) -> UInt64 {
    var offset: UInt64 = 0
    for index in 0..<hyperparameters.vectorCount {
      let (role, layer) = hyperparameters.vector(at: index)
      let record = PackLayout.offset(ofVector: index, hyperparameters)
      func check(_ field: RecordField, _ place: Int, _ value: Int) throws(ModelFormatError) {
        let found = bytes.bytes.loadLittleEndian(at: record + place, as: UInt32.self)
        guard Int(truncatingIfNeeded: found) == value else {
          throw .vector(
            role, layer: layer, field, found: UInt64(truncatingIfNeeded: found),
            expected: UInt64(truncatingIfNeeded: value))
        }
      }
      try check(.role, 0, Int(truncatingIfNeeded: role.rawValue))
      try check(.layer, 4, layer)
      try check(.count, 8, hyperparameters.count(of: role))
      try check(.reserved, 12, 0)
      let found = bytes.bytes.loadLittleEndian(at: record + 16, as: UInt64.self)
      guard found == offset else {
        throw .vector(role, layer: layer, .offset, found: found, expected: offset)
      }
      offset += PackLayout.vectorBytes(hyperparameters, role)
    }
    return offset
  }

  /// Checks the records of the matrices, the first of which starts at `start`; returns their end.
  private func validateMatrices(from start: UInt64) throws(ModelFormatError) -> UInt64 {
    var end = start
    for index in 0..<hyperparameters.matrixCount {
      let (role, layer) = hyperparameters.matrix(at: index)
      let (rows, columns) = hyperparameters.shape(of: role)
      let record = PackLayout.offset(ofMatrix: index)
      func check(_ field: RecordField, _ place: Int, _ value: Int) throws(ModelFormatError) {
        let found = bytes.bytes.loadLittleEndian(at: record + place, as: UInt32.self)
        guard Int(truncatingIfNeeded: found) == value else {
          throw .matrix(
            role, layer: layer, field, found: UInt64(truncatingIfNeeded: found),
            expected: UInt64(truncatingIfNeeded: value))
        }
      }
      func check(_ field: RecordField, _ place: Int, _ value: UInt64) throws(ModelFormatError) {
        let found = bytes.bytes.loadLittleEndian(at: record + place, as: UInt64.self)
        guard found == value else {
          throw .matrix(role, layer: layer, field, found: found, expected: value)
        }
      }
      try check(.role, 0, Int(truncatingIfNeeded: role.rawValue))
      try check(.layer, 4, layer)
      let rawFormat = bytes.bytes.loadLittleEndian(at: record + 8, as: UInt32.self)
      guard let format = WeightFormat(rawValue: rawFormat) else {
        throw .unknownWeightFormat(role, layer: layer, rawFormat)
      }
      try check(.rows, 12, rows)
      try check(.columns, 16, columns)
      try check(.reserved, 20, 0)
      guard let offset = end.checkedAligned(to: PackLayout.matrixAlignment),
        let size = PackLayout.matrixBytes(hyperparameters, role, format),
        let next = offset.checkedSum(size)
      else { throw .sizeOverflow }
      try check(.offset, 24, offset)
      try check(.bytes, 32, size)
      end = next
    }
    return end
  }
}
