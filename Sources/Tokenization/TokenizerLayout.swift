import Units

/// How a vocabulary splits and merges: `tokenizer.ggml.model` of a GGUF file.
package enum TokenizerModel: UInt32, BitwiseCopyable {
  /// Byte-level byte pair encoding (`gpt2`).
  case bytePair = 1

  /// SentencePiece with scores and byte fallback (`llama`).
  case sentencePiece = 2
}

/// How byte-level text is cut into words before merging: `tokenizer.ggml.pre` of a GGUF file.
package enum PreTokenizer: UInt32, BitwiseCopyable {
  /// No words: SentencePiece.
  case none = 0
  case gpt2 = 1
  case llama3 = 2
  case qwen2 = 3
  case smollm = 4
  case `default` = 5
}

/// Where the tables of a tokenizer section lie, computed from a few counts alone.
///
/// A section is little-endian and made of 32-bit words, except for the bytes at its end:
///
/// | part | words | present |
/// |---|---|---|
/// | header | 32 | always |
/// | byte tokens: the token of each byte, or `noToken` | 256 | always |
/// | piece ends: where the text of each token ends among the piece bytes | tokens | always |
/// | scores: Float32 | tokens | SentencePiece |
/// | piece order: tokens by length of text, then by text | tokens | SentencePiece, whole words |
/// | merge starts: first merge whose left part is this token, and their number | tokens + 1 | byte pair |
/// | merges by left, right, rank: right token, rank, merged token | 3 × merges | byte pair |
/// | special tokens by text | specials | always |
/// | pair filter: one bit per hashed pair of neighbouring characters in any piece | 8,192 | SentencePiece |
/// | attributes: one byte per token, padded to words | tokens / 4 | always |
/// | piece bytes: the texts as the GGUF has them, padded to words | bytes / 4 | always |
///
/// Header words: magic, version, model, pre-tokenizer, flags, tokens, piece bytes, merges,
/// specials, then BOS, EOS, unknown token (`noToken` where there is none);
/// the rest is zero. Lookups search sorted tables, so no file can make them slow.
package struct TokenizerLayout: BitwiseCopyable {
  package static var magic: UInt32 { 0x4B4F_5454 }
  package static var version: UInt32 { 1 }
  package static var headerBytes: Int { 128 }
  package static var noToken: UInt32 { 0xFFFF_FFFF }
  package static var tokensMax: Int { 1 << 24 }
  package static var mergesMax: Int { 1 << 26 }
  package static var pieceBytesMax: Int { 1 << 30 }
  package static var specialBytesMax: Int { 1_024 }
  package static var pairFilterBytes: Int { 32_768 }

  package static var addsBeginFlag: UInt32 { 1 }
  package static var addsEndFlag: UInt32 { 2 }
  package static var addsSpacePrefixFlag: UInt32 { 4 }
  package static var wholeWordsFlag: UInt32 { 8 }

  package let byteTokens: Int
  package let pieceEnds: Int
  package let scores: Int
  package let pieceOrder: Int
  package let mergeStarts: Int
  package let merges: Int
  package let specials: Int
  package let pairFilter: Int
  package let attributes: Int
  package let pieceBytes: Int

  /// Bytes of the whole section.
  package let byteCount: Int

  /// Lays out a section; `wholeWords`: words that are tokens skip merging, as Llama 3 has it.
  ///
  /// The counts must not exceed their limits above.
  package init(
    model: TokenizerModel, wholeWords: Bool, tokenCount: Int, pieceByteCount: Int,
    mergeCount: Int, specialCount: Int
  ) {
    let isSentencePiece = model == .sentencePiece
    byteTokens = Self.headerBytes
    pieceEnds = byteTokens + 1_024
    scores = pieceEnds + 4 * tokenCount
    pieceOrder = scores + (isSentencePiece ? 4 * tokenCount : 0)
    mergeStarts = pieceOrder + (isSentencePiece || wholeWords ? 4 * tokenCount : 0)
    merges = mergeStarts + (isSentencePiece ? 0 : 4 * (tokenCount + 1))
    specials = merges + (isSentencePiece ? 0 : 12 * mergeCount)
    pairFilter = specials + 4 * specialCount
    attributes = pairFilter + (isSentencePiece ? Self.pairFilterBytes : 0)
    pieceBytes = attributes + tokenCount.roundedUp(toMultipleOf: 4)
    byteCount = pieceBytes + pieceByteCount.roundedUp(toMultipleOf: 4)
  }

  /// The bit of the pair filter for the symbols `left` and `right`, their UTF-8 as an integer.
  package static func pairBit(_ left: UInt32, _ right: UInt32) -> Int {
    let mixed = (left &* 0x9E37_79B1 ^ right) &* 0x85EB_CA77
    return Int(((mixed ^ (mixed &>> 15)) &* 0xC2B2_AE3D) &>> 14)
  }
}
