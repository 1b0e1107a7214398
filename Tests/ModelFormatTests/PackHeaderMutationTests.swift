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

/// Damaged headers, by seed: each gives a named error or a header that is consistent.
@Suite struct PackHeaderMutationTests {
  @Test(arguments: 0..<10) func mutatedHeadersNeverTrap(_ seed: UInt64) {
    var generator = SeededGenerator(state: seed)
    var accepted = 0
    for _ in 0..<casesPerSeed {
      let sample = Sample.all[Int.random(in: 0..<Sample.all.count, using: &generator)]
      let builder = sample.builder
      var bytes = builder.bytes
      var fileBytes = builder.fileBytes
      for _ in 0..<Int.random(in: 1...3, using: &generator) {
        mutate(&bytes, &fileBytes, &generator)
      }
      // Most cases repair checksum and size, so that the checks behind these are reached.
      if Int.random(in: 0..<10, using: &generator) > 0 && bytes.count >= 32 { bytes.seal() }
      guard let header = try? parse(bytes, fileBytes: fileBytes) else { continue }
      accepted += 1
      check(header)
      unsafe header.bytes.unsafeBaseAddress.deallocate()
    }
    // Checksums of sections and names may change freely, so some mutations must survive.
    #expect(accepted > 0, "seed \(seed)")
  }

  private func mutate(
    _ bytes: inout [UInt8], _ fileBytes: inout UInt64, _ generator: inout SeededGenerator
  ) {
    guard bytes.count >= 32 else { return }
    let interesting: [UInt64] = [
      0, 1, 2, 3, 5, 31, 32, 63, 64, 255, 256, 65_535, 65_536, 1 << 31, 1 << 32 - 1, 1 << 32,
      1 << 62, 1 << 63, .max - 63, .max - 1, .max,
    ]
    let value = interesting.randomElement(using: &generator) ?? 0
    switch Int.random(in: 0..<7, using: &generator) {
    case 0:
      let offset = Int.random(in: 0..<bytes.count / 4, using: &generator) * 4
      bytes.put(UInt32(truncatingIfNeeded: value), at: offset)
    case 1:
      let offset = Int.random(in: 0..<bytes.count / 8, using: &generator) * 8
      bytes.put(value, at: offset)
    case 2:
      bytes[Int.random(in: 0..<bytes.count, using: &generator)] ^=
        1 << UInt8.random(in: 0..<8, using: &generator)
    case 3: bytes.removeLast(Int.random(in: 1...min(64, bytes.count - 1), using: &generator))
    case 4:
      // One of the hyperparameters by a little, the size of the header left as it was.
      let offset = 32 + 4 * Int.random(in: 0..<16, using: &generator)
      if offset < bytes.count { bytes[offset] = bytes[offset] &+ 1 }
    case 5:
      fileBytes = value
      bytes.put(value, at: 16)
    default:
      let count = UInt32.random(in: 0...2_000, using: &generator)
      bytes.put(count, at: 12)
    }
  }

  /// Walks everything that a launch would and checks that it lies in the file.
  private func check(_ header: PackHeader) {
    let model = header.hyperparameters
    var end = UInt64(header.bytes.count)
    for raw in 1...5 {
      guard let kind = SectionKind(rawValue: UInt32(raw)) else { continue }
      let section = header.section(kind)
      #expect(section.offset >= end && section.bytes <= header.fileBytes - section.offset)
      end = section.offset + section.bytes
    }
    #expect(end == header.fileBytes)
    end = header.section(.matrices).offset
    for index in 0..<model.matrixCount {
      let matrix = header.matrix(at: index)
      #expect(matrix.offset >= end && matrix.bytes <= header.fileBytes - matrix.offset)
      end = matrix.offset + matrix.bytes
    }
    for index in 0..<model.vectorCount {
      let vector = header.vector(at: index)
      #expect(vector.offset + UInt64(vector.count) * 4 <= header.section(.vectors).bytes)
    }
    _ = text(header.modelName) + text(header.sourceName)
  }
}
