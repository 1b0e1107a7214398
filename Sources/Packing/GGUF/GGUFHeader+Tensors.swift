internal import Units

extension GGUFHeader {
  /// Reads the records of all tensors and checks each against the others and the file's size.
  package func tensors() throws(GGUFError) -> [GGUFTensor] {
    var cursor = GGUFCursor(bytes.rawSpan, fileBytes: fileBytes)
    try cursor.skip(UInt64(tensorRecordsOffset), .header)
    var records: [GGUFTensor] = []
    records.reserveCapacity(Int(tensorCount))
    var names: Set<String> = []
    for index in 0..<Int(tensorCount) {
      let record = try tensor(&cursor, index: index)
      guard names.insert(record.name).inserted else { throw .duplicateTensor(record.name) }
      records.append(record)
    }
    guard let start = UInt64(cursor.offset).checkedAligned(to: alignment) else {
      throw .headerTooLarge(limit: Self.bytesMax)
    }
    return try placed(records, dataStart: start)
  }

  /// Throws `prefixTooShort` where the records of the tensors reach beyond the bytes at hand.
  ///
  /// Other defects wait for `tensors()`: a vocabulary can be read without.
  func checkReach() throws(GGUFError) {
    do throws(GGUFError) {
      _ = try tensors()
    } catch .prefixTooShort(let needed) {
      throw .prefixTooShort(needed: needed)
    } catch {}
  }

  /// Reads one record; its offset is still relative to the data.
  private func tensor(
    _ cursor: inout GGUFCursor, index: Int
  ) throws(GGUFError) -> GGUFTensor {
    let nameBytes = try cursor.integer(.tensor, as: UInt64.self)
    guard nameBytes > 0 else { throw .emptyTensorName(index: index) }
    guard nameBytes <= Self.nameBytesMax else {
      throw .tensorNameTooLong(index: index, bytes: nameBytes)
    }
    let nameStart = try cursor.skip(nameBytes, .tensor)
    guard let name = String(validating: bytes[nameStart..<cursor.offset], as: UTF8.self) else {
      throw .tensorNameNotText(index: index)
    }
    let dimensionCount = try cursor.integer(.tensor, as: UInt32.self)
    guard (1...4).contains(dimensionCount) else {
      throw .dimensionCount(tensor: name, dimensionCount)
    }
    var dimensions: [Int] = []
    var elements: UInt64 = 1
    for axis in 0..<Int(dimensionCount) {
      let size = try cursor.integer(.tensor, as: UInt64.self)
      guard size >= 1 && size <= 1 << 32 else {
        throw .dimension(tensor: name, axis: axis, size)
      }
      guard let product = elements.checkedProduct(size), product <= Int64.max else {
        throw .elementsOverflow(tensor: name)
      }
      elements = product
      dimensions.append(Int(size))
    }
    while dimensions.count > 1 && dimensions.last == 1 { dimensions.removeLast() }
    let rawType = try cursor.integer(.tensor, as: UInt32.self)
    guard let type = TensorType(rawValue: rawType) else {
      throw .unknownTensorType(tensor: name, raw: rawType)
    }
    let columns = UInt64(dimensions[0])
    let block = UInt64(type.blockElements)
    guard columns % block == 0 else {
      throw .brokenBlock(tensor: name, columns: columns, block: block)
    }
    guard let size = (elements / block).checkedProduct(UInt64(type.blockBytes)) else {
      throw .bytesOverflow(tensor: name)
    }
    let offset = try cursor.integer(.tensor, as: UInt64.self)
    guard offset % alignment == 0 else {
      throw .misalignedOffset(tensor: name, offset, alignment: alignment)
    }
    return GGUFTensor(name: name, type: type, dimensions: dimensions, offset: offset, bytes: size)
  }

  /// Makes offsets absolute and checks that every tensor lies in the file, apart from all others.
  private func placed(
    _ records: [GGUFTensor], dataStart: UInt64
  ) throws(GGUFError) -> [GGUFTensor] {
    var placed: [GGUFTensor] = []
    placed.reserveCapacity(records.count)
    for record in records {
      let start = dataStart.checkedSum(record.offset)
      guard let start, let end = start.checkedSum(record.bytes), end <= fileBytes else {
        let end = start.flatMap { $0.checkedSum(record.bytes) }
        throw .beyondEnd(tensor: record.name, end: end, fileBytes: fileBytes)
      }
      placed.append(
        GGUFTensor(
          name: record.name, type: record.type, dimensions: record.dimensions, offset: start,
          bytes: record.bytes))
    }
    let sorted = placed.sorted { ($0.offset, $0.name) < ($1.offset, $1.name) }
    for (first, second) in zip(sorted, sorted.dropFirst())
    where first.offset + first.bytes > second.offset {
      throw .overlap(first.name, second.name)
    }
    return placed
  }
}
