import TestSupport
import Testing
import Units

@Suite struct ArithmeticTests {
  @Test func divisionRoundsUp() {
    for value in -40...40 {
      for divisor in 1...9 {
        let quotient = value.dividedRoundingUp(by: divisor)
        #expect(quotient * divisor >= value && (quotient - 1) * divisor < value)
        let rounded = value.roundedUp(toMultipleOf: divisor)
        #expect(rounded == (value...value + 8).first { $0 % divisor == 0 })
      }
    }
    #expect(Int.max.dividedRoundingUp(by: 2) == 1 << 62)
    #expect(UInt64.max.dividedRoundingUp(by: 1) == .max)
    #expect(UInt8(250).roundedUp(toMultipleOf: 250) == 250)
  }

  @Test func roundingUpTrapsOnOverflowAndBadDivisors() async {
    // Printed, so that the optimizer cannot leave out what traps.
    await #expect(processExitsWith: .failure) { print(Int.max.roundedUp(toMultipleOf: 4096)) }
    await #expect(processExitsWith: .failure) { print(5.dividedRoundingUp(by: 0)) }
    await #expect(processExitsWith: .failure) { print(5.dividedRoundingUp(by: -1)) }
  }

  @Test func checkedArithmeticIsNilOnOverflow() {
    let values: [UInt64] = [
      0, 1, 2, 63, 64, 65, 4095, 1 << 31, 1 << 32, (1 << 32) + 1, 1 << 62, 1 << 63, .max - 64,
      .max - 63, .max - 1, .max,
    ]
    for a in values {
      for b in values {
        // The slow way: in 128 bits.
        let (sum, product) = (UInt128(a) + UInt128(b), UInt128(a) * UInt128(b))
        #expect(a.checkedSum(b) == UInt64(exactly: sum))
        #expect(a.checkedProduct(b) == UInt64(exactly: product))
      }
      for alignment in [UInt64(1), 2, 64, 65536, 1 << 63] {
        let aligned = (UInt128(a) + UInt128(alignment) - 1) / UInt128(alignment)
        let expected = UInt64(exactly: aligned * UInt128(alignment))
        #expect(a.checkedAligned(to: alignment) == expected, "\(a) to \(alignment)")
      }
    }
  }

  @Test func alignmentMustBeAPowerOfTwo() async {
    await #expect(processExitsWith: .failure) { _ = UInt64(5).checkedAligned(to: 3) }
    await #expect(processExitsWith: .failure) { _ = UInt64(5).checkedAligned(to: 0) }
  }

  @Test func littleEndianReads() {
    let source = buffer([1, 2, 3, 4, 5, 6, 7, 0x88, 0x99] as [UInt8])
    #expect(source.bytes.loadLittleEndian(at: 0, as: UInt64.self) == 0x8807_0605_0403_0201)
    #expect(source.bytes.loadLittleEndian(at: 1, as: UInt64.self) == 0x9988_0706_0504_0302)
    #expect(source.bytes.loadLittleEndian(at: 7, as: Int16.self) == -26232)
    #expect(source.bytes.loadLittleEndian(at: 8, as: Int8.self) == -103)
  }

  @Test func littleEndianReadsTrapOutside() async {
    await #expect(processExitsWith: .failure) {
      _ = buffer([UInt8](repeating: 0, count: 8)).bytes.loadLittleEndian(at: 1, as: UInt64.self)
    }
    await #expect(processExitsWith: .failure) {
      _ = buffer([UInt8](repeating: 0, count: 8)).bytes.loadLittleEndian(at: -1, as: UInt8.self)
    }
    await #expect(processExitsWith: .failure) {
      _ = buffer([UInt8](repeating: 0, count: 3)).bytes.loadLittleEndian(at: 0, as: UInt32.self)
    }
    await #expect(processExitsWith: .failure) {
      _ = buffer([UInt8]()).bytes.loadLittleEndian(at: Int.max, as: UInt16.self)
    }
  }
}
