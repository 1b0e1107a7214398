internal import Units

/// The header of a GGUF file of version 2 or 3, little-endian: keys with their values, and tensors.
///
/// Trust: the bytes come from a file that anyone may have written. Every count and size is checked
/// against the bytes that remain before anything is made from it; arrays are walked, not built.
package struct GGUFHeader: Sendable {
  /// The header's bytes, which the ranges of its values point into.
  package let bytes: [UInt8]
  package let fileBytes: UInt64
  package let version: UInt32
  package let values: [String: GGUFValue]
  package let alignment: UInt64
  package let tensorCount: UInt64
  /// Where the records of the tensors start.
  let tensorRecordsOffset: Int

  /// A key or name may be no longer than this, in bytes.
  static let nameBytesMax: UInt64 = 65_535
  /// More keys than any converter writes, few enough that hostile ones cost no time.
  static let keysMax: UInt64 = 65_536
  static let tensorsMax: UInt64 = 65_536
  /// A header may be no larger than this, in bytes: vocabularies of a million pieces fit.
  package static let bytesMax = 256 << 20

  /// Reads the keys and values at the start of a file, of which `bytes` are the first.
  ///
  /// Throws `prefixTooShort` where the header goes on behind `bytes` but not behind the file.
  package init(bytes: [UInt8], fileBytes: UInt64) throws(GGUFError) {
    precondition(bytes.count <= fileBytes, "a prefix is no longer than its file")
    var cursor = GGUFCursor(bytes.rawSpan, fileBytes: fileBytes)
    guard try cursor.integer(.header, as: UInt32.self) == 0x4655_4747 else { throw .notGGUF }
    let version = try cursor.integer(.header, as: UInt32.self)
    switch version {
    case 2, 3: break
    case 1: throw .version1
    default:
      guard version.byteSwapped > 3 || version.byteSwapped == 0 else { throw .bigEndian }
      throw .unknownVersion(version)
    }
    let tensorCount = try cursor.integer(.header, as: UInt64.self)
    let keyCount = try cursor.integer(.header, as: UInt64.self)
    // The smallest tensor record: name of one byte, one dimension, type, offset.
    let tensorLimit = min(cursor.remaining / (8 + 1 + 4 + 8 + 4 + 8), Self.tensorsMax)
    guard tensorCount <= tensorLimit else {
      throw .tooManyTensors(tensorCount, limit: tensorLimit)
    }
    // The smallest key: name of one byte, type, one byte of value.
    let keyLimit = min(cursor.remaining / (8 + 1 + 4 + 1), Self.keysMax)
    guard keyCount <= keyLimit else { throw .tooManyKeys(keyCount, limit: keyLimit) }
    var values: [String: GGUFValue] = [:]
    for index in 0..<Int(keyCount) {
      let key = try Self.key(&cursor, bytes, index: index)
      let value = try Self.value(&cursor, bytes, key: key)
      guard values.updateValue(value, forKey: key) == nil else { throw .duplicateKey(key) }
    }
    self.bytes = bytes
    self.fileBytes = fileBytes
    self.version = version
    self.values = values
    self.tensorCount = tensorCount
    self.tensorRecordsOffset = cursor.offset
    self.alignment = try Self.alignment(values["general.alignment"], bytes)
  }

  private static func key(
    _ cursor: inout GGUFCursor, _ bytes: [UInt8], index: Int
  ) throws(GGUFError) -> String {
    let count = try cursor.integer(.key, as: UInt64.self)
    guard count > 0 else { throw .emptyKey(index: index) }
    guard count <= nameBytesMax else { throw .keyTooLong(index: index, bytes: count) }
    let start = try cursor.skip(count, .key)
    guard let key = String(validating: bytes[start..<cursor.offset], as: UTF8.self) else {
      throw .keyNotText(index: index)
    }
    return key
  }

  private static func value(
    _ cursor: inout GGUFCursor, _ bytes: [UInt8], key: String
  ) throws(GGUFError) -> GGUFValue {
    let raw = try cursor.integer(.value, as: UInt32.self)
    guard let type = GGUFValueType(rawValue: raw) else {
      throw .unknownValueType(key: key, raw: raw)
    }
    switch type {
    case .string:
      let range = try cursor.string(.value)
      return GGUFValue(type: type, elementType: type, count: 1, range: range)
    case .array: return try array(&cursor, bytes, key: key)
    default:
      let start = try cursor.skip(UInt64(type.fixedBytes ?? 1), .value)
      if type == .bool { try checkBooleans(bytes[start..<cursor.offset], key: key) }
      return GGUFValue(type: type, elementType: type, count: 1, range: start..<cursor.offset)
    }
  }

  private static func array(
    _ cursor: inout GGUFCursor, _ bytes: [UInt8], key: String
  ) throws(GGUFError) -> GGUFValue {
    let raw = try cursor.integer(.array, as: UInt32.self)
    guard let type = GGUFValueType(rawValue: raw) else {
      throw .unknownElementType(key: key, raw: raw)
    }
    guard type != .array else { throw .nestedArray(key: key) }
    let count = try cursor.integer(.array, as: UInt64.self)
    // A string takes at least its length.
    let elementBytes = UInt64(type.fixedBytes ?? 8)
    let limit = cursor.remaining / elementBytes
    guard count <= limit else { throw .arrayTooLong(key: key, count: count, limit: limit) }
    let start = cursor.offset
    if type == .string {
      for _ in 0..<count { _ = try cursor.string(.array) }
    } else {
      try cursor.skip(count * elementBytes, .array)
      if type == .bool { try checkBooleans(bytes[start..<cursor.offset], key: key) }
    }
    return GGUFValue(
      type: .array, elementType: type, count: Int(count), range: start..<cursor.offset)
  }

  private static func checkBooleans(_ bytes: ArraySlice<UInt8>, key: String) throws(GGUFError) {
    for byte in bytes where byte > 1 { throw .booleanNotZeroOrOne(key: key, byte) }
  }

  private static func alignment(_ value: GGUFValue?, _ bytes: [UInt8]) throws(GGUFError) -> UInt64 {
    guard let value else { return 32 }
    guard value.type == .uint32 else {
      throw .wrongType(key: "general.alignment", expected: "uint32", found: value.type.name)
    }
    let alignment = UInt64(
      bytes.rawSpan.loadLittleEndian(at: value.range.lowerBound, as: UInt32.self))
    guard alignment.nonzeroBitCount == 1 && alignment <= 65_536 else {
      throw .alignment(alignment)
    }
    return alignment
  }
}
