import Units

/// The header of a tokenizer section, read and checked before anything is believed.
struct TokenizerHeader: BitwiseCopyable {
  let model: TokenizerModel
  let preTokenizer: PreTokenizer
  let flags: UInt32
  let tokenCount: Int
  let pieceByteCount: Int
  let mergeCount: Int
  let specialCount: Int
  let begin: UInt32
  let end: UInt32
  let unknown: UInt32
  let layout: TokenizerLayout

  /// What a walk over the tables finds out.
  struct Summary: BitwiseCopyable {
    var longestPieceBytes = 0
    var hasUserDefined = false
    var specialFirstBytes = InlineArray<4, UInt64>(repeating: 0)
  }

  init(_ section: FixedBuffer<UInt8>) throws(TokenizerSectionError) {
    guard section.count >= TokenizerLayout.headerBytes else {
      throw .truncated(bytes: section.count, needed: TokenizerLayout.headerBytes)
    }
    let magic = Self.word(section, 0)
    guard magic == TokenizerLayout.magic else { throw .badMagic(magic) }
    let version = Self.word(section, 1)
    guard version <= TokenizerLayout.version else {
      throw .newerVersion(version, supported: TokenizerLayout.version)
    }
    guard let model = TokenizerModel(rawValue: Self.word(section, 2)) else {
      throw .unknownModel(Self.word(section, 2))
    }
    guard let preTokenizer = PreTokenizer(rawValue: Self.word(section, 3)),
      (preTokenizer == .none) == (model == .sentencePiece)
    else { throw .unknownPreTokenizer(Self.word(section, 3)) }
    self.model = model
    self.preTokenizer = preTokenizer
    flags = Self.word(section, 4)
    tokenCount = try Self.count(section, 5, limit: TokenizerLayout.tokensMax)
    pieceByteCount = try Self.count(section, 6, limit: TokenizerLayout.pieceBytesMax)
    mergeCount = try Self.count(section, 7, limit: TokenizerLayout.mergesMax)
    specialCount = try Self.count(section, 8, limit: tokenCount)
    layout = TokenizerLayout(
      model: model, wholeWords: flags & TokenizerLayout.wholeWordsFlag != 0,
      tokenCount: tokenCount, pieceByteCount: pieceByteCount, mergeCount: mergeCount,
      specialCount: specialCount)
    guard section.count == layout.byteCount else {
      throw .wrongSize(bytes: section.count, needed: layout.byteCount)
    }
    begin = try Self.optionalToken(section, 9, count: tokenCount)
    end = try Self.optionalToken(section, 10, count: tokenCount)
    unknown = try Self.optionalToken(section, 11, count: tokenCount)
  }

  /// Checks every entry of every table whose value is used as an offset or as a token.
  func checkTables(_ section: FixedBuffer<UInt8>) throws(TokenizerSectionError) -> Summary {
    var summary = Summary()
    try checkTokens(section, table: layout.byteTokens, count: 256, allowsNone: true)
    try checkPieces(section, &summary)
    if model == .sentencePiece || flags & TokenizerLayout.wholeWordsFlag != 0 {
      try checkTokens(section, table: layout.pieceOrder, count: tokenCount, allowsNone: false)
    }
    if model == .bytePair { try checkMerges(section) }
    try checkTokens(section, table: layout.specials, count: specialCount, allowsNone: false)
    for index in 0..<specialCount {
      let token = Int(Self.word(section, layout.specials / 4 + index))
      let start = token == 0 ? 0 : Int(Self.word(section, layout.pieceEnds / 4 + token - 1))
      let bytes = Int(Self.word(section, layout.pieceEnds / 4 + token)) - start
      guard bytes > 0 && bytes <= TokenizerLayout.specialBytesMax else {
        throw .badSpecial(token: token, bytes: bytes)
      }
      let first = section[layout.pieceBytes + start]
      summary.specialFirstBytes[Int(first &>> 6)] |= 1 &<< UInt64(first & 63)
      let attributes = TokenAttributes(rawValue: section[layout.attributes + token])
      if attributes.isAlwaysCut { summary.hasUserDefined = true }
    }
    return summary
  }

  private func checkPieces(
    _ section: FixedBuffer<UInt8>, _ summary: inout Summary
  ) throws(TokenizerSectionError) {
    var start = 0
    for token in 0..<tokenCount {
      let end = Int(Self.word(section, layout.pieceEnds / 4 + token))
      guard end >= start && end <= pieceByteCount else { throw .badPieceEnd(token: token) }
      summary.longestPieceBytes = max(summary.longestPieceBytes, end - start)
      start = end
      if model == .sentencePiece {
        let score = Float(bitPattern: Self.word(section, layout.scores / 4 + token))
        guard score.isFinite else { throw .badScore(token: token) }
      }
    }
  }

  private func checkMerges(_ section: FixedBuffer<UInt8>) throws(TokenizerSectionError) {
    var previous = 0
    for token in 0...tokenCount {
      let start = Int(Self.word(section, layout.mergeStarts / 4 + token))
      guard start >= previous && start <= mergeCount else { throw .badMergeStart(token: token) }
      previous = start
    }
    for index in 0..<mergeCount {
      let merged = Self.word(section, layout.merges / 4 + 3 * index + 2)
      guard Int(merged) < tokenCount else { throw .idOutOfRange(merged, index: index) }
    }
  }

  private func checkTokens(
    _ section: FixedBuffer<UInt8>, table: Int, count: Int, allowsNone: Bool
  ) throws(TokenizerSectionError) {
    for index in 0..<count {
      let token = Self.word(section, table / 4 + index)
      guard Int(token) < tokenCount || allowsNone && token == TokenizerLayout.noToken else {
        throw .idOutOfRange(token, index: index)
      }
    }
  }

  private static func word(_ section: FixedBuffer<UInt8>, _ index: Int) -> UInt32 {
    section.bytes.loadLittleEndian(at: 4 * index, as: UInt32.self)
  }

  private static func count(
    _ section: FixedBuffer<UInt8>, _ index: Int, limit: Int
  ) throws(TokenizerSectionError) -> Int {
    let value = word(section, index)
    guard Int(value) <= limit else { throw .countTooLarge(value, limit: limit) }
    return Int(value)
  }

  private static func optionalToken(
    _ section: FixedBuffer<UInt8>, _ index: Int, count: Int
  ) throws(TokenizerSectionError) -> UInt32 {
    let value = word(section, index)
    guard Int(value) < count || value == TokenizerLayout.noToken else {
      throw .idOutOfRange(value, index: index)
    }
    return value
  }
}
