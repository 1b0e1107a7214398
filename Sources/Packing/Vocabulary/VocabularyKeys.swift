internal import Tokenization
internal import Units

/// The keys of a GGUF file that describe its tokenizer, with the defaults of llama.cpp.
struct VocabularyKeys {
  let header: GGUFHeader

  init(_ header: GGUFHeader) { self.header = header }

  func text(_ key: String, limit: Int = 65_535) throws(VocabularyError) -> String? {
    do throws(GGUFError) {
      return try header.string(key, limit: limit)
    } catch {
      throw .gguf(error)
    }
  }

  func boolean(_ key: String) throws(VocabularyError) -> Bool? {
    do throws(GGUFError) { return try header.boolean(key) } catch { throw .gguf(error) }
  }

  func integer(_ key: String) throws(VocabularyError) -> UInt64? {
    do throws(GGUFError) { return try header.unsigned(key) } catch { throw .gguf(error) }
  }

  /// The array at `key`, its elements of the first of `types` that fits.
  func array(
    _ key: String, of types: [GGUFValueType], required: Bool
  ) throws(VocabularyError) -> GGUFValue {
    guard let value = try optionalArray(key, of: types) else { throw .gguf(.missingKey(key)) }
    return value
  }

  func optionalArray(
    _ key: String, of types: [GGUFValueType]
  ) throws(VocabularyError) -> GGUFValue? {
    guard let value = header.values[key] else { return nil }
    let type = types.first { $0 == value.elementType } ?? types[0]
    do throws(GGUFError) { return try header.array(key, of: type) } catch { throw .gguf(error) }
  }

  /// The scores, one per token at least.
  func scores(tokens: Int) throws(VocabularyError) -> GGUFValue? {
    let key = "tokenizer.ggml.scores"
    let value = try optionalArray(key, of: [.float32, .int32])
    if let value, value.count < tokens {
      throw .tooFew(key: key, count: value.count, tokens: tokens)
    }
    return value
  }

  /// The types of the tokens, one per token at least.
  func types(tokens: Int) throws(VocabularyError) -> GGUFValue? {
    let key = "tokenizer.ggml.token_type"
    let value = try optionalArray(key, of: [.int32])
    if let value, value.count < tokens {
      throw .tooFew(key: key, count: value.count, tokens: tokens)
    }
    return value
  }

  /// The token that the key `<name>_token_id` names; a token that does not exist counts as none
  /// named.
  func namedToken(_ name: String, among count: Int) throws(VocabularyError) -> UInt32? {
    guard let value = try integer("tokenizer.ggml.\(name)_token_id"), value < UInt64(count) else {
      return nil
    }
    return UInt32(value)
  }

  func token(
    _ name: String, among count: Int, otherwise standard: UInt32?
  ) throws(VocabularyError) -> UInt32 {
    if let named = try namedToken(name, among: count) { return named }
    guard let standard, Int(standard) < count else { return TokenizerLayout.noToken }
    return standard
  }

  /// The flags of the section.
  func flags(_ preTokenizer: PreTokenizer) throws(VocabularyError) -> UInt32 {
    let isSentencePiece = preTokenizer == .none
    let addsBegin =
      try boolean("tokenizer.ggml.add_bos_token") ?? (isSentencePiece || preTokenizer == .llama3)
    let addsEnd = try boolean("tokenizer.ggml.add_eos_token") ?? false
    let addsSpace = try boolean("tokenizer.ggml.add_space_prefix") ?? true
    var flags: UInt32 = 0
    if addsBegin { flags |= TokenizerLayout.addsBeginFlag }
    if addsEnd { flags |= TokenizerLayout.addsEndFlag }
    if addsSpace && isSentencePiece { flags |= TokenizerLayout.addsSpacePrefixFlag }
    if preTokenizer == .llama3 { flags |= TokenizerLayout.wholeWordsFlag }
    return flags
  }
}
