import Quantization
import TestSupport
import Testing
import Units

@Suite struct WeightLayoutTests {
  @Test func sizes() {
    #expect(WeightFormat.int8.tileBytes(columns: 32) == 576)
    #expect(WeightFormat.int8.tileBytes(columns: 64) == 1088)
    #expect(WeightFormat.int4.tileBytes(columns: 33) == 1152)
    #expect(WeightFormat.int4.tileBytes(columns: 32) == 576)
    #expect(WeightFormat.int4Asymmetric.tileBytes(columns: 32) == 640)
    #expect(WeightFormat.int8.bytes(rows: 17, columns: 64) == 2 * 1088)
    #expect(WeightFormat.int4.bytes(rows: 33, columns: 64) == 2 * 1152)
    #expect(WeightFormat.int8.bitsPerWeight == 8.5)
    #expect(WeightFormat.int4.bitsPerWeight == 4.5)
    #expect(WeightFormat.int4Asymmetric.bitsPerWeight == 5)
    #expect(WeightFormat(rawValue: 4) == nil)
  }

  @Test func sizesFromFilesAreChecked() {
    for format in [WeightFormat.int8, .int4, .int4Asymmetric] {
      #expect(
        format.checkedBytes(rows: 1000, columns: 100)
          == UInt64(format.bytes(rows: 1000, columns: 100)))
      #expect(format.checkedBytes(rows: .max, columns: 1) == nil)
      #expect(format.checkedBytes(rows: 1, columns: .max) == nil)
      #expect(format.checkedBytes(rows: 1 << 40, columns: 1 << 40) == nil)
    }
  }

  @Test func bytesLieWhereTheFormatSays() {
    let int8 = WeightLayout(format: .int8, rows: 16, columns: 64)
    #expect(int8.quantOffset(row: 0, group: 0, k: 0) == (0, false))
    #expect(int8.quantOffset(row: 3, group: 0, k: 2) == (14, false))
    #expect(int8.quantOffset(row: 15, group: 1, k: 31) == (512 + 7 * 64 + 63, false))
    #expect(int8.scaleOffset(row: 2, group: 1) == 1024 + 36)
    // Five groups: two pairs and one alone.
    let odd = WeightLayout(format: .int8, rows: 16, columns: 160)
    #expect(odd.quantOffset(row: 0, group: 2, k: 0) == (2 * 544, false))
    #expect(odd.scaleOffset(row: 0, group: 3) == 2 * 544 + 1024 + 32)
    #expect(odd.quantOffset(row: 0, group: 4, k: 0) == (4 * 544, false))
    #expect(odd.scaleOffset(row: 0, group: 4) == 4 * 544 + 512)
    let int4 = WeightLayout(format: .int4, rows: 32, columns: 64)
    #expect(int4.quantOffset(row: 31, group: 1, k: 31) == (576 + 7 * 64 + 63, true))
    #expect(int4.scaleOffset(row: 31, group: 1) == 576 + 512 + 62)
    let asymmetric = WeightLayout(format: .int4Asymmetric, rows: 32, columns: 64)
    #expect(asymmetric.quantOffset(row: 1, group: 1, k: 7) == (640 + 64 + 7, false))
    #expect(asymmetric.quantOffset(row: 17, group: 1, k: 9) == (640 + 2 * 64 + 5, true))
    #expect(asymmetric.scaleOffset(row: 17, group: 0) == 512 + 34)
    #expect(asymmetric.minimumOffset(row: 17, group: 0) == 512 + 64 + 34)
  }

  /// A signed byte is the nibble of row r plus 16 times (that of row 16 + r less 8).
  @Test func bytesOfTwoRowsAddUp() {
    let layout = WeightLayout(format: .int4, rows: 32, columns: 32)
    for first in 0..<16 {
      for second in 0..<16 {
        let tile = buffer([UInt8](repeating: 0, count: layout.tileBytes))
        for (row, quant) in [(3, first), (19, second)] {
          layout.write(
            QuantizedGroup(quant: Int8(quant), scale: 0x3C00), row: row, group: 0, into: tile)
          #expect(layout.weight(row: row, column: 5, of: tile.bytes) == Float(quant - 8))
        }
        let byte = tile[layout.quantOffset(row: 3, group: 0, k: 5).offset]
        #expect(Int(Int8(bitPattern: byte)) == first + 16 * (second - 8))
      }
    }
  }

  @Test func blocksAreWholeTiles() {
    let int8 = WeightLayout(format: .int8, rows: 80, columns: 32)
    #expect(int8.tiles(of: 0..<1) == 0..<2)
    #expect(int8.tiles(of: 1..<3) == 2..<5)
    let int4 = WeightLayout(format: .int4, rows: 80, columns: 32)
    #expect(int4.tiles(of: 1..<3) == 1..<3)
  }

  @Test func everyByteOfATileIsUsedOnce() {
    for format in [WeightFormat.int8, .int4, .int4Asymmetric] {
      let rows = format.tileRows
      let layout = WeightLayout(format: format, rows: rows, columns: 96)
      var uses = [Int](repeating: 0, count: layout.tileBytes)
      for row in 0..<rows {
        for group in 0..<3 {
          for k in 0..<32 {
            uses[layout.quantOffset(row: row, group: group, k: k).offset] += 1
          }
          for byte in 0..<2 {
            uses[layout.scaleOffset(row: row, group: group) + byte] += format == .int8 ? 1 : 2
            if format == .int4Asymmetric {
              uses[layout.minimumOffset(row: row, group: group) + byte] += 2
            }
          }
        }
      }
      let used = rows * 3 * (32 * format.quantBits / 8 + 2 * format.parametersPerGroup)
      #expect(uses[0..<used].allSatisfy { $0 == (format == .int8 ? 1 : 2) })
      #expect(uses[used...].allSatisfy { $0 == 0 })
    }
  }
}
