import Units

/// Which tokens stay when the context is full.
package enum PolicyChoice: Int, NamedChoice {
  /// The run ends.
  case full = 0
  /// The first 4 tokens and a window of the newest stay.
  case streaming = 1
  /// The middle of a prompt that is too long is left out.
  case truncate = 2
  /// What got the most probability so far, and the newest.
  case h2o = 3
  /// What the newest query looks at.
  case tova = 4
  /// What the end of the prompt looks at.
  case snapKV = 5
  /// What recent queries did not find unimportant; an eighth of the slots goes at once.
  case scissorhands = 6
  /// The same with half of the slots going at once, as in the paper.
  case scissorhandsPaper = 7
  /// What the instruction looks at, which is run over the cache before each chunk.
  case citrusShared = 8
  /// What surprised the model, and what a short text looks at when all slots are taken.
  case infiniPot = 9
  /// What the last token looks at in a middle layer, read anew as if it were the prompt.
  case gemFilter = 10
  /// The same, chosen by every token of the instruction in an early layer.
  case gemFilterVote = 11

  package static var count: Int { 12 }

  package var name: StaticString {
    switch self {
    case .full: "full"
    case .streaming: "streaming"
    case .truncate: "truncate"
    case .h2o: "h2o"
    case .tova: "tova"
    case .snapKV: "snapkv"
    case .scissorhands: "scissorhands"
    case .scissorhandsPaper: "scissorhands-paper"
    case .citrusShared: "citrus-shared"
    case .infiniPot: "infinipot"
    case .gemFilter: "gemfilter"
    case .gemFilterVote: "gemfilter-vote"
    }
  }

  /// Tokens at the start of the stream that a streaming context never drops.
  package static var streamingFirstTokens: Int { 4 }
}

/// What a probability is compared with to be low.
package enum ThresholdChoice: Int, NamedChoice {
  /// The mean over the slots that the query sees.
  case slots = 0
  /// The mean over all tokens read, as in the paper.
  case stream = 1

  package static var count: Int { 2 }

  package var name: StaticString {
    switch self {
    case .slots: "slots"
    case .stream: "stream"
    }
  }
}
