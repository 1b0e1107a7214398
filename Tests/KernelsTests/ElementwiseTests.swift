import Foundation
import Kernels
import Quantization
import TestSupport
import Testing
import Units

@Suite struct ElementwiseTests {
  @Test(arguments: runnableSets)
  func exponentialEqualsReference(set: InstructionSet) {
    let kernels = KernelSet(set)
    var x: [Float] = [
      0, -0.0, 1, -1, 88.72283, 88.72284, 88.8, 1000, -87.33, -87.3301, -87.4, -1000, 1e-30,
      .infinity,
      -.infinity, .leastNonzeroMagnitude, 0.34657359, -0.34657359,
    ]
    x += stride(from: Float(-104), to: 90, by: 0.0173)
    let output = buffer([Float](repeating: 0, count: x.count))
    kernels.exponential(buffer(x), into: output)
    #expect(sameBits(array(output), x.map(Reference.exponential)))
  }

  @Test func exponentialIsAccurate() {
    for x in stride(from: Float(-87.2), to: 88.7, by: 0.00713) {
      let exact = Foundation.exp(Double(x))
      let error = abs(Double(Reference.exponential(x)) - exact) / Double(Float(exact).ulp)
      #expect(error < 2, "exp(\(x)) is off by \(error) ulp")
    }
  }

  @Test(arguments: runnableSets)
  func swigluAndAddEqualReference(set: InstructionSet) {
    let kernels = KernelSet(set)
    var random = Random(seed: 1)
    for count in [1, 5, 15, 16, 17, 31, 32, 172, 1000] {
      let gate = random.floats(count).map { $0 * 40 }
      let up = random.floats(count, extreme: true)
      let output = buffer([Float](repeating: 0, count: count))
      kernels.swiglu(gate: buffer(gate), up: buffer(up), into: output)
      #expect(sameBits(array(output), zip(gate, up).map { Reference.silu($0) * $1 }))
      kernels.add(buffer(up), to: output)
      #expect(
        sameBits(array(output), zip(gate, up).map { Reference.silu($0) * $1 + $1 }))
    }
  }

  @Test(arguments: runnableSets)
  func rmsNormEqualsReference(set: InstructionSet) {
    let kernels = KernelSet(set)
    var random = Random(seed: 2)
    for count in [1, 8, 16, 33, 64, 100, 576] {
      let x = random.floats(count)
      let weight = random.floats(count)
      let output = buffer([Float](repeating: 0, count: count))
      let isFinite = kernels.rmsNorm(
        buffer(x), weight: buffer(weight), epsilon: 1e-5, into: output)
      #expect(isFinite)
      #expect(
        sameBits(array(output), Reference.rmsNorm(x, weight: weight, epsilon: 1e-5)))
    }
  }

  @Test(arguments: runnableSets)
  func nonFiniteIsDetected(set: InstructionSet) {
    let kernels = KernelSet(set)
    for bad in [Float.nan, -.nan, .infinity, -.infinity, Float.signalingNaN] {
      for index in [0, 15, 16, 40, 68] {
        var x = [Float](repeating: 1, count: 69)
        let good = x
        x[index] = bad
        let rows = activationRows(rows: 1, columns: 69)
        let output = buffer(x)
        #expect(!kernels.quantize(buffer(x), into: rows, row: 0))
        #expect(!kernels.isFinite(buffer(x)))
        #expect(!kernels.rmsNorm(buffer(x), weight: buffer(good), epsilon: 0, into: output))
        #expect(kernels.quantize(buffer(good), into: rows, row: 0))
        #expect(kernels.isFinite(buffer(good)))
      }
    }
    let large = buffer([Float](repeating: 1e20, count: 32))
    #expect(!kernels.rmsNorm(large, weight: large, epsilon: 0, into: large))
  }

  @Test(arguments: runnableSets)
  func quantizeEqualsReference(set: InstructionSet) {
    let kernels = KernelSet(set)
    var random = Random(seed: 3)
    for columns in [1, 4, 8, 16, 17, 31, 32, 33, 48, 80, 172, 576] {
      for extreme in [false, true] {
        let rows = activationRows(rows: 2, columns: columns)
        for row in 0..<2 {
          var x = random.floats(columns, extreme: extreme)
          if extreme && random.below(4) == 0 {
            x = x.map { _ in Float(bitPattern: UInt32(random.below(2_139_095_040))) }
          }
          #expect(kernels.quantize(buffer(x), into: rows, row: row))
          #expect(Probe.row(rows, row) == Reference.quantize(x))
          // Whole groups one by one, the last ones first.
          for group in (0..<rows.groups).reversed() {
            let part = group * 32..<min(group * 32 + 32, columns)
            #expect(
              kernels.quantize(buffer(Array(x[part])), into: rows, row: 1 - row, columns: part))
          }
          #expect(Probe.row(rows, 1 - row) == Probe.row(rows, row))
        }
      }
    }
  }

  @Test(arguments: runnableSets)
  func rowsQuantizedTogetherEqualReference(set: InstructionSet) {
    let kernels = KernelSet(set)
    var random = Random(seed: 5)
    for columns in [32, 64, 70, 96, 224, 576] {
      for range in [0..<8, 8..<16, 0..<1, 3..<7, 5..<13, 0..<19, 17..<19] {
        let rows = activationRows(rows: 19, columns: columns)
        let stride = columns + 5
        // Before and behind the columns, and in the other rows, lies what must not be looked at.
        let x = buffer([Float](repeating: .nan, count: range.count * stride))
        let vectors = range.map { _ in random.floats(columns, extreme: random.below(4) == 0) }
        for (index, vector) in vectors.enumerated() {
          for column in 0..<columns { x[index * stride + column] = vector[column] }
        }
        for index in 0..<rows.quants.count { rows.quants[index] = 77 }
        #expect(kernels.quantize(x, stride: stride, into: rows, range))
        for row in 0..<19 {
          if range.contains(row) {
            #expect(Probe.row(rows, row) == Reference.quantize(vectors[row - range.lowerBound]))
          } else {
            let first = rows.index(row: row, group: 0) * 32
            #expect((first..<first + 32).allSatisfy { rows.quants[$0] == 77 }, "row \(row)")
          }
        }
        // Some columns, and a number that is not finite in the last row.
        let part = 0..<columns / 64 * 32
        if part.isEmpty { continue }
        #expect(kernels.quantize(x, stride: stride, into: rows, range, columns: part))
        x[(range.count - 1) * stride + part.upperBound - 1] = -.infinity
        #expect(!kernels.quantize(x, stride: stride, into: rows, range, columns: part))
      }
    }
  }

  @Test(arguments: runnableSets)
  func ropeEqualsReference(set: InstructionSet) {
    let kernels = KernelSet(set)
    var random = Random(seed: 4)
    for (dimension, rotated) in [(8, 8), (48, 48), (64, 32), (80, 80), (128, 128), (6, 2)] {
      let half = rotated / 2
      let fractions = (0..<half).map {
        Rotary.turnFraction(index: $0, rotated: rotated, theta: 10_000, factor: 1)
      }
      let cosines = buffer([Float](repeating: 0, count: half))
      let sines = buffer([Float](repeating: 0, count: half))
      Rotary.fillTable(
        position: 1_000_000_007, fractions: buffer(fractions), cosines: cosines, sines: sines)
      for pairing in [RopePairing.interleaved, .split] {
        let heads = (0..<3).map { _ in random.floats(dimension) }
        let memory = buffer(heads.flatMap { $0 })
        kernels.rope(
          memory, headDimension: dimension, pairing: pairing, cosines: cosines, sines: sines)
        let pairs = (0..<half).map { pairing == .split ? ($0, $0 + half) : (2 * $0, 2 * $0 + 1) }
        let expected = heads.flatMap {
          Reference.rope($0, pairs: pairs, cosines: array(cosines), sines: array(sines))
        }
        #expect(sameBits(array(memory), expected))
      }
    }
  }

  @Test(arguments: runnableSets)
  func hadamardEqualsReference(set: InstructionSet) {
    let kernels = KernelSet(set)
    var random = Random(seed: 5)
    for block in [1, 2, 4, 8, 16, 32] {
      let x = random.floats(block * 5)
      let fast = buffer(x)
      let slow = buffer(x)
      kernels.hadamard(fast, blockLength: block)
      WalshHadamard.transform(slow, blockLength: block)
      #expect(sameBits(array(fast), array(slow)))
    }
  }

  @Test(arguments: runnableSets)
  func groupQuantizersEqualReference(set: InstructionSet) {
    let kernels = KernelSet(set)
    var random = Random(seed: 6)
    for round in 0..<400 {
      var values = InlineArray<32, Float>(repeating: 0)
      let magnitude = Foundation.pow(10, Float(random.below(20) - 12))
      for index in 0..<(round % 32 + 1) {
        values[index] = random.float(extreme: round % 5 == 0) * magnitude
      }
      #expect(Probe.isEqual(kernels.quantizeInt8(values), .int8(values)))
      #expect(Probe.isEqual(kernels.quantizeInt4(values), .int4(values)))
      #expect(Probe.isEqual(kernels.quantizeInt4Asymmetric(values), .int4Asymmetric(values)))
    }
  }

  /// Half-way between two halves, and beside it: where rounding decides; subnormal and too large ones.
  @Test(arguments: runnableSets)
  func scalesRoundToHalfPrecisionAsInTheReference(set: InstructionSet) {
    let kernels = KernelSet(set)
    for bits in stride(from: 0 as UInt16, to: 0x7BFF, by: 11) {
      let middle = (Float16Bits.float(bits) + Float16Bits.float(bits + 1)) / 2
      for scale in [middle.nextDown, middle, middle.nextUp] {
        var values = InlineArray<32, Float>(repeating: 0)
        (values[3], values[20]) = (scale, -127 * scale)
        #expect(Probe.isEqual(kernels.quantizeInt8(values), .int8(values)))
      }
    }
    for scale in [65504, 65519, 65520, 1e6, 2e36] as [Float] {
      let values = InlineArray<32, Float>(repeating: 127 * scale)
      #expect(Probe.isEqual(kernels.quantizeInt8(values), .int8(values)))
    }
  }
}
