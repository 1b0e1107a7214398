internal import Inference

/// One row of one subject, before it is measured.
struct BenchmarkRow {
  /// What is timed, where it is timed: see `init`.
  let test: BenchmarkTest
  let threads: Int?
  let cache: BenchmarkRequest.CacheFormats?
  let policy: String?
  let budget: Int?

  /// A row as it is asked for.
  ///
  /// `full` in a budget is measured where it takes that many slots on average, whatever the depth.
  /// GemFilter reads a prompt as a whole: depth is a part of it.
  init(
    test: BenchmarkTest, threads: Int?, cache: BenchmarkRequest.CacheFormats?, policy: String?,
    budget: Int?
  ) {
    var test = test
    if policy == "full", let budget { test.depth = Self.depth(slots: budget, test) }
    if Self.filters(policy) && test.prompt > 0 {
      test.prompt += test.depth
      test.depth = 0
    }
    self.test = test
    self.threads = threads
    self.cache = cache
    self.policy = policy
    self.budget = budget
  }

  private static func filters(_ policy: String?) -> Bool {
    policy == "gemfilter" || policy == "gemfilter-vote"
  }

  /// Whether the cache is that of a plain run until the whole prompt has been read.
  private var readsAllOfPrompt: Bool {
    test.prompt > 0 && (Self.filters(policy) || policy == "snapkv")
  }

  /// The depth from which the tokens of a test find `slots` slots taken, on average.
  private static func depth(slots: Int, _ test: BenchmarkTest) -> Int {
    max(slots - (test.tokens + 1) / 2, 0)
  }

  /// What the row's process is told, after the name of its command.
  func words(_ subject: String, _ request: BenchmarkRequest) -> [String] {
    let needed = max(test.depth + test.tokens, RunShape.slotsMin)
    let slots = policy == "full" ? needed : budget ?? request.context ?? needed
    var words = [
      "\(test.prompt)", "\(test.generated)", "\(test.depth)", subject, "--context", "\(slots)",
    ]
    if let threads { words += ["--threads", "\(threads)"] }
    if let cache { words += ["--kv", "\(cache.keys),\(cache.values)"] }
    words += request.runOptions
    if let policy { words += ["--policy", policy] }
    if Self.filters(policy) || policy == "snapkv" || request.promptMax != nil {
      words += ["--prompt-max", "\(request.promptMax ?? max(test.depth + test.prompt, 1))"]
    }
    return words
  }

  /// What is to be told of the policy; `nil` where none was asked for.
  func figures(_ ready: Answer) throws(BenchmarkError) -> PolicyFigures? {
    guard let policy else { return nil }
    let slots = try ready.integer("slots")
    return PolicyFigures(
      name: policy, slots: budget ?? slots, tokens: test.tokens,
      attendedSlots: try ready.integer("attended"),
      outputNanoseconds: try ready.integer("output"))
  }

  /// The row of the full cache that this one is measured beside: with as many slots as attention goes
  /// over here or, where a whole prompt is read first, the same test.
  func pair(_ figures: PolicyFigures?) -> BenchmarkRow? {
    guard let policy, let figures, policy != "full" else { return nil }
    var beside = test
    if !readsAllOfPrompt {
      beside.depth = min(test.depth, Self.depth(slots: figures.attendedSlots, test))
    }
    return BenchmarkRow(
      test: beside, threads: threads, cache: cache, policy: "full", budget: nil)
  }

  /// What the row reads and computes at the least: keys and values of the slots there are; under
  /// GemFilter the prompt in the first layers, then what is kept of it.
  func cost(
    _ model: ModelCost, layers: Int, tileTokens: Int, _ ready: Answer
  ) throws(BenchmarkError) -> Cost {
    let slots = readsAllOfPrompt ? Int.max : try ready.integer("slots")
    let filterLayers = try ready.integer("filter")
    let kept = try ready.integer("kept")
    guard filterLayers > 0, test.prompt > kept else {
      return model.work(
        prompt: test.prompt, generated: test.generated, depth: test.depth, tileTokens: tileTokens,
        slotsMax: slots)
    }
    let first = model.work(
      prompt: test.prompt, generated: 0, depth: 0, tileTokens: tileTokens)
    var cost = ModelCost.share(first, part: filterLayers, of: layers)
    cost += model.work(
      prompt: kept, generated: test.generated, depth: 0, tileTokens: tileTokens)
    return cost
  }
}

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
  /// How long the logits of one token take.
  package let outputNanoseconds: Int
  /// Nanoseconds of each repetition with the full cache; empty: this is the full cache.
  package var full: [UInt64] = []
  /// Tokens run over the cache only to see what they look at, in all repetitions.
  package var probedRows = 0
  /// Logits of tokens of a prompt, in all repetitions.
  package var outputRows = 0
  /// Nanoseconds of the first pass over the prompt, in each repetition; empty: there is none.
  package var filter: [UInt64] = []
  private var repetitions = 0

  package init(
    name: String, slots: Int, tokens: Int, attendedSlots: Int, outputNanoseconds: Int
  ) {
    self.name = name
    self.slots = slots
    self.tokens = tokens
    self.attendedSlots = attendedSlots
    self.outputNanoseconds = outputNanoseconds
  }

  /// Takes in what a repetition answered.
  mutating func add(_ sample: Answer) throws(BenchmarkError) {
    add(
      probedRows: try sample.integer("rows"), outputRows: try sample.integer("outputs"),
      filterNanoseconds: UInt64(max(try sample.integer("filter"), 0)))
  }

  /// Takes in one repetition.
  package mutating func add(probedRows: Int, outputRows: Int, filterNanoseconds: UInt64) {
    self.probedRows += probedRows
    self.outputRows += outputRows
    if filterNanoseconds > 0 { filter.append(filterNanoseconds) }
    repetitions += 1
  }

  /// Probed tokens for each token of the stream.
  package var probedRowsPerToken: Double { perToken(probedRows) }

  /// Logits of the prompt for each token of the stream.
  package var outputRowsPerToken: Double { perToken(outputRows) }

  private func perToken(_ count: Int) -> Double {
    Double(count) / Double(max(repetitions * tokens, 1))
  }

  /// How much longer than the full cache a repetition takes, as a share of the full cache's time:
  /// the ratio of the medians, less 1.
  package func addedShare(_ samples: Samples) -> Double? {
    guard !full.isEmpty else { return nil }
    return Self.median(samples.nanoseconds) / max(Self.median(full), 1) - 1
  }

  /// The same without what the paper asks for beside the tokens of the stream.
  ///
  /// Probed tokens count as tokens of the full cache, and the logits of a prompt's tokens are taken
  /// off. `nil` where a prompt is read in two passes.
  package func workShare(_ samples: Samples) -> Double? {
    guard !full.isEmpty, filter.isEmpty else { return nil }
    let outputs = outputRowsPerToken * Double(tokens) * Double(outputNanoseconds)
    let tokens = 1 + probedRowsPerToken
    return (Self.median(samples.nanoseconds) - outputs) / max(Self.median(full) * tokens, 1) - 1
  }

  /// Seconds of the first pass over a prompt; `nil` where there is none.
  package var filterSeconds: Double? { filter.isEmpty ? nil : Self.median(filter) / 1e9 }

  private static func median(_ nanoseconds: [UInt64]) -> Double {
    Statistics.median(nanoseconds.map { Double($0) })
  }
}
