import Foundation
import Packing
import Synchronization
import Tokenization
import Units

/// Vocabularies, texts and what llama.cpp makes of them.
enum Fixtures {
  private static let root = URL(filePath: #filePath).deletingLastPathComponent()
  private static let shared = root.appending(path: "../../../shared").standardized

  static let vocabularies = ["gpt-2", "llama-bpe", "qwen2", "llama-spm", "phi-3"]
  static let variants = ["gpt-2-smollm", "gpt-2-default"]
  static let models = ["stories260K-f32", "testbed-f16"]
  static let all = vocabularies + variants + models

  /// Whether the vocabularies, which are no part of the project, lie beside it.
  static let isPresent: Bool = {
    let path = shared.appending(path: "vocab/gpt-2.gguf").path
    let isThere = FileManager.default.fileExists(atPath: path)
    if !isThere { print("skipped: \(path) is not there") }
    return isThere
  }()

  /// The header of a vocabulary; a variant is one with another pre-tokenizer.
  static func header(_ name: String) throws -> GGUFHeader {
    for pre in ["smollm", "default"] where name.hasSuffix("-\(pre)") {
      let bytes = try bytes(String(name.dropLast(pre.count + 1)))
      return try parse(replacing(pre, in: bytes))
    }
    return try parse(bytes(name))
  }

  static func tokenizer(_ name: String) throws -> HostedTokenizer {
    try HostedTokenizer(section: section(name))
  }

  /// The section of a vocabulary, made once.
  static func section(_ name: String) throws -> [UInt8] {
    try sections.withLock { sections in
      if let section = sections[name] { return section }
      let section = try Vocabulary(header(name)).section()
      sections[name] = section
      return section
    }
  }

  private static let sections = Mutex<[String: [UInt8]]>([:])

  private static func bytes(_ name: String) throws -> [UInt8] {
    let folder = models.contains(name) ? "models" : "vocab"
    return [UInt8](try Data(contentsOf: shared.appending(path: "\(folder)/\(name).gguf")))
  }

  static func parse(_ bytes: [UInt8]) throws -> GGUFHeader {
    try GGUFHeader(bytes: bytes, fileBytes: UInt64(bytes.count))
  }

  /// `bytes` with another value of `tokenizer.ggml.pre`.
  private static func replacing(_ pre: String, in bytes: [UInt8]) throws -> [UInt8] {
    let data = Data(bytes)
    guard let key = data.range(of: Data("tokenizer.ggml.pre".utf8)) else { throw Missing() }
    let start = key.upperBound + 4
    let old = Int(bytes.rawSpan.loadLittleEndian(at: start, as: UInt64.self))
    var length = UInt64(pre.utf8.count).littleEndian
    let field = unsafe withUnsafeBytes(of: &length) { unsafe Array($0) }
    return bytes[..<start] + field + pre.utf8 + bytes[(start + 8 + old)...]
  }

  private struct Missing: Error {}

  struct Expectation: Decodable {
    let text: String
    let ids: [Int32]
  }

  /// llama.cpp's own test texts: no begin token, special tokens not parsed.
  static func texts(_ name: String) throws -> [Expectation] {
    let data = try Data(contentsOf: shared.appending(path: "vocab/\(name).json"))
    return try JSONDecoder().decode([Expectation].self, from: data)
  }

  static func randomTexts() throws -> [String] {
    let data = try Data(contentsOf: root.appending(path: "Fixtures/random-texts.json"))
    return try JSONDecoder().decode([String].self, from: data)
  }

  /// The ids of each random text.
  static func expected(_ name: String) throws -> [[Int32]] {
    let data = try Data(contentsOf: root.appending(path: "Fixtures/expected-\(name).bin"))
    var values: [Int32] = []
    var (value, shift): (Int32, Int32) = (0, 0)
    for byte in data {
      value |= Int32(byte & 127) << shift
      shift += 7
      if byte < 128 {
        values.append(value)
        (value, shift) = (0, 0)
      }
    }
    var result: [[Int32]] = []
    var position = 0
    while position < values.count {
      let end = position + 1 + Int(values[position])
      result.append(Array(values[position + 1..<end]))
      position = end
    }
    return result
  }

  struct Chat: Decodable {
    struct Message: Decodable {
      let role: String
      let text: String
    }
    let template: String

    /// What llama.cpp renders, with a prompt to answer.
    let text: String
    let messages: [Message]

    /// The tokens of that text by vocabulary.
    let ids: [String: [Int32]]
  }

  static func chats() throws -> [Chat] {
    let data = try Data(contentsOf: root.appending(path: "Fixtures/expected-chats.json"))
    return try JSONDecoder().decode([Chat].self, from: data)
  }
}
