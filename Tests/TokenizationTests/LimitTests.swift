import Packing
import Testing
import Tokenization
import Units

@Suite(.enabled(if: Fixtures.isPresent))
struct LimitTests {
  private static let raw = Encoder.Options(addsBeginAndEnd: false, parsesSpecial: false)

  @Test(arguments: ["gpt-2", "llama-bpe", "llama-spm"])
  func aWordBeyondTheScratchIsAnErrorWithTheLimit(name: String) throws {
    let section = try Fixtures.section(name)
    let tokenizer = try HostedTokenizer(section: section, wordBytesMax: 100)
    #expect(try !tokenizer.encode([UInt8](repeating: 97, count: 100), options: Self.raw).isEmpty)
    #expect(throws: TokenizationError.wordTooLong(bytes: 101, limit: 100)) {
      try tokenizer.encode([UInt8](repeating: 97, count: 101), options: Self.raw)
    }
    // Many words in the same scratch.
    let text = Array(String(repeating: "some words, and more; ", count: 100).utf8)
    #expect(try tokenizer.decode(tokenizer.encode(text, options: Self.raw)) == text)
  }

  @Test(arguments: ["gpt-2", "qwen2", "llama-spm"])
  func longWordsAreMergedAsShortOnesAre(name: String) throws {
    let tokenizer = try HostedTokenizer(section: Fixtures.section(name), wordBytesMax: 1 << 16)
    // A run whose merging is the same all along: the tokens repeat but for the ends.
    let text = [UInt8](repeating: 97, count: 1 << 16)
    let tokens = try tokenizer.encode(text, options: Self.raw)
    #expect(try tokenizer.decode(tokens) == text)
    let longest = tokens.map { tokenizer.tokenizer.piece($0).count }.max() ?? 0
    #expect(tokens.count < 2 * text.count / longest + 2)
  }

  @Test func aFullSinkIsAnError() throws {
    let hosted = try Fixtures.tokenizer("gpt-2")
    defer { withExtendedLifetime(hosted) {} }
    let tokenizer = hosted.tokenizer
    let count = Encoder.scratchCount(wordBytesMax: 64)
    let scratch = UnsafeMutablePointer<UInt32>.allocate(capacity: count)
    let output = UnsafeMutablePointer<Int32>.allocate(capacity: 3)
    defer {
      unsafe scratch.deallocate()
      unsafe output.deallocate()
    }
    unsafe scratch.initialize(repeating: 0, count: count)
    unsafe output.initialize(repeating: 0, count: 3)
    var encoder = unsafe Encoder(
      tokenizer: tokenizer, scratch: FixedBuffer(unsafeBase: scratch, count: count))
    var sink = unsafe TokenSink(FixedBuffer(unsafeBase: output, count: 3))
    try encoder.encode(Array("one two three".utf8).rawSpan, options: Self.raw, into: &sink)
    #expect(sink.count == 3)
    #expect(throws: TokenizationError.outputFull(capacity: 3)) {
      try encoder.encode(Array(" four".utf8).rawSpan, options: Self.raw, into: &sink)
    }
  }
}
