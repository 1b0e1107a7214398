package import ModelFormat

/// Why a model cannot be packed.
package enum PackingError: Error, Equatable, Sendable {
  /// The file is damaged as a container, or cannot be read.
  case gguf(GGUFError)

  // The model.
  case unknownArchitecture(String)
  /// The numbers of the model contradict each other or exceed a limit.
  case hyperparameters(ModelFormatError)
  case tooLarge(key: String, UInt64)
  /// A key asks for something that the forward pass does not do.
  case unsupported(key: String, value: String)
  case headDimension(modelDimension: Int, queryHeads: Int)
  case keyAndValueLengthDiffer(key: Int, value: Int)
  case ropeBase(Double)
  case ropeFactor(index: Int, Float)
  case vocabularySize(tokens: Int, rows: Int)
  case tokenOutOfRange(key: String, UInt64, vocabulary: Int)
  case vocabulary(VocabularyError)

  // The tensors.
  case unknownTensor(String)
  case missingTensor(String)
  case wrongShape(tensor: String, found: [Int], expected: [Int])
  case notFinite(tensor: String, row: Int)

  // The output.
  case outputExists(String)
  case cannotWrite(String, errno: Int32)
  case outputIsInput
  case interrupted
}

extension PackingError: CustomStringConvertible {
  package var description: String {
    switch self {
    case .gguf(let error): error.description
    case .unknownArchitecture(let name):
      "architecture \(quoted(name)) is not known (llama, qwen2 and qwen3 are)"
    case .hyperparameters(let error): sentence(error)
    case .tooLarge(let key, let value): "key \(quoted(key)) is too large: \(value)"
    case .unsupported(let key, let value):
      "key \(quoted(key)) is \(quoted(value)), which is not supported"
    case .headDimension(let modelDimension, let queryHeads):
      "a model dimension of \(modelDimension) does not divide into \(queryHeads) heads"
    case .keyAndValueLengthDiffer(let key, let value):
      "heads of \(key) dimensions for keys but \(value) for values are not supported"
    case .ropeBase(let base): "the rope base \(base) is not finite and at least 1"
    case .ropeFactor(let index, let factor):
      "rope factor \(index) is \(factor), not finite and at least 0.5"
    case .vocabularySize(let tokens, let rows):
      "the tokenizer has \(tokens) tokens but the embedding \(rows) rows"
    case .tokenOutOfRange(let key, let token, let vocabulary):
      "key \(quoted(key)): token \(token) is outside a vocabulary of \(vocabulary)"
    case .vocabulary(let error): error.description
    case .unknownTensor(let name): "tensor \(quoted(name)) is not known in this architecture"
    case .missingTensor(let name): "tensor \(quoted(name)) is missing"
    case .wrongShape(let name, let found, let expected):
      "tensor \(quoted(name)) has the shape \(found), expected \(expected)"
    case .notFinite(let name, let row):
      "tensor \(quoted(name)) holds a weight in row \(row) that is not finite"
    case .outputExists(let path): "\(path) exists already (--force replaces it)"
    case .cannotWrite(let path, let number):
      "\(path) cannot be written (\(systemMessage(number)))"
    case .outputIsInput: "the output is the input"
    case .interrupted: "interrupted"
    }
  }

  /// The exit code of a command that ends with this error.
  package var exitCode: Int32 {
    switch self {
    case .gguf(.missing), .gguf(.cannotRead), .gguf(.notAFile): 66
    case .outputExists, .cannotWrite, .outputIsInput: 73
    case .interrupted: 130
    default: 65
    }
  }

  /// Whether the message names the output, so that naming the input before it would mislead.
  package var concernsOutput: Bool {
    switch self {
    case .outputExists, .cannotWrite, .interrupted: true
    default: false
    }
  }
}
