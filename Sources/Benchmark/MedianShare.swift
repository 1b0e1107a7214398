/// A share of what was measured in turn, with the standard error of it.
package struct MedianShare: Equatable, Sendable {
  /// The median over the repetitions.
  package let median: Double
  /// The standard error of this median, by the distance of the quartiles, as of a normal
  /// distribution; 0 of one.
  package let error: Double

  /// What comes of other shares.
  init(median: Double, error: Double) {
    self.median = median
    self.error = error
  }

  /// The shares of the repetitions.
  init(_ shares: [Double]) {
    median = Statistics.median(shares)
    error = Statistics.medianError(shares)
  }
}
