import Kernels
import ModelFormat
import Packing
import Quantization
import Testing
import Units

/// A model and the formats of its matrices, from which a header is made.
struct Sample: Sendable, CustomTestStringConvertible {
  let model: Hyperparameters
  let formats: [WeightFormat]

  var testDescription: String {
    "\(model.architecture), tied \(model.hasTiedOutput), bias \(model.hasQueryKeyValueBias), "
      + "norms \(model.hasQueryKeyNorm)"
  }

  let builder: PackHeaderBuilder

  init(
    _ architecture: Architecture, tied: Bool, bias: Bool, norms: Bool, layers: Int = 2
  ) {
    model = Hyperparameters(
      architecture: architecture, layers: layers, modelDimension: 64, queryHeads: 8, kvHeads: 4,
      headDimension: 10, feedForwardDimension: 172, vocabulary: 300, trainedContext: 512,
      rotatedDimensions: 8, ropePairing: architecture == .llama ? .interleaved : .split,
      rmsEpsilon: 1e-5, hasTiedOutput: tied, hasQueryKeyValueBias: bias, hasQueryKeyNorm: norms)
    let all: [WeightFormat] = [.int8, .int4, .int4Asymmetric]
    formats = (0..<model.matrixCount).map { all[$0 % 3] }
    builder = PackHeaderBuilder(
      model, name: "a model", sourceName: "GGUF F16", formats: formats, tokenizerBytes: 1000,
      templateBytes: 77)
  }

  static let all = [
    Sample(.llama, tied: false, bias: false, norms: false),
    Sample(.llama, tied: true, bias: false, norms: false),
    Sample(.qwen2, tied: true, bias: true, norms: false, layers: 3),
    Sample(.qwen3, tied: false, bias: false, norms: true, layers: 1),
    Sample(.qwen3, tied: true, bias: true, norms: true),
  ]
}

/// Validates a header that lies in memory of its very size, so that a sanitizer sees any overrun.
///
/// The memory is given back; what is returned is backed by memory that is not.
func parse(_ bytes: [UInt8], fileBytes: UInt64) throws(ModelFormatError) -> PackHeader {
  let start = UnsafeMutablePointer<UInt8>.allocate(capacity: max(bytes.count, 1))
  for (index, byte) in bytes.enumerated() { unsafe start[index] = byte }
  // SAFETY: allocated above with this count, and initialized.
  let buffer = unsafe FixedBuffer(unsafeBase: start, count: bytes.count)
  do throws(ModelFormatError) {
    return try PackHeader(validating: buffer, fileBytes: fileBytes)
  } catch {
    unsafe start.deallocate()
    throw error
  }
}

/// The text in a buffer.
func text(_ buffer: FixedBuffer<UInt8>) -> String {
  String(decoding: (0..<buffer.count).map { buffer[$0] }, as: UTF8.self)
}

extension [UInt8] {
  /// Overwrites a little-endian number.
  mutating func put<Value: FixedWidthInteger>(_ value: Value, at offset: Int) {
    for byte in 0..<MemoryLayout<Value>.size {
      self[offset + byte] = UInt8(truncatingIfNeeded: value >> Value(8 * byte))
    }
  }

  /// Makes the header's checksum right again, so that other checks come into play.
  mutating func seal() {
    // SAFETY: bytes have no padding.
    put(unsafe PackHeader.checksum(ofHeader: span.bytes), at: 24)
  }
}

/// A generator with a seed: SplitMix64.
struct SeededGenerator: RandomNumberGenerator {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ z >> 30) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ z >> 27) &* 0x94D0_49BB_1331_11EB
    return z ^ z >> 31
  }
}
