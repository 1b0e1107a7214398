/// A straight line through what tokens cost at several depths: whether a slot costs the same
/// wherever it stands, and what.
///
/// By least squares, with a start of its own, so that what a first run of slots costs once does not
/// count for each of them.
package struct DepthLine: Equatable, Sendable {
  /// What a slot costs, as a multiple of what reading it takes at the bandwidth measured meanwhile,
  /// and the standard error that follows from those of the depths.
  package let slope: MedianShare
  /// The same at the rate at which depth 0 reads.
  package let slopeAtStart: MedianShare
  /// By how much a token at most takes longer or shorter than on the line, as a share of it.
  package let deviation: Double

  /// The line through rows that differ in depth alone; `nil` where fewer than three have a slope, as
  /// two are always on one.
  package init?(_ results: [BenchmarkResult]) {
    var depths: [Double] = []
    var slopes: [MedianShare] = []
    var slopesAtStart: [MedianShare] = []
    for result in results {
      guard let depth = result.depth, let slope = result.slope, let atStart = result.slopeAtStart
      else { continue }
      // In tokens at depth 0.
      depths.append(result.bytesPerToken / depth.startBytesPerToken - 1)
      slopes.append(slope)
      slopesAtStart.append(atStart)
    }
    guard Set(depths).count > 2 else { return nil }
    slope = Self.line(depths, slopes).slope
    let line = Self.line(depths, slopesAtStart)
    slopeAtStart = line.slope
    deviation =
      zip(depths, slopesAtStart).map { depth, slope in
        let token = 1 + slope.median * depth
        return abs(token - (1 + line.start + line.slope.median * depth)) / token
      }.max() ?? 0
  }

  /// The line through (x, x · share).
  private static func line(
    _ x: [Double], _ shares: [MedianShare]
  ) -> (slope: MedianShare, start: Double) {
    let y = zip(x, shares).map { $0 * $1.median }
    let (meanX, meanY) = (Statistics.mean(x), Statistics.mean(y))
    let square = x.reduce(0) { $0 + ($1 - meanX) * ($1 - meanX) }
    let weights = x.map { ($0 - meanX) / square }
    let slope = zip(weights, y).reduce(0) { $0 + $1.0 * $1.1 }
    let variance = x.indices.reduce(0) { sum, i in
      let error = weights[i] * x[i] * shares[i].error
      return sum + error * error
    }
    return (MedianShare(median: slope, error: variance.squareRoot()), meanY - slope * meanX)
  }
}
