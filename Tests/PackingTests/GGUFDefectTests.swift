import Packing
import Testing

/// Every defect of a GGUF file as a container has an error of its own that names it.
@Suite struct GGUFDefectTests {
  struct Defect: Sendable, CustomTestStringConvertible {
    let name: String
    let error: GGUFError
    let make: @Sendable (inout GGUFBuilder) -> Void

    init(
      _ name: String, _ error: GGUFError, _ make: @escaping @Sendable (inout GGUFBuilder) -> Void
    ) {
      self.name = name
      self.error = error
      self.make = make
    }

    var testDescription: String { name }
  }

  /// Three keys and two tensors of 128 and 64 bytes.
  static let base: GGUFBuilder = {
    var builder = GGUFBuilder()
    builder["general.architecture"] = .string("llama")
    builder["a.number"] = .uint32(7)
    builder["a.list"] = .strings(["one", "two"])
    builder.tensors = [
      GGUFBuilder.Tensor(
        name: "first", dimensions: [8, 4], type: 0, data: [UInt8](repeating: 1, count: 128)),
      GGUFBuilder.Tensor(
        name: "second", dimensions: [16], type: 0, data: [UInt8](repeating: 2, count: 64)),
    ]
    return builder
  }()

  static let header: [Defect] = [
    Defect("magic", .notGGUF) { $0.magic = 0x4655_4746 },
    Defect("version 0", .unknownVersion(0)) { $0.version = 0 },
    Defect("version 1", .version1) { $0.version = 1 },
    Defect("version 4", .unknownVersion(4)) { $0.version = 4 },
    Defect("big-endian", .bigEndian) { $0.version = 0x0300_0000 },
    Defect("more keys than bytes", .tooManyKeys(1 << 60, limit: 30)) { $0.keyCount = 1 << 60 },
    Defect("more tensors than bytes", .tooManyTensors(.max, limit: 12)) {
      $0.tensorCount = .max
    },
  ]

  static let keys: [Defect] = [
    Defect("empty key", .emptyKey(index: 1)) { $0.keys[1].key = "" },
    Defect("long key", .keyTooLong(index: 1, bytes: 65_536)) {
      $0.keys[1].key = String(repeating: "k", count: 65_536)
    },
    Defect("key twice", .duplicateKey("a.list")) { $0.keys[1].key = "a.list" },
    Defect("value type", .unknownValueType(key: "a.number", raw: 13)) {
      $0["a.number"] = .raw(type: 13, [0, 0, 0, 0])
    },
    Defect("boolean", .booleanNotZeroOrOne(key: "a.number", 2)) {
      $0["a.number"] = .bool(2)
    },
    Defect("boolean in a list", .booleanNotZeroOrOne(key: "a.number", 9)) {
      $0["a.number"] = .raw(type: 9, [7, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 1, 9])
    },
    Defect("element type", .unknownElementType(key: "a.number", raw: 99)) {
      $0["a.number"] = .raw(type: 9, [99, 0, 0, 0] + [UInt8](repeating: 0, count: 8))
    },
    Defect("array of arrays", .nestedArray(key: "a.number")) {
      $0["a.number"] = .raw(type: 9, [9, 0, 0, 0] + [UInt8](repeating: 0, count: 8))
    },
    Defect("array longer than the file", .arrayTooLong(key: "a.number", count: .max, limit: 86)) {
      $0["a.number"] = .raw(type: 9, [5, 0, 0, 0] + [UInt8](repeating: 0xFF, count: 8))
    },
    Defect("alignment 0", .alignment(0)) { $0["general.alignment"] = .uint32(0) },
    Defect("alignment 48", .alignment(48)) { $0["general.alignment"] = .uint32(48) },
    Defect("alignment 2^17", .alignment(1 << 17)) {
      $0["general.alignment"] = .uint32(1 << 17)
    },
    Defect(
      "alignment as text",
      .wrongType(key: "general.alignment", expected: "uint32", found: "string")
    ) { $0["general.alignment"] = .string("32") },
  ]

  static let tensors: [Defect] = [
    Defect("no name", .emptyTensorName(index: 1)) { $0.tensors[1].name = "" },
    Defect("long name", .tensorNameTooLong(index: 0, bytes: 65_536)) {
      $0.tensors[0].name = String(repeating: "n", count: 65_536)
    },
    Defect("name twice", .duplicateTensor("first")) { $0.tensors[1].name = "first" },
    Defect("no dimensions", .dimensionCount(tensor: "first", 0)) {
      $0.tensors[0].dimensions = []
    },
    Defect("five dimensions", .dimensionCount(tensor: "first", 5)) {
      $0.tensors[0].dimensions = [1, 1, 1, 1, 1]
    },
    Defect("dimension 0", .dimension(tensor: "first", axis: 1, 0)) {
      $0.tensors[0].dimensions[1] = 0
    },
    Defect("dimension above 2^32", .dimension(tensor: "first", axis: 0, 1 << 32 + 1)) {
      $0.tensors[0].dimensions[0] = 1 << 32 + 1
    },
    Defect("elements overflow", .elementsOverflow(tensor: "first")) {
      $0.tensors[0].dimensions = [1 << 32, 1 << 32]
    },
    Defect("elements wrap to 0", .elementsOverflow(tensor: "first")) {
      $0.tensors[0].dimensions = [1 << 32, 1 << 32, 1 << 32, 1 << 32]
    },
    Defect("bytes overflow", .bytesOverflow(tensor: "first")) {
      $0.tensors[0].dimensions = [1 << 32, 1 << 30 + 1]
    },
    Defect("tensor type", .unknownTensorType(tensor: "first", raw: 23)) {
      $0.tensors[0].type = 23
    },
    Defect("tensor type of the future", .unknownTensorType(tensor: "first", raw: 1000)) {
      $0.tensors[0].type = 1000
    },
    Defect("broken block", .brokenBlock(tensor: "first", columns: 8, block: 32)) {
      $0.tensors[0].type = 8
    },
    Defect("misaligned", .misalignedOffset(tensor: "second", 130, alignment: 32)) {
      $0.tensors[1].offset = 130
    },
    Defect("overlap", .overlap("first", "second")) { $0.tensors[1].offset = 96 },
    Defect("same place", .overlap("first", "second")) { $0.tensors[1].offset = 0 },
    Defect("beyond the end", .beyondEnd(tensor: "second", end: 512, fileBytes: 448)) {
      $0.tensors[1].offset = 192
    },
    Defect("offset wraps", .beyondEnd(tensor: "second", end: nil, fileBytes: 448)) {
      $0.tensors[1].offset = .max - 31
    },
    Defect("end wraps", .beyondEnd(tensor: "second", end: nil, fileBytes: 448)) {
      $0.tensors[1].offset = .max - 320 + 1
    },
  ]

  @Test(arguments: header + keys + tensors) func defectIsNamed(_ defect: Defect) {
    var builder = Self.base
    defect.make(&builder)
    let bytes = builder.bytes
    let found = #expect(throws: GGUFError.self) {
      _ = try GGUFHeader(bytes: bytes, fileBytes: UInt64(bytes.count)).tensors()
    }
    #expect(found == defect.error)
    if let found { #expect(!found.description.isEmpty) }
  }

  @Test func namesThatAreNotTextAreRefused() throws {
    let bytes = Self.base.bytes
    let key = try #require(place(of: "a.number", in: bytes))
    let tensor = try #require(place(of: "second", in: bytes))
    for (offset, error) in [
      (key, GGUFError.keyNotText(index: 1)), (tensor, .tensorNameNotText(index: 1)),
    ] {
      var broken = bytes
      broken[offset] = 0xFF
      #expect(throws: error) {
        _ = try GGUFHeader(bytes: broken, fileBytes: UInt64(broken.count)).tensors()
      }
    }
  }

  @Test func lengthsBeyondTheFileAreRefused() throws {
    let bytes = Self.base.bytes
    for text in ["a.number", "llama", "two", "second"] {
      let offset = try #require(place(of: text, in: bytes))
      for length: UInt64 in [1000, 1 << 31, 1 << 32, 1 << 63, .max] {
        var broken = bytes
        for byte in 0..<8 {
          broken[offset - 8 + byte] = UInt8(truncatingIfNeeded: length >> (8 * UInt64(byte)))
        }
        #expect(throws: GGUFError.self) {
          _ = try GGUFHeader(bytes: broken, fileBytes: UInt64(broken.count)).tensors()
        }
      }
    }
  }

  @Test(arguments: [false, true]) func everyTruncationIsNamed(_ isModel: Bool) throws {
    var tiny = TinyModel()
    tiny.layers = 1
    tiny.vocabulary = 8
    let builder = isModel ? tiny.builder : Self.base
    let bytes = builder.bytes
    let header = builder.headerBytes
    for count in 0..<header.count {
      let prefix = Array(header[..<count])
      #expect(throws: GGUFError.self) {
        _ = try GGUFHeader(bytes: prefix, fileBytes: UInt64(count)).tensors()
      }
      let found = #expect(throws: GGUFError.self) {
        _ = try GGUFHeader(bytes: prefix, fileBytes: UInt64(bytes.count)).tensors()
      }
      guard case .prefixTooShort(let needed) = found else {
        Issue.record("\(String(describing: found))")
        continue
      }
      #expect(needed > count && needed <= header.count)
    }
    let whole = try GGUFHeader(bytes: header, fileBytes: UInt64(bytes.count)).tensors()
    #expect(whole.count == builder.tensors.count)
    for count in stride(from: header.count, to: bytes.count, by: isModel ? 331 : 1) {
      #expect(throws: GGUFError.self) {
        _ = try GGUFHeader(bytes: header, fileBytes: UInt64(count)).tensors()
      }
    }
  }

  @Test func valuesAreReadByType() throws {
    var builder = Self.base
    builder["b.negative"] = .int32(-5)
    builder["b.positive"] = .int32(5)
    builder["b.long"] = .uint64(1 << 40)
    builder["b.float"] = .float32(0.5)
    builder["b.truth"] = .bool(1)
    builder["b.text"] = .raw(type: 8, [2, 0, 0, 0, 0, 0, 0, 0, 0xC3, 0x28])
    let bytes = builder.bytes
    let header = try GGUFHeader(bytes: bytes, fileBytes: UInt64(bytes.count))
    #expect(try header.unsigned("a.number") == 7)
    #expect(try header.unsigned("b.positive") == 5)
    #expect(try header.unsigned("b.long") == 1 << 40)
    #expect(try header.float("b.float") == 0.5)
    #expect(try header.boolean("b.truth") == true)
    #expect(try header.unsigned("b.absent") == nil)
    #expect(throws: GGUFError.negative(key: "b.negative", -5)) {
      _ = try header.unsigned("b.negative")
    }
    #expect(throws: GGUFError.stringNotText(key: "b.text")) { _ = try header.string("b.text") }
    #expect(throws: GGUFError.wrongType(key: "a.number", expected: "float", found: "uint32")) {
      _ = try header.float("a.number")
    }
    #expect(
      throws: GGUFError.stringTooLong(key: "general.architecture", bytes: 5, limit: 4)
    ) { _ = try header.string("general.architecture", limit: 4) }
    let list = try #require(try header.array("a.list", of: .string))
    #expect(list.count == 2 && list.textBytes == 6)
    let texts = header.stringRanges(list).map { String(decoding: bytes[$0], as: UTF8.self) }
    #expect(texts == ["one", "two"])
  }

  private func place(of text: String, in bytes: [UInt8]) -> Int? {
    let pattern = Array(text.utf8)
    return (0...(bytes.count - pattern.count)).first {
      Array(bytes[$0..<$0 + pattern.count]) == pattern
    }
  }
}
