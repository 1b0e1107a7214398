/// Every byte a run will ever need, as a value: computed before any of it is reserved.
package struct MemoryPlan: BitwiseCopyable {
  /// Bytes per region, indexed by `Region.rawValue`; those of the arena are whole pages.
  package private(set) var regionBytes: InlineArray<17, Int>

  /// The hard budget of the profile.
  package let budgetBytes: Int

  /// Takes the regions a measuring arena counted, and the program's own share.
  package init(regions: InlineArray<17, Int>, programBytes: Int, budgetBytes: Int) {
    regionBytes = regions
    regionBytes[Region.program.rawValue] = programBytes
    self.budgetBytes = budgetBytes
  }

  /// Bytes of one region.
  package subscript(region: Region) -> Int { regionBytes[region.rawValue] }

  /// What one reservation holds: everything but the program.
  package var arenaBytes: Int { totalBytes - self[.program] }

  /// Everything.
  package var totalBytes: Int {
    var sum = 0
    for index in 0..<Region.count { sum += regionBytes[index] }
    return sum
  }

  /// What the budget leaves; negative: what is missing.
  package var leftBytes: Int { budgetBytes - totalBytes }

  /// Whether a launch may go ahead.
  package var fits: Bool { leftBytes >= 0 }
}
