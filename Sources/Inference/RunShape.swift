import Cache
package import Eviction
package import Kernels
import Memory
package import ModelFormat
package import Profiles
import Tokenization
import Units

/// Every number that the memory of a run follows from.
package struct RunShape: BitwiseCopyable {
  /// The model's own numbers.
  package let model: Hyperparameters

  /// The profile with what the command line changed.
  package let profile: Profile

  /// Slots and which tokens stay in them.
  package let eviction: EvictionSettings

  /// Bytes of a page of the plan: the profile's or the kernel's, whichever is larger.
  package let pageBytes: Int

  /// Token ids that the prompt's buffer holds.
  package let promptTokens: Int

  /// Bytes of input text that the prompt's buffer holds.
  package let promptBytes: Int

  /// Tokens of a tile where the context is large enough for it; 0: as many as suit the policy.
  private let wantedTileTokens: Int

  /// The least context: the first tokens that streaming keeps and one more.
  package static let slotsMin = SlotMap.sinkTokens + 1

  /// Query rows (heads × tokens) that one thread attends with at once, if that is whole tokens.
  private static let queryRowsWanted = 12

  /// Slots of a run.
  ///
  /// Attention takes the slots run by run, each with its own softmax, and joins them in order. A
  /// run's keys, values and scores stay in a processor's first caches.
  package static let runSlots = 256

  /// Tokens past the text's own that a prompt may have: roles, beginning of text.
  private static let extraTokens = 256

  /// The shape of a run; `idTokens` is given where token ids are run instead of text.
  package init(
    model: Hyperparameters, profile: Profile, kernelPageBytes: Int, idTokens: Int? = nil
  ) {
    self.model = model
    var profile = profile
    let trained = model.trainedContext
    let slots = profile.contextTokens > 0 ? profile.contextTokens : trained
    wantedTileTokens = profile.tileTokens
    eviction = profile.evictionSettings(
      slots: max(slots, Self.slotsMin), model: model)
    let tile = profile.tileTokens > 0 ? profile.tileTokens : eviction.tileTokens
    profile.tileTokens = min(tile, max(slots, 1))
    self.profile = profile
    pageBytes = max(profile.pageBytes, kernelPageBytes)
    if let idTokens {
      promptTokens = idTokens
      promptBytes = 0
    } else {
      let most = profile.promptBytes + Self.extraTokens
      let isHeld = eviction.policy == .full || eviction.policy == .snapKV || eviction.filters
      promptTokens = isHeld ? min(most, eviction.promptMax + 1) : most
      promptBytes = profile.promptBytes
    }
  }

  /// The same run with another context.
  package func replacing(contextTokens: Int) -> RunShape {
    var changed = profile
    changed.contextTokens = contextTokens
    return replacing(changed)
  }

  /// The same run with int4 keys and values.
  package func replacingWithInt4Cache() -> RunShape {
    var changed = profile
    changed.keyFormat = .int4
    changed.valueFormat = .int4
    return replacing(changed)
  }

  private func replacing(_ changed: Profile) -> RunShape {
    var changed = changed
    changed.tileTokens = wantedTileTokens
    return RunShape(
      model: model, profile: changed, kernelPageBytes: pageBytes,
      idTokens: promptBytes == 0 ? promptTokens : nil)
  }

  /// Where the keys of one KV head lie.
  package var keyLayout: KeyLayout {
    KeyLayout(
      format: profile.keyFormat, headDimension: model.headDimension)
  }

  /// Where the values of one KV head lie.
  package var valueLayout: ValueLayout {
    ValueLayout(
      format: profile.valueFormat, headDimension: model.headDimension)
  }

  /// Elements of the tokenizer's scratch memory; none where there is no text.
  package var wordScratchCount: Int {
    promptBytes == 0
      ? 0 : Tokenization.Encoder.scratchCount(wordBytesMax: min(profile.wordBytes, promptBytes))
  }

  /// Bytes of the prompt's buffer: the text, a space before it, a line feed behind it, and one to
  /// see that no more comes; none where there is no text.
  package var promptBufferBytes: Int { promptBytes == 0 ? 0 : promptBytes + 3 }

  /// Query heads that share a KV head.
  package var headsPerGroup: Int { model.queryHeads / model.kvHeads }

  /// Tokens whose query heads of one KV head are attended together.
  package var tokensPerBlock: Int { max(Self.queryRowsWanted / headsPerGroup, 1) }

  /// Query rows that one thread attends with at once.
  package var queryRows: Int { tokensPerBlock * headsPerGroup }

  /// Runs that hold `slots` slots.
  package static func runs(slots: Int) -> Int { slots.dividedRoundingUp(by: runSlots) }

  /// Slots whose probabilities somebody looks at; 0: nobody does.
  var sightSlots: Int {
    max(
      eviction.policy.observes ? eviction.heldSlots : 0,
      eviction.votes ? eviction.filteredTokens : 0)
  }

  /// The most slots that attention goes over.
  var attendedSlots: Int { max(eviction.heldSlots, eviction.filteredTokens) }
}

extension Profile {
  /// The policy of the profile over `slots` slots, with what follows from their number.
  fileprivate func evictionSettings(slots: Int, model: Hyperparameters) -> EvictionSettings {
    var choices = EvictionSettings.Choices()
    choices.chunk = policyChunk
    choices.promptMax = promptMaxTokens
    choices.recentPercent = h2oRecentPercent
    let differs = evictionPolicy.comparesValues
    choices.recent = differs ? valueDifferenceRecent : scissorhandsRecent
    choices.drop = differs ? valueDifferenceDrop : scissorhandsDrop
    choices.history = scissorhandsHistory
    choices.countsStream = scissorhandsThreshold == .stream
    choices.window = snapKVWindow
    choices.poolsByMaximum = snapKVPooling == .maximum
    choices.filters = policy == .gemFilter || policy == .gemFilterVote
    choices.filterLayers = gemFilterLayer > 0 ? gemFilterLayer : nil
    choices.filterTail = gemFilterTail
    choices.isExact = gemFilterIsExact
    choices.votes = policy == .gemFilterVote
    choices.distilledPercent = infiniPotKeptPercent
    choices.novelPercent = infiniPotNovelPercent
    if policy == .scissorhandsPaper { choices.dropShare = 2 }
    return EvictionSettings(
      policy: evictionPolicy, slots: slots, layers: model.layers,
      trainedContext: model.trainedContext, choices: choices)
  }

  /// What stays of a filtered prompt and of the reply to it.
  private var replyPolicy: EvictionPolicy {
    switch gemFilterReply {
    case .ring: .gemFilter
    case .scissorhands: .scissorhands
    case .valueDifference: .valueDifference
    case .heavyDifference: .heavyDifference
    }
  }

  private var evictionPolicy: EvictionPolicy {
    switch policy {
    case .full: .full
    case .streaming: .streaming
    case .truncate: .truncate
    case .h2o: .h2o
    case .tova: .tova
    case .snapKV: .snapKV
    case .scissorhands, .scissorhandsPaper: .scissorhands
    case .valueDifference: .valueDifference
    case .heavyDifference: .heavyDifference
    case .citrusShared: .citrusShared
    case .citrusIndividual: .citrusIndividual
    case .infiniPot: .infiniPot
    case .gemFilter, .gemFilterVote: replyPolicy
    }
  }
}
