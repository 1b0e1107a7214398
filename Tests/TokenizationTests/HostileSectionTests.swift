import Packing
import Testing
import Tokenization
import Units

/// Sections from files that anyone may have written: an error or a tokenizer that works.
@Suite(.enabled(if: Fixtures.isPresent))
struct HostileSectionTests {
  private static let names = ["stories260K-f32", "testbed-f16"]

  /// Uses a section in every way there is; what comes out does not matter.
  private func exercise(_ section: [UInt8]) -> Bool {
    guard let hosted = try? HostedTokenizer(section: section, wordBytesMax: 256) else {
      return false
    }
    let text = Array("Hello <|im_start|>wörld  </s>12345 'll 😀\n\n".utf8) + [0xFF, 0xE2, 0x96]
    for parsesSpecial in [false, true] {
      let options = Encoder.Options(addsBeginAndEnd: true, parsesSpecial: parsesSpecial)
      guard let tokens = try? hosted.encode(text, options: options) else { continue }
      _ = try? hosted.decode(tokens, showsControl: parsesSpecial)
      for token in tokens { _ = hosted.tokenizer.isStop(token) }
    }
    return true
  }

  @Test(arguments: names)
  func everyTruncationIsAnError(name: String) throws {
    let section = try Fixtures.section(name)
    for count in 0..<section.count where count < 2_048 || count % 97 == 0 {
      #expect(throws: TokenizerSectionError.self) {
        try HostedTokenizer(section: Array(section[..<count]))
      }
    }
    #expect(throws: TokenizerSectionError.self) { try HostedTokenizer(section: section + [0]) }
  }

  @Test(arguments: names)
  func mutationsGiveAnErrorOrATokenizerThatWorks(name: String) throws {
    let section = try Fixtures.section(name)
    var generator = SeededGenerator(state: 11)
    var accepted = 0
    for _ in 0..<600 {
      var mutated = section
      for _ in 0..<Int.random(in: 1...4, using: &generator) {
        // Half of the hits go to the header and the tables near it.
        let reach = Bool.random(using: &generator) ? 256 : section.count
        let place = Int.random(in: 0..<reach, using: &generator)
        mutated[place] =
          [0, 0x7F, 0xFF, UInt8.random(in: 0...255, using: &generator)]
          .randomElement(using: &generator) ?? 0
      }
      if exercise(mutated) { accepted += 1 }
    }
    #expect(accepted > 0 && accepted < 600)
  }

  @Test func eachDefectHasItsName() throws {
    let section = try Fixtures.section("testbed-f16")
    let sentence = try Fixtures.section("stories260K-f32")
    func expect(
      _ error: TokenizerSectionError, _ section: [UInt8], word: Int, _ value: UInt32
    ) {
      var section = section
      for shift in 0..<4 {
        section[4 * word + shift] = UInt8(truncatingIfNeeded: value >> UInt32(8 * shift))
      }
      #expect(throws: error) { try HostedTokenizer(section: section) }
    }
    let count = section.count
    expect(.badMagic(1), section, word: 0, 1)
    expect(.newerVersion(2, supported: 1), section, word: 1, 2)
    expect(.unknownModel(3), section, word: 2, 3)
    expect(.unknownPreTokenizer(6), section, word: 3, 6)
    expect(.unknownPreTokenizer(0), section, word: 3, 0)
    expect(.unknownPreTokenizer(1), sentence, word: 3, 1)
    expect(.countTooLarge(1 << 24 + 1, limit: 1 << 24), section, word: 5, 1 << 24 + 1)
    expect(.countTooLarge(.max, limit: 1 << 30), section, word: 6, .max)
    expect(.countTooLarge(.max, limit: 1 << 26), section, word: 7, .max)
    expect(.countTooLarge(937, limit: 936), section, word: 8, 937)
    expect(.wrongSize(bytes: count, needed: count + 12), section, word: 7, 678)
    for word in 9...11 { expect(.idOutOfRange(936, index: word), section, word: word, 936) }
    expect(.idOutOfRange(936, index: 3), section, word: 32 + 3, 936)
    expect(.badPieceEnd(token: 5), section, word: 288 + 5, .max)
    expect(.badPieceEnd(token: 6), section, word: 288 + 5, 40)
    expect(.badScore(token: 2), sentence, word: 288 + 512 + 2, 0x7F80_0000)
    expect(.badScore(token: 2), sentence, word: 288 + 512 + 2, 0x7FC0_0000)
    expect(.idOutOfRange(512, index: 9), sentence, word: 288 + 1_024 + 9, 512)
    expect(.badMergeStart(token: 0), section, word: 288 + 936, 700)
    expect(.badMergeStart(token: 936), section, word: 288 + 936 + 936, 0)
    expect(.idOutOfRange(936, index: 1), section, word: 288 + 936 + 937 + 3 + 2, 936)
  }

  @Test func mutatedTemplatesGiveAnErrorOrATemplateThatWorks() throws {
    let hosted = try Fixtures.tokenizer("testbed-f16")
    let markup = try Vocabulary(Fixtures.header("testbed-f16")).chatMarkup()
    let section = try markup.section(hosted)
    var generator = SeededGenerator(state: 13)
    var accepted = 0
    for _ in 0..<2_000 {
      var mutated = section
      let place = Int.random(in: 0..<400, using: &generator)
      mutated[place] = UInt8.random(in: 0...255, using: &generator)
      let count = hosted.tokenizer.tokenCount
      let works = try? ChatTemplateTests.withTemplate(mutated, count) { template in
        for role in [ChatRole.system, .user, .assistant] {
          for previous in [nil, ChatRole.system, .user, .assistant] {
            let tokens = template.prefix(of: role, after: previous).tokens
            for index in 0..<tokens.count { #expect(hosted.tokenizer.contains(tokens[index])) }
          }
          _ = template.suffix(of: role).count
        }
        return template.generationPrompt.count >= 0
      }
      if works == true { accepted += 1 }
    }
    #expect(accepted > 0 && accepted < 2_000)
    #expect(throws: TokenizerSectionError.wrongSize(bytes: 4_095, needed: 4_096)) {
      try ChatTemplateTests.withTemplate(section.dropLast(), 936) { _ in }
    }
  }
}
