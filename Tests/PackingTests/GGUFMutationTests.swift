import Foundation
import ModelFormat
import Packing
import Testing
import Units

/// How many cases each of the ten seeds runs: `TERRARIUM_MUTATIONS`, or few enough for every build.
///
/// The full run is 10,000, under the address sanitizer and optimized.
private let casesPerSeed =
  ProcessInfo.processInfo.environment["TERRARIUM_MUTATIONS"].flatMap { Int($0) } ?? 300

/// Damaged GGUF headers, by seed: each gives a named error or a model whose plan is valid.
@Suite struct GGUFMutationTests {
  @Test(arguments: 0..<10) func mutatedFilesNeverTrap(_ seed: UInt64) {
    var generator = SeededGenerator(state: seed)
    let samples = ["llama", "qwen2", "qwen3"].map { architecture in
      var tiny = TinyModel(architecture)
      tiny.layers = 1
      tiny.vocabulary = 12
      tiny.modelDimension = 32
      tiny.headDimension = 8
      tiny.feedForwardDimension = 32
      return tiny.builder
    }
    let plain = samples.map { ($0.headerBytes, UInt64($0.bytes.count)) }
    var accepted = 0
    for _ in 0..<casesPerSeed {
      let index = Int.random(in: 0..<samples.count, using: &generator)
      var (bytes, fileBytes) = plain[index]
      if Bool.random(using: &generator) {
        var builder = samples[index]
        mutate(&builder, &generator)
        bytes = builder.headerBytes
      }
      for _ in 0..<Int.random(in: 0...3, using: &generator) {
        mutate(&bytes, &fileBytes, &generator)
      }
      fileBytes = max(fileBytes, UInt64(bytes.count))
      if isAccepted(bytes, fileBytes) { accepted += 1 }
    }
    #expect(accepted > 0, "seed \(seed)")
  }

  /// Takes the way of `plan` on a GGUF file; whether it gets to the end.
  private func isAccepted(_ bytes: [UInt8], _ fileBytes: UInt64) -> Bool {
    do {
      let header = try GGUFHeader(bytes: bytes, fileBytes: fileBytes)
      for tensor in try header.tensors() {
        #expect(tensor.bytes <= fileBytes && tensor.offset <= fileBytes - tensor.bytes)
      }
      let planned = try Packer.headerBytes(of: header)
      let memory = UnsafeMutablePointer<UInt8>.allocate(capacity: planned.count)
      defer { unsafe memory.deallocate() }
      for (index, byte) in planned.enumerated() { unsafe memory[index] = byte }
      // SAFETY: allocated above with this count, and initialized; not used after this function.
      let buffer = unsafe FixedBuffer(unsafeBase: memory, count: planned.count)
      let packBytes = buffer.bytes.loadLittleEndian(at: 16, as: UInt64.self)
      _ = try PackHeader(validating: buffer, fileBytes: packBytes)
      return true
    } catch let error as ModelFormatError {
      Issue.record("the planned header is invalid: \(error)")
      return false
    } catch {
      return false
    }
  }

  private static let interesting: [UInt64] = [
    0, 1, 2, 3, 4, 5, 7, 8, 9, 13, 31, 32, 33, 255, 256, 65_535, 65_536, 1 << 31 - 1, 1 << 31,
    1 << 32 - 1, 1 << 32, 1 << 32 + 1, 1 << 61, 1 << 62, 1 << 63, .max - 31, .max - 1, .max,
  ]

  /// Damages the structure: values, types, counts, order.
  private func mutate(_ builder: inout GGUFBuilder, _ generator: inout SeededGenerator) {
    let value = Self.interesting.randomElement(using: &generator) ?? 0
    let key = Int.random(in: 0..<builder.keys.count, using: &generator)
    let tensor = Int.random(in: 0..<builder.tensors.count, using: &generator)
    switch Int.random(in: 0..<13, using: &generator) {
    case 0: builder.keys[key].value = .uint32(UInt32(truncatingIfNeeded: value))
    case 1: builder.keys[key].value = .uint64(value)
    case 2: builder.keys[key].value = .float32(Float(bitPattern: UInt32(value & 0xFFFF_FFFF)))
    case 3:
      let type = UInt32.random(in: 0...14, using: &generator)
      let count = Int.random(in: 0...40, using: &generator)
      builder.keys[key].value = .raw(type: type, generator.bytes(count))
    case 4: builder.keys.remove(at: key)
    case 5: builder.keys.append(builder.keys[key])
    case 6: builder.tensors[tensor].type = UInt32.random(in: 0...41, using: &generator)
    case 7:
      let axis = Int.random(
        in: 0..<builder.tensors[tensor].dimensions.count, using: &generator)
      builder.tensors[tensor].dimensions[axis] = value
    case 8: builder.tensors[tensor].offset = value
    case 9:
      builder.tensors[tensor].dimensions += [value]
    case 10: builder.tensors.append(builder.tensors[tensor])
    case 11: builder.keyCount = value
    default: builder.tensorCount = value
    }
  }

  /// Damages bytes, whatever they mean.
  private func mutate(
    _ bytes: inout [UInt8], _ fileBytes: inout UInt64, _ generator: inout SeededGenerator
  ) {
    guard bytes.count > 16 else { return }
    let offset = Int.random(in: 0..<bytes.count - 8, using: &generator)
    let value = Self.interesting.randomElement(using: &generator) ?? 0
    switch Int.random(in: 0..<5, using: &generator) {
    case 0: bytes[offset] ^= 1 << UInt8.random(in: 0..<8, using: &generator)
    case 1: bytes[offset] = UInt8(truncatingIfNeeded: value)
    case 2:
      for byte in 0..<8 {
        bytes[offset + byte] = UInt8(truncatingIfNeeded: value >> (8 * UInt64(byte)))
      }
    case 3: bytes.removeSubrange(offset..<offset + Int.random(in: 1...8, using: &generator))
    default: fileBytes = max(value % (1 << 40), UInt64(bytes.count))
    }
  }
}
