import Quantization
import Testing
import Units

@Suite struct WeightLayoutTests {
  @Test func sizes() {
    #expect(WeightFormat.int8.tileBytes(columns: 32) == 576)
    #expect(WeightFormat.int8.tileBytes(columns: 64) == 1088)
    #expect(WeightFormat.int4.tileBytes(columns: 33) == 576)
    #expect(WeightFormat.int4.tileBytes(columns: 32) == 320)
    #expect(WeightFormat.int4Asymmetric.tileBytes(columns: 32) == 320)
    #expect(WeightFormat.int8.bytes(rows: 17, columns: 64) == 2 * 1088)
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
    let int4 = WeightLayout(format: .int4Asymmetric, rows: 16, columns: 64)
    #expect(int4.quantOffset(row: 1, group: 1, k: 7) == (256 + 7, true))
    #expect(int4.quantOffset(row: 1, group: 1, k: 9) == (256 + 64 + 5, false))
    #expect(int4.scaleOffset(row: 0, group: 0) == 512)
    #expect(int4.minimumOffset(row: 1, group: 0) == 512 + 64 + 2)
    // Five groups: two pairs and one alone.
    let odd = WeightLayout(format: .int4Asymmetric, rows: 16, columns: 160)
    #expect(odd.quantOffset(row: 0, group: 2, k: 0) == (2 * 320, false))
    #expect(odd.scaleOffset(row: 0, group: 3) == 2 * 320 + 512 + 32)
    #expect(odd.minimumOffset(row: 0, group: 3) == 2 * 320 + 512 + 64 + 32)
    #expect(odd.quantOffset(row: 0, group: 4, k: 0) == (4 * 320, false))
    #expect(odd.scaleOffset(row: 0, group: 4) == 4 * 320 + 256)
    #expect(odd.minimumOffset(row: 0, group: 4) == 4 * 320 + 256 + 32)
  }

  @Test func everyByteOfATileIsUsedOnce() {
    for format in [WeightFormat.int8, .int4, .int4Asymmetric] {
      let layout = WeightLayout(format: format, rows: 16, columns: 96)
      var uses = [Int](repeating: 0, count: layout.tileBytes)
      for row in 0..<16 {
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
      let used = 16 * 3 * (32 * format.quantBits / 8 + 2 * format.parametersPerGroup)
      #expect(uses[0..<used].allSatisfy { $0 == (format == .int8 ? 1 : 2) })
      #expect(uses[used...].allSatisfy { $0 == 0 })
    }
  }
}
