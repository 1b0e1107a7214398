import Units

/// A value of a profile that is one of a few names.
package protocol NamedChoice: BitwiseCopyable, Equatable, Sendable {
  /// How many there are; they are numbered from 0.
  static var count: Int { get }
  /// The choice with a number.
  init?(rawValue: Int)
  /// How a profile or a command line spells it.
  var name: StaticString { get }
}

extension NamedChoice {
  /// The choice that `name` spells, or `nil`.
  package init?(named name: RawSpan) {
    for number in 0..<Self.count {
      if let choice = Self(rawValue: number), name.equals(choice.name) {
        self = choice
        return
      }
    }
    return nil
  }

  /// Appends all names, commas between.
  static func writeNames(to text: inout TextBuffer) {
    for number in 0..<count {
      if number > 0 { text.append(", ") }
      if let choice = Self(rawValue: number) { text.append(choice.name) }
    }
  }
}

/// How many bits the cache keeps of a key or value element.
package enum CacheFormatChoice: Int, NamedChoice {
  case int8 = 0
  case int4 = 1

  package static var count: Int { 2 }

  package var name: StaticString {
    switch self {
    case .int8: "int8"
    case .int4: "int4"
    }
  }
}

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

/// Which kernels run; the results are the same, bit for bit.
package enum InstructionSetChoice: Int, NamedChoice {
  /// The best that the processor has.
  case automatic = 0
  case portable = 1
  case avx2 = 2
  case avxvnni = 3
  case avx512vnni = 4
  case neon = 5
  case dotprod = 6
  case i8mm = 7

  package static var count: Int { 8 }

  package var name: StaticString {
    switch self {
    case .automatic: "auto"
    case .portable: "portable"
    case .avx2: "avx2"
    case .avxvnni: "avxvnni"
    case .avx512vnni: "avx512vnni"
    case .neon: "neon"
    case .dotprod: "dotprod"
    case .i8mm: "i8mm"
    }
  }
}
