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
      #expect(InstructionSet(named: bytes.bytes) == set)
    }
    for wrong in ["", "avx", "AVX2", "avx2 ", "neon1"] {
      let bytes = buffer(Array(wrong.utf8))
      #expect(InstructionSet(named: bytes.bytes) == nil)
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

  @Test func portableIsACandidateOnlyWhereItIsAlone() {
    let alone = InstructionSets(bits: 1).candidates
    #expect(alone.count == 1 && alone.contains(.portable))
    let here = InstructionSets.ofThisProcessor(hwcap: 1 << 1, hwcap2: 0)
    #expect(here.candidates.contains(.portable) == (here.count == 1))
    #expect(here.candidates.contains(here.best))
    #if arch(x86_64)
      let foreign = InstructionSets(bits: 1 << InstructionSet.neon.rawValue | 1)
    #else
      let foreign = InstructionSets(bits: 1 << InstructionSet.avx2.rawValue | 1)
    #endif
    #expect(foreign.candidates == InstructionSets(bits: 1), "what this program lacks is none")
  }

  @Test func theHighestComeFirstAndNoneIsMissing() {
    let order = InstructionSet.highestFirst
    #expect(Set(order.indices.map { order[$0].rawValue }).count == order.count)
    #expect(InstructionSet(rawValue: order.count) == nil)
  }
}

@Suite struct KernelTimingTests {
  private func fastest(_ times: [(set: InstructionSet, decode: UInt64, prefill: UInt64)])
    -> InstructionSet?
  {
    let timings = times.map { KernelTiming(set: $0.set, decode: $0.decode, prefill: $0.prefill) }
    return KernelTiming.fastest(timings.span)
  }

  @Test func theFastestWins() {
    #expect(fastest([(.avx512vnni, 100, 1000), (.avx2, 120, 2000)]) == .avx512vnni)
    #expect(fastest([(.avx512vnni, 130, 2100), (.avx2, 120, 2000)]) == .avx2)
    #expect(fastest([(.i8mm, 300, 300), (.dotprod, 200, 200), (.neon, 100, 100)]) == .neon)
    #expect(fastest([(.i8mm, 300, 300), (.dotprod, 100, 100), (.neon, 200, 200)]) == .dotprod)
    #expect(fastest([(.neon, 5, 7)]) == .neon)
    #expect(fastest([]) == nil)
  }

  @Test func bothProductsCountAlike() {
    // 20 % lost at the one, 50 % won at the other, whatever the units.
    #expect(fastest([(.dotprod, 120, 1000), (.neon, 100, 1500)]) == .dotprod)
    #expect(fastest([(.dotprod, 1500, 10), (.neon, 1000, 12)]) == .neon)
    // Half as fast at one, twice as fast at the other.
    #expect(fastest([(.i8mm, 200, 100), (.dotprod, 100, 200)]) == .i8mm)
  }

  @Test func equalsGoToTheHigher() {
    #expect(fastest([(.i8mm, 100, 100), (.dotprod, 100, 100), (.neon, 100, 100)]) == .i8mm)
    #expect(fastest([(.i8mm, 102, 102), (.dotprod, 100, 100)]) == .i8mm)
    #expect(fastest([(.i8mm, 104, 104), (.dotprod, 100, 100)]) == .dotprod)
    #expect(fastest([(.i8mm, 0, 0), (.dotprod, 0, 0)]) == .i8mm)
    #expect(fastest([(.i8mm, .max, .max), (.dotprod, .max, .max)]) == .i8mm)
  }
}
