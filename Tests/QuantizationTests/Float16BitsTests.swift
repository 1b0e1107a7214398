import Quantization
import Testing

@Suite struct Float16BitsTests {
  @Test func everyHalfRoundTrips() {
    for bits in UInt16.min...UInt16.max {
      let value = Float16Bits.float(bits)
      let isNaN = bits & 0x7FFF > 0x7C00
      #expect(value.isNaN == isNaN)
      if !isNaN { #expect(Float16Bits.bits(value) == bits) }
    }
  }

  @Test func valuesAreExact() {
    #expect(Float16Bits.float(0x3C00) == 1)
    #expect(Float16Bits.float(0xC000) == -2)
    #expect(Float16Bits.float(1) == 0x1p-24)
    #expect(Float16Bits.float(0x03FF) == 0x3FFp-24)
    #expect(Float16Bits.float(0x7BFF) == 65504)
    #expect(Float16Bits.float(0x7C00) == .infinity)
  }

  @Test func roundingIsToNearestEven() {
    for bits in UInt16(0)..<0x7BFF {
      let low = Float16Bits.float(bits)
      let high = Float16Bits.float(bits + 1)
      let middle = low + (high - low) / 2
      #expect(Float16Bits.bits(middle) == (bits & 1 == 0 ? bits : bits + 1))
      #expect(Float16Bits.bits(middle.nextDown) == bits)
      #expect(Float16Bits.bits(middle.nextUp) == bits + 1)
      #expect(Float16Bits.bits(-middle.nextUp) == (bits + 1) | 0x8000)
    }
    #expect(Float16Bits.bits(Float(65520).nextDown) == 0x7BFF)
    #expect(Float16Bits.bits(65520) == 0x7C00)
    #expect(Float16Bits.bits(.greatestFiniteMagnitude) == 0x7C00)
    #expect(Float16Bits.bits(.leastNonzeroMagnitude) == 0)
    #expect(Float16Bits.bits(-.leastNonzeroMagnitude) == 0x8000)
    #expect(Float16Bits.finiteBits(1e30) == 0x7BFF)
    #expect(Float16Bits.finiteBits(-1e30) == 0xFBFF)
  }
}
