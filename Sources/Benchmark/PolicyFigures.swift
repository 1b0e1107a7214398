/// What a row under a policy was measured beside: the full cache, in turn.
package struct PolicyFigures: Equatable, Sendable {
  /// The policy.
  package let name: String
  /// The budget; where there is none, the slots of the cache.
  package let slots: Int
  /// Tokens of one repetition.
  package let tokens: Int
  /// Slots that attention goes over.
  package let attendedSlots: Int
  /// Depth of the full cache that it is measured beside.
  package let fullDepth: Int
  /// Each repetition.
  private var own: [RepetitionAnswer] = []
  /// Nanoseconds of each repetition with the full cache; empty: this is the full cache.
  package private(set) var full: [UInt64] = []

  package init(name: String, slots: Int, tokens: Int, attendedSlots: Int, fullDepth: Int) {
    self.name = name
    self.slots = slots
    self.tokens = tokens
    self.attendedSlots = attendedSlots
    self.fullDepth = fullDepth
  }

  /// Takes in one repetition, and one of the full cache in turn with it.
  package mutating func add(_ one: RepetitionAnswer, beside full: RepetitionAnswer? = nil) {
    own.append(one)
    if let full { self.full.append(full.nanoseconds) }
  }

  /// Tokens run over the cache only to see what they look at, for each token of the stream.
  package var probedRowsPerToken: Double { mean(\.probedRows) / Double(max(tokens, 1)) }

  /// Logits of the prompt for each token of the stream.
  package var outputRowsPerToken: Double { mean(\.outputRows) / Double(max(tokens, 1)) }

  /// Both for a repetition.
  var probedRows: Int { Int(mean(\.probedRows).rounded()) }
  var outputRows: Int { Int(mean(\.outputRows).rounded()) }

  private func mean(_ rows: KeyPath<RepetitionAnswer, Int>) -> Double {
    Double(own.reduce(0) { $0 + $1[keyPath: rows] }) / Double(max(own.count, 1))
  }

  /// How much longer than with the full cache a repetition takes, as a share of the full cache's
  /// time; `nil` where it was not measured beside one.
  package var added: MedianShare? { shares { Double($0.nanoseconds) / $1 - 1 } }

  /// The logits of a prompt as a share of the full cache's time; `nil` where there are none.
  package var output: MedianShare? {
    outputRowsPerToken > 0 ? shares { Double($0.outputNanoseconds) / $1 } : nil
  }

  /// `added` without what the paper asks for beside the tokens of the stream.
  ///
  /// Probed tokens count as tokens of the full cache, and the logits of a prompt's tokens are taken
  /// off. `nil` where a prompt is read in two passes.
  package var work: MedianShare? {
    guard filterSeconds == nil else { return nil }
    return shares {
      let tokens = 1 + Double($0.probedRows) / Double(max(tokens, 1))
      return (Double($0.nanoseconds) - Double($0.outputNanoseconds)) / ($1 * tokens) - 1
    }
  }

  private func shares(_ share: (RepetitionAnswer, Double) -> Double) -> MedianShare? {
    full.isEmpty ? nil : MedianShare(zip(own, full).map { share($0, Double(max($1, 1))) })
  }

  /// Seconds of the first pass over a prompt; `nil` where there is none.
  package var filterSeconds: Double? {
    let passes = own.map(\.filterNanoseconds).filter { $0 > 0 }
    return passes.isEmpty ? nil : Statistics.median(passes.map { Double($0) }) / 1e9
  }
}
