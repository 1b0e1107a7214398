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
    if policy == "full", let budget {
      test.depth = RowWork.depth(slots: budget, tokens: test.tokens)
    }
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
      fullDepth: readsAllOfPrompt ? test.depth : try ready.integer("beside"))
  }

  /// The row of the full cache that this one is measured beside: with as many slots as attention goes
  /// over here or, where a whole prompt is read first, the same test.
  func pair(_ figures: PolicyFigures?) -> BenchmarkRow? {
    guard let figures, figures.name != "full" else { return nil }
    var beside = test
    beside.depth = figures.fullDepth
    return BenchmarkRow(
      test: beside, threads: threads, cache: cache, policy: "full", budget: nil)
  }

  /// The same at depth 0; `nil` where this generates nothing, or nothing lies before it.
  var atStart: BenchmarkRow? {
    guard test.prompt == 0 && test.depth > 0 else { return nil }
    var start = test
    start.depth = 0
    return BenchmarkRow(test: start, threads: threads, cache: cache, policy: nil, budget: budget)
  }

  /// What the row reads and computes at the least: keys and values of the slots there are, and what
  /// the policy runs beside the tokens; under GemFilter the prompt in the first layers, then what is
  /// kept of it.
  func cost(
    _ model: ModelCost, layers: Int, tileTokens: Int, _ ready: Answer, _ figures: PolicyFigures?
  ) throws(BenchmarkError) -> Cost {
    let slots = readsAllOfPrompt ? Int.max : try ready.integer("slots")
    let filterLayers = try ready.integer("filter")
    let kept = try ready.integer("kept")
    guard filterLayers > 0, test.prompt > kept else {
      // A stream that goes on has filled the cache before.
      let depth = max(test.depth, figures?.fullDepth ?? 0)
      var cost = model.work(
        prompt: test.prompt, generated: test.generated, depth: depth, tileTokens: tileTokens,
        slotsMax: slots)
      if let figures {
        cost += model.beside(
          probed: figures.probedRows, outputs: figures.outputRows, slots: figures.attendedSlots,
          tileTokens: tileTokens)
      }
      return cost
    }
    let first = model.work(
      prompt: test.prompt, generated: 0, depth: 0, tileTokens: tileTokens)
    var cost = ModelCost.share(first, part: filterLayers, of: layers)
    cost += model.work(
      prompt: kept, generated: test.generated, depth: 0, tileTokens: tileTokens)
    return cost
  }
}
