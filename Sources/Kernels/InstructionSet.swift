internal import CKernels
package import Units

extension InstructionSet {
  /// Whether this program contains the kernels of this set, whatever the processor.
  package var isBuilt: Bool { unsafe kernel_table_of(cSet) != nil }

  var cSet: kernel_instruction_set { kernel_instruction_set(rawValue: UInt32(rawValue)) }
}

/// The instruction sets a processor can run.
package struct InstructionSets: BitwiseCopyable, Equatable, Sendable {
  private let bits: UInt32

  /// Bit n stands for the set with raw value n.
  package init(bits: UInt32) {
    self.bits = bits
  }

  /// Whether the processor can run `set`.
  package func contains(_ set: InstructionSet) -> Bool { bits >> set.rawValue & 1 == 1 }

  /// The sets of an ARM64 processor from what the kernel of Linux hands every program.
  ///
  /// `AT_HWCAP` bit 1 is Advanced SIMD, bit 20 the dot product; `AT_HWCAP2` bit 13 is i8mm.
  package static func arm64(hwcap: UInt64, hwcap2: UInt64) -> InstructionSets {
    var bits: UInt32 = 1
    if hwcap >> 1 & 1 == 1 {
      bits |= 1 << InstructionSet.neon.rawValue
      if hwcap >> 20 & 1 == 1 {
        bits |= 1 << InstructionSet.dotprod.rawValue
        if hwcap2 >> 13 & 1 == 1 { bits |= 1 << InstructionSet.i8mm.rawValue }
      }
    }
    return InstructionSets(bits: bits)
  }

  /// The sets of this processor.
  ///
  /// x86-64 is asked itself. ARM64 cannot be: there the caller hands in `AT_HWCAP` and `AT_HWCAP2`
  /// of the auxiliary vector, which are ignored on x86-64.
  package static func ofThisProcessor(hwcap: UInt64, hwcap2: UInt64) -> InstructionSets {
    #if arch(arm64)
      return arm64(hwcap: hwcap, hwcap2: hwcap2)
    #else
      return InstructionSets(bits: kernel_cpuid_sets())
    #endif
  }

  /// The highest set that the processor can run and this program contains.
  package var best: InstructionSet {
    let order = InstructionSet.highestFirst
    for index in 0..<order.count where contains(order[index]) && order[index].isBuilt {
      return order[index]
    }
    return .portable
  }

  /// The sets that may be the fastest: all that run here, portable only where it is alone.
  package var candidates: InstructionSets {
    var sets: UInt32 = 0
    for value in 1..<InstructionSet.count {
      guard let set = InstructionSet(rawValue: value) else { continue }
      if contains(set) && set.isBuilt { sets |= 1 << value }
    }
    return InstructionSets(bits: sets == 0 ? 1 : sets)
  }

  /// How many sets these are.
  package var count: Int { bits.nonzeroBitCount }
}
