/// Which tokens stay in a cache of fixed size.
///
/// Each policy is defined in integers; all of them are the same as `full` while everything fits.
package enum EvictionPolicy: BitwiseCopyable, Equatable, Sendable {
  /// Nothing is dropped: the run ends when the context is full.
  case full

  /// Of a prompt that is too long, the first and the last tokens are read.
  case truncate

  /// The first 4 tokens and a window of the newest stay; before a chunk is read the oldest of the
  /// window go, and its tokens overwrite them in place.
  ///
  /// Source: Xiao et al., Efficient Streaming Language Models with Attention Sinks, section 3.2.
  /// There the positions inside the cache are counted anew at every step, which chunks of one token
  /// do. Here no key is rotated again: rope is relative, so the window keeps its keys, and each
  /// query is rotated twice: at its stream position for the window, and at its index in the cache
  /// for the first tokens.
  case streaming

  /// The slots that got the most probability so far stay, and the newest ones; each KV head for
  /// itself.
  ///
  /// Source: Zhang et al., H2O: Heavy-Hitter Oracle, algorithm 1.
  case h2o

  /// The slots to which the newest query gives the most probability stay, all KV heads of a layer
  /// together.
  ///
  /// Source: Oren et al., Transformers are Multi-State RNNs, section 3.2.
  case tova

  /// The slots to which the last queries of the prompt give the most probability stay, with their
  /// neighbours; each KV head for itself. The whole prompt is held until then.
  ///
  /// Source: Li et al., SnapKV, section 4.
  case snapKV

  /// Slots that recent queries found unimportant most often go, many at once; each KV head for
  /// itself.
  ///
  /// Source: Liu et al., Scissorhands, algorithms 1 and 2.
  case scissorhands

  /// Slots whose values are most like the mean of all go, many at once; each KV head for itself.
  ///
  /// No attention probability is looked at. Source: Park et al., KeyDiff, section 3, whose keys are
  /// values here: those are never rotated, so that equal tokens are alike wherever they stand.
  case valueDifference

  /// Slots that are neither unlike the mean, as in `valueDifference`, nor got much probability lately
  /// go, many at once: their ranks in both orders are added; each KV head for itself.
  ///
  /// Probability is summed up as in `h2o`, and halved at each eviction.
  case heavyDifference

  /// The instruction, which is known from the start, is run over the cache beside each chunk; the
  /// slots it looks at stay, all KV heads of a layer together. Positions are those in the cache.
  ///
  /// Source: Bai et al., CItruS, section 4, Shared Cache.
  case citrusShared

  /// The same with two caches that share the slots: the document's keeps what each chunk looks at,
  /// the instruction's own what the instruction looks at; the answer is read from the latter.
  ///
  /// Source: Bai et al., CItruS, section 4, Individual Cache.
  case citrusIndividual

  /// When all slots are taken, a short text is run over them; the tokens that surprised the model
  /// most stay, then those the text looks at, each KV head for itself. Positions start anew.
  ///
  /// Source: Kim et al., InfiniPot, section 3.
  case infiniPot

  /// The first layers read the whole prompt; the tokens that the end of it looks at in the next
  /// layer are then read by the whole model, as if they were the prompt.
  ///
  /// Source: Shi et al., GemFilter, algorithm 1 and appendix.
  case gemFilter
}

extension EvictionPolicy {
  /// Whether every KV head keeps tokens of its own.
  package var isPerHead: Bool {
    switch self {
    case .full, .truncate, .streaming, .tova, .citrusShared, .citrusIndividual, .gemFilter: false
    case .h2o, .snapKV, .scissorhands, .valueDifference, .heavyDifference, .infiniPot: true
    }
  }

  /// Whether slots are chosen for a prompt, and generated tokens come and go in the rest.
  package var isFrozen: Bool {
    switch self {
    case .truncate, .snapKV, .citrusShared, .citrusIndividual, .infiniPot, .gemFilter: true
    case .full, .streaming, .h2o, .tova, .scissorhands, .valueDifference, .heavyDifference: false
    }
  }

  /// Whether the whole prompt has slots until the choice is made.
  package var holdsPrompt: Bool {
    self == .truncate || self == .snapKV || self == .gemFilter
  }

  /// Whether tokens are run over the cache only to see what they look at, and forgotten again.
  package var probes: Bool { isCitrus || self == .infiniPot }

  /// Whether the instruction is run beside every chunk of the document.
  package var isCitrus: Bool { self == .citrusShared || self == .citrusIndividual }

  /// Whether slots go only when all are taken, as many as the settings say: a chunk ends where the
  /// slots do, so that the result does not depend on its size.
  package var dropsMany: Bool { self == .scissorhands || comparesValues }

  /// Whether the values of slots decide.
  package var comparesValues: Bool { self == .valueDifference || self == .heavyDifference }

  /// Whether attention probabilities decide.
  package var observes: Bool {
    switch self {
    case .h2o, .tova, .snapKV, .scissorhands, .heavyDifference, .citrusShared, .citrusIndividual,
      .infiniPot:
      true
    case .full, .truncate, .streaming, .valueDifference, .gemFilter: false
    }
  }

  /// Whether probabilities are summed up over queries.
  package var sums: Bool {
    switch self {
    case .h2o, .snapKV, .heavyDifference, .citrusShared, .citrusIndividual, .infiniPot: true
    case .full, .truncate, .streaming, .tova, .scissorhands, .valueDifference, .gemFilter: false
    }
  }

  /// Tokens at the start of the stream that `streaming` never drops.
  package static var sinkTokens: Int { 4 }

  /// Whether slots are taken in a fixed order that needs no table.
  package var isArithmetic: Bool { self == .full || self == .streaming }
}
