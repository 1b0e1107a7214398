import Cache
import Eviction
import Inference
import Kernels
import ModelFormat
import Profiles
import TestSupport
import Testing
import Units

/// Policies in the forward pass.
@Suite struct EvictionTests {
  private static let policies: [PolicyChoice] = (0..<PolicyChoice.count)
    .compactMap { PolicyChoice(rawValue: $0) }

  private func profile(_ policy: PolicyChoice, slots: Int, tile: Int, threads: Int) -> Profile {
    var profile = Profile(budgetBytes: 1 << 30)
    profile.contextTokens = slots
    profile.policy = policy
    profile.promptMaxTokens = 128
    profile.policyChunk = 8
    profile.snapKVWindow = 4
    profile.gemFilterLayer = 1
    profile.tileTokens = tile
    profile.threads = threads
    return profile
  }

  private func tokens(_ count: Int, _ model: Hyperparameters) -> [Int] {
    var random = Random(seed: 8)
    return (0..<count).map { _ in random.below(model.vocabulary) }
  }

  /// Every row of logits: a prompt of `prompt` tokens, the last 6 of them the instruction, then the
  /// others one by one.
  ///
  /// With `lastRowOnly` all but the last row of each tile are left empty.
  private func read(
    _ tokens: [Int], prompt: Int, _ session: Session, lastRowOnly: Bool = false
  ) throws -> [[Float]] {
    let all = buffer(tokens.map(Int32.init))
    let kept = session.shape.eviction.slots - session.shape.eviction.reserve
    var text = all.extracting(0..<prompt)
    if session.shape.eviction.policy == .truncate { text = all.extracting(0..<min(kept, prompt)) }
    text = try #require(session.filtered(text, instructionStart: prompt - 6))
    let document = max(text.count - 6, 0)
    try session.beginPrompt(
      document: document, instruction: text.extracting(document..<text.count),
      catalyst: buffer([3, 1, 4]))
    let rows = try session.read(array(text).map(Int.init), lastRowOnly: lastRowOnly) {
      text.count - $0
    }
    session.endPrompt()
    let reply = Array(tokens.dropFirst(prompt))
    return rows
      + (try session.read(reply, from: text.count, lastRowOnly: lastRowOnly) { _ in 1 })
  }

  @Test(arguments: policies, [0, 2])
  func cutsAndThreadsDoNotMatter(policy: PolicyChoice, model: Int) throws {
    if policy == .full { return }
    let run = ForwardCase.all[model]
    let pack = try TinyPack(run.model, formats: run.weights, seed: 7)
    let tokens = tokens(190, run.model)
    // A pot needs room for half of its slots, the instruction and the reserve.
    let slots = policy == .infiniPot ? 64 : 40
    let first = pack.session(
      profile(policy, slots: slots, tile: 1, threads: 1), kernels: KernelSet(.portable),
      pool: .single)
    let expected = try read(tokens, prompt: 110, first)
    #expect(Set(expected.map(likeliest)).count > 3)
    for (tile, threads) in [(7, 1), (64, 1), (1, 3), (64, 2), (5, 4)] {
      let session = pack.session(
        profile(policy, slots: slots, tile: tile, threads: threads), kernels: bestKernels,
        pool: try workers(threads))
      let found = try read(tokens, prompt: 110, session)
      #expect(found.count == expected.count)
      let same = zip(found, expected).prefix { sameBits($0, $1) }.count
      #expect(same == expected.count, "tile \(tile), \(threads) threads: row \(same)")
      if !session.shape.eviction.policy.isArithmetic {
        #expect(session.evictor.progress.peak <= session.shape.eviction.heldSlots)
      }
      session.restart()
      let again = try read(tokens, prompt: 110, session, lastRowOnly: true)
      #expect(again.filter { !$0.isEmpty }.count >= 80)
      #expect(
        zip(again, expected).allSatisfy { $0.isEmpty || sameBits($0, $1) }, "after a restart")
    }
  }

  /// Keys and values in int8, in int4, and in one of each.
  @Test(arguments: policies, [0, 1, 2, 3])
  func enoughSlotsAreTheFullCache(policy: PolicyChoice, model: Int) throws {
    let run = ForwardCase.all[model]
    let pack = try TinyPack(run.model, formats: run.weights, seed: 7)
    // More tokens than the model was trained with: positions must not be counted anew either.
    let tokens = tokens(150, run.model)
    func rows(_ policy: PolicyChoice) throws -> [[Float]]? {
      var profile = profile(policy, slots: 200, tile: 64, threads: 2)
      profile.keyFormat = run.keys
      profile.valueFormat = run.values
      let session = pack.session(profile, kernels: bestKernels, pool: try workers(2))
      if session.shape.eviction.defect(keysTurn: run.keys == .int8) == .keysDoNotTurn {
        #expect(run.keys == .int4 && session.shape.eviction.policy.probes)
        return nil
      }
      return try read(tokens, prompt: 90, session)
    }
    guard let found = try rows(policy) else { return }
    let full = try #require(try rows(.full))
    #expect(found.count == 150 && full.count == 150)
    #expect(zip(found, full).allSatisfy { sameBits($0, $1) })
  }

  @Test(arguments: [PolicyChoice.gemFilter, .gemFilterVote], [false, true])
  func gemFilterIsAPlainRunOfWhatItSelects(policy: PolicyChoice, isExact: Bool) throws {
    let run = ForwardCase.all[0]
    let pack = try TinyPack(run.model, formats: run.weights, seed: 7)
    var profile = profile(policy, slots: 40, tile: 16, threads: 2)
    profile.gemFilterIsExact = isExact
    let session = pack.session(profile, kernels: bestKernels, pool: try workers(2))
    let tokens = tokens(100, run.model)
    let prompt = buffer(tokens.map(Int32.init))
    let chosen = try #require(session.filtered(prompt, instructionStart: 94))
    let positions = array(session.selectedPositions).prefix(24).map(Int.init)
    #expect(chosen.count == 24 && positions == Array(Set(positions)).sorted())
    #expect(array(chosen) == positions.map { Int32(tokens[$0]) })
    if !isExact { #expect(positions.first == 0 && positions.suffix(16) == Array(84..<100)[...]) }
    let found = try read(tokens, prompt: 100, session)
    let plain = pack.session(
      self.profile(.full, slots: 40, tile: 1, threads: 1), kernels: bestKernels, pool: .single)
    let expected = try read(array(chosen).map(Int.init), prompt: 24, plain)
    #expect(found.count == 24 && zip(found, expected).allSatisfy { sameBits($0, $1) })
  }

  /// A reply many times as long as the cache: what is left of the prompt and the reply go as in a
  /// plain run of the reply's policy.
  @Test(
    arguments: [
      (FilteredReplyChoice.scissorhands, PolicyChoice.scissorhands),
      (.valueDifference, .valueDifference), (.heavyDifference, .heavyDifference),
    ], [PolicyChoice.gemFilter, .gemFilterVote])
  func repliesToFilteredPromptsGoOn(
    reply: (choice: FilteredReplyChoice, policy: PolicyChoice), policy: PolicyChoice
  ) throws {
    let run = ForwardCase.all[0]
    let pack = try TinyPack(run.model, formats: run.weights, seed: 7)
    var profile = profile(policy, slots: 40, tile: 16, threads: 2)
    profile.gemFilterReply = reply.choice
    let session = pack.session(profile, kernels: bestKernels, pool: try workers(2))
    let tokens = tokens(300, run.model)
    let chosen = try #require(
      session.filtered(buffer(tokens.prefix(100).map(Int32.init)), instructionStart: 94))
    let left = array(chosen).map(Int.init)
    #expect(left.count == 24)
    let found = try read(tokens, prompt: 100, session)
    let plain = pack.session(
      self.profile(reply.policy, slots: 40, tile: 1, threads: 1), kernels: bestKernels,
      pool: .single)
    let expected = try read(left + tokens.dropFirst(100), prompt: 24, plain)
    #expect(found.count == 224 && expected.count == 224)
    #expect(zip(found, expected).allSatisfy { sameBits($0, $1) })
    #expect(session.evictor.progress.peak == 40 && session.peakSlots(read: 224) == 40)
    #expect(session.evictor.progress.turnovers > 0)
  }

  /// Against lists, logits bit for bit; the stream is longer than the trained context of 128.
  @Test(
    arguments: [
      PolicyChoice.h2o, .tova, .scissorhands, .scissorhandsPaper, .valueDifference,
      .heavyDifference,
    ], [0, 2])
  func keptTokensEqualThoseOfTheSlowModel(policy: PolicyChoice, model: Int) throws {
    let run = ForwardCase.all[model]
    let pack = try TinyPack(run.model, formats: run.weights, seed: 7)
    let profile = profile(policy, slots: 36, tile: 64, threads: 2)
    let session = pack.session(profile, kernels: bestKernels, pool: try workers(2))
    var slow = SlowModel(pack, profile)
    var eviction = SlowEviction(
      session.shape.eviction, layers: run.model.layers, kvHeads: run.model.kvHeads,
      trainedContext: run.model.trainedContext)
    eviction.headsPerGroup = run.model.queryHeads / run.model.kvHeads
    eviction.dimensions = run.model.headDimension
    eviction.valuesAreInt4 = profile.valueFormat == .int4
    slow.eviction = eviction
    let tokens = tokens(230, run.model)
    var start = 0
    while start < tokens.count {
      let wanted = start < 150 ? 150 - start : 1
      let count = session.makeRoom(for: wanted)
      let model = slow
      #expect(slow.eviction?.makeRoom(for: wanted, turning: model) == count)
      for index in 0..<count { session.tile[index] = Int32(tokens[start + index]) }
      #expect(session.prefill(start: start, count: count))
      for row in 0..<count {
        #expect(session.project(row: row))
        let expected = slow.next(tokens[start + row])
        #expect(sameBits(array(session.logits), expected), "token \(start + row)")
      }
      start += count
    }
    #expect(slow.eviction?.turnovers == session.evictor.progress.turnovers)
    #expect(session.evictor.progress.turnovers > 0)
  }
}
