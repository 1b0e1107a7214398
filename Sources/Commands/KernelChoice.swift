package import Kernels
package import Units

/// Which kernels a run uses, and how that was decided.
package struct KernelChoice: BitwiseCopyable {
  /// What the processor and this program have.
  package let available: InstructionSets

  /// The kernels; until they are measured, the highest.
  package private(set) var set: InstructionSet

  /// How they were found.
  package private(set) var reason: Reason

  /// How kernels are found.
  package enum Reason: BitwiseCopyable {
    /// The profile or the command line names them.
    case fixed
    /// The processor has no others, but for the portable ones.
    case only
    /// They were the fastest of those the processor has.
    case measured

    /// The word in reports.
    package var name: StaticString {
      switch self {
      case .fixed: "fixed"
      case .only: "only one"
      case .measured: "measured"
      }
    }
  }

  /// `fixed`, or the fastest of what the processor has.
  init(_ fixed: InstructionSet?, available: InstructionSets) {
    self.available = available
    set = fixed ?? available.best
    reason = fixed != nil ? .fixed : available.candidates.count == 1 ? .only : .measured
  }

  /// Whether the kernels may be called here.
  var runsHere: Bool { available.contains(set) && set.isBuilt }

  /// Takes what a measurement has found.
  mutating func settle(_ fastest: InstructionSet?) {
    if reason == .measured, let fastest { set = fastest }
  }

  /// Appends what a plan can tell: the kernels, or those that will be measured.
  func writePlan(to text: inout TextBuffer) {
    text.append("kernels  ")
    if reason == .measured {
      available.candidates.writeNames(to: &text, separator: " or ")
    } else {
      text.append(set.name)
    }
    switch reason {
    case .fixed: text.append(runsHere ? ", fixed" : ", fixed; this processor cannot run them")
    case .only: text.append(", the only one here")
    case .measured: text.append(", measured at launch")
    }
  }
}

extension InstructionSets {
  /// Appends the names of the sets, the highest first.
  func writeNames(to text: inout TextBuffer, separator: StaticString) {
    var isFirst = true
    for index in 0..<InstructionSet.highestFirst.count {
      let set = InstructionSet.highestFirst[index]
      guard contains(set) && set.isBuilt else { continue }
      if !isFirst { text.append(separator) }
      text.append(set.name)
      isFirst = false
    }
  }
}
