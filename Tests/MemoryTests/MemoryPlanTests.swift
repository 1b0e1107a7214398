import Memory
import Testing
import Units

@Suite struct MemoryPlanTests {
  private func plan(budget: Int) -> MemoryPlan {
    var arena = Arena(measuringWithPageBytes: 4096)
    arena.begin(.weights)
    _ = arena.take(10_000, of: UInt8.self)
    arena.begin(.stacks)
    _ = arena.take(1, of: UInt8.self)
    arena.end()
    return MemoryPlan(regions: arena.regionBytes, programBytes: 777, budgetBytes: budget)
  }

  @Test func sums() {
    let plan = plan(budget: 20_000)
    #expect(plan[.weights] == 12_288)
    #expect(plan[.stacks] == 4_096)
    #expect(plan[.program] == 777)
    #expect(plan[.logits] == 0)
    #expect(plan.totalBytes == 17_161)
    #expect(plan.arenaBytes == 16_384)
    #expect(plan.leftBytes == 2_839)
    #expect(plan.fits)
    #expect((0..<Region.count).map { plan[Region.at($0)] }.reduce(0, +) == plan.totalBytes)
  }

  @Test func theBudgetIsExact() {
    #expect(plan(budget: 17_161).fits)
    #expect(plan(budget: 17_161).leftBytes == 0)
    #expect(!plan(budget: 17_160).fits)
    #expect(plan(budget: 17_160).leftBytes == -1)
  }

  @Test func regionsAreNamedOnce() {
    func text(_ literal: StaticString) -> String { literal.description }
    let regions = (0..<Region.count).map(Region.at)
    #expect(Set(regions.map { text($0.name) }).count == Region.count)
    #expect(Set(regions.map { text($0.key) }).count == Region.count)
    #expect(Set(regions.map { text($0.reason) }).count == Region.count)
    #expect(regions.map { text($0.name).count }.allSatisfy { $0 > 0 && $0 <= 21 })
    #expect(
      regions.allSatisfy { text($0.key).allSatisfy { $0 == "_" || $0.isLowercase } })
    #expect(regions.last == .program)
  }

  @Test func unknownRegionsTrap() async {
    await #expect(processExitsWith: .failure) { _ = Region.at(Region.count) }
    await #expect(processExitsWith: .failure) { _ = Region.at(-1) }
  }
}
