package import Units

extension ProfileError {
  /// Appends one line without a line feed: where, which key, what is wrong, what is allowed.
  ///
  /// `file` is the name of the profile; empty where the value came from a command line.
  package func write(to text: inout TextBuffer, file: RawSpan) {
    if file.byteCount > 0 {
      text.append(file)
      text.append(":")
      if line > 0 {
        text.append(line)
        text.append(":")
      }
      text.append(" ")
    }
    if let key {
      text.append(key.name)
      text.append(": ")
    }
    switch reason {
    case .unknownKey(let name):
      text.append("`")
      name.write(to: &text)
      text.append("` is no key of a profile; the keys are ")
      ProfileKey.writeNames(to: &text)
    case .duplicateKey(let firstLine):
      text.append("stands on line ")
      text.append(firstLine)
      text.append(" already; remove one of the two")
    case .missing:
      text.append("is missing; add a line such as budget = \"640 MiB\"")
    case .wrongType:
      text.append("takes another type of value; write ")
      key?.writeAllowed(to: &text)
    case .textTooLong:
      text.append("is too long; write ")
      key?.writeAllowed(to: &text)
    case .badSize(let error):
      error.write(to: &text)
      text.append("; write ")
      key?.writeAllowed(to: &text)
    case .outOfRange:
      text.append("is out of range; write ")
      key?.writeAllowed(to: &text)
    case .unknownChoice:
      text.append("is not known; write ")
      key?.writeAllowed(to: &text)
    case .badProcessors:
      text.append("is no list of processors; write ")
      key?.writeAllowed(to: &text)
    case .contradiction(let contradiction): contradiction.write(to: &text)
    default: text.append(reason.syntaxText)
    }
  }
}

extension ProfileError.Reason {
  /// What is wrong with the form of the text, and the remedy.
  fileprivate var syntaxText: StaticString {
    switch self {
    case .profileTooLong: "the profile is longer than 64 KiB; shorten it"
    case .notUTF8: "the text is not UTF-8; save it as UTF-8"
    case .controlCharacter: "a control character stands here; remove it"
    case .keyExpected: "a key was expected; write key = value, or # before a comment"
    case .equalsExpected: "an = was expected after the key"
    case .valueExpected: "a value was expected: \"text\", a whole number, true or false"
    case .lineEndExpected: "nothing but a comment may follow the value; one key per line"
    case .keyNotBare: "a profile is flat: write the key without quotes and dots"
    case .table: "a profile is flat: tables in [ ] are not allowed"
    case .nestedValue: "a profile is flat: arrays and inline tables are not allowed"
    case .multilineString: "a string is on one line: write it between single quotation marks"
    case .unterminatedString: "the closing quotation mark is missing on this line"
    case .badEscape: "unknown escape; allowed are \\\" \\\\ \\t \\n \\uXXXX \\UXXXXXXXX"
    case .badInteger: "a whole number is decimal, without leading zero; _ only between digits"
    case .integerTooLarge: "the number is beyond 64 bits"
    case .notWhole: "fractions, exponents and dates are not allowed; write a whole number"
    default: "is not valid"
    }
  }
}

extension ByteSizeError {
  /// Appends what is wrong with the size.
  package func write(to text: inout TextBuffer) {
    switch self {
    case .noNumber: text.append("the size does not begin with a number")
    case .noUnit: text.append("the size has no unit")
    case .unknownUnit:
      text.append("the unit of the size is none of B, KiB, MiB, GiB, TiB, kB, MB, GB, TB")
    case .fractionTooLong: text.append("the size has more than 6 digits after the point")
    case .tooLarge: text.append("the size is too large")
    }
  }
}

extension ProfileKey {
  /// Appends what a value of this key may be.
  package func writeAllowed(to text: inout TextBuffer) {
    switch kind {
    case .text(let bytesMax):
      text.append("a string of at most ")
      text.append(bytesMax)
      text.append(" bytes")
    case .size(let min, let max):
      text.append("a size such as \"640 MiB\", from \"")
      ByteSize.write(min, to: &text)
      text.append("\" to \"")
      ByteSize.write(max, to: &text)
      text.append("\"")
    case .pageSize: text.append("\"4 KiB\", \"16 KiB\" or \"64 KiB\"")
    case .integer(let min, let max), .integerOrAutomatic(let min, let max):
      text.append("a whole number from ")
      text.append(min)
      text.append(" to ")
      text.append(max)
      if case .integerOrAutomatic = kind { text.append(", or \"auto\"") }
    case .cacheFormat:
      text.append("one of the strings ")
      CacheFormat.writeNames(to: &text)
    case .policy:
      text.append("one of the strings ")
      PolicyChoice.writeNames(to: &text)
    case .threshold:
      text.append("one of the strings ")
      ThresholdChoice.writeNames(to: &text)
    case .filteredReply:
      text.append("one of the strings ")
      FilteredReplyChoice.writeNames(to: &text)
    case .pooling:
      text.append("one of the strings ")
      PoolingChoice.writeNames(to: &text)
    case .instructionSet:
      text.append("one of the strings auto, ")
      InstructionSet.writeNames(to: &text)
    case .processors:
      text.append("a string of numbers and ranges from 0 to 255 such as \"0-3,6\", or \"\" for any")
    case .boolean: text.append("true or false")
    }
  }
}

extension ProfileError.Contradiction {
  /// Appends which values exclude each other, with the line of the other, and what would do.
  fileprivate func write(to text: inout TextBuffer) {
    switch self {
    case .tileAboveContext(let line, let tokens):
      text.append("is more than the context of ")
      Self.write(tokens, unit: " tokens", line: line, to: &text)
      text.append("; lower the tile or raise the context")
    case .streamingWindow(let tile):
      text.append("streaming keeps the first ")
      text.append(PolicyChoice.streamingFirstTokens)
      text.append(" tokens and a window of at least one tile; write at least ")
      text.append(PolicyChoice.streamingFirstTokens + tile)
    case .replyAboveContext(let line, let tokens):
      text.append("is more than the context of ")
      Self.write(tokens, unit: " tokens", line: line, to: &text)
      text.append("; lower it, raise the context, or write policy = \"streaming\"")
    case .wordAbovePrompt(let line, let bytes):
      text.append("is more than the longest prompt, ")
      Self.write(size: bytes, line: line, to: &text)
      text.append("; lower it or raise prompt-bytes")
    case .threadsAboveProcessors(let line, let processors):
      text.append("are more than the cores they are pinned to, ")
      Self.write(processors, unit: "", line: line, to: &text)
      text.append("; lower threads or name more cores")
    case .stacksAboveBudget(let line, let stacks, let budget):
      text.append("the stacks of all threads, ")
      ByteSize.write(stacks, to: &text)
      text.append(", leave nothing of the budget of ")
      Self.write(size: budget, line: line, to: &text)
      text.append("; lower stack or threads, or raise the budget")
    case .promptAboveBudget(let line, let bytes):
      text.append("leaves nothing of the budget of ")
      Self.write(size: bytes, line: line, to: &text)
      text.append("; lower it or raise the budget")
    }
  }

  private static func write(
    _ value: Int, unit: StaticString, line: Int, to text: inout TextBuffer
  ) {
    text.append(value)
    text.append(unit)
    write(line: line, to: &text)
  }

  private static func write(size: Int, line: Int, to text: inout TextBuffer) {
    ByteSize.write(size, to: &text)
    write(line: line, to: &text)
  }

  private static func write(line: Int, to text: inout TextBuffer) {
    guard line > 0 else { return }
    text.append(" (line ")
    text.append(line)
    text.append(")")
  }
}
