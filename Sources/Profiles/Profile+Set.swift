import Units

extension Profile {
  /// Stores one value after checking its type and limits.
  mutating func set(
    _ key: ProfileKey, to value: ProfileScanner.Value, line: Int
  ) throws(ProfileError) {
    switch key {
    case .name:
      name = try Self.text(value, key, line)
    case .description: description = try Self.text(value, key, line)
    case .budget: budgetBytes = try Self.number(value, key, line)
    case .pageSize: pageBytes = try Self.number(value, key, line)
    case .context: contextTokens = try Self.number(value, key, line)
    case .keys: keyFormat = try Self.choice(value, key, line)
    case .values: valueFormat = try Self.choice(value, key, line)
    case .policy: policy = try Self.choice(value, key, line)
    case .tile: tileTokens = try Self.number(value, key, line)
    case .threads: threads = try Self.number(value, key, line)
    case .cores:
      let list: FixedText<255> = try Self.text(value, key, line)
      guard let set = list.withBytes({ ProcessorSet($0) }) else {
        throw ProfileError(line: line, key: key, .badProcessors)
      }
      processors = set
    case .isa:
      instructionSet = Self.isAutomatic(value) ? nil : try Self.choice(value, key, line)
    case .spinMicroseconds: spinMicroseconds = try Self.number(value, key, line)
    case .stack: stackBytes = try Self.number(value, key, line)
    case .promptBytes: promptBytes = try Self.number(value, key, line)
    case .wordBytes: wordBytes = try Self.number(value, key, line)
    case .tokens: replyTokens = try Self.number(value, key, line)
    case .hugePages: usesHugePages = try Self.boolean(value, key, line)
    case .lockMemory: locksMemory = try Self.boolean(value, key, line)
    case .policyChunk: policyChunk = try Self.number(value, key, line)
    case .promptMax: promptMaxTokens = try Self.number(value, key, line)
    case .h2oRecent: h2oRecentPercent = try Self.number(value, key, line)
    case .scissorhandsRecent: scissorhandsRecent = try Self.number(value, key, line)
    case .scissorhandsDrop: scissorhandsDrop = try Self.number(value, key, line)
    case .scissorhandsHistory: scissorhandsHistory = try Self.number(value, key, line)
    case .scissorhandsThreshold: scissorhandsThreshold = try Self.choice(value, key, line)
    case .snapKVWindow: snapKVWindow = try Self.number(value, key, line)
    case .snapKVPooling: snapKVPooling = try Self.choice(value, key, line)
    case .gemFilterLayer: gemFilterLayer = try Self.number(value, key, line)
    case .gemFilterTail: gemFilterTail = try Self.number(value, key, line)
    case .gemFilterReply: gemFilterReply = try Self.choice(value, key, line)
    case .gemFilterExact: gemFilterIsExact = try Self.boolean(value, key, line)
    case .valueDifferenceDrop: valueDifferenceDrop = try Self.number(value, key, line)
    case .valueDifferenceRecent: valueDifferenceRecent = try Self.number(value, key, line)
    case .infiniPotKept: infiniPotKeptPercent = try Self.number(value, key, line)
    case .infiniPotNovel: infiniPotNovelPercent = try Self.number(value, key, line)
    case .infiniPotCatalyst: infiniPotCatalyst = try Self.text(value, key, line)
    }
  }

  private static func text<let capacity: Int>(
    _ value: ProfileScanner.Value, _ key: ProfileKey, _ line: Int
  ) throws(ProfileError) -> FixedText<capacity> {
    guard case .text(let text) = value else { throw ProfileError(line: line, key: key, .wrongType) }
    var copy = FixedText<capacity>()
    for index in 0..<text.count where !copy.append(text[index]) {
      throw ProfileError(line: line, key: key, .textTooLong)
    }
    return copy
  }

  private static func boolean(
    _ value: ProfileScanner.Value, _ key: ProfileKey, _ line: Int
  ) throws(ProfileError) -> Bool {
    guard case .boolean(let boolean) = value else {
      throw ProfileError(line: line, key: key, .wrongType)
    }
    return boolean
  }

  private static func choice<Choice: NamedChoice>(
    _ value: ProfileScanner.Value, _ key: ProfileKey, _ line: Int
  ) throws(ProfileError) -> Choice {
    guard case .text(let text) = value else { throw ProfileError(line: line, key: key, .wrongType) }
    guard let choice = text.withBytes({ Choice(named: $0) }) else {
      throw ProfileError(line: line, key: key, .unknownChoice)
    }
    return choice
  }

  /// Whether the machine or the other keys are to decide.
  private static func isAutomatic(_ value: ProfileScanner.Value) -> Bool {
    guard case .text(let text) = value else { return false }
    return text.withBytes { $0.equals("auto") }
  }

  /// A size in bytes, a whole number, or 0 for `"auto"`, within the limits of the key.
  private static func number(
    _ value: ProfileScanner.Value, _ key: ProfileKey, _ line: Int
  ) throws(ProfileError) -> Int {
    let number: Int
    var (low, high) = (0, 0)
    switch (key.kind, value) {
    case (.size(let min, let max), .text(let text)):
      number = try size(text, key, line)
      (low, high) = (min, max)
    case (.pageSize, .text(let text)):
      number = try size(text, key, line)
      guard number == 4 << 10 || number == 16 << 10 || number == 64 << 10 else {
        throw ProfileError(line: line, key: key, .outOfRange)
      }
      return number
    case (.integer(let min, let max), .integer(let integer)),
      (.integerOrAutomatic(let min, let max), .integer(let integer)):
      number = integer
      (low, high) = (min, max)
    case (.integerOrAutomatic, .text):
      guard isAutomatic(value) else { throw ProfileError(line: line, key: key, .unknownChoice) }
      return 0
    default: throw ProfileError(line: line, key: key, .wrongType)
    }
    if number < low || number > high { throw ProfileError(line: line, key: key, .outOfRange) }
    return number
  }

  private static func size(
    _ text: FixedText<255>, _ key: ProfileKey, _ line: Int
  ) throws(ProfileError) -> Int {
    do throws(ByteSizeError) {
      return try text.withBytes { (bytes) throws(ByteSizeError) in try ByteSize.parse(bytes) }
    } catch {
      throw ProfileError(line: line, key: key, .badSize(error))
    }
  }
}

extension Profile {
  /// Makes values that nobody wrote give way to those that were, and refuses contradictions.
  mutating func settle(_ lines: ProfileKeyLines) throws(ProfileError) {
    try settleContext(lines)
    if wordBytes > promptBytes {
      if lines[.wordBytes] > 0 && lines[.promptBytes] > 0 {
        throw ProfileError(
          line: lines[.wordBytes], key: .wordBytes,
          .contradiction(
            .wordAbovePrompt(promptLine: lines[.promptBytes], promptBytes: promptBytes)))
      }
      if lines.isGiven(.wordBytes) { promptBytes = wordBytes } else { wordBytes = promptBytes }
    }
    if !processors.isEmpty && threads > processors.count {
      throw ProfileError(
        line: lines[.threads], key: .threads,
        .contradiction(
          .threadsAboveProcessors(coresLine: lines[.cores], processors: processors.count)))
    }
    // At most 256 threads of 64 MiB: no overflow.
    let stacksBytes = max(threads, 1) * stackBytes
    if stacksBytes >= budgetBytes {
      throw ProfileError(
        line: lines[.stack], key: .stack,
        .contradiction(
          .stacksAboveBudget(
            budgetLine: lines[.budget], stacksBytes: stacksBytes, budgetBytes: budgetBytes)))
    }
    if promptBytes >= budgetBytes {
      throw ProfileError(
        line: lines[.promptBytes], key: .promptBytes,
        .contradiction(
          .promptAboveBudget(budgetLine: lines[.budget], budgetBytes: budgetBytes)))
    }
  }

  /// Fits tile and reply to the context, where the profile names one.
  private mutating func settleContext(_ lines: ProfileKeyLines) throws(ProfileError) {
    if contextTokens == 0 { return }
    let first = PolicyChoice.streamingFirstTokens
    if tileTokens > contextTokens {
      if lines.isGiven(.tile) {
        throw ProfileError(
          line: lines[.tile], key: .tile,
          .contradiction(
            .tileAboveContext(contextLine: lines[.context], contextTokens: contextTokens)))
      }
      tileTokens = contextTokens
    }
    if policy == .streaming && contextTokens < first + max(tileTokens, 1) {
      if lines.isGiven(.tile) || contextTokens <= first {
        throw ProfileError(
          line: lines[.context], key: .context,
          .contradiction(.streamingWindow(tileTokens: lines.isGiven(.tile) ? tileTokens : 1)))
      }
      tileTokens = contextTokens - first
    }
    if policy == .full && replyTokens > contextTokens {
      if lines[.tokens] > 0 {
        throw ProfileError(
          line: lines[.tokens], key: .tokens,
          .contradiction(
            .replyAboveContext(contextLine: lines[.context], contextTokens: contextTokens)))
      }
      replyTokens = contextTokens
    }
  }
}
