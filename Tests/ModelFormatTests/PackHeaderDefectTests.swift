import ModelFormat
import Packing
import Quantization
import Testing
import Units

@Suite struct PackHeaderDefectTests {
  /// One overwritten number and the error that must name it.
  struct Defect: Sendable, CustomTestStringConvertible {
    var name: String
    var offset: Int
    var value: UInt64
    var width = 4
    var isSealed = true
    var error: ModelFormatError

    var testDescription: String { name }
  }

  static let sample = Sample.all[0]
  static let matrix = PackLayout.offset(ofMatrix: 4)
  static let vector = PackLayout.offset(ofVector: 1, sample.model)

  static let fixedPart: [Defect] = [
    Defect(name: "magic", offset: 0, value: 0, error: .notAPack),
    Defect(
      name: "newer", offset: 8, value: 4, error: .newerVersion(found: 4, supported: 3)),
    Defect(name: "older", offset: 8, value: 2, error: .olderVersion(found: 2, supported: 3)),
    Defect(
      name: "header too small", offset: 12, value: 415,
      error: .outOfRange(.headerBytes, found: 415, minimum: 416, maximum: 1 << 20)),
    Defect(
      name: "header too large", offset: 12, value: 1_048_577,
      error: .outOfRange(.headerBytes, found: 1_048_577, minimum: 416, maximum: 1 << 20)),
    Defect(
      name: "file bytes", offset: 16, value: 5, width: 8,
      error: .fileBytes(stated: 5, found: sample.builder.fileBytes)),
    Defect(name: "architecture", offset: 32, value: 9, error: .unknownArchitecture(9)),
    Defect(
      name: "no layers", offset: 36, value: 0,
      error: .outOfRange(.layers, found: 0, minimum: 1, maximum: 1024)),
    Defect(
      name: "layers", offset: 36, value: 0xFFFF_FFFF,
      error: .outOfRange(.layers, found: 0xFFFF_FFFF, minimum: 1, maximum: 1024)),
    Defect(
      name: "dimension", offset: 40, value: 1 << 18,
      error: .outOfRange(.modelDimension, found: 1 << 18, minimum: 1, maximum: 1 << 17)),
    Defect(
      name: "KV heads", offset: 48, value: 9,
      error: .outOfRange(.kvHeads, found: 9, minimum: 1, maximum: 8)),
    Defect(
      name: "heads", offset: 48, value: 3, error: .headsDoNotDivide(queryHeads: 8, kvHeads: 3)),
    Defect(
      name: "no head dimension", offset: 52, value: 0,
      error: .outOfRange(.headDimension, found: 0, minimum: 1, maximum: 512)),
    Defect(
      name: "head dimension beyond the kernels", offset: 52, value: 513,
      error: .outOfRange(.headDimension, found: 513, minimum: 1, maximum: 512)),
    Defect(
      name: "feed-forward", offset: 56, value: 0,
      error: .outOfRange(.feedForwardDimension, found: 0, minimum: 1, maximum: 1 << 20)),
    Defect(
      name: "vocabulary", offset: 60, value: 1 << 25,
      error: .outOfRange(.vocabulary, found: 1 << 25, minimum: 1, maximum: 1 << 24)),
    Defect(
      name: "context", offset: 64, value: 0,
      error: .outOfRange(.trainedContext, found: 0, minimum: 1, maximum: 1 << 30)),
    Defect(
      name: "rotated beyond the head", offset: 68, value: 12,
      error: .outOfRange(.rotatedDimensions, found: 12, minimum: 0, maximum: 10)),
    Defect(name: "rotated odd", offset: 68, value: 7, error: .rotatedDimensionsOdd(7)),
    Defect(name: "pairing", offset: 72, value: 3, error: .unknownRopePairing(3)),
    Defect(
      name: "epsilon NaN", offset: 76, value: 0x7FC0_0000,
      error: .epsilonNotPositive(bits: 0x7FC0_0000)),
    Defect(name: "epsilon 0", offset: 76, value: 0, error: .epsilonNotPositive(bits: 0)),
    Defect(name: "flags", offset: 80, value: 8, error: .unknownFlags(8)),
    Defect(
      name: "sections", offset: 84, value: 6, error: .header(.sectionCount, found: 6, expected: 5)),
    Defect(
      name: "matrices", offset: 88, value: 15,
      error: .header(.matrixCount, found: 15, expected: 16)),
    Defect(
      name: "vectors", offset: 92, value: 6, error: .header(.vectorCount, found: 6, expected: 5)),
    Defect(
      name: "escape in the name", offset: 128, value: 0x1B, error: .badText(.modelName)),
    Defect(
      name: "text behind the name", offset: 200, value: 0x41, error: .badText(.modelName)),
    Defect(name: "source name", offset: 96, value: 0x80, error: .badText(.sourceName)),
    Defect(
      name: "checksum", offset: 64, value: 513, isSealed: false,
      error: .headerChecksum(stated: 0, computed: 0)),
  ]

  static let records: [Defect] = [
    Defect(
      name: "section kind", offset: 256, value: 2,
      error: .section(.tokenizer, .role, found: 2, expected: 1)),
    Defect(
      name: "section reserved", offset: 260, value: 1,
      error: .section(.tokenizer, .reserved, found: 1, expected: 0)),
    Defect(
      name: "section offset", offset: 264, value: 0, width: 8,
      error: .section(.tokenizer, .offset, found: 0, expected: 1344)),
    Defect(
      name: "section beyond the end", offset: 272, value: .max, width: 8,
      error: .section(
        .tokenizer, .bytes, found: .max, expected: sample.builder.fileBytes - 1344)),
    Defect(
      name: "rotary bytes", offset: 256 + 64 + 16, value: 40, width: 8,
      error: .section(.rotary, .bytes, found: 40, expected: 32)),
    Defect(
      name: "matrix role", offset: matrix, value: 1,
      error: .matrix(.value, layer: 0, .role, found: 1, expected: 5)),
    Defect(
      name: "matrix layer", offset: matrix + 4, value: 1,
      error: .matrix(.value, layer: 0, .layer, found: 1, expected: 0)),
    Defect(
      name: "format of a later program", offset: matrix + 8, value: 6,
      error: .unknownWeightFormat(.value, layer: 0, 6)),
    Defect(
      name: "matrix rows", offset: matrix + 12, value: 41,
      error: .matrix(.value, layer: 0, .rows, found: 41, expected: 40)),
    Defect(
      name: "matrix columns", offset: matrix + 16, value: 0,
      error: .matrix(.value, layer: 0, .columns, found: 0, expected: 64)),
    Defect(
      name: "matrix reserved", offset: matrix + 20, value: 1,
      error: .matrix(.value, layer: 0, .reserved, found: 1, expected: 0)),
    Defect(
      name: "matrix offset", offset: matrix + 24, value: .max, width: 8,
      error: .matrix(.value, layer: 0, .offset, found: .max, expected: 65_536 * 5)),
    Defect(
      name: "matrix bytes", offset: matrix + 32, value: 1, width: 8,
      error: .matrix(.value, layer: 0, .bytes, found: 1, expected: 2 * 1152)),
    Defect(
      name: "vector role", offset: vector, value: 1,
      error: .vector(.attentionNorm, layer: 0, .role, found: 1, expected: 2)),
    Defect(
      name: "vector layer", offset: vector + 4, value: 5,
      error: .vector(.attentionNorm, layer: 0, .layer, found: 5, expected: 0)),
    Defect(
      name: "vector count", offset: vector + 8, value: 65,
      error: .vector(.attentionNorm, layer: 0, .count, found: 65, expected: 64)),
    Defect(
      name: "vector reserved", offset: vector + 12, value: 1,
      error: .vector(.attentionNorm, layer: 0, .reserved, found: 1, expected: 0)),
    Defect(
      name: "vector offset", offset: vector + 16, value: 0, width: 8,
      error: .vector(.attentionNorm, layer: 0, .offset, found: 0, expected: 256)),
  ]

  @Test(arguments: fixedPart + records) func defectIsNamed(_ defect: Defect) throws {
    var bytes = Self.sample.builder.bytes
    if defect.width == 4 {
      bytes.put(UInt32(defect.value), at: defect.offset)
    } else {
      bytes.put(defect.value, at: defect.offset)
    }
    if defect.isSealed { bytes.seal() }
    let fileBytes = Self.sample.builder.fileBytes
    let found = #expect(throws: ModelFormatError.self) {
      try parse(bytes, fileBytes: fileBytes)
    }
    if case .headerChecksum = defect.error {
      guard case .headerChecksum = found else {
        Issue.record("\(String(describing: found))")
        return
      }
    } else {
      #expect(found == defect.error)
    }
    if let found { #expect(!message(found).isEmpty) }
  }

  @Test func headerOfAnotherSizeIsRefused() {
    var bytes = Self.sample.builder.bytes + [UInt8](repeating: 0, count: 48)
    bytes.put(UInt32(bytes.count), at: 12)
    bytes.seal()
    let found = UInt64(bytes.count)
    #expect(throws: ModelFormatError.header(.headerBytes, found: found, expected: found - 48)) {
      try parse(bytes, fileBytes: Self.sample.builder.fileBytes)
    }
  }

  @Test func anotherFileSizeIsRefused() {
    let builder = Self.sample.builder
    let size = builder.fileBytes
    #expect(throws: ModelFormatError.fileBytes(stated: size, found: size - 1)) {
      try parse(builder.bytes, fileBytes: size - 1)
    }
    var bytes = builder.bytes
    bytes.put(size + 1, at: 16)
    bytes.seal()
    #expect(throws: ModelFormatError.fileBytes(stated: size, found: size + 1)) {
      try parse(bytes, fileBytes: size + 1)
    }
  }

  @Test func messagesNameTheNumbers() {
    #expect(
      message(.olderVersion(found: 1, supported: 3))
        == "format version 1 is older than version 3, the one this program reads: "
        + "pack the GGUF file again")
    #expect(
      message(.newerVersion(found: 7, supported: 3))
        == "format version 7 is newer than this program, which reads up to 3")
    #expect(
      message(.matrix(.down, layer: 3, .bytes, found: .max, expected: 64))
        == "down of layer 3: bytes is 18446744073709551615, expected 64")
    #expect(
      message(.unknownWeightFormat(.embedding, layer: 0, 5))
        == "embedding: unknown weight format 5; a newer program may read it")
  }

  private func message(_ error: ModelFormatError) -> String {
    let start = UnsafeMutablePointer<UInt8>.allocate(capacity: 256)
    unsafe start.initialize(repeating: 0, count: 256)
    defer { unsafe start.deallocate() }
    // SAFETY: allocated above with this count, and initialized; not used after this function.
    let buffer = unsafe FixedBuffer(unsafeBase: start, count: 256)
    var message = TextBuffer(buffer)
    error.describe(into: &message)
    return text(buffer.extracting(0..<message.count))
  }
}
