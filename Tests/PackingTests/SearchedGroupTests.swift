import Packing
import Quantization
import Testing
import Units

@Suite struct SearchedGroupTests {
  @Test func scaleIsTheBestOfItsCandidates() {
    var generator = SeededGenerator(state: 3)
    for magnitude: Float in [1, 1e-3, 300, 1e-6, 6e-8] {
      for _ in 0..<50 {
        let values = random(&generator, magnitude: magnitude)
        let group = SearchedGroup.int8(values)
        let reference = slowInt8(values)
        #expect(group.scale == reference.scale)
        for index in 0..<32 { #expect(group.quants[index] == reference.quants[index]) }
      }
    }
  }

  @Test func searchBeatsTheLargestMagnitude() {
    var generator = SeededGenerator(state: 4)
    var searched = 0.0
    var plain = 0.0
    for _ in 0..<200 {
      let values = random(&generator, magnitude: 1)
      searched += error(SearchedGroup.int8(values), values)
      plain += error(QuantizedGroup.int8(values), values)
    }
    #expect(searched < 0.9 * plain)
  }

  @Test func fastFourBitSearchEqualsTheSlowOne() {
    var generator = SeededGenerator(state: 5)
    for magnitude: Float in [0, 1, 1e-3, 300, 1e-6, 5e-8, 1e-9, 1e5, 1e7, 1e30] {
      for _ in 0..<100 {
        var values = random(&generator, magnitude: magnitude)
        if Bool.random(using: &generator) { values[7] *= 5 }
        let fast = SearchedGroup.int4(values)
        let slow = QuantizedGroup.int4(values)
        #expect(fast.scale == slow.scale)
        for index in 0..<32 { #expect(fast.quants[index] == slow.quants[index]) }
      }
    }
  }

  @Test func extremesStayInRange() {
    for magnitude: Float in [
      0, .leastNonzeroMagnitude, 1e-9, 8.3e6, 1e20, .greatestFiniteMagnitude,
    ] {
      var values = InlineArray<32, Float>(repeating: 0)
      values[3] = magnitude
      values[4] = -magnitude
      let group = SearchedGroup.int8(values)
      for index in 0..<32 { #expect(group.quants[index] >= -127) }
      #expect(group.scale < 0x7C00)
      if magnitude == 0 { #expect(group.scale == 0) }
    }
  }

  private func random(
    _ generator: inout SeededGenerator, magnitude: Float
  ) -> InlineArray<32, Float> {
    var values = InlineArray<32, Float>(repeating: 0)
    for index in 0..<32 {
      values[index] = Float.random(in: -magnitude...magnitude, using: &generator)
    }
    return values
  }

  private func error(_ group: QuantizedGroup, _ values: InlineArray<32, Float>) -> Double {
    (0..<32).reduce(0) { sum, index in
      let difference = Double(group.value(index, format: .int8)) - Double(values[index])
      return sum + difference * difference
    }
  }

  /// The search as its comment states it, value by value.
  private func slowInt8(_ values: InlineArray<32, Float>) -> QuantizedGroup {
    let maximum = (0..<32).map { values[$0].magnitude }.max() ?? 0
    let start = Int(Float16Bits.finiteBits(maximum / 127))
    var best: QuantizedGroup?
    var bestError = Float.infinity
    for bits in (start - 1)...(start + 14) where bits > 0 && bits < 0x7C00 {
      var group = QuantizedGroup(scale: UInt16(bits))
      let scale = Float16Bits.float(group.scale)
      let inverse = 1 / scale
      guard maximum * inverse < 127.49 else { continue }
      var lanes = [Float](repeating: 0, count: 8)
      for index in 0..<32 {
        let rounded = (values[index] * inverse).rounded(.toNearestOrEven)
        group.quants[index] = Int8(rounded)
        let difference = rounded * scale - values[index]
        lanes[index % 8] += difference * difference
      }
      let four = (0..<4).map { lanes[$0] + lanes[$0 + 4] }
      let sum = (four[0] + four[2]) + (four[1] + four[3])
      if sum < bestError {
        best = group
        bestError = sum
      }
    }
    return best ?? QuantizedGroup.int8(values)
  }
}
