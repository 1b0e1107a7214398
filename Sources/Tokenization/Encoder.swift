package import Units

/// Turns text into tokens, word by word, in scratch memory for one word.
///
/// Special tokens are cut out first, at each place the longest that fits there; what lies between
/// is cut into words that no merge can cross, and each word is merged on its own. llama.cpp gives
/// the same tokens on valid UTF-8, except where special tokens overlap one another in the text:
/// it prefers the longer one, here the one that begins first wins.
/// Bytes that are not UTF-8 are kept: each counts as one symbol character.
package struct Encoder {
  /// What is done beside cutting and merging.
  package struct Options: BitwiseCopyable {
    /// Whether the begin and end tokens are added, where the vocabulary wants them.
    package var addsBeginAndEnd: Bool

    /// Whether text that spells a control token becomes that token.
    package var parsesSpecial: Bool

    /// Whether the text begins a text or follows a special token; then a vocabulary that
    /// prefixes a space does so.
    package var startsText: Bool

    /// Options for a whole text by itself: `startsText`, unless said otherwise.
    package init(addsBeginAndEnd: Bool, parsesSpecial: Bool, startsText: Bool = true) {
      self.addsBeginAndEnd = addsBeginAndEnd
      self.parsesSpecial = parsesSpecial
      self.startsText = startsText
    }
  }

  /// The vocabulary.
  package let tokenizer: Tokenizer
  var merger: PairMerger

  /// Encodes with `tokenizer`; `scratch` decides how long a word may be.
  package init(tokenizer: Tokenizer, scratch: FixedBuffer<UInt32>) {
    self.tokenizer = tokenizer
    merger = PairMerger(tokenizer: tokenizer, scratch: scratch)
  }

  /// Words of scratch memory for text words of up to `wordBytesMax` bytes: 7 per byte, and as
  /// many for the space before the first.
  package static func scratchCount(wordBytesMax: Int) -> Int {
    (wordBytesMax + 1) * PairMerger.tables
  }

  /// Appends the tokens of `text` to `sink`; on an error the sink holds those before it.
  package mutating func encode(
    _ text: RawSpan, options: Options, into sink: inout TokenSink
  ) throws(TokenizationError) {
    if options.addsBeginAndEnd, tokenizer.addsBegin, let begin = tokenizer.beginToken {
      try sink.append(begin)
    }
    var position = 0
    var startsText = options.startsText
    while position < text.byteCount {
      let special = tokenizer.nextSpecial(
        in: text, from: position, parsesSpecial: options.parsesSpecial)
      var end = special?.start ?? text.byteCount
      if let special, special.attributes.has(TokenAttributes.stripsLeft) {
        while end > position && Self.isSpace(text.byte(at: end - 1)) { end -= 1 }
      }
      if end > position {
        try encodeFragment(text, position..<end, startsText: startsText, into: &sink)
        startsText = false
      }
      guard let special else { break }
      try sink.append(special.token)
      startsText = true
      position = special.end
      if special.attributes.has(TokenAttributes.stripsRight) {
        while position < text.byteCount && Self.isSpace(text.byte(at: position)) { position += 1 }
      }
    }
    if options.addsBeginAndEnd, tokenizer.addsEnd, let end = tokenizer.endToken {
      try sink.append(end)
    }
  }

  /// Encodes text without special tokens.
  private mutating func encodeFragment(
    _ text: RawSpan, _ range: Range<Int>, startsText: Bool, into sink: inout TokenSink
  ) throws(TokenizationError) {
    switch tokenizer.model {
    case .bytePair:
      var splitter = WordSplitter(tokenizer.preTokenizer, fragment: range)
      while let word = splitter.next(text) {
        try merger.encodeBytePair(text, word, into: &sink)
      }
    case .sentencePiece:
      var hasPrefix = startsText && tokenizer.addsSpacePrefix
      var start = range.lowerBound
      while start < range.upperBound {
        let end = tokenizer.segmentEnd(
          text, start..<range.upperBound, hasPrefix: hasPrefix)
        try merger.encodeSentencePiece(text, start..<end, hasPrefix: hasPrefix, into: &sink)
        hasPrefix = false
        start = end
      }
    }
  }

  /// What `isspace` of C says in its own locale.
  private static func isSpace(_ byte: UInt8) -> Bool { byte == 32 || byte >= 9 && byte <= 13 }
}

extension RawSpan {
  /// The byte at `offset`; traps outside.
  @inline(__always)
  func byte(at offset: Int) -> UInt8 { loadLittleEndian(at: offset, as: UInt8.self) }
}
