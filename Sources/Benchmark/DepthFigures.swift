/// What generating at a depth was measured beside: the same at depth 0, in turn.
package struct DepthFigures: Equatable, Sendable {
  /// Bytes that a token reads at the least at depth 0.
  package var startBytesPerToken = 0.0
  /// Nanoseconds of each repetition at depth 0.
  package private(set) var start: [UInt64] = []

  package init() {}

  /// Takes in one repetition at depth 0.
  package mutating func add(_ one: RepetitionAnswer) { start.append(one.nanoseconds) }
}

extension BenchmarkResult {
  /// How much longer a token takes than at depth 0, as a multiple of what reading the keys and values
  /// that are more takes at the bandwidth measured meanwhile: the median over the repetitions.
  ///
  /// 1: attention costs what reading once costs. `nil` where depth 0 was not measured in turn.
  package var slope: MedianShare? {
    slopes { more, _, bytes, bandwidth in bandwidth > 0 ? more / (bytes / bandwidth) : 0 }
  }

  /// The same at the rate at which depth 0 reads.
  package var slopeAtStart: MedianShare? {
    let startBytes = depth?.startBytesPerToken ?? 0
    return slopes { more, start, bytes, _ in
      start > 0 ? more / (start * bytes / startBytes) : 0
    }
  }

  /// `share` gets of each repetition: seconds that a token takes more than at depth 0, those it takes
  /// at depth 0, bytes that it reads more, and bytes per second that memory gave.
  private func slopes(_ share: (Double, Double, Double, Double) -> Double) -> MedianShare? {
    guard let depth, !depth.start.isEmpty, 0 < depth.startBytesPerToken,
      depth.startBytesPerToken < bytesPerToken
    else { return nil }
    let seconds = samples.rates.map { 1 / $0 }
    let start = Samples(tokens: test.tokens, nanoseconds: depth.start).rates.map { 1 / $0 }
    let memory =
      bandwidths.isEmpty
      ? Array(repeating: limits.readBytes, count: seconds.count) : bandwidths
    let bytes = bytesPerToken - depth.startBytesPerToken
    return MedianShare(
      seconds.indices.map { share(seconds[$0] - start[$0], start[$0], bytes, memory[$0]) })
  }
}
