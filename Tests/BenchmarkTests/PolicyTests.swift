import Benchmark
import Testing

@Suite struct PolicyTests {
  private func figures(_ name: String = "h2o") -> PolicyFigures {
    PolicyFigures(name: name, slots: 1024, tokens: 4, attendedSlots: 1024, fullDepth: 1022)
  }

  private func answer(_ nanoseconds: UInt64) -> RepetitionAnswer {
    var answer = RepetitionAnswer()
    answer.nanoseconds = nanoseconds
    return answer
  }

  /// The pairs add 100 %, 10 %, −80 %, 20 % and 30 %: the machine may be slow for a while, as long as
  /// it is for both.
  @Test func sharesAreMediansOverPairs() throws {
    var figures = figures()
    #expect(figures.added == nil)
    for (own, full) in [(200, 100), (1100, 1000), (100, 500), (120, 100), (13, 10)] {
      figures.add(answer(UInt64(own)), beside: answer(UInt64(full)))
    }
    let added = try #require(figures.added)
    #expect(abs(added.median - 0.2) < 1e-12)
    // Quartiles 10 % and 30 %.
    #expect(abs(added.error - 1.2533 * 0.2 / 1.349 / 5.0.squareRoot()) < 1e-12)
    #expect(figures.work == added && figures.output == nil && figures.filterSeconds == nil)
    #expect(figures.full == [100, 1000, 500, 100, 10])
  }

  @Test func aFullCacheHasNoShare() {
    var figures = figures("full")
    figures.add(answer(100))
    #expect(figures.added == nil && figures.work == nil && figures.output == nil)
    #expect(figures.full.isEmpty)
  }

  /// Four tokens beside two probed ones and four rows of logits, which take 100 µs: six tokens of
  /// the full cache's time, and the logits.
  @Test func whatIsAskedForBesideTheStreamCountsApart() throws {
    var figures = figures("infinipot")
    for _ in 0..<2 {
      var own = answer(700_000)
      (own.probedRows, own.outputRows, own.outputNanoseconds) = (2, 4, 100_000)
      figures.add(own, beside: answer(400_000))
    }
    #expect(figures.probedRowsPerToken == 0.5)
    #expect(figures.outputRowsPerToken == 1)
    #expect(figures.added?.median == 0.75 && figures.added?.error == 0)
    #expect(figures.output?.median == 0.25)
    #expect(figures.work?.median == 0)
  }

  @Test func twoPassesHaveNoShareOfTheirOwn() {
    var figures = figures("gemfilter")
    for seconds in [3, 1, 2] as [UInt64] {
      var own = answer(6_000_000_000)
      own.filterNanoseconds = seconds * 1_000_000_000
      figures.add(own, beside: answer(10_000_000_000))
    }
    #expect(figures.filterSeconds == 2)
    #expect(figures.added?.median == 6.0 / 10 - 1)
    #expect(figures.work == nil)
  }

  @Test func stretchesAddUp() {
    var whole = RepetitionAnswer()
    #expect(whole.left == 1)
    for left in [12, 0] {
      var stretch = answer(5)
      (stretch.probedRows, stretch.outputRows, stretch.outputNanoseconds) = (1, 2, 3)
      (stretch.filterNanoseconds, stretch.left) = (4, left)
      whole.add(stretch)
      #expect(whole.left == left)
    }
    #expect(whole.nanoseconds == 10 && whole.probedRows == 2 && whole.outputRows == 4)
    #expect(whole.outputNanoseconds == 6 && whole.filterNanoseconds == 8)
  }

  @Test func quantilesLieBetweenNeighbours() {
    #expect(Statistics.quantile(0.25, of: [4, 1, 3, 2]) == 1.75)
    #expect(Statistics.quantile(0.5, of: [4, 1, 3, 2]) == Statistics.median([4, 1, 3, 2]))
    #expect(Statistics.quantile(1, of: [4, 1]) == 4)
    #expect(Statistics.quantile(0.5, of: []) == 0)
    #expect(Statistics.medianError([7]) == 0)
    #expect(abs(Statistics.medianError([4, 1, 3, 2]) - 1.2533 * 1.5 / 1.349 / 2) < 1e-12)
  }

  @Test func everyCombinationIsARow() {
    var request = BenchmarkRequest()
    request.subjects = [.file("a")]
    request.policies = ["full", "h2o", "tova"]
    request.budgets = [256, 512]
    #expect(request.rowCount == 2 * 3 * 2)
  }
}
