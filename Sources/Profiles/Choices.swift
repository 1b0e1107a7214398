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
  /// What the instruction looks at, in a cache of its own beside the document's.
  case citrusIndividual = 12
  /// What differs most from the mean; an eighth of the slots goes at once.
  case valueDifference = 13
  /// The same, and what queries looked at lately: the two ranks are added.
  case heavyDifference = 14

  package static var count: Int { 15 }

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
    case .citrusIndividual: "citrus-individual"
    case .infiniPot: "infinipot"
    case .gemFilter: "gemfilter"
    case .gemFilterVote: "gemfilter-vote"
    case .valueDifference: "valuediff"
    case .heavyDifference: "valuediff-h2o"
    }
  }

  /// What stays where a budget of slots is given and no policy is named: what lost the least on all
  /// task sets, of the policies that know no instruction and read a stream.
  package static var forBudgets: PolicyChoice { .heavyDifference }

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

/// Which tokens stay while a reply to a filtered prompt is generated.
package enum FilteredReplyChoice: Int, NamedChoice {
  /// The whole prompt; of the reply the newest tokens that fit beside it.
  case ring = 0
  /// As the policies of these names.
  case scissorhands = 1
  case valueDifference = 2
  case heavyDifference = 3

  package static var count: Int { 4 }

  package var name: StaticString {
    switch self {
    case .ring: "ring"
    case .scissorhands: "scissorhands"
    case .valueDifference: "valuediff"
    case .heavyDifference: "valuediff-h2o"
    }
  }
}

/// What a slot's neighbours in the stream make of its score.
package enum PoolingChoice: Int, NamedChoice {
  /// The mean of 5, those beyond the edges as zeros.
  case mean = 0
  /// The largest of 7.
  case maximum = 1

  package static var count: Int { 2 }

  package var name: StaticString {
    switch self {
    case .mean: "mean"
    case .maximum: "max"
    }
  }
}
