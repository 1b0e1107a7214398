/// The type of a value in the header of a GGUF file; raw values as in the file.
package enum GGUFValueType: UInt32, Sendable {
  case uint8, int8, uint16, int16, uint32, int32, float32, bool, string, array
  case uint64, int64, float64

  /// Bytes of one value; `nil` for strings and arrays.
  var fixedBytes: Int? {
    switch self {
    case .uint8, .int8, .bool: 1
    case .uint16, .int16: 2
    case .uint32, .int32, .float32: 4
    case .uint64, .int64, .float64: 8
    case .string, .array: nil
    }
  }

  /// The name in messages.
  var name: String { String(describing: self) }
}

/// Where a value lies in the header of a GGUF file.
package struct GGUFValue: Sendable {
  package let type: GGUFValueType
  /// The type of the elements of an array; otherwise the type itself.
  package let elementType: GGUFValueType
  /// Elements of an array; otherwise 1.
  package let count: Int
  /// The bytes: of a string its text; of an array all elements, strings with their lengths.
  package let range: Range<Int>

  /// Bytes of text in an array of strings.
  package var textBytes: Int { range.count - count * MemoryLayout<UInt64>.size }
}
