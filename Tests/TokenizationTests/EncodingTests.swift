import Packing
import Testing
import Tokenization

@Suite(.enabled(if: Fixtures.isPresent))
struct EncodingTests {
  @Test(arguments: Fixtures.vocabularies)
  func textsOfLlamaCppGiveItsTokens(name: String) throws {
    let tokenizer = try Fixtures.tokenizer(name)
    let options = Encoder.Options(addsBeginAndEnd: false, parsesSpecial: false)
    for expectation in try Fixtures.texts(name) {
      let tokens = try tokenizer.encode(Array(expectation.text.utf8), options: options)
      #expect(tokens == expectation.ids, "\(expectation.text.debugDescription)")
    }
  }

  @Test(arguments: Fixtures.all)
  func randomTextsGiveTheTokensOfLlamaCpp(name: String) throws {
    let tokenizer = try Fixtures.tokenizer(name)
    let texts = try Fixtures.randomTexts()
    let expected = try Fixtures.expected(name)
    #expect(texts.count == 1_000 && expected.count == 1_000)
    for (index, (text, ids)) in zip(texts, expected).enumerated() {
      let options = Encoder.Options(
        addsBeginAndEnd: index % 4 == 3, parsesSpecial: index % 2 == 1)
      let tokens = try tokenizer.encode(Array(text.utf8), options: options)
      #expect(tokens == ids, "text \(index): \(text.debugDescription)")
    }
  }
}
