import Packing
import Testing
import Tokenization
import Units

/// A generator of the same numbers for the same seed.
struct SeededGenerator: RandomNumberGenerator {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
    return mixed ^ (mixed >> 31)
  }
}

@Suite(.enabled(if: Fixtures.isPresent))
struct DecodingTests {
  private static let raw = Encoder.Options(addsBeginAndEnd: false, parsesSpecial: false)

  @Test(arguments: Fixtures.all)
  func decodingUndoesEncodingOfTexts(name: String) throws {
    let tokenizer = try Fixtures.tokenizer(name)
    for text in try Fixtures.randomTexts().prefix(300) {
      // SentencePiece writes every space as this character, so it comes back as a space.
      if tokenizer.tokenizer.model == .sentencePiece && text.contains("▁") { continue }
      // Special tokens of Phi-3 that are cut out of any text swallow white space.
      if name == "phi-3" && text.contains("<") { continue }
      let bytes = Array(text.utf8)
      let tokens = try tokenizer.encode(bytes, options: Self.raw)
      #expect(try tokenizer.decode(tokens) == bytes, "\(text.debugDescription)")
    }
  }

  @Test(arguments: Fixtures.all)
  func decodingUndoesEncodingOfAnyBytes(name: String) throws {
    let tokenizer = try Fixtures.tokenizer(name)
    var generator = SeededGenerator(state: 7)
    for round in 0..<300 {
      let count = Int.random(in: 0...80, using: &generator)
      // Full range, then mostly lead and continuation bytes, then mostly ASCII.
      let low: UInt8 = round % 3 == 1 ? 0x80 : 0
      let high: UInt8 = round % 3 == 2 ? 0x90 : 0xFF
      let bytes = (0..<count).map { _ in UInt8.random(in: low...high, using: &generator) }
      let text = String(decoding: bytes, as: UTF8.self)
      if tokenizer.tokenizer.model == .sentencePiece && text.contains("▁") { continue }
      let tokens = try tokenizer.encode(bytes, options: Self.raw)
      #expect(try tokenizer.decode(tokens) == bytes, "seed 7, round \(round)")
    }
  }

  @Test func charactersAreNeverCut() throws {
    let hosted = try Fixtures.tokenizer("gpt-2")
    defer { withExtendedLifetime(hosted) {} }
    let tokenizer = hosted.tokenizer
    let bytes = Array("a😀é\u{FFFF}".utf8) + [0xF0, 0x9F, 0x41, 0xE2, 0x82]
    // One token per byte.
    var decoder = Decoder(tokenizer: tokenizer, startsText: true)
    var pieces: [[UInt8]] = []
    let memory = UnsafeMutablePointer<UInt8>.allocate(capacity: 512)
    defer { unsafe memory.deallocate() }
    unsafe memory.initialize(repeating: 0, count: 512)
    let buffer = unsafe FixedBuffer(unsafeBase: memory, count: 512)
    var text = TextBuffer(buffer)
    func take() {
      pieces.append((0..<text.count).map { buffer[$0] })
      text.removeAll()
    }
    for byte in bytes {
      try decoder.append(Self.byteTokens(tokenizer)[Int(byte)], into: &text)
      take()
    }
    decoder.finish(into: &text)
    take()
    let e: [UInt8] = []
    #expect(
      pieces == [
        [0x61], e, e, e, Array("😀".utf8), e, Array("é".utf8), e, e, Array("\u{FFFF}".utf8),
        e, e, [0xF0, 0x9F, 0x41], e, e, [0xE2, 0x82],
      ])
  }

  /// The token of each byte, found by the pieces.
  private static func byteTokens(_ tokenizer: Tokenizer) -> [Int32] {
    (0..<256).map { byte in
      let character = Unicode.Scalar(ByteLevel.character(for: UInt8(byte))) ?? "?"
      let spelled = Array(String(character).utf8)
      return (0..<Int32(tokenizer.tokenCount)).first { token in
        let piece = tokenizer.piece(token)
        return piece.count == spelled.count
          && (0..<piece.count).allSatisfy { piece[$0] == spelled[$0] }
      } ?? -1
    }
  }

  @Test func controlTokensShowOnlyWhenAsked() throws {
    let tokenizer = try Fixtures.tokenizer("llama-spm")
    #expect(try tokenizer.decode([1, 15_043, 2]) == Array("Hello".utf8))
    #expect(try tokenizer.decode([1, 15_043, 2], showsControl: true) == Array("<s>Hello</s>".utf8))
    #expect(try tokenizer.decode([15_043], startsText: false) == Array(" Hello".utf8))
    #expect(throws: TokenizationError.tokenOutOfRange(32_000, count: 32_000)) {
      try tokenizer.decode([32_000])
    }
    #expect(throws: TokenizationError.tokenOutOfRange(-1, count: 32_000)) {
      try tokenizer.decode([-1])
    }
  }
}
