/// Why text could not become tokens, or tokens text.
package enum TokenizationError: Error, Equatable {
  /// One word of the text is longer than the scratch memory was made for.
  case wordTooLong(bytes: Int, limit: Int)

  /// The tokens do not fit the buffer that was handed in.
  case outputFull(capacity: Int)

  /// The vocabulary can express this byte neither as a byte token nor as the unknown token.
  case noTokenForByte(UInt8)

  /// A token that the vocabulary does not have.
  case tokenOutOfRange(Int32, count: Int)
}

/// What is wrong with a tokenizer section or a chat template section.
package enum TokenizerSectionError: Error, Equatable {
  /// Fewer bytes than the fixed header.
  case truncated(bytes: Int, needed: Int)

  /// The section does not begin with its magic number.
  case badMagic(UInt32)

  /// Written by a newer version of the packer.
  case newerVersion(UInt32, supported: UInt32)

  /// A tokenizer model that this version does not know.
  case unknownModel(UInt32)

  /// A pre-tokenizer that this version does not know.
  case unknownPreTokenizer(UInt32)

  /// A chat template family that this version does not know.
  case unknownTemplate(UInt32)

  /// A count in the header is beyond what the format allows.
  case countTooLarge(UInt32, limit: Int)

  /// The counts in the header ask for another number of bytes than there are.
  case wrongSize(bytes: Int, needed: Int)

  /// The text of token `token` ends before it begins or beyond the text of all.
  case badPieceEnd(token: Int)

  /// Special token `token` has no text, or more than a text is searched for.
  case badSpecial(token: Int, bytes: Int)

  /// The score of token `token` is not a finite number.
  case badScore(token: Int)

  /// The first merge of token `token` does not follow the last one of the token before.
  case badMergeStart(token: Int)

  /// Entry `index` of a table names a token that the vocabulary does not have.
  case idOutOfRange(UInt32, index: Int)

  /// A token sequence of the chat template lies outside the section.
  case badSequence(index: Int)
}
