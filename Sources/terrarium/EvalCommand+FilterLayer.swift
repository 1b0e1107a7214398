internal import ArgumentParser
internal import Evaluation
internal import Foundation
internal import Platform
internal import Units

/// `terrarium eval MODEL --policy gemfilter --filter-layer auto`.
extension EvalCommand {
  /// The key of a profile that takes the layer.
  private static let key = "gemfilter-layer"

  /// Refuses what does not go with a search for the layer.
  func validateFilterLayer() throws {
    guard let filterLayer else { return }
    guard filterLayer == "auto" else {
      throw ValidationError(
        "--filter-layer takes auto only; a layer you know is `\(Self.key) = N` in a profile, or "
          + "--tune \(Self.key)=N")
    }
    guard policy == "gemfilter" || policy == "gemfilter-vote" else {
      throw ValidationError("--filter-layer needs --policy gemfilter or gemfilter-vote")
    }
    guard try budgets().count == 1 || budget == nil else {
      throw ValidationError("--filter-layer takes one --budget")
    }
    guard try Self.integers(lengths, option: "--lengths", in: 1...1 << 24).count < 2 else {
      throw ValidationError("--filter-layer takes one of --lengths, that of the probes")
    }
    for (name, isGiven) in [
      ("--set", set != nil), ("--tasks", !tasks.isEmpty), ("--limit", limit != nil),
      ("--json", json != nil), ("--cases", cases != nil), ("--pictures", pictures != nil),
      ("--expected", expected != nil), ("--results", results != nil),
    ] where isGiven {
      throw ValidationError("--filter-layer makes probes of its own: it takes no \(name)")
    }
  }

  /// Searches, prints what each layer covers, and stores the first that covers enough.
  func findFilterLayer(_ line: inout ProgressLine) throws {
    let isFile = profile.map { $0.contains("/") || $0.hasSuffix(".toml") } ?? false
    let file =
      try isFile
      ? profile.map { path throws(EvaluationError) in
        try ProfileFile(path: path)
      } : nil
    let context = file.map(\.contextTokens) ?? 0
    let slots = try budget == nil ? (context > 0 ? context : 256) : budgets()[0]
    let length =
      try Self.integers(lengths, option: "--lengths", in: 1...1 << 24).first ?? 4 * slots
    let pack = try packedModel()
    let cache = CachePolicy(name: policy, budget: slots)
    let search = try FilterLayerSearch.run(
      settings(pack), cache, length: length, tokenizer: try tokenizer(pack),
      isInterrupted: { Linux.isInterrupted }
    ) { done, total in
      line.show(done: done, total: total, what: "layers of \(cache.label)")
    }
    line.clear()
    print(search.text(cache, length: length))
    guard let layer = search.layer else {
      let best = search.covered.indices.max { search.covered[$0] < search.covered[$1] }
      throw EvaluationError.noFilterLayer(
        best: (best ?? 0) + 1, covered: best.map { search.covered[$0] } ?? 0, of: search.probes)
    }
    print("\(Self.key) = \(layer)")
    guard let file, let profile else { return }
    try file.set(Self.key, to: layer)
    FileHandle.standardError.write(Data("terrarium eval: written into \(profile)\n".utf8))
  }
}
