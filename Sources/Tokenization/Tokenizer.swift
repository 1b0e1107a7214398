package import Units

/// A vocabulary: a view of a tokenizer section, every offset and every token in it checked.
///
/// The section is untrusted input; what the initializer lets pass cannot make a later call trap.
package struct Tokenizer: BitwiseCopyable {
  let section: FixedBuffer<UInt8>
  let layout: TokenizerLayout
  private let flags: UInt32

  /// How the vocabulary splits and merges.
  package let model: TokenizerModel

  /// How byte-level text is cut into words.
  package let preTokenizer: PreTokenizer

  /// Number of tokens.
  package let tokenCount: Int

  /// Number of special tokens: control, user-defined and unknown.
  let specialCount: Int

  /// Bytes of the longest text of a token.
  package let longestPieceBytes: Int

  private let pieceByteCount: Int
  private let beginWord: UInt32
  private let endWord: UInt32
  private let unknownWord: UInt32

  /// Whether some token must be cut out of any text, special tokens asked for or not.
  let hasUserDefined: Bool

  /// One bit per byte with which a special token begins.
  private let specialFirstBytes: InlineArray<4, UInt64>

  /// Checks `section` and takes it as it is.
  package init(section: FixedBuffer<UInt8>) throws(TokenizerSectionError) {
    let header = try TokenizerHeader(section)
    self.section = section
    layout = header.layout
    flags = header.flags
    model = header.model
    preTokenizer = header.preTokenizer
    tokenCount = header.tokenCount
    specialCount = header.specialCount
    pieceByteCount = header.pieceByteCount
    beginWord = header.begin
    endWord = header.end
    unknownWord = header.unknown
    let summary = try header.checkTables(section)
    longestPieceBytes = summary.longestPieceBytes
    hasUserDefined = summary.hasUserDefined
    specialFirstBytes = summary.specialFirstBytes
  }

  /// The token before every text, if the vocabulary has one.
  package var beginToken: Int32? { Self.token(beginWord) }

  /// The token after a finished text, if the vocabulary has one.
  package var endToken: Int32? { Self.token(endWord) }

  /// The token for what cannot be expressed, if the vocabulary has one.
  package var unknownToken: Int32? { Self.token(unknownWord) }

  /// Whether encoding begins with `beginToken`.
  package var addsBegin: Bool { flags & TokenizerLayout.addsBeginFlag != 0 }

  /// Whether encoding ends with `endToken`.
  package var addsEnd: Bool { flags & TokenizerLayout.addsEndFlag != 0 }

  /// Whether a text, and what follows a special token, is read as if a space came before it.
  package var addsSpacePrefix: Bool { flags & TokenizerLayout.addsSpacePrefixFlag != 0 }

  /// Whether a word that is a token is not split any further.
  var takesWholeWords: Bool { flags & TokenizerLayout.wholeWordsFlag != 0 }

  /// Whether `token` exists.
  package func contains(_ token: Int32) -> Bool { token >= 0 && Int(token) < tokenCount }

  /// What `token` is; traps for a token that does not exist.
  package func attributes(of token: Int32) -> TokenAttributes {
    precondition(contains(token), "no such token")
    return TokenAttributes(rawValue: section[layout.attributes + Int(token)])
  }

  /// Whether `token` ends a generation; false for a token that does not exist.
  package func isStop(_ token: Int32) -> Bool {
    contains(token) && attributes(of: token).has(TokenAttributes.stop)
  }

  /// The text of `token` as the vocabulary spells it, spaces and bytes escaped; traps for a
  /// token that does not exist.
  package func piece(_ token: Int32) -> FixedBuffer<UInt8> {
    precondition(contains(token), "no such token")
    let index = Int(token)
    let start = index == 0 ? 0 : Int(word(layout.pieceEnds, index - 1))
    let end = Int(word(layout.pieceEnds, index))
    return section.extracting(layout.pieceBytes + start..<layout.pieceBytes + end)
  }

  /// The token for `byte` alone, or `nil`.
  func token(forByte byte: UInt8) -> Int32? { Self.token(word(layout.byteTokens, Int(byte))) }

  /// Entry `index` of the table of 32-bit words at `table`.
  @inline(__always)
  func word(_ table: Int, _ index: Int) -> UInt32 {
    section.bytes.loadLittleEndian(at: table + 4 * index, as: UInt32.self)
  }

  /// The score of `token`: the higher, the earlier it is merged.
  func score(_ token: Int) -> Float { Float(bitPattern: word(layout.scores, token)) }

  /// Whether some special token begins with `byte`.
  @inline(__always)
  func beginsSpecial(_ byte: UInt8) -> Bool {
    specialFirstBytes[Int(byte &>> 6)] &>> UInt64(byte & 63) & 1 != 0
  }

  /// Whether some token has the symbols `left` and `right` side by side; may be wrongly true.
  func mayJoin(_ left: UInt32, _ right: UInt32) -> Bool {
    let bit = TokenizerLayout.pairBit(left, right)
    return section[layout.pairFilter + bit &>> 3] &>> UInt8(bit & 7) & 1 != 0
  }

  private static func token(_ word: UInt32) -> Int32? {
    word == TokenizerLayout.noToken ? nil : Int32(truncatingIfNeeded: word)
  }
}
