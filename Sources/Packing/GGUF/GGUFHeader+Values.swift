internal import Units

/// Values by key. An absent key is `nil`, one of another type an error.
extension GGUFHeader {
  /// Text of at most `limit` bytes.
  package func string(_ key: String, limit: Int = 65_535) throws(GGUFError) -> String? {
    guard let value = values[key] else { return nil }
    guard value.type == .string else {
      throw .wrongType(key: key, expected: "string", found: value.type.name)
    }
    guard value.range.count <= limit else {
      throw .stringTooLong(key: key, bytes: UInt64(value.range.count), limit: UInt64(limit))
    }
    guard let text = String(validating: bytes[value.range], as: UTF8.self) else {
      throw .stringNotText(key: key)
    }
    return text
  }

  /// A whole number that is not negative, of any integer type.
  package func unsigned(_ key: String) throws(GGUFError) -> UInt64? {
    guard let value = values[key] else { return nil }
    let start = value.range.lowerBound
    func load<Value: FixedWidthInteger & BitwiseCopyable>(_ type: Value.Type) -> Value {
      bytes.rawSpan.loadLittleEndian(at: start)
    }
    let signed: Int64
    switch value.type {
    case .uint8: return UInt64(load(UInt8.self))
    case .uint16: return UInt64(load(UInt16.self))
    case .uint32: return UInt64(load(UInt32.self))
    case .uint64: return load(UInt64.self)
    case .int8: signed = Int64(load(Int8.self))
    case .int16: signed = Int64(load(Int16.self))
    case .int32: signed = Int64(load(Int32.self))
    case .int64: signed = load(Int64.self)
    default: throw .wrongType(key: key, expected: "integer", found: value.type.name)
    }
    guard signed >= 0 else { throw .negative(key: key, signed) }
    return UInt64(signed)
  }

  /// A float of either width, finite or not.
  package func float(_ key: String) throws(GGUFError) -> Double? {
    guard let value = values[key] else { return nil }
    let start = value.range.lowerBound
    switch value.type {
    case .float32:
      let bits = bytes.rawSpan.loadLittleEndian(at: start, as: UInt32.self)
      return Double(Float(bitPattern: bits))
    case .float64:
      return Double(bitPattern: bytes.rawSpan.loadLittleEndian(at: start, as: UInt64.self))
    default: throw .wrongType(key: key, expected: "float", found: value.type.name)
    }
  }

  /// A boolean.
  package func boolean(_ key: String) throws(GGUFError) -> Bool? {
    guard let value = values[key] else { return nil }
    guard value.type == .bool else {
      throw .wrongType(key: key, expected: "bool", found: value.type.name)
    }
    return bytes[value.range.lowerBound] == 1
  }

  /// An array whose elements have the type `element`.
  package func array(_ key: String, of element: GGUFValueType) throws(GGUFError) -> GGUFValue? {
    guard let value = values[key] else { return nil }
    guard value.type == .array && value.elementType == element else {
      let found = value.type == .array ? "array of \(value.elementType.name)" : value.type.name
      throw .wrongType(key: key, expected: "array of \(element.name)", found: found)
    }
    return value
  }

  /// Where the text of each element of an array of strings lies in `bytes`.
  package func stringRanges(_ value: GGUFValue) -> [Range<Int>] {
    precondition(value.elementType == .string && value.type == .array, "an array of strings")
    var ranges: [Range<Int>] = []
    ranges.reserveCapacity(value.count)
    var offset = value.range.lowerBound
    let span = bytes.rawSpan
    for _ in 0..<value.count {
      // The header's walk has checked that the text lies inside.
      let length = Int(span.loadLittleEndian(at: offset, as: UInt64.self))
      ranges.append(offset + 8..<offset + 8 + length)
      offset += 8 + length
    }
    return ranges
  }
}
