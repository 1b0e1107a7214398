import Units

/// What a profile may say.
package enum ProfileKey: Int, NamedChoice {
  case name = 0
  case description, budget, pageSize, context, keys, values, policy, tile, threads, cores, isa
  case spinMicroseconds, stack, promptBytes, wordBytes, tokens, hugePages, lockMemory
  case policyChunk, promptMax, h2oRecent, scissorhandsRecent, scissorhandsDrop
  case scissorhandsHistory, scissorhandsThreshold, snapKVWindow, snapKVPooling
  case infiniPotKept, infiniPotNovel, infiniPotCatalyst
  case gemFilterLayer, gemFilterTail, gemFilterExact
  case gemFilterReply, valueDifferenceDrop, valueDifferenceRecent

  package static var count: Int { 37 }

  package var name: StaticString {
    switch self {
    case .name: "name"
    case .description: "description"
    case .budget: "budget"
    case .pageSize: "page-size"
    case .context: "context"
    case .keys: "keys"
    case .values: "values"
    case .policy: "policy"
    case .tile: "tile"
    case .threads: "threads"
    case .cores: "cores"
    case .isa: "isa"
    case .spinMicroseconds: "spin-microseconds"
    case .stack: "stack"
    case .promptBytes: "prompt-bytes"
    case .wordBytes: "word-bytes"
    case .tokens: "tokens"
    case .hugePages: "huge-pages"
    case .lockMemory: "lock-memory"
    case .policyChunk: "policy-chunk"
    case .promptMax: "prompt-max"
    case .h2oRecent: "h2o-recent"
    case .scissorhandsRecent: "scissorhands-recent"
    case .scissorhandsDrop: "scissorhands-drop"
    case .scissorhandsHistory: "scissorhands-history"
    case .scissorhandsThreshold: "scissorhands-threshold"
    case .snapKVWindow: "snapkv-window"
    case .snapKVPooling: "snapkv-pooling"
    case .gemFilterLayer: "gemfilter-layer"
    case .gemFilterTail: "gemfilter-tail"
    case .gemFilterExact: "gemfilter-exact"
    case .gemFilterReply: "gemfilter-reply"
    case .valueDifferenceDrop: "valuediff-drop"
    case .valueDifferenceRecent: "valuediff-recent"
    case .infiniPotKept: "infinipot-kept"
    case .infiniPotNovel: "infinipot-novel"
    case .infiniPotCatalyst: "infinipot-catalyst"
    }
  }

  /// What kind of value a key takes, and its limits.
  enum Kind: Equatable {
    /// Text of at most so many bytes.
    case text(bytesMax: Int)
    /// A size in bytes within limits.
    case size(min: Int, max: Int)
    /// A size of 4, 16 or 64 KiB.
    case pageSize
    /// A whole number within limits.
    case integer(min: Int, max: Int)
    /// A whole number within limits, or `"auto"`.
    case integerOrAutomatic(min: Int, max: Int)
    case cacheFormat
    case policy
    case threshold
    case pooling
    case filteredReply
    case instructionSet
    case processors
    case boolean
  }

  /// What the key takes.
  var kind: Kind {
    switch self {
    case .name, .infiniPotCatalyst: .text(bytesMax: 63)
    case .description: .text(bytesMax: 255)
    case .budget: .size(min: 1 << 20, max: 1 << 46)
    case .pageSize: .pageSize
    case .context: .integer(min: 0, max: 1 << 24)
    case .keys, .values: .cacheFormat
    case .policy: .policy
    case .tile: .integerOrAutomatic(min: 1, max: 512)
    case .threads: .integerOrAutomatic(min: 1, max: 256)
    case .cores: .processors
    case .isa: .instructionSet
    case .spinMicroseconds: .integer(min: 0, max: 1_000_000)
    case .stack: .size(min: 64 << 10, max: 64 << 20)
    case .promptBytes: .size(min: 1 << 10, max: 1 << 30)
    case .wordBytes: .size(min: 64, max: 1 << 30)
    case .tokens: .integer(min: 1, max: 1 << 24)
    case .hugePages, .lockMemory, .gemFilterExact: .boolean
    case .policyChunk: .integerOrAutomatic(min: 1, max: 512)
    case .promptMax, .scissorhandsDrop, .valueDifferenceDrop:
      .integerOrAutomatic(min: 1, max: 1 << 24)
    case .h2oRecent: .integer(min: 0, max: 99)
    case .scissorhandsRecent, .valueDifferenceRecent: .integer(min: 0, max: 1 << 24)
    case .scissorhandsHistory: .integerOrAutomatic(min: 1, max: 65_535)
    case .scissorhandsThreshold: .threshold
    case .snapKVPooling: .pooling
    case .gemFilterReply: .filteredReply
    case .gemFilterLayer: .integerOrAutomatic(min: 1, max: 1023)
    case .gemFilterTail: .integerOrAutomatic(min: 1, max: 1 << 24)
    case .infiniPotKept: .integer(min: 1, max: 99)
    case .infiniPotNovel: .integer(min: 0, max: 100)
    case .snapKVWindow: .integerOrAutomatic(min: 1, max: 512)
    }
  }
}

/// Which keys were written, and on which line of the profile; 0 where on none.
struct ProfileKeyLines {
  private var lines = InlineArray<37, Int>(repeating: 0)
  private var override: ProfileKey?

  /// No key was written.
  init() {}

  /// Only `key` was written, on a command line.
  init(override key: ProfileKey) {
    override = key
  }

  subscript(key: ProfileKey) -> Int {
    get { lines[key.rawValue] }
    set { lines[key.rawValue] = newValue }
  }

  /// Whether a person wrote the value of `key` rather than leaving it to the default.
  func isGiven(_ key: ProfileKey) -> Bool { self[key] > 0 || override == key }
}
