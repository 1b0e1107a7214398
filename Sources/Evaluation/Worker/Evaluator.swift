package import Foundation
package import Packing
import Tokenization

/// Runs cases under configurations of the cache, each in sealed children of its own.
///
/// For the divergence to the full cache, children of the full cache write their logits to files
/// that the children of the others read, row by row: exact, and bounded in memory. The files are
/// bounded too: cases are taken in batches of at most `recordedBytesMax` bytes of logits (a single
/// case may take more), and of each batch first the full cache runs, then every other.
package struct Evaluator {
  /// What all children have in common.
  package struct Settings {
    /// This program.
    package var program: URL
    /// The pack file.
    package var model: String
    /// Options of a run that every child gets.
    package var options: [String] = []
    /// Children that run at the same time.
    package var processes = 1
    /// Threads of each child.
    package var threads = 1
    /// Whether the divergence to the full cache is measured.
    package var comparesWithFull = true

    /// Settings with defaults.
    package init(program: URL, model: String) {
      self.program = program
      self.model = model
    }
  }

  /// Hears of progress: tokens done, tokens in all, the configuration at work.
  package typealias Progress = (_ done: Int, _ total: Int, _ cache: CachePolicy) -> Void

  /// Bytes of the full cache's logits that lie in files at a time.
  private static let recordedBytesMax = 256 << 20

  private let settings: Settings
  private let tokenizer: HostedTokenizer
  private let cases: [EncodedCase]
  private let folder: URL

  /// Evaluates `cases`, whose tokens `tokenizer` made.
  package init(_ settings: Settings, cases: [EncodedCase], tokenizer: HostedTokenizer) {
    self.settings = settings
    self.cases = cases
    self.tokenizer = tokenizer
    folder = FileManager.default.temporaryDirectory
      .appending(path: "terrarium-eval-\(UUID().uuidString)")
  }

  /// The results, configuration by configuration, in the order of the cases.
  package func run(
    _ caches: [CachePolicy], isInterrupted: () -> Bool, progress: Progress
  ) throws(EvaluationError) -> [CaseResult] {
    do {
      try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    } catch {
      throw .cannotWrite(folder.path)
    }
    defer { try? FileManager.default.removeItem(at: folder) }
    let reference: [CachePolicy] = settings.comparesWithFull ? [.full] : []
    let order = reference + caches.filter { !reference.contains($0) }
    let total = order.reduce(0) { $0 + tokens(of: $1) }
    var done = 0
    var results: [CachePolicy: [Int: CaseResult]] = [:]
    for batch in batches() {
      var recording = Recording()
      for cache in order {
        var lane = Lane(cache: cache, batch: batch.filter { isRun(cases[$0], cache) })
        try run(&lane, &recording, isInterrupted) { tokens in
          done += tokens
          progress(done, total, cache)
        }
        results[cache, default: [:]].merge(lane.results) { first, _ in first }
      }
    }
    return caches.flatMap { cache in
      cases.indices.compactMap { results[cache]?[$0] }
    }
  }

  /// One configuration on its way through one batch.
  private struct Lane {
    let cache: CachePolicy
    let batch: [Int]
    var results: [Int: CaseResult] = [:]
  }

  /// Where the full cache's logits of a batch lie, and what it replied.
  private struct Recording {
    struct Place {
      var file: Int
      var firstRow: Int
      var reply: [Int32]
    }
    var files: [String] = []
    var places: [Int: Place] = [:]
  }

  private func isRun(_ one: EncodedCase, _ cache: CachePolicy) -> Bool {
    cache.readsStreams || !one.source.task.isStream
  }

  private func tokens(of cache: CachePolicy) -> Int {
    cases.reduce(0) { $0 + (isRun($1, cache) ? $1.promptTokens : 0) }
  }

  /// Cases in groups whose logits the disk has to hold at a time.
  private func batches() -> [[Int]] {
    guard settings.comparesWithFull else { return [Array(cases.indices)] }
    let rowsMax = max(Self.recordedBytesMax / (4 * tokenizer.tokenizer.tokenCount), 1)
    var batches: [[Int]] = []
    var rows = 0
    for index in cases.indices {
      let more = cases[index].rowsMax
      if batches.isEmpty || rows + more > rowsMax {
        batches.append([])
        rows = 0
      }
      batches[batches.count - 1].append(index)
      rows += more
    }
    return batches
  }

  // MARK: Children

  private func run(
    _ lane: inout Lane, _ recording: inout Recording, _ isInterrupted: () -> Bool,
    _ advance: (_ tokens: Int) -> Void
  ) throws(EvaluationError) {
    guard !lane.batch.isEmpty else { return }
    let records = settings.comparesWithFull && lane.cache == .full
    let count = min(settings.processes, lane.batch.count)
    var children: [ChildProcess] = []
    defer { for child in children { child.stop() } }
    if records {
      recording = Recording()
      recording.files = (0..<count).map { folder.appending(path: "logits-\($0)").path }
    }
    for index in 0..<count {
      let words = words(lane.cache, recording: records ? recording.files[index] : nil, recording)
      children.append(try ChildProcess(program: settings.program, words: words))
    }
    let places = records ? [:] : recording.places
    try ChildProcess.answer(lane.batch, by: children, isInterrupted) { job in
      request(cases[job], places[job])
    } _: { (job, index, answer) throws(EvaluationError) in
      if records {
        recording.places[job] = Recording.Place(
          file: index, firstRow: children[index].recordedRows - answer.rows, reply: answer.reply)
      }
      lane.results[job] = try result(cases[job], lane.cache, answer)
      advance(cases[job].promptTokens)
    }
    for child in children { try child.finish() }
  }

  private func words(
    _ cache: CachePolicy, recording file: String?, _ recording: Recording
  ) -> [String] {
    let slots = cache.budget > 0 ? cache.budget : cases.map(\.slots).max() ?? 1
    let largest = cases.map(\.words).max() ?? CaseFrame.Request.count
    let compared = file == nil ? recording.files : []
    return ["eval-worker", String(largest), file ?? "-", String(compared.count)] + compared
      + [settings.model] + settings.options
      + ["--policy", cache.name, "--context", String(max(slots, 5))]
      + ["--threads", String(settings.threads)]
      + (cache.holdsPrompt ? ["--prompt-max", String(cases.map(\.slots).max() ?? 1)] : [])
  }

  private func request(_ one: EncodedCase, _ place: Recording.Place?) -> [Int32] {
    typealias Request = CaseFrame.Request
    let isStream = one.source.task.isStream
    let extra = isStream ? one.marks.map { $0 ? 1 : 0 } : place?.reply ?? []
    var header = [Int32](repeating: 0, count: Request.count)
    header[Request.magic] = CaseFrame.magic
    header[Request.kind] = isStream ? CaseFrame.Kind.stream : CaseFrame.Kind.reply
    header[Request.documentTokens] = Int32(one.document.count)
    header[Request.questionTokens] = Int32(one.question.count)
    header[Request.replyTokensMax] = Int32(one.replyTokensMax)
    header[Request.stopByte] = Int32(Scoring.stopByte(one.source.task))
    header[Request.extraWords] = Int32(extra.count)
    header[Request.comparedFile] = Int32(place?.file ?? -1)
    let (low, high) = CaseFrame.halves(UInt64(place?.firstRow ?? 0))
    header[Request.firstRow] = low
    header[Request.firstRow + 1] = high
    return header + one.document + one.question + extra
  }

  private func result(
    _ one: EncodedCase, _ cache: CachePolicy, _ answer: CaseAnswer
  ) throws(EvaluationError) -> CaseResult {
    let source = one.source
    let finding: CaseResult.Finding
    if source.task.isStream {
      finding = .stream(
        nll: answer.nll, tokens: answer.tokens, answerNLL: answer.markedNLL,
        answerTokens: answer.markedTokens)
    } else {
      let text: [UInt8]
      do throws(TokenizationError) {
        text = try tokenizer.decode(answer.reply, startsText: false)
      } catch {
        throw .badAnswer
      }
      let output = String(decoding: text, as: UTF8.self)
      finding = .reply(
        score: Scoring.score(source.task, reply: output, answer: source.answer), output: output)
    }
    return CaseResult(
      id: source.id, group: CaseGroup(task: source.task, length: source.length),
      depth: source.depth, cache: cache, peakSlots: answer.peakSlots, finding: finding,
      divergence: answer.divergence, comparedTokens: answer.comparedTokens)
  }
}
