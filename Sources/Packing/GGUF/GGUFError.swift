/// What is wrong with a GGUF file as a container; what is wrong with the model in it is a
/// `PackingError`.
package enum GGUFError: Error, Equatable, Sendable {
  // Header.
  case notGGUF
  case truncated(GGUFPart, offset: UInt64, needed: UInt64, fileBytes: UInt64)
  case bigEndian
  case version1
  case unknownVersion(UInt32)
  case tooManyKeys(UInt64, limit: UInt64)
  case tooManyTensors(UInt64, limit: UInt64)
  case headerTooLarge(limit: Int)
  /// Not a defect: the header reaches beyond the bytes read so far.
  case prefixTooShort(needed: Int)

  // Keys and values.
  case emptyKey(index: Int)
  case keyTooLong(index: Int, bytes: UInt64)
  case keyNotText(index: Int)
  case duplicateKey(String)
  case unknownValueType(key: String, raw: UInt32)
  case unknownElementType(key: String, raw: UInt32)
  case nestedArray(key: String)
  case arrayTooLong(key: String, count: UInt64, limit: UInt64)
  case booleanNotZeroOrOne(key: String, UInt8)
  case missingKey(String)
  case wrongType(key: String, expected: String, found: String)
  case stringNotText(key: String)
  case stringTooLong(key: String, bytes: UInt64, limit: UInt64)
  case negative(key: String, Int64)
  case alignment(UInt64)

  // Tensors.
  case emptyTensorName(index: Int)
  case tensorNameTooLong(index: Int, bytes: UInt64)
  case tensorNameNotText(index: Int)
  case duplicateTensor(String)
  case dimensionCount(tensor: String, UInt32)
  case dimension(tensor: String, axis: Int, UInt64)
  case elementsOverflow(tensor: String)
  case unknownTensorType(tensor: String, raw: UInt32)
  case brokenBlock(tensor: String, columns: UInt64, block: UInt64)
  case bytesOverflow(tensor: String)
  case misalignedOffset(tensor: String, UInt64, alignment: UInt64)

  // Data.
  case beyondEnd(tensor: String, end: UInt64?, fileBytes: UInt64)
  case overlap(String, String)

  // The system.
  case cannotRead(errno: Int32)
  case missing
  case notAFile
}

/// A stretch of a GGUF file, for messages.
package enum GGUFPart: String, Sendable {
  case header
  case key
  case value
  case array
  case tensor = "tensor record"
  case data = "tensor data"
}

extension GGUFError: CustomStringConvertible {
  package var description: String {
    switch self {
    case .notGGUF: "not a GGUF file (wrong magic bytes)"
    case .truncated(let part, let offset, let needed, let fileBytes):
      "cut off in a \(part.rawValue): \(needed) bytes needed at \(offset) of \(fileBytes)"
    case .bigEndian: "a big-endian GGUF file; only little-endian ones are read"
    case .version1: "GGUF version 1 is not read; convert the model again"
    case .unknownVersion(let version): "GGUF version \(version) is not known (2 and 3 are)"
    case .tooManyKeys(let count, let limit): "\(count) keys; at most \(limit) are possible here"
    case .tooManyTensors(let count, let limit):
      "\(count) tensors; at most \(limit) are possible here"
    case .headerTooLarge(let limit): "the header is larger than \(limit) bytes"
    case .prefixTooShort(let needed): "the header needs more than \(needed) bytes"
    case .emptyKey(let index): "key \(index) is empty"
    case .keyTooLong(let index, let bytes): "key \(index) has \(bytes) bytes; at most 65,535"
    case .keyNotText(let index): "key \(index) is not UTF-8"
    case .duplicateKey(let key): "key \(quoted(key)) appears twice"
    case .unknownValueType(let key, let raw): "key \(quoted(key)): unknown value type \(raw)"
    case .unknownElementType(let key, let raw):
      "key \(quoted(key)): unknown element type \(raw)"
    case .nestedArray(let key): "key \(quoted(key)): an array of arrays"
    case .arrayTooLong(let key, let count, let limit):
      "key \(quoted(key)): \(count) elements; the file has room for \(limit)"
    default: furtherDescription
    }
  }

  private var furtherDescription: String {
    switch self {
    case .booleanNotZeroOrOne(let key, let byte):
      "key \(quoted(key)): \(byte) is not a boolean"
    case .missingKey(let key): "key \(quoted(key)) is missing"
    case .wrongType(let key, let expected, let found):
      "key \(quoted(key)) is \(found), expected \(expected)"
    case .stringNotText(let key): "key \(quoted(key)): not UTF-8"
    case .stringTooLong(let key, let bytes, let limit):
      "key \(quoted(key)): \(bytes) bytes of text; at most \(limit)"
    case .negative(let key, let value): "key \(quoted(key)) is negative: \(value)"
    case .alignment(let value):
      "an alignment of \(value) is no power of two from 1 to 65,536"
    case .emptyTensorName(let index): "tensor \(index) has no name"
    case .tensorNameTooLong(let index, let bytes):
      "the name of tensor \(index) has \(bytes) bytes; at most 65,535"
    case .tensorNameNotText(let index): "the name of tensor \(index) is not UTF-8"
    case .duplicateTensor(let name): "tensor \(quoted(name)) appears twice"
    case .dimensionCount(let name, let count):
      "tensor \(quoted(name)): \(count) dimensions; 1 to 4 are possible"
    case .dimension(let name, let axis, let value):
      "tensor \(quoted(name)): dimension \(axis) is \(value); 1 to 2^32 are possible"
    case .elementsOverflow(let name): "tensor \(quoted(name)): too many elements"
    case .unknownTensorType(let name, let raw):
      "tensor \(quoted(name)): tensor type \(TensorType.name(ofRaw: raw)) is not read"
    case .brokenBlock(let name, let columns, let block):
      "tensor \(quoted(name)): rows of \(columns) are no multiple of the block of \(block)"
    case .bytesOverflow(let name): "tensor \(quoted(name)): its size overflows"
    case .misalignedOffset(let name, let offset, let alignment):
      "tensor \(quoted(name)): offset \(offset) is no multiple of \(alignment)"
    case .beyondEnd(let name, let end, let fileBytes):
      "tensor \(quoted(name)) ends at \(end.map(String.init) ?? "a place beyond 64 bits") "
        + "of \(fileBytes) bytes"
    case .overlap(let first, let second):
      "tensors \(quoted(first)) and \(quoted(second)) overlap"
    case .cannotRead(let errno): "cannot be read (\(systemMessage(errno)))"
    case .missing: "no such file"
    case .notAFile: "not a regular file"
    default: preconditionFailure("described above")
    }
  }
}
