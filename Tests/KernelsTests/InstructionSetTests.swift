import Kernels
import TestSupport
import Testing
import Units

@Suite struct InstructionSetTests {
  @Test func namesRoundTrip() {
    for value in 0..<InstructionSet.count {
      let set = InstructionSet(rawValue: value)
      let name = set.map { "\($0.name)" } ?? ""
      let bytes = buffer(Array(name.utf8))
      #expect(InstructionSet(name: bytes.bytes) == set)
    }
    for wrong in ["", "avx", "AVX2", "avx2 ", "neon1"] {
      let bytes = buffer(Array(wrong.utf8))
      #expect(InstructionSet(name: bytes.bytes) == nil)
    }
  }

  @Test(arguments: [
    // A Cortex-A53 or A72, an A76, a Neoverse V1; i8mm without the dot product counts for nothing.
    (UInt64(0xFF), UInt64(0), [InstructionSet.portable, .neon]),
    (0x10_01FF, 0, [.portable, .neon, .dotprod]),
    (0x10_01FF, 1 << 13, [.portable, .neon, .dotprod, .i8mm]),
    (0x1FF, 1 << 13, [.portable, .neon]),
    (0, 0, [.portable]),
    (1 << 20, 1 << 13, [.portable]),
  ])
  func capabilitiesOfArm64(hwcap: UInt64, hwcap2: UInt64, expected: [InstructionSet]) {
    let sets = InstructionSets.arm64(hwcap: hwcap, hwcap2: hwcap2)
    for value in 0..<InstructionSet.count {
      guard let set = InstructionSet(rawValue: value) else { continue }
      #expect(sets.contains(set) == expected.contains(set), "\(set)")
    }
  }

  @Test func theBestIsOneThatRuns() {
    let sets = InstructionSets.ofThisProcessor(hwcap: 1 << 1, hwcap2: 0)
    #expect(sets.contains(sets.best))
    #expect(sets.best.isBuilt)
    #expect(InstructionSet.portable.isBuilt)
    #expect(InstructionSets(bits: 1).best == .portable)
  }
}
