package import Packing

/// Looks for the first layer at which gemfilter chooses the tokens that matter.
///
/// Each probe is read once by all layers; at every one but the first it is seen whether the tokens
/// of the needle would be among those chosen.
///
/// Source: Shi et al., GemFilter, section 3 and figure 3: the first layer whose choice covers the
/// needle in the middle of the document.
package struct FilterLayerSearch {
  /// Of `NeedleProbe.count` probes, those that a layer must cover.
  package static let coveredMin = 95

  /// Probes that the choice at each layer covers, from layer 1 on.
  package let covered: [Int]

  /// How many probes there were.
  package let probes: Int

  /// The counts of `probes` probes.
  package init(covered: [Int], probes: Int) {
    self.covered = covered
    self.probes = probes
  }

  /// The first layer that covers enough; `nil` where none does.
  package var layer: Int? {
    covered.firstIndex { $0 * 100 >= Self.coveredMin * probes }.map { $0 + 1 }
  }

  /// Runs probes of `length` tokens with `cache`, which is of a policy that filters.
  package static func run(
    _ settings: Evaluator.Settings, _ cache: CachePolicy, length: Int,
    tokenizer: HostedTokenizer, isInterrupted: () -> Bool,
    progress: (_ done: Int, _ total: Int) -> Void
  ) throws(EvaluationError) -> FilterLayerSearch {
    var probes: [NeedleProbe] = []
    for number in 0..<NeedleProbe.count {
      probes.append(try NeedleProbe(number: number, length: length, tokenizer))
    }
    guard let shortest = probes.map(\.prompt.promptTokens).min(), shortest > cache.budget else {
      throw .probesTooShort(length: length, budget: cache.budget)
    }
    let requests = probes.map(request)
    let words = (requests.map(\.count).max() ?? 0) + layersMax
    var children: [ChildProcess] = []
    defer { for child in children { child.stop() } }
    for _ in 0..<settings.processes {
      children.append(
        try ChildProcess(
          program: settings.program,
          words: ["eval-worker", String(words), "-", "0", settings.model] + settings.options
            + ["--policy", cache.name, "--context", String(cache.budget)]
            + ["--threads", String(settings.threads), "--prompt-max", String(length)]))
    }
    var covered: [Int] = []
    var done = 0
    try ChildProcess.answer(Array(probes.indices), by: children, isInterrupted) {
      requests[$0]
    } _: {
      (_, _, answer) throws(EvaluationError) in
      if covered.isEmpty { covered = answer.reply.map { _ in 0 } }
      guard answer.reply.count == covered.count else { throw .badAnswer }
      for (index, word) in answer.reply.enumerated() where word == 1 { covered[index] += 1 }
      done += 1
      progress(done, probes.count)
    }
    for child in children { try child.finish() }
    return FilterLayerSearch(covered: covered, probes: probes.count)
  }

  /// The most layers that a model has.
  private static let layersMax = 1024

  private static func request(_ probe: NeedleProbe) -> [Int32] {
    typealias Request = CaseFrame.Request
    var header = [Int32](repeating: 0, count: Request.count)
    header[Request.magic] = CaseFrame.magic
    header[Request.kind] = CaseFrame.Kind.cover
    header[Request.documentTokens] = Int32(probe.prompt.document.count)
    header[Request.questionTokens] = Int32(probe.prompt.question.count)
    header[Request.replyTokensMax] = Int32(layersMax)
    header[Request.extraWords] = Int32(probe.needle.count)
    header[Request.comparedFile] = -1
    return header + probe.prompt.document + probe.prompt.question + probe.needle.map(Int32.init)
  }

  /// The table, and the line of a profile that follows from it.
  package func text(_ cache: CachePolicy, length: Int) -> String {
    var text = "Probes of \(length) tokens whose needle at depth 50 % is among the tokens that"
    text += " \(cache.label) chooses.\n\n| layer | covered |\n| ---: | ---: |\n"
    for (index, count) in covered.enumerated() {
      text += "| \(index + 1) | \(count) of \(probes) |\n"
    }
    return text
  }
}
