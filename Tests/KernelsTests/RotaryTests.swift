import Foundation
import Kernels
import Testing

@Suite struct RotaryTests {
  @Test func fractionsAreAccurate() {
    for theta in [10_000.0, 500_000, 1_000_000, 1.5] {
      for rotated in [8, 48, 64, 128] {
        for index in 0..<rotated / 2 {
          for factor in [1.0, 8, 32, 0.1, 3.7] {
            let expected =
              Foundation.pow(theta, -Double(2 * index) / Double(rotated)) / (2 * .pi * factor)
            let fraction = Rotary.turnFraction(
              index: index, rotated: rotated, theta: theta, factor: factor)
            let whole = expected.rounded(.down)
            let actual = whole + Double(fraction) / 18_446_744_073_709_551_616
            #expect(abs(actual - expected) <= 1e-14 * expected + 0x1p-65)
          }
        }
      }
    }
  }

  @Test func aFractionIsAConstant() {
    let first = Rotary.turnFraction(index: 0, rotated: 64, theta: 10_000, factor: 1)
    #expect(first == 2_935_890_503_282_001_408)
  }

  @Test func sinesAreAccurate() {
    var phase: UInt64 = 0
    for _ in 0..<100_000 {
      phase &+= 0x0123_4567_89AB_CDEF
      let angle = Double(phase) / 18_446_744_073_709_551_616 * 2 * Double.pi
      let (sine, cosine) = Rotary.sineAndCosine(phase: phase)
      #expect(abs(Double(sine) - Foundation.sin(angle)) <= 0.6 * Double(max(sine.ulp, 1e-8)))
      #expect(abs(Double(cosine) - Foundation.cos(angle)) <= 0.6 * Double(max(cosine.ulp, 1e-8)))
    }
    for (phase, expected) in [
      (UInt64(0), (Float(0), Float(1))), (1 << 62, (1, 0)), (1 << 63, (0, -1)), (3 << 62, (-1, 0)),
    ] {
      let (sine, cosine) = Rotary.sineAndCosine(phase: phase)
      #expect(sine == expected.0)
      #expect(cosine == expected.1)
    }
  }

  @Test func doublesAreAccurate() {
    for x in stride(from: -40.0, to: 40, by: 0.0371) {
      let exact = Foundation.exp(x)
      #expect(abs(DoubleMath.exponential(x) - exact) <= 3 * exact.ulp)
      #expect(abs(DoubleMath.logarithm(exact) - Foundation.log(exact)) <= 3e-16 * max(abs(x), 1))
    }
  }
}
