package import Tokenization

/// The tokenizer of a GGUF file: what its section needs and, on demand, the section.
///
/// Making one reads each token's text and type once and no merge, so that a plan costs
/// milliseconds; `section()` does the sorting.
package struct Vocabulary: Sendable {
  let header: GGUFHeader
  let pieces: GGUFValue
  let merges: GGUFValue?
  let scores: GGUFValue?

  /// How the vocabulary splits and merges.
  package let model: TokenizerModel
  let preTokenizer: PreTokenizer
  let flags: UInt32
  let begin: UInt32
  let end: UInt32
  let unknown: UInt32

  /// The attributes of each token, as the section has them.
  let attributes: [UInt8]

  /// Special tokens that have a text.
  let specials: [UInt32]

  /// Reads the keys `tokenizer.ggml.*` of `header`.
  package init(_ header: GGUFHeader) throws(VocabularyError) {
    self.header = header
    let keys = VocabularyKeys(header)
    let name = try keys.text("tokenizer.ggml.model")
    guard let name else { throw .gguf(.missingKey("tokenizer.ggml.model")) }
    switch name {
    case "gpt2":
      model = .bytePair
      preTokenizer = try Self.preTokenizer(keys.text("tokenizer.ggml.pre") ?? "")
    case "llama":
      model = .sentencePiece
      preTokenizer = .none
    default: throw .unknownModel(name)
    }
    pieces = try keys.array("tokenizer.ggml.tokens", of: [.string], required: true)
    let textBytes = pieces.textBytes
    guard pieces.count <= TokenizerLayout.tokensMax else {
      throw .tooManyTokens(pieces.count, limit: TokenizerLayout.tokensMax)
    }
    guard textBytes <= TokenizerLayout.pieceBytesMax else {
      throw .tooMuchText(bytes: textBytes, limit: TokenizerLayout.pieceBytesMax)
    }
    if model == .bytePair {
      let merges = try keys.array("tokenizer.ggml.merges", of: [.string], required: true)
      guard merges.count <= TokenizerLayout.mergesMax else {
        throw .tooManyMerges(merges.count, limit: TokenizerLayout.mergesMax)
      }
      self.merges = merges
      scores = nil
    } else {
      merges = nil
      scores = try keys.scores(tokens: pieces.count)
    }
    let isBytePair = model == .bytePair
    begin = try keys.token("bos", among: pieces.count, otherwise: isBytePair ? 11 : 1)
    end = try keys.token("eos", among: pieces.count, otherwise: isBytePair ? 11 : 2)
    unknown = try keys.token("unknown", among: pieces.count, otherwise: isBytePair ? nil : 0)
    flags = try keys.flags(preTokenizer)
    var classifier = try TokenClassifier(keys, pieces: pieces, end: end)
    attributes = classifier.attributes()
    specials = classifier.specials(attributes)
  }

  /// Where the tables of the section lie.
  package var layout: TokenizerLayout {
    TokenizerLayout(
      model: model, wholeWords: preTokenizer == .llama3, tokenCount: pieces.count,
      pieceByteCount: pieces.textBytes, mergeCount: merges?.count ?? 0,
      specialCount: specials.count)
  }

  /// Bytes of the section, known without making it.
  package var sectionBytes: Int { layout.byteCount }

  /// Number of tokens.
  package var tokenCount: Int { pieces.count }

  /// The pre-tokenizer that a GGUF file calls `name`, by the names of llama.cpp.
  private static func preTokenizer(_ name: String) throws(VocabularyError) -> PreTokenizer {
    switch name {
    case "", "default": .default
    case "llama-bpe", "llama3", "llama-v3", "falcon3", "falcon-h1", "pixtral", "midm-2.0",
      "lfm2", "jina-v5-nano":
      .llama3
    case "qwen2", "deepseek-r1-qwen", "kormo", "f2llmv2": .qwen2
    case "smollm": .smollm
    case "gpt-2", "phi-2", "gigachat", "a.x-4.0", "mellum": .gpt2
    default: throw .unknownPreTokenizer(name)
    }
  }
}
