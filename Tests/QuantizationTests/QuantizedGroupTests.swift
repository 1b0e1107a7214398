import Quantization
import Testing
import Units

@Suite struct QuantizedGroupTests {
  private func values(_ seed: UInt64, scale: Float = 1) -> InlineArray<32, Float> {
    var generator = seed
    return InlineArray { _ in
      generator = generator &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return Float(Int32(truncatingIfNeeded: generator >> 32)) / 2_147_483_648 * scale
    }
  }

  private func error(
    _ group: QuantizedGroup, _ values: InlineArray<32, Float>, _ format: WeightFormat
  ) -> Double {
    (0..<32).reduce(0.0) { sum, index in
      let difference = Double(group.value(index, format: format)) - Double(values[index])
      return sum + difference * difference
    }
  }

  @Test func zeroGroupsStayZero() {
    let zeros = InlineArray<32, Float>(repeating: 0)
    for index in 0..<32 {
      #expect(QuantizedGroup.int8(zeros).value(index, format: .int8) == 0)
      #expect(QuantizedGroup.int4(zeros).value(index, format: .int4) == 0)
      #expect(QuantizedGroup.int4Asymmetric(zeros).value(index, format: .int4Asymmetric) == 0)
    }
  }

  @Test func int8IsWithinHalfAStep() {
    for seed in 0..<50 {
      let values = values(UInt64(seed))
      let group = QuantizedGroup.int8(values)
      let step = Float16Bits.float(group.scale)
      for index in 0..<32 {
        let difference = (group.value(index, format: .int8) - values[index]).magnitude
        #expect(difference <= step * 0.57)
      }
    }
  }

  @Test func int4IsTheBestOfItsCandidates() {
    for seed in 0..<50 {
      let values = values(UInt64(seed))
      let best = error(QuantizedGroup.int4(values), values, .int4)
      var largest: Float = 0
      for index in 0..<32 { largest = max(largest, values[index].magnitude) }
      for candidate in 0..<32 {
        let factor = Float(70 + 3 * (candidate / 2)) / 100 * (candidate % 2 == 0 ? 1 : -1)
        var group = QuantizedGroup(scale: Float16Bits.bits(largest * factor / 8))
        let scale = Float16Bits.float(group.scale)
        for index in 0..<32 {
          let quant = (values[index] / scale).rounded(.toNearestOrEven)
          group.quants[index] = Int8(max(-8, min(7, quant))) + 8
        }
        #expect(best <= error(group, values, .int4) * 1.00001)
      }
    }
  }

  @Test func asymmetricRecoversWhatWasQuantized() {
    for seed in 0..<50 {
      let noise = values(UInt64(seed))
      var group = QuantizedGroup(scale: 0x2C12, minimum: 0xB5A1)
      let spread = Float(seed % 15 + 1)
      for index in 0..<32 {
        group.quants[index] = Int8((noise[index] + 1) / 2 * spread)
      }
      group.quants[0] = 0
      group.quants[1] = Int8(spread)
      let original = group
      let values = InlineArray<32, Float> { original.value($0, format: .int4Asymmetric) }
      let found = QuantizedGroup.int4Asymmetric(values)
      #expect(error(found, values, .int4Asymmetric) < 1e-6)
    }
  }

  @Test func asymmetricBeatsTheNaiveRange() {
    for seed in 0..<50 {
      let values = values(UInt64(seed), scale: 0.05)
      var (low, high) = (values[0], values[0])
      for index in 0..<32 {
        low = min(low, values[index])
        high = max(high, values[index])
      }
      var naive = QuantizedGroup(
        scale: Float16Bits.bits((high - low) / 15), minimum: Float16Bits.bits(low))
      let scale = Float16Bits.float(naive.scale)
      for index in 0..<32 {
        let quant = ((values[index] - Float16Bits.float(naive.minimum)) / scale).rounded()
        naive.quants[index] = Int8(max(0, min(15, quant)))
      }
      let found = QuantizedGroup.int4Asymmetric(values)
      #expect(
        error(found, values, .int4Asymmetric) <= error(naive, values, .int4Asymmetric))
    }
  }

  @Test func hugeValuesKeepFiniteScales() {
    let values = values(3, scale: 3e38)
    for format in [WeightFormat.int8, .int4, .int4Asymmetric] {
      let group: QuantizedGroup =
        switch format {
        case .int8: .int8(values)
        case .int4: .int4(values)
        case .int4Asymmetric: .int4Asymmetric(values)
        }
      for index in 0..<32 { #expect(group.value(index, format: format).isFinite) }
    }
  }

  @Test func hadamardIsItsOwnInverse() {
    for (dimension, block) in [(8, 8), (48, 16), (80, 16), (96, 32), (128, 32), (64, 32), (6, 2)] {
      #expect(WalshHadamard.blockLength(headDimension: dimension) == block)
      let values = (0..<dimension).map { Float($0 * $0 % 31) - 15 }
      let memory = UnsafeMutablePointer<Float>.allocate(capacity: dimension)
      unsafe memory.initialize(from: values, count: dimension)
      let head = unsafe FixedBuffer(unsafeBase: memory, count: dimension)
      WalshHadamard.transform(head, blockLength: block)
      // Element 0 of the first block is the sum over √n.
      let sum = values[0..<block].reduce(0, +)
      #expect((head[0] - sum / Float(block).squareRoot()).magnitude < 1e-4)
      WalshHadamard.transform(head, blockLength: block)
      for index in 0..<dimension { #expect((head[index] - values[index]).magnitude < 1e-4) }
      unsafe memory.deallocate()
    }
  }
}
