/// What one row measures: a prompt, generated tokens, or both, after tokens that are in the cache.
package struct BenchmarkTest: Equatable, Sendable {
  package var prompt: Int
  package var generated: Int
  package var depth: Int

  package init(prompt: Int, generated: Int, depth: Int) {
    self.prompt = prompt
    self.generated = generated
    self.depth = depth
  }

  /// Tokens that are timed.
  package var tokens: Int { prompt + generated }

  /// The name llama-bench has for it: `pp512`, `tg128`, `pp512+tg128`, `tg128 @ d8192`.
  package var name: String {
    let parts = [prompt > 0 ? "pp\(prompt)" : "", generated > 0 ? "tg\(generated)" : ""]
    let name = parts.filter { !$0.isEmpty }.joined(separator: "+")
    return depth > 0 ? "\(name) @ d\(depth)" : name
  }
}

/// Repetitions of one test.
package struct Samples: Equatable, Sendable {
  /// Tokens of each.
  package let tokens: Int
  package let nanoseconds: [UInt64]

  package init(tokens: Int, nanoseconds: [UInt64]) {
    self.tokens = tokens
    self.nanoseconds = nanoseconds
  }

  /// Tokens per second of each repetition.
  package var rates: [Double] { nanoseconds.map { 1e9 * Double(tokens) / Double(max($0, 1)) } }

  package var mean: Double { Statistics.mean(rates) }
  package var standardDeviation: Double { Statistics.standardDeviation(rates) }
  package var median: Double { Statistics.median(rates) }
}

/// What another program made of the same test.
package struct PeerSamples: Equatable, Sendable {
  /// The type of its keys and values, and how else it was run.
  package let variant: String
  package let samples: Samples

  package init(variant: String, samples: Samples) {
    self.variant = variant
    self.samples = samples
  }
}

/// The model of a row.
package struct BenchmarkModel: Equatable, Sendable {
  /// The file, or the name of a synthetic shape.
  package let name: String
  /// Architecture, size and format, as in `llama 1B Q8_0`.
  package let type: String
  package let bytes: Int
  package let parameters: Int

  package init(name: String, type: String, bytes: Int, parameters: Int) {
    self.name = name
    self.type = type
    self.bytes = bytes
    self.parameters = parameters
  }
}

/// One row: what was measured, on what, and how near it came to what the machine can do.
package struct BenchmarkResult: Equatable, Sendable {
  package var model: BenchmarkModel
  package var test: BenchmarkTest
  package var threads: Int
  package var keys: String
  package var values: String
  /// Tokens that are handled at once.
  package var tileTokens: Int
  package var contextTokens: Int
  package var instructionSet: String
  package var processorName: String
  /// When the row began: RFC 3339, in UTC.
  package var time: String
  package var samples: Samples
  /// What all timed tokens together read and compute at the least.
  package var cost: Cost
  /// What the machine could do meanwhile.
  package var limits: MachineLimits
  /// Bytes per second that memory gave during each repetition, where reading it took turns with
  /// the stretches of the repetition.
  package var bandwidths: [Double] = []
  package var launchNanoseconds: Int
  package var plannedBytes: Int
  package var peakBytes: Int
  /// Heap allocations of the sealed process; 0.
  package var allocations: Int
  /// The cache policy, where one was asked for.
  package var policy: PolicyFigures?
  /// Depth 0, where it was measured in turn.
  package var depth: DepthFigures?
  /// The other program's, where it was asked for; its version.
  package var peer: [PeerSamples] = []
  package var peerName = ""

  package init(
    model: BenchmarkModel, test: BenchmarkTest, threads: Int, keys: String, values: String,
    tileTokens: Int, contextTokens: Int, instructionSet: String, processorName: String,
    time: String, samples: Samples, cost: Cost, limits: MachineLimits, launchNanoseconds: Int,
    plannedBytes: Int, peakBytes: Int, allocations: Int
  ) {
    self.model = model
    self.test = test
    self.threads = threads
    self.keys = keys
    self.values = values
    self.tileTokens = tileTokens
    self.contextTokens = contextTokens
    self.instructionSet = instructionSet
    self.processorName = processorName
    self.time = time
    self.samples = samples
    self.cost = cost
    self.limits = limits
    self.launchNanoseconds = launchNanoseconds
    self.plannedBytes = plannedBytes
    self.peakBytes = peakBytes
    self.allocations = allocations
  }

  /// Bytes that one token reads at the least.
  package var bytesPerToken: Double { Double(cost.bytes) / Double(test.tokens) }

  /// Operations of one token.
  package var operationsPerToken: Double { Double(cost.operations) / Double(test.tokens) }

  /// Bytes per second that the median repetition reads.
  package var readBytesPerSecond: Double { bytesPerToken * samples.median }

  /// Operations per second of the median repetition.
  package var operationsPerSecond: Double { operationsPerToken * samples.median }

  /// The share of the bandwidth that is used; above 1 only where a cache holds the model.
  ///
  /// Where each repetition has a bandwidth of its own, the median of their shares: on shared
  /// machines both come and go together.
  package var readShare: Double {
    guard bandwidths.isEmpty else {
      let shares = zip(samples.rates, bandwidths).map { rate, bandwidth in
        bandwidth > 0 ? bytesPerToken * rate / bandwidth : 0
      }
      return Statistics.median(shares)
    }
    return limits.readBytes > 0 ? readBytesPerSecond / limits.readBytes : 0
  }

  /// The time the multiply-adds alone would take at the peak, as a share of the time taken.
  package var operationShare: Double {
    guard limits.int8Operations > 0, limits.int4Operations > 0 else { return 0 }
    let seconds =
      Double(cost.int8Operations) / limits.int8Operations
      + Double(cost.int4Operations) / limits.int4Operations
    return seconds / Double(test.tokens) * samples.median
  }

  /// The fastest of the other program's variants.
  package var bestPeer: PeerSamples? {
    peer.max { $0.samples.median < $1.samples.median }
  }

  /// How many times the other program's median rate ours is.
  package var ratio: Double? {
    bestPeer.map { $0.samples.median > 0 ? samples.median / $0.samples.median : 0 }
  }
}
