import Foundation
import Packing
import Quantization
import Testing
import Units

@Suite struct DequantizationTests {
  @Test(arguments: TensorType.allCases) func everyTypeMatchesTheReference(_ type: TensorType) throws
  {
    let url = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
      .appendingPathComponent("Fixtures/dequantization.txt")
    let lines = try String(contentsOf: url, encoding: .utf8).split(separator: "\n")
    let line = try #require(lines.first { $0.hasPrefix(type.name + " ") })
    let fields = line.split(separator: " ")
    let count = try #require(Int(fields[1]))
    let seed = try #require(UInt64(fields[2]))
    var generator = SeededGenerator(state: seed)
    var bytes = generator.bytes(count * type.blockBytes)
    for block in 0..<count {
      for offset in TinyModel.halves(type) { bytes[block * type.blockBytes + offset + 1] &= 0xBF }
    }
    let values = dequantized(type, bytes)
    var hash = SHA256()
    hash.update(values.bytes)
    let text = zeros(64, of: UInt8.self)
    var hexadecimal = TextBuffer(text)
    let digest = hash.digest
    // SAFETY: bytes have no padding.
    unsafe hexadecimal.append(hexadecimal: digest.span.bytes)
    #expect(String(decoding: text.array, as: UTF8.self) == fields[3])
  }

  @Test func carriedGroupsKeepEveryWeight() throws {
    let pairs: [(TensorType, WeightFormat)] = [
      (.q80, .int8), (.q50, .int8), (.q40, .int8), (.q40, .int4), (.q41, .int4Asymmetric),
    ]
    for (type, format) in pairs {
      var generator = SeededGenerator(state: 7)
      var bytes = TinyModel.blocks(type, count: 100, &generator)
      if type == .q80 {
        for index in bytes.indices where index % 34 >= 2 && bytes[index] == 0x80 {
          bytes[index] = 0x81
        }
      }
      let values = dequantized(type, bytes)
      for group in 0..<100 {
        let found = CarriedGroup.carried(type, as: format, bytes.rawSpan, group: group)
        let carried = try #require(found)
        for index in 0..<32 {
          #expect(carried.value(index, format: format) == values[group * 32 + index])
        }
      }
    }
  }

  @Test func superBlocksKeepTheirNibbles() throws {
    var generator = SeededGenerator(state: 8)
    let bytes = TinyModel.blocks(.q4K, count: 40, &generator)
    let values = dequantized(.q4K, bytes)
    for group in 0..<320 {
      let found = CarriedGroup.carried(
        .q4K, as: .int4Asymmetric, bytes.rawSpan, group: group)
      let carried = try #require(found)
      // Scale and minimum are rounded to 11 bits, or to the smallest half.
      let scale = Float16Bits.float(carried.scale).magnitude
      let minimum = Float16Bits.float(carried.minimum).magnitude
      let bound = (15 * scale + minimum) / 2048 + 16 * 0x1p-25
      for index in 0..<32 {
        let value = carried.value(index, format: .int4Asymmetric)
        #expect((value - values[group * 32 + index]).magnitude <= bound)
      }
    }
  }

  @Test func whatCannotBeCarriedIsSearched() {
    var bytes = [UInt8](repeating: 1, count: 34)
    #expect(isCarried(.q80, as: .int8, bytes))
    bytes[20] = 0x80
    #expect(!isCarried(.q80, as: .int8, bytes))
    #expect(!isCarried(.q80, as: .int4, bytes))
    let wide = [UInt8](repeating: 0x7B, count: 210)
    #expect(!isCarried(.q6K, as: .int8, wide))
    // A scale of 63 × 61,312 is beyond the halves.
    #expect(!isCarried(.q4K, as: .int4Asymmetric, wide))
  }

  private func isCarried(_ type: TensorType, as format: WeightFormat, _ bytes: [UInt8]) -> Bool {
    CarriedGroup.carried(type, as: format, bytes.rawSpan, group: 0) != nil
  }

  private func dequantized(_ type: TensorType, _ bytes: [UInt8]) -> FixedBuffer<Float> {
    let columns = bytes.count / type.blockBytes * type.blockElements
    let values = zeros(columns, of: Float.self)
    Dequantization.row(type, bytes.rawSpan, columns: columns, into: values)
    return values
  }
}
