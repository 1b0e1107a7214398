internal import ArgumentParser
internal import Foundation
internal import Packing
internal import Tokenization
internal import Units

/// `terrarium tokenize`: text to tokens and back.
struct TokenizeCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "tokenize",
    abstract: "Print the tokens of a text, or the text of tokens.",
    discussion: """
      Reads the tokenizer of a pack file or of any GGUF file, whatever its architecture and without \
      its tensors. The input is what --prompt says, else --file, else standard input.
      """)

  @Argument(help: "A pack file or a GGUF file.")
  var model: String

  @Option(name: .shortAndLong, help: "The input; - is standard input.")
  var file: String?

  @Option(name: .shortAndLong, help: "The input itself.")
  var prompt: String?

  @Flag(help: "Print each token with its piece, on a line of its own.")
  var pieces = false

  @Flag(help: "Read tokens, separated by anything but digits, and print their text.")
  var decode = false

  @Flag(help: "Neither add nor take away the begin and end tokens that the model wants.")
  var noBos = false

  @Flag(help: "Take text that spells a special token as text; leave out special tokens.")
  var noParseSpecial = false

  @Flag(help: "Print JSON.")
  var json = false

  func validate() throws {
    if file != nil && prompt != nil { throw ValidationError("--file or --prompt, not both") }
    if pieces && decode { throw ValidationError("--pieces or --decode, not both") }
  }

  func run() throws {
    do throws(Failure) {
      let input = try input()
      let tokenizer = try tokenizer(wordBytesMax: max(input.count, 1))
      let output = decode ? try text(input, tokenizer) : try tokens(input, tokenizer)
      try write(output)
    } catch {
      FileHandle.standardError.write(Data("terrarium tokenize: \(error.message)\n".utf8))
      throw ExitCode(error.exitCode)
    }
  }
}

/// Why the command ended without its output.
private struct Failure: Error {
  let message: String
  let exitCode: Int32

  init(_ message: String, exitCode: Int32) {
    self.message = message
    self.exitCode = exitCode
  }

  init(_ place: String, _ describe: (inout TextBuffer) -> Void) {
    // SAFETY: the buffer is used inside the closure only.
    let sentence = unsafe withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 256) { memory in
      unsafe memory.initialize(repeating: 0)
      let buffer = unsafe FixedBuffer(
        unsafeBase: memory.baseAddress.unsafelyUnwrapped, count: memory.count)
      var text = TextBuffer(buffer)
      describe(&text)
      return String(decoding: (0..<text.count).map { buffer[$0] }, as: UTF8.self)
    }
    self.init(place + sentence, exitCode: 65)
  }
}

extension TokenizeCommand {
  private func input() throws(Failure) -> [UInt8] {
    if let prompt { return Array(prompt.utf8) }
    guard let file, file != "-" else {
      return [UInt8](FileHandle.standardInput.readDataToEndOfFile())
    }
    do {
      return [UInt8](try Data(contentsOf: URL(fileURLWithPath: file)))
    } catch {
      throw Failure("\(file): cannot be read", exitCode: 66)
    }
  }

  private func tokenizer(wordBytesMax: Int) throws(Failure) -> HostedTokenizer {
    let section: [UInt8]
    do throws(PackingError) {
      section = try TokenizerFile.section(path: model)
    } catch {
      throw Failure("\(model): \(error)", exitCode: error.exitCode)
    }
    do throws(TokenizerSectionError) {
      return try HostedTokenizer(section: section, wordBytesMax: wordBytesMax)
    } catch {
      throw Failure("\(model): tokenizer: ") { error.describe(into: &$0) }
    }
  }

  /// The tokens of the text `input`, printed.
  private func tokens(_ input: [UInt8], _ hosted: HostedTokenizer) throws(Failure) -> [UInt8] {
    let tokens: [Int32]
    do throws(TokenizationError) {
      tokens = try hosted.encode(
        input,
        options: Encoder.Options(addsBeginAndEnd: !noBos, parsesSpecial: !noParseSpecial))
    } catch {
      throw Failure("") { error.describe(into: &$0) }
    }
    if json {
      let items = tokens.map { token in
        pieces
          ? "{\"id\":\(token),\"piece\":\(quoted(piece(token, hosted)))}" : String(token)
      }
      return Array("[\(items.joined(separator: ","))]\n".utf8)
    }
    guard pieces else {
      return Array((tokens.map(String.init).joined(separator: " ") + "\n").utf8)
    }
    return tokens.flatMap { token in
      Array("\(token)\t".utf8) + Self.escaped(piece(token, hosted)) + [10]
    }
  }

  /// The text of the tokens that `input` lists.
  private func text(_ input: [UInt8], _ hosted: HostedTokenizer) throws(Failure) -> [UInt8] {
    var tokens: [Int32] = []
    for word in input.split(whereSeparator: { !(48...57 ~= $0) }) {
      let word = String(decoding: word, as: UTF8.self)
      guard let token = Int32(word) else {
        throw Failure("\(word) is no token", exitCode: 65)
      }
      tokens.append(token)
    }
    if !noBos {
      // What encoding added is no part of the text.
      let tokenizer = hosted.tokenizer
      if tokenizer.addsBegin && tokens.first == tokenizer.beginToken { tokens.removeFirst() }
      if tokenizer.addsEnd && tokens.last == tokenizer.endToken { tokens.removeLast() }
    }
    do throws(TokenizationError) {
      let text = try hosted.decode(tokens, showsControl: !noParseSpecial)
      return json ? Array("{\"text\":\(quoted(text))}\n".utf8) : text
    } catch {
      throw Failure("") { error.describe(into: &$0) }
    }
  }

  /// The bytes that a token stands for, shown even where a text would not show them.
  private func piece(_ token: Int32, _ hosted: HostedTokenizer) -> [UInt8] {
    do throws(TokenizationError) {
      return try hosted.decode([token], showsControl: true, startsText: false)
    } catch {
      preconditionFailure("a token of our own exists")
    }
  }

  /// `text` with what would break a line written as an escape.
  private static func escaped(_ text: [UInt8]) -> [UInt8] {
    text.flatMap { byte in
      switch byte {
      case 9: Array("\\t".utf8)
      case 10: Array("\\n".utf8)
      case 13: Array("\\r".utf8)
      case 92: Array("\\\\".utf8)
      default: [byte]
      }
    }
  }

  /// `text` as a JSON string; what is not UTF-8 becomes U+FFFD.
  private func quoted(_ text: [UInt8]) -> String {
    let text = Array(String(decoding: text, as: UTF8.self).utf8)
    // Each byte grows to six at most.
    let capacity = 6 * text.count + 2
    return unsafe withUnsafeTemporaryAllocation(of: UInt8.self, capacity: capacity) { memory in
      unsafe memory.initialize(repeating: 0)
      // SAFETY: the view is used inside this closure only; the capacity is not zero.
      let buffer = unsafe FixedBuffer(
        unsafeBase: memory.baseAddress.unsafelyUnwrapped, count: memory.count)
      var json = TextBuffer(buffer)
      json.append(json: text.rawSpan)
      return String(decoding: (0..<json.count).map { buffer[$0] }, as: UTF8.self)
    }
  }

  private func write(_ bytes: [UInt8]) throws(Failure) {
    do {
      try FileHandle.standardOutput.write(contentsOf: Data(bytes))
    } catch {
      throw Failure("the output cannot be written", exitCode: 73)
    }
  }
}
