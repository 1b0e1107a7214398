/// Why the tokenizer of a GGUF file cannot be used.
package enum VocabularyError: Error, Equatable, Sendable {
  case gguf(GGUFError)
  case unknownModel(String)
  case unknownPreTokenizer(String)
  case tooManyTokens(Int, limit: Int)
  case tooManyMerges(Int, limit: Int)
  case tooMuchText(bytes: Int, limit: Int)
  case tooFew(key: String, count: Int, tokens: Int)
  case scoreNotFinite(token: Int)
  case duplicatePiece(String, first: Int, second: Int)
  case longSpecial(token: Int, bytes: Int, limit: Int)
  case brokenMerge(index: Int)
  case mergeOfUnknownPiece(index: Int, String)
  case templateTooLong(tokens: Int, limit: Int)
  case templateNotExpressible(TemplatePart)

  /// A stretch of a chat template, for messages.
  package enum TemplatePart: String, Sendable {
    case prefix
    case suffix
    case generationPrompt = "generation prompt"
  }
}

extension VocabularyError: CustomStringConvertible {
  package var description: String {
    switch self {
    case .gguf(let error): error.description
    case .unknownModel(let name):
      "tokenizer model \(quoted(name)) is not known (gpt2 and llama are)"
    case .unknownPreTokenizer(let name):
      "pre-tokenizer \(quoted(name)) is not known (llama-bpe, qwen2, smollm, gpt-2 and default are)"
    case .tooManyTokens(let count, let limit): "\(count) tokens; at most \(limit)"
    case .tooManyMerges(let count, let limit): "\(count) merges; at most \(limit)"
    case .tooMuchText(let bytes, let limit):
      "the tokens have \(bytes) bytes of text; at most \(limit)"
    case .tooFew(let key, let count, let tokens):
      "key \(quoted(key)) has \(count) elements for \(tokens) tokens"
    case .scoreNotFinite(let token): "the score of token \(token) is not finite"
    case .duplicatePiece(let text, let first, let second):
      "tokens \(first) and \(second) have the same text \(quoted(text))"
    case .longSpecial(let token, let bytes, let limit):
      "special token \(token) has \(bytes) bytes of text; at most \(limit)"
    case .brokenMerge(let index): "merge \(index) is not two pieces with a space between"
    case .mergeOfUnknownPiece(let index, let text):
      "merge \(index) (\(quoted(text))) names a piece that is no token"
    case .templateTooLong(let tokens, let limit):
      "the chat template takes \(tokens) tokens; at most \(limit)"
    case .templateNotExpressible(let part):
      "the vocabulary cannot express the \(part.rawValue) of the chat template"
    }
  }
}
