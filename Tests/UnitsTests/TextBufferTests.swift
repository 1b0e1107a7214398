import TestSupport
import Testing
import Units

@Suite struct TextBufferTests {
  /// The slow way to group: a comma before every third digit from the right.
  private func grouped(_ value: Int) -> String {
    var result = ""
    for (index, digit) in String(value.magnitude).reversed().enumerated() {
      if index > 0 && index % 3 == 0 { result = "," + result }
      result = String(digit) + result
    }
    return (value < 0 ? "-" : "") + result
  }

  @Test func integers() {
    var values = [0, 1, -1, 7, 9, 10, 99, 100, 999, 1000, 1001, 999_999, 1_000_000, .max, .min]
    values += values.map { 0 &- $0 }
    for value in values {
      #expect(text { $0.append(value) } == String(value))
      #expect(text { $0.append(grouped: value) } == grouped(value))
      for width in [0, 1, 3, 5, 12, 30] {
        let (plain, withCommas) = (String(value), grouped(value))
        let left = String(repeating: " ", count: max(width - plain.count, 0))
        #expect(text { $0.append(value, width: width) } == left + plain)
        let more = String(repeating: " ", count: max(width - withCommas.count, 0))
        #expect(text { $0.append(grouped: value, width: width) } == more + withCommas)
      }
    }
    #expect(text { $0.append(grouped: 1_234_567, width: 12) } == "   1,234,567")
    #expect(text { $0.append(grouped: Int.min) } == "-9,223,372,036,854,775,808")
  }

  @Test func fractions() {
    let cases: [(Double, Int, String)] = [
      (0, 0, "0"), (0, 2, "0.00"), (-0.0, 1, "0.0"), (0.5, 0, "1"), (1.5, 0, "2"), (2.5, 0, "3"),
      (-0.5, 0, "-1"), (-0.4, 0, "0"), (-0.04, 1, "0.0"), (-0.05, 1, "-0.1"), (0.125, 2, "0.13"),
      (1.005, 2, "1.00"), (9.995, 1, "10.0"), (999.96, 1, "1000.0"), (0.999999, 6, "0.999999"),
      (12.000001, 6, "12.000001"), (123456789.25, 1, "123456789.3"), (1e14, 0, "100000000000000"),
      (1e15, 0, "-"), (1e300, 3, "-"), (-1e300, 3, "-"), (1e14, 6, "-"), (.nan, 2, "-"),
      (.infinity, 2, "-"), (-.infinity, 2, "-"),
    ]
    for (value, decimals, expected) in cases {
      #expect(text { $0.append(value, decimals: decimals) } == expected, "\(value)")
    }
  }

  @Test func jsonIsEscaped() {
    let source = bytes("a\"b\\c\nd\te\u{1}\u{1F}\u{7F}é€😀/")
    #expect(
      text { $0.append(json: source.bytes) }
        == "\"a\\\"b\\\\c\\nd\\u0009e\\u0001\\u001f\u{7F}é€😀/\"")
    #expect(text { $0.append(json: bytes("").bytes) } == "\"\"")
    for byte in UInt8(0)..<128 {
      let escaped = text { $0.append(jsonEscaped: byte) }
      let isPlain = byte >= 32 && byte != 34 && byte != 92
      #expect(isPlain == (escaped.utf8.count == 1))
      #expect(escaped.utf8.allSatisfy { $0 >= 32 })
    }
  }

  @Test func hexadecimalIsLowercase() {
    #expect(
      text { $0.append(hexadecimal: buffer([0, 9, 10, 0xAF, 0xFF] as [UInt8]).bytes) }
        == "00090aafff")
  }

  @Test func literalsBytesAndPadding() {
    #expect(text { $0.append("héllo") } == "héllo")
    #expect(text { $0.append(bytes("wörld").bytes) } == "wörld")
    #expect(
      text {
        $0.pad(3)
        $0.append(byte: 120)
        $0.pad(0)
        $0.pad(-5)
      } == "   x")
  }

  @Test func whatDoesNotFitIsDroppedAndSaid() {
    for capacity in 0...12 {
      let storage = buffer([UInt8](repeating: 46, count: 20))
      var text = TextBuffer(storage.extracting(0..<capacity))
      #expect(text.freeCapacity == capacity)
      text.append("0123456789")
      #expect(string(text.bytes) == String("0123456789".prefix(capacity)))
      #expect(text.count == min(capacity, 10))
      #expect(text.freeCapacity == max(capacity - 10, 0))
      #expect(text.isTruncated == (capacity < 10))
      #expect(storage[min(capacity, 10)] == 46, "nothing is written behind the storage")
      text.removeAll()
      #expect(text.count == 0 && !text.isTruncated)
      #expect(text.bytes.byteCount == 0)
    }
  }
}
