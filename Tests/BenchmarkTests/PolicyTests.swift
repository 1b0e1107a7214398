import Benchmark
import Testing

@Suite struct PolicyTests {
  private func figures() -> PolicyFigures {
    PolicyFigures(
      name: "h2o", slots: 1024, tokens: 4, attendedSlots: 1024, outputNanoseconds: 10_000)
  }

  private func samples(_ nanoseconds: [UInt64]) -> Samples {
    Samples(tokens: 4, nanoseconds: nanoseconds)
  }

  @Test func sharesAreRatiosOfMedians() {
    var figures = figures()
    #expect(figures.addedShare(samples([5])) == nil)
    #expect(figures.workShare(samples([5])) == nil)
    for _ in 0..<3 { figures.add(probedRows: 0, outputRows: 0, filterNanoseconds: 0) }
    figures.full = [400_000, 900_000, 500_000]
    #expect(figures.addedShare(samples([900_000, 550_000, 100_000])) == 550.0 / 500 - 1)
    #expect(figures.workShare(samples([900_000, 550_000, 100_000])) == 550.0 / 500 - 1)
    #expect(figures.filterSeconds == nil)
  }

  /// Two repetitions of four tokens, with two probed tokens and four rows of logits each: six tokens
  /// of the full cache's time, and 40 µs of logits.
  @Test func whatIsAskedForBesideTheStreamCountsApart() {
    var figures = figures()
    for _ in 0..<2 { figures.add(probedRows: 2, outputRows: 4, filterNanoseconds: 0) }
    figures.full = [400_000, 400_000]
    #expect(figures.probedRowsPerToken == 0.5)
    #expect(figures.outputRowsPerToken == 1)
    #expect(figures.addedShare(samples([700_000, 700_000])) == 0.75)
    #expect(abs((figures.workShare(samples([700_000, 700_000])) ?? 0) - 0.1) < 1e-12)
  }

  @Test func twoPassesHaveNoShareOfTheirOwn() {
    var figures = figures()
    for seconds in [3, 1, 2] as [UInt64] {
      figures.add(probedRows: 0, outputRows: 0, filterNanoseconds: seconds * 1_000_000_000)
    }
    figures.full = [10_000_000_000]
    #expect(figures.filterSeconds == 2)
    #expect(figures.addedShare(samples([6_000_000_000])) == 6.0 / 10 - 1)
    #expect(figures.workShare(samples([6_000_000_000])) == nil)
  }

  @Test func everyCombinationIsARow() {
    var request = BenchmarkRequest()
    request.subjects = [.file("a")]
    request.policies = ["full", "h2o", "tova"]
    request.budgets = [256, 512]
    #expect(request.rowCount == 2 * 3 * 2)
  }
}
