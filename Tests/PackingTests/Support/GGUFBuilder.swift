/// Writes GGUF files, also such as no tool would write.
struct GGUFBuilder {
  enum Value {
    case uint32(UInt32)
    case int32(Int32)
    case uint64(UInt64)
    case float32(Float)
    case bool(UInt8)
    case string(String)
    case strings([String])
    case floats([Float])
    case int32s([Int32])
    /// Any value type with any bytes.
    case raw(type: UInt32, [UInt8])
  }

  struct Tensor {
    var name: String
    var dimensions: [UInt64]
    var type: UInt32
    var data: [UInt8]
    /// `nil`: where the data lies.
    var offset: UInt64?
    /// `nil`: as many as there are.
    var dimensionCount: UInt32?
  }

  var magic: UInt32 = 0x4655_4747
  var version: UInt32 = 3
  var keys: [(key: String, value: Value)] = []
  var tensors: [Tensor] = []
  /// `nil`: as many as there are.
  var keyCount: UInt64?
  var tensorCount: UInt64?
  var alignment = 32

  /// Sets or adds a value.
  subscript(key: String) -> Value? {
    get { keys.first { $0.key == key }?.value }
    set {
      let index = keys.firstIndex { $0.key == key }
      switch (index, newValue) {
      case (.some(let index), .some(let value)): keys[index].value = value
      case (.some(let index), .none): keys.remove(at: index)
      case (.none, .some(let value)): keys.append((key, value))
      case (.none, .none): break
      }
    }
  }

  /// The tensor of a name; there must be one.
  func index(of name: String) -> Int {
    guard let index = tensors.firstIndex(where: { $0.name == name }) else {
      preconditionFailure("the builder has the tensor")
    }
    return index
  }

  /// The header without the data.
  var headerBytes: [UInt8] {
    var bytes = Bytes()
    bytes.append(magic)
    bytes.append(version)
    bytes.append(tensorCount ?? UInt64(tensors.count))
    bytes.append(keyCount ?? UInt64(keys.count))
    for (key, value) in keys {
      bytes.append(key)
      bytes.append(value)
    }
    var end: UInt64 = 0
    for tensor in tensors {
      bytes.append(tensor.name)
      bytes.append(tensor.dimensionCount ?? UInt32(tensor.dimensions.count))
      for size in tensor.dimensions { bytes.append(size) }
      bytes.append(tensor.type)
      bytes.append(tensor.offset ?? end)
      end += UInt64((tensor.data.count + alignment - 1) / alignment * alignment)
    }
    return bytes.bytes
  }

  /// The whole file.
  var bytes: [UInt8] {
    var bytes = headerBytes
    for tensor in tensors {
      bytes += [UInt8](repeating: 0, count: (alignment - bytes.count % alignment) % alignment)
      bytes += tensor.data
    }
    return bytes
  }
}

/// Little-endian bytes under construction.
struct Bytes {
  var bytes: [UInt8] = []

  mutating func append<Number: FixedWidthInteger>(_ number: Number) {
    for byte in 0..<MemoryLayout<Number>.size {
      bytes.append(UInt8(truncatingIfNeeded: number >> Number(8 * byte)))
    }
  }

  mutating func append(_ text: String) {
    append(UInt64(text.utf8.count))
    bytes += Array(text.utf8)
  }

  mutating func append(_ value: GGUFBuilder.Value) {
    switch value {
    case .uint32(let number):
      append(UInt32(4))
      append(number)
    case .int32(let number):
      append(UInt32(5))
      append(number)
    case .uint64(let number):
      append(UInt32(10))
      append(number)
    case .float32(let number):
      append(UInt32(6))
      append(number.bitPattern)
    case .bool(let byte):
      append(UInt32(7))
      append(byte)
    case .string(let text):
      append(UInt32(8))
      append(text)
    case .strings(let texts):
      appendArray(of: 8, count: texts.count)
      for text in texts { append(text) }
    case .floats(let numbers):
      appendArray(of: 6, count: numbers.count)
      for number in numbers { append(number.bitPattern) }
    case .int32s(let numbers):
      appendArray(of: 5, count: numbers.count)
      for number in numbers { append(number) }
    case .raw(let type, let raw):
      append(type)
      bytes += raw
    }
  }

  private mutating func appendArray(of type: UInt32, count: Int) {
    append(UInt32(9))
    append(type)
    append(UInt64(count))
  }
}
