import Kernels
import Quantization
import TestSupport
import Testing
import Units

/// What is outside the contract of a kernel traps instead of touching memory.
@Suite struct ContractTests {
  @Test func shortOutputTraps() async {
    await #expect(processExitsWith: .failure) {
      let x = buffer([Float](repeating: 1, count: 16))
      KernelSet(.portable).exponential(x, into: x.extracting(0..<15))
    }
  }

  @Test func tilesBeyondTheMatrixTrap() async {
    await #expect(processExitsWith: .failure) {
      let layout = WeightLayout(format: .int8, rows: 16, columns: 32)
      let output = buffer([Float](repeating: 0, count: 64))
      KernelSet(.portable).matmul(
        buffer([UInt8](repeating: 0, count: layout.bytes)), layout: layout, tiles: 0..<2,
        activations: activationRows(rows: 1, columns: 32), into: output, outputStride: 64)
    }
  }

  @Test func truncatedMatrixTraps() async {
    await #expect(processExitsWith: .failure) {
      let layout = WeightLayout(format: .int4, rows: 16, columns: 32)
      let output = buffer([Float](repeating: 0, count: 32))
      KernelSet(.portable).matmul(
        buffer([UInt8](repeating: 0, count: layout.bytes - 1)), layout: layout, tiles: 0..<1,
        activations: activationRows(rows: 1, columns: 32), into: output, outputStride: 32)
    }
  }

  @Test func columnsThatCutGroupsTrap() async {
    await #expect(processExitsWith: .failure) {
      let rows = activationRows(rows: 1, columns: 96)
      let x = buffer([Float](repeating: 0, count: 48))
      _ = KernelSet(.portable).quantize(x, into: rows, row: 0, columns: 0..<48)
    }
    await #expect(processExitsWith: .failure) {
      let rows = activationRows(rows: 1, columns: 96)
      let x = buffer([Float](repeating: 0, count: 32))
      _ = KernelSet(.portable).quantize(x, into: rows, row: 0, columns: 16..<48)
    }
  }

  @Test func slotBeyondTheCacheTraps() async {
    await #expect(processExitsWith: .failure) {
      let layout = KeyLayout(format: .int8, headDimension: 64)
      let keys = buffer([UInt8](repeating: 0, count: layout.bytes(slots: 16)))
      KernelSet(.portable).appendKey(
        buffer([Float](repeating: 0, count: 64)), slot: 16, layout: layout, keys: keys)
    }
  }

  @Test func kernelsOfAnotherArchitectureTrap() async {
    await #expect(processExitsWith: .failure) {
      #if arch(x86_64)
        _ = KernelSet(.neon)
      #else
        _ = KernelSet(.avx2)
      #endif
    }
  }
}
