internal import Foundation
internal import Inference
internal import Kernels
internal import ModelFormat
internal import Units

/// Where a benchmark runs.
package struct BenchmarkEnvironment: Sendable {
  /// This program, which is started once more for each row.
  package var program: String
  /// Whether the user has pressed Ctrl-C.
  package var isInterrupted: @Sendable () -> Bool
  /// Takes results.
  package var write: @Sendable (String) -> Void
  /// Takes what a person who waits wants to know; empty when it is over.
  package var progress: @Sendable (String) -> Void

  package init(
    program: String, isInterrupted: @escaping @Sendable () -> Bool,
    write: @escaping @Sendable (String) -> Void, progress: @escaping @Sendable (String) -> Void
  ) {
    self.program = program
    self.isInterrupted = isInterrupted
    self.write = write
    self.progress = progress
  }
}

/// Runs a benchmark: one sealed process for each row, the machine's limits and the other program in
/// turn with its repetitions.
package struct Benchmark {
  /// The word that makes the program a measured row.
  package static let rowCommand: StaticString = "bench-row"

  private let request: BenchmarkRequest
  private let environment: BenchmarkEnvironment
  private let machine: Machine
  private let peer: Peer?

  /// Finds out whether everything is there that the request needs.
  package init(
    _ request: BenchmarkRequest, _ environment: BenchmarkEnvironment
  ) throws(BenchmarkError) {
    guard request.rowCount > 0 else {
      throw .usage("nothing to measure: give -p, -n or -pg more than 0")
    }
    for case .synthetic(let name, _) in request.subjects { _ = try SyntheticShape.named(name) }
    if request.peer != nil && !request.policies.isEmpty {
      throw .usage("--policy and --against exclude each other: llama.cpp has none of them")
    }
    if request.measuresSlope {
      guard request.policies.isEmpty && request.peer == nil else {
        throw .usage("--slope measures beside depth 0, so it takes no --policy and no --against")
      }
      guard request.hasDepths else {
        throw .usage("--slope needs tokens to generate at a depth: give -n, and -d more than 0")
      }
    }
    self.request = request
    self.environment = environment
    machine = try Machine()
    if let wanted = request.peer {
      peer = try Peer(python: wanted.python, isInterrupted: environment.isInterrupted)
    } else {
      peer = nil
    }
  }

  /// Measures every row and writes it as soon as it is there.
  @discardableResult
  package func run() throws(BenchmarkError) -> [BenchmarkResult] {
    var variants: [String] = []
    for depth in request.depths {
      for variant in request.variants(depth: depth) where !variants.contains(variant.name) {
        variants.append(variant.name)
      }
    }
    let table = MarkdownTable(
      showsCache: !request.caches.isEmpty, showsPolicy: !request.policies.isEmpty,
      showsSlope: request.measuresSlope, peerVariants: peer == nil ? nil : variants)
    var output = Output(request.format, table: table)
    var results: [BenchmarkResult] = []
    for subject in request.subjects {
      let prepared = try PreparedSubject(
        subject, needsGGUF: peer != nil, keptIn: request.keptFolder, environment)
      if let peer, let gguf = prepared.gguf { try peer.load(gguf) }
      for row in rows {
        let result = try measure(row, prepared, number: results.count + 1)
        environment.progress("")
        environment.write((results.isEmpty ? output.start : "") + output.row(result))
        results.append(result)
      }
    }
    environment.write(output.end(results))
    return results
  }

  /// The rows of one subject.
  private var rows: [BenchmarkRow] {
    func choices<Value>(_ values: [Value]) -> [Value?] {
      values.isEmpty ? [nil] : values.map(Optional.some)
    }
    return choices(request.caches).flatMap { cache in
      choices(request.threads).flatMap { threads in
        choices(request.budgets).flatMap { budget in
          request.depths.flatMap { depth in
            request.tests(depth: depth).flatMap { test in
              choices(request.policies).map { policy in
                BenchmarkRow(
                  test: test, threads: threads, cache: cache, policy: policy, budget: budget)
              }
            }
          }
        }
      }
    }
  }

  /// Starts the process of a row and waits until it is ready.
  private func launch(
    _ row: BenchmarkRow, _ subject: PreparedSubject
  ) throws(BenchmarkError) -> (process: LineProcess, ready: Answer) {
    let words = [Self.rowCommand.description] + row.words(subject.argument, request)
    guard
      let process = LineProcess(
        environment.program, words, isInterrupted: environment.isInterrupted)
    else { throw .rowSilent("nothing: it could not be started") }
    return (process, try Answer(process, kind: "ready"))
  }

  private func measure(
    _ row: BenchmarkRow, _ subject: PreparedSubject, number: Int
  ) throws(BenchmarkError) -> BenchmarkResult {
    let label =
      "[\(number)/\(request.rowCount)] \(subject.name) \(row.policy ?? "") \(row.test.name)"
    environment.progress("\(label): launching")
    let start = Date()
    let (process, ready) = try launch(row, subject)
    let threads = try ready.integer("threads")
    var policy = try row.figures(ready)
    var depth: DepthFigures?
    var beside: LineProcess?
    if let pair = row.pair(policy) {
      environment.progress("\(label): launching the full cache")
      beside = try launch(pair, subject).process
    } else if request.measuresSlope, let start = row.atStart {
      environment.progress("\(label): launching depth 0")
      beside = try launch(start, subject).process
      depth = DepthFigures()
    }
    let variants = try openPeer(row.test, threads: threads, label)
    var watch = MachineWatch(
      machine, threads: threads, processors: process.pinnedProcessors(threads: threads),
      instructionSet: ready.text("isa"))
    // Generating waits for memory; a way of reading to compare with must be known before.
    let readsInTurn = policy == nil && row.test.prompt == 0
    if readsInTurn { for _ in 0..<2 { watch.tryAll() } }
    var samples: [UInt64] = []
    var peerSamples = Array(repeating: [UInt64](), count: variants.count)
    for repetition in 1...request.repetitions {
      environment.progress("\(label): repetition \(repetition) of \(request.repetitions)")
      // Right before and right after, because what shared machines can do comes and goes.
      watch.tryAll()
      if readsInTurn {
        samples.append(try repeatInTurn(process, beside, into: &depth, with: &watch))
      } else if let beside {
        samples.append(try repeatInTurn(process, beside, isOdd: repetition % 2 == 1, into: &policy))
      } else {
        let sample = try RepetitionAnswer(asking: process, "r")
        samples.append(sample.nanoseconds)
        policy?.add(sample)
      }
      watch.tryAll()
      for (index, variant) in variants.enumerated() {
        let nanoseconds = try peer?.run(
          variant, prompt: row.test.prompt, generated: row.test.generated)
        if let nanoseconds { peerSamples[index].append(nanoseconds) }
      }
    }
    let end = try finish(process)
    if let beside { _ = try finish(beside) }
    var result = try result(row, subject, ready, end, samples, policy, depth, start: start)
    (result.limits, result.bandwidths) = (watch.limits, watch.bandwidths)
    result.peerName = peer.map { "llama-cpp-python \($0.version)" } ?? ""
    result.peer = zip(variants, peerSamples).map { variant, nanoseconds in
      PeerSamples(
        variant: variant.name, samples: Samples(tokens: row.test.tokens, nanoseconds: nanoseconds))
    }
    return result
  }

  /// Gets llama.cpp ready for a row, if it is wanted; the ways in which it runs it.
  private func openPeer(
    _ test: BenchmarkTest, threads: Int, _ label: String
  ) throws(BenchmarkError) -> [Peer.Variant] {
    guard let peer else { return [] }
    let variants = request.variants(depth: test.depth)
    environment.progress("\(label): llama.cpp is warming up")
    let longest = request.tests(depth: test.depth).map(\.tokens).max() ?? 0
    try peer.open(variants, threads: threads, depth: test.depth, context: test.depth + longest)
    for variant in variants {
      _ = try peer.run(variant, prompt: test.prompt, generated: min(test.generated, 1))
    }
    return variants
  }

  /// One repetition of a policy and one of the full cache, stretch by stretch in turn, so that what
  /// else the machine does meets both; the nanoseconds of the first.
  ///
  /// Whoever comes first finds other things in the processor's caches, so the order changes.
  private func repeatInTurn(
    _ process: LineProcess, _ full: LineProcess, isOdd: Bool, into policy: inout PolicyFigures?
  ) throws(BenchmarkError) -> UInt64 {
    var own = RepetitionAnswer()
    var beside = RepetitionAnswer()
    var isFirst = isOdd
    while own.left > 0 || beside.left > 0 {
      if isFirst && own.left > 0 { own.add(try RepetitionAnswer(asking: process, "s")) }
      if beside.left > 0 { beside.add(try RepetitionAnswer(asking: full, "s")) }
      if !isFirst && own.left > 0 { own.add(try RepetitionAnswer(asking: process, "s")) }
      isFirst.toggle()
    }
    policy?.add(own, beside: beside)
    return own.nanoseconds
  }

  /// One repetition whose stretches take turns with reading memory, and with those of depth 0 where
  /// it is measured; its nanoseconds.
  private func repeatInTurn(
    _ process: LineProcess, _ start: LineProcess?, into depth: inout DepthFigures?,
    with watch: inout MachineWatch
  ) throws(BenchmarkError) -> UInt64 {
    var answer = RepetitionAnswer()
    var beside = RepetitionAnswer()
    while answer.left > 0 {
      watch.takeTurn()
      if let start { beside.add(try RepetitionAnswer(asking: start, "s")) }
      answer.add(try RepetitionAnswer(asking: process, "s"))
    }
    watch.takeTurn()
    watch.endTurns()
    depth?.add(beside)
    return answer.nanoseconds
  }

  /// Ends the process of a row; its last answer.
  private func finish(_ process: LineProcess) throws(BenchmarkError) -> Answer {
    process.send("q")
    let end = try Answer(process, kind: "end")
    let code = process.wait()
    guard code == 0 else { throw .rowFailed(exitCode: code) }
    return end
  }

  private func result(
    _ row: BenchmarkRow, _ subject: PreparedSubject, _ ready: Answer, _ end: Answer,
    _ samples: [UInt64], _ policy: PolicyFigures?, _ depth: DepthFigures?, start: Date
  ) throws(BenchmarkError) -> BenchmarkResult {
    func format(_ name: String) -> CacheFormat { ready.text(name) == "int4" ? .int4 : .int8 }
    let (header, test) = (subject.held.header, row.test)
    let cost = ModelCost(header, keys: format("keys"), values: format("values"))
    let tile = try ready.integer("tile")
    var result = BenchmarkResult(
      model: BenchmarkModel(
        name: subject.name, type: cost.description(header), bytes: cost.bytes,
        parameters: cost.parameters),
      test: test, threads: try ready.integer("threads"), keys: ready.text("keys"),
      values: ready.text("values"), tileTokens: tile, contextTokens: try ready.integer("slots"),
      instructionSet: ready.text("isa"), processorName: machine.processorName,
      time: start.formatted(.iso8601), samples: Samples(tokens: test.tokens, nanoseconds: samples),
      cost: try row.cost(
        cost, layers: header.hyperparameters.layers, tileTokens: tile, ready, policy),
      limits: MachineLimits(readBytes: 0, int8Operations: 0, int4Operations: 0),
      launchNanoseconds: try ready.integer("launch"), plannedBytes: try ready.integer("planned"),
      peakBytes: try end.integer("peak"), allocations: try end.integer("allocations"))
    result.policy = policy
    result.depth = depth
    if depth != nil, let start = row.atStart {
      let least = try start.cost(
        cost, layers: header.hyperparameters.layers, tileTokens: tile, ready, nil)
      result.depth?.startBytesPerToken = Double(least.bytes) / Double(test.tokens)
    }
    return result
  }
}

/// What a measured row answers to the order of a repetition, or of the stretches of one: how long it
/// took, and what of it was work that a policy's paper asks for beside the tokens of the stream.
package struct RepetitionAnswer: BitwiseCopyable, Equatable, Sendable {
  /// How long it took.
  package var nanoseconds: UInt64 = 0
  /// Tokens run over the cache only to see what they look at (citrus, infinipot).
  package var probedRows = 0
  /// Logits of tokens of a prompt (infinipot), and how long they take.
  package var outputRows = 0
  package var outputNanoseconds: UInt64 = 0
  /// The first pass over a prompt (gemfilter); 0: there is none.
  package var filterNanoseconds: UInt64 = 0
  /// Tokens of the repetition that are still to come.
  package var left = 1

  /// Before the first stretch.
  package init() {}

  init(asking process: LineProcess, _ order: String) throws(BenchmarkError) {
    process.send(order)
    let answer = try Answer(process, kind: "sample")
    nanoseconds = UInt64(max(try answer.integer("ns"), 0))
    probedRows = try answer.integer("rows")
    outputRows = try answer.integer("outputs")
    outputNanoseconds = UInt64(max(try answer.integer("outputns"), 0))
    filterNanoseconds = UInt64(max(try answer.integer("filter"), 0))
    left = try answer.integer("left")
  }

  /// Adds the stretch that follows.
  package mutating func add(_ next: RepetitionAnswer) {
    nanoseconds += next.nanoseconds
    probedRows += next.probedRows
    outputRows += next.outputRows
    outputNanoseconds += next.outputNanoseconds
    filterNanoseconds += next.filterNanoseconds
    left = next.left
  }
}

/// A line that a measured row answered: its kind, then names and values.
struct Answer {
  private let line: String
  private var values: [String: String] = [:]

  /// Receives the next line; where there is none, the row has failed and said why.
  init(_ process: LineProcess, kind: String) throws(BenchmarkError) {
    guard let line = try process.receive() else {
      let code = process.wait()
      throw code == 130 ? .interrupted : .rowFailed(exitCode: code)
    }
    let words = line.split(separator: " ").map(String.init)
    guard words.first == kind else { throw .rowSilent(line) }
    for index in stride(from: 1, to: words.count - 1, by: 2) {
      values[words[index]] = words[index + 1]
    }
    self.line = line
  }

  func text(_ name: String) -> String { values[name] ?? "" }

  func integer(_ name: String) throws(BenchmarkError) -> Int {
    guard let text = values[name], let value = Int(text) else { throw .rowSilent(line) }
    return value
  }
}
