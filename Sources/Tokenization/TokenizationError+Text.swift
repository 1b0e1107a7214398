package import Units

extension TokenizationError {
  /// Appends one sentence for people.
  package func describe(into text: inout TextBuffer) {
    switch self {
    case .wordTooLong(let bytes, let limit):
      text.append("a word of ")
      text.append(bytes)
      text.append(" bytes is longer than the limit of ")
      text.append(limit)
    case .outputFull(let capacity):
      text.append("the text has more tokens than the ")
      text.append(capacity)
      text.append(" that fit")
    case .noTokenForByte(let byte):
      text.append("the vocabulary has no token for the byte ")
      text.append(Int(byte))
    case .tokenOutOfRange(let token, let count):
      text.append("token ")
      text.append(Int(token))
      text.append(" is outside a vocabulary of ")
      text.append(count)
    }
  }
}

extension TokenizerSectionError {
  /// Appends one sentence for people.
  package func describe(into text: inout TextBuffer) {
    switch self {
    case .truncated(let bytes, let needed):
      text.append("the section is cut off: ")
      Self.append(bytes, of: needed, &text)
    case .badMagic: text.append("the section has wrong magic bytes")
    case .newerVersion(let found, let supported):
      text.append("section version ")
      text.append(Int(found))
      text.append(" is newer than this program, which reads up to ")
      text.append(Int(supported))
    case .unknownModel(let raw): Self.append("unknown tokenizer model ", Int(raw), &text)
    case .unknownPreTokenizer(let raw): Self.append("unknown pre-tokenizer ", Int(raw), &text)
    case .unknownTemplate(let raw): Self.append("unknown chat template ", Int(raw), &text)
    case .countTooLarge(let count, let limit):
      Self.append("a count of ", Int(count), &text)
      Self.append(" is over the limit of ", limit, &text)
    case .wrongSize(let bytes, let needed):
      text.append("the section has the wrong size: ")
      Self.append(bytes, of: needed, &text)
    case .badPieceEnd(let token): Self.append("bad end of the text of token ", token, &text)
    case .badSpecial(let token, let bytes):
      Self.append("special token ", token, &text)
      Self.append(" has a text of ", bytes, &text)
      Self.append(" bytes; 1 to ", TokenizerLayout.specialBytesMax, &text)
      text.append(" are possible")
    case .badScore(let token): Self.append("bad score of token ", token, &text)
    case .badMergeStart(let token): Self.append("bad start of the merges of token ", token, &text)
    case .idOutOfRange(let token, let index):
      Self.append("entry ", index, &text)
      Self.append(" names the token ", Int(token), &text)
      text.append(", which does not exist")
    case .badSequence(let index):
      Self.append("bad bounds of the chat template's sequence ", index, &text)
    }
  }

  private static func append(_ words: StaticString, _ number: Int, _ text: inout TextBuffer) {
    text.append(words)
    text.append(number)
  }

  private static func append(_ bytes: Int, of needed: Int, _ text: inout TextBuffer) {
    text.append(bytes)
    text.append(" of ")
    text.append(needed)
    text.append(" bytes")
  }
}
