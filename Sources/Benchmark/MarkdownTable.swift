internal import Foundation

/// The table that people read: the columns and widths of llama-bench, then ours.
package struct MarkdownTable {
  /// A column: its name, its least width, which side its values stand on, what it shows.
  private struct Column {
    let name: String
    let width: Int
    let isLeft: Bool
    let value: (BenchmarkResult) -> String

    init(
      _ name: String, _ width: Int, isLeft: Bool = false,
      _ value: @escaping (BenchmarkResult) -> String
    ) {
      self.name = name
      self.width = width
      self.isLeft = isLeft
      self.value = value
    }

    func padded(_ text: String) -> String {
      let padding = String(repeating: " ", count: max(width - text.count, 0))
      return isLeft ? text + padding : padding + text
    }
  }

  private var columns: [Column]
  private let compares: Bool

  /// `showsCache`: keys and values have columns; `showsPolicy`: the cache policy has, with the full
  /// cache's rate beside it; `showsSlope`: what a depth costs has; `peerVariants`: the variants of the
  /// other program that have a column each, `nil` where nothing is compared.
  package init(
    showsCache: Bool, showsPolicy: Bool = false, showsSlope: Bool = false,
    peerVariants: [String]? = nil
  ) {
    compares = peerVariants != nil
    columns = [
      Column("model", 30, isLeft: true) { $0.model.type },
      Column("size", 10) { Self.size($0.model.bytes) },
      Column("params", 10) { Self.count($0.model.parameters) },
      Column("backend", 10, isLeft: true) { _ in "CPU" }, Column("threads", 7) { "\($0.threads)" },
    ]
    if showsCache {
      columns += [
        Column("type_k", 6, isLeft: true) { $0.keys },
        Column("type_v", 6, isLeft: true) { $0.values },
      ]
    }
    if showsPolicy {
      columns += [
        Column("policy", 12, isLeft: true) { $0.policy?.name ?? "-" },
        Column("slots", 5) { "\($0.policy?.slots ?? $0.contextTokens)" },
      ]
    }
    columns.append(Column("test", 15) { $0.test.name })
    if let peerVariants {
      columns.append(Column("terrarium t/s", 13) { Self.decimal($0.samples.median, 2) })
      columns += peerVariants.map { variant in
        Column("llama.cpp \(variant) t/s", 17) { result in
          let found = result.peer.first { $0.variant == variant }
          return found.map { Self.decimal($0.samples.median, 2) } ?? "-"
        }
      }
      columns.append(Column("ratio", 6) { $0.ratio.map { Self.decimal($0, 2) } ?? "-" })
    } else {
      columns.append(
        Column("t/s", 20) {
          "\(Self.decimal($0.samples.mean, 2)) ± \(Self.decimal($0.samples.standardDeviation, 2))"
        })
    }
    if showsPolicy { columns += Self.policyColumns }
    if showsSlope { columns += Self.slopeColumns }
    columns += [
      Column("MB/token", 8) { Self.decimal($0.bytesPerToken / 1e6, 1) },
      Column("GB/s", 6) { Self.decimal($0.readBytesPerSecond / 1e9, 1) },
      Column("read %", 6) { Self.decimal($0.readShare * 100, 1) },
      Column("Gop/s", 6) { Self.decimal($0.operationsPerSecond / 1e9, 0) },
      Column("peak %", 6) { Self.decimal($0.operationShare * 100, 1) },
    ]
  }

  private static var slopeColumns: [Column] {
    [
      Column("slope", 11) { $0.slope.map(times) ?? "-" },
      Column("slope @ d0", 11) { $0.slopeAtStart.map(times) ?? "-" },
    ]
  }

  private static func times(_ share: MedianShare) -> String {
    "\(decimal(share.median, 2)) ± \(decimal(share.error, 2))"
  }

  private static var policyColumns: [Column] {
    func percent(_ share: MedianShare?) -> String {
      guard let share else { return "-" }
      let sign = share.median < 0 ? "" : "+"
      return "\(sign)\(decimal(share.median * 100, 1)) ± \(decimal(share.error * 100, 1))"
    }
    return [
      Column("full t/s", 8) { result in
        guard let full = result.policy?.full, !full.isEmpty else { return "-" }
        return decimal(Samples(tokens: result.test.tokens, nanoseconds: full).median, 2)
      },
      Column("added %", 12) { percent($0.policy?.added) },
      Column("policy %", 12) { percent($0.policy?.work) },
    ]
  }

  /// What policies did beside reading the tokens of the stream.
  private static func apart(_ results: [BenchmarkResult]) -> [String] {
    results.compactMap { result in
      guard let policy = result.policy else { return nil }
      let row = "\(policy.name), \(policy.slots) slots, \(result.test.name)"
      let median = Statistics.median(result.samples.nanoseconds.map { Double($0) }) / 1e9
      if let first = policy.filterSeconds {
        let share = policy.added.map { ", \(decimal($0.median + 1, 2)) of the full cache's" }
        return "\(row): the first token after \(decimal(median, 2)) s\(share ?? ""): first pass "
          + "\(decimal(first, 2)) s, then \(decimal(median - first, 2)) s"
      }
      guard policy.probedRowsPerToken > 0 || policy.outputRowsPerToken > 0 else { return nil }
      let output = policy.output.map { ", +\(decimal($0.median * 100, 1)) %" } ?? ""
      return "\(row): for each token \(decimal(policy.probedRowsPerToken, 3)) more that are only "
        + "run to choose, and the logits of \(decimal(policy.outputRowsPerToken, 3))\(output)"
    }
  }

  private static func threads(_ count: Int) -> String {
    count == 1 ? "1 thread" : "\(count) threads"
  }

  /// The line through the depths of what else is the same.
  private static func depthLines(_ results: [BenchmarkResult]) -> [String] {
    var groups: [(name: String, results: [BenchmarkResult])] = []
    for result in results where result.depth != nil {
      let test = BenchmarkTest(
        prompt: result.test.prompt, generated: result.test.generated, depth: 0)
      let name =
        "\(result.model.type), keys \(result.keys), values \(result.values), "
        + "\(threads(result.threads)), \(result.instructionSet), \(test.name)"
      if let index = groups.firstIndex(where: { $0.name == name }) {
        groups[index].results.append(result)
      } else {
        groups.append((name, [result]))
      }
    }
    return groups.compactMap { group in
      guard let line = DepthLine(group.results) else { return nil }
      return "\(group.name): a line through \(group.results.count) depths has the slope "
        + "\(times(line.slope)), @ d0 \(times(line.slopeAtStart)); tokens are within "
        + "\(decimal(line.deviation * 100, 1)) % of it"
    }
  }

  /// The names of the columns, and the line below them.
  package var header: String {
    let names = columns.map { $0.padded($0.name) }
    let rules = columns.map { column in
      let dashes = String(repeating: "-", count: max(column.width, column.name.count) - 1)
      return dashes + (column.isLeft ? "-" : ":")
    }
    return Self.line(names) + Self.line(rules)
  }

  /// One row.
  package func row(_ result: BenchmarkResult) -> String {
    Self.line(columns.map { $0.padded($0.value(result)) })
  }

  /// What the machine could do, and how the numbers were made.
  package func footer(_ results: [BenchmarkResult]) -> String {
    guard let first = results.first else { return "" }
    var lines = ["", first.processorName]
    var seen: Set<String> = []
    for result in results {
      let key = "\(result.threads) \(result.instructionSet)"
      guard seen.insert(key).inserted else { continue }
      let limits = MachineLimits.median(
        results.filter { "\($0.threads) \($0.instructionSet)" == key }.map(\.limits))
      lines.append(
        "\(Self.threads(result.threads)), \(result.instructionSet): reads "
          + "\(Self.decimal(limits.readBytes / 1e9, 1)) GB/s, multiplies int8 "
          + "\(Self.decimal(limits.int8Operations / 1e9, 0)) and int4 "
          + "\(Self.decimal(limits.int4Operations / 1e9, 0)) Gop/s")
    }
    if compares {
      lines.append("medians of \(first.samples.nanoseconds.count), in turn with \(first.peerName)")
    }
    if results.contains(where: { $0.policy != nil }) {
      let count = first.samples.nanoseconds.count
      let pairs = count == 1 ? "1 pair" : "\(count) pairs"
      lines += Self.apart(results)
      lines.append(
        "full t/s: the full cache with as many slots as attention goes over, in turn; added %: how "
          + "much longer the policy takes, median of \(pairs) ± its standard error; policy %: "
          + "without the tokens and logits named above")
    }
    if results.contains(where: { $0.depth != nil }) {
      lines.append(
        "slope: how much longer a token takes than at depth 0, in turn, as a multiple of what reading "
          + "the keys and values that are more takes at the bandwidth measured meanwhile, median ± "
          + "its standard error; @ d0: at the rate at which depth 0 reads")
      lines += Self.depthLines(results)
    }
    let allocations = results.reduce(0) { $0 + $1.allocations }
    lines.append("allocations after launch: \(allocations)")
    return lines.joined(separator: "\n") + "\n"
  }

  private static func line(_ cells: [String]) -> String {
    "| " + cells.joined(separator: " | ") + " |\n"
  }

  private static func decimal(_ value: Double, _ decimals: Int) -> String {
    String(format: "%.\(decimals)f", value)
  }

  private static func size(_ bytes: Int) -> String {
    bytes < 1 << 30
      ? "\(decimal(Double(bytes) / 1_048_576, 2)) MiB"
      : "\(decimal(Double(bytes) / 1_073_741_824, 2)) GiB"
  }

  private static func count(_ parameters: Int) -> String {
    parameters < 1_000_000_000
      ? "\(decimal(Double(parameters) / 1e6, 2)) M" : "\(decimal(Double(parameters) / 1e9, 2)) B"
  }
}
