package import Quantization

/// What a benchmark runs: every combination of its lists is a row.
package struct BenchmarkRequest: Sendable {
  /// What is measured.
  package enum Subject: Equatable, Sendable {
    /// A pack file or a GGUF file.
    case file(String)
    /// Random weights in a shape, `int8` or `int4`.
    case synthetic(String, WeightFormat)
  }

  /// Formats of keys and of values, as `run` takes them.
  package struct CacheFormats: Equatable, Sendable {
    package var keys: String
    package var values: String

    package init(keys: String, values: String) {
      self.keys = keys
      self.values = values
    }
  }

  /// llama.cpp, to be measured in turn.
  package struct PeerRequest: Equatable, Sendable {
    /// The Python that has the package.
    package var python = "python3"
    /// Types of its keys and values; empty: f16, and q8_0 too where there is depth.
    package var caches: [String] = []
    /// `auto`, `on` or `off`.
    package var flash: [String] = ["auto"]

    package init() {}
  }

  package var subjects: [Subject] = []
  package var prompts = [512]
  package var generated = [128]
  package var pairs: [(prompt: Int, generated: Int)] = []
  package var depths = [0]
  /// Empty: what the profile says.
  package var threads: [Int] = []
  /// Empty: what the profile says.
  package var caches: [CacheFormats] = []
  package var repetitions = 5
  /// Further options of `logits`, which every row gets: profile, instruction set, tile, context.
  package var runOptions: [String] = []
  /// Cache policies; empty: what the profile says.
  package var policies: [String] = []
  /// Slots of the cache; empty: what each row needs, so that nothing is dropped.
  package var budgets: [Int] = []
  /// Tokens of the longest prompt for policies that hold it; `nil`: what each row needs.
  package var promptMax: Int?
  /// Tokens of context; `nil`: what each row needs.
  package var context: Int?
  /// Whether generating at a depth is measured in turn with generating at depth 0.
  package var measuresSlope = false
  package var format = OutputFormat.markdown
  package var peer: PeerRequest?
  /// A folder for the files of random weights, which then stay there for the next time.
  package var keptFolder: String?

  package init() {}

  /// The tests at one depth, in the order of llama-bench.
  package func tests(depth: Int) -> [BenchmarkTest] {
    prompts.filter { $0 > 0 }.map { BenchmarkTest(prompt: $0, generated: 0, depth: depth) }
      + generated.filter { $0 > 0 }.map { BenchmarkTest(prompt: 0, generated: $0, depth: depth) }
      + pairs.map { BenchmarkTest(prompt: $0.prompt, generated: $0.generated, depth: depth) }
  }

  /// Rows of the whole benchmark.
  package var rowCount: Int {
    subjects.count * max(caches.count, 1) * max(threads.count, 1) * max(budgets.count, 1)
      * max(policies.count, 1) * depths.reduce(0) { $0 + tests(depth: $1).count }
  }

  /// Whether there is a row that generates at a depth.
  var hasDepths: Bool { generated.contains { $0 > 0 } && depths.contains { $0 > 0 } }

  /// The ways in which llama.cpp runs tests of a depth.
  func variants(depth: Int) -> [Peer.Variant] {
    guard let peer else { return [] }
    let caches = !peer.caches.isEmpty ? peer.caches : depth > 0 ? ["f16", "q8_0"] : ["f16"]
    let all = caches.flatMap { kv in peer.flash.map { Peer.Variant(kv: kv, flash: $0) } }
    // llama.cpp reads values of a quantized cache with flash attention only.
    return all.filter { $0.kv == "f16" || $0.flash != "off" }
  }
}
