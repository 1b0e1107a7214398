import Evaluation
import Foundation
import Packing
import Testing
import Tokenization
import Units

@Suite struct ScoringTests {
  @Test func oneAnswerIsRightOrWrong() {
    #expect(Scoring.score(.needle, reply: " Sofia", answer: "Sofia") == 1)
    #expect(Scoring.score(.needle, reply: "\n Sofia ", answer: "Sofia") == 1)
    #expect(Scoring.score(.passkey, reply: " 1125", answer: "11253") == 0)
    #expect(Scoring.score(.qa, reply: " sofia", answer: "Sofia") == 0)
    #expect(Scoring.score(.qa, reply: "", answer: "Sofia") == 0)
    #expect(Scoring.score(.qa, reply: " So fia", answer: "Sofia") == 0)
  }

  @Test func aSummaryIsTheShareOfItsFacts() {
    let answer = "The key of Xena is 85754. The job of Cora is guard. The pet of Al is fish."
    func score(_ reply: String) -> Double { Scoring.score(.summary, reply: reply, answer: answer) }
    #expect(score(" " + answer) == 1)
    #expect(score(" The job of Cora is guard. The key of Xena is 85754.") == 2.0 / 3)
    // A fact counts with its full stop only.
    #expect(score(" The job of Cora is guard") == 0)
    #expect(score(" The job of Cora is guards.") == 0)
    #expect(score(" The pet of Al is fish. The pet of Al is fish.") == 1.0 / 3)
  }

  @Test func repliesEnd() {
    #expect(Scoring.stopByte(.needle) == 46)
    #expect(Scoring.stopByte(.qa) == 46)
    #expect(Scoring.stopByte(.summary) == 10)
    #expect(Scoring.replyTokensMax(.passkey, answerTokens: 40) == 16)
    #expect(Scoring.replyTokensMax(.summary, answerTokens: 40) == 56)
    #expect(Scoring.replyTokensMax(.ppl, answerTokens: 40) == 0)
  }
}

@Suite struct DistributionTests {
  /// A buffer of its own memory, which tests never give back.
  private func buffer<Element: BitwiseCopyable>(_ values: [Element]) -> FixedBuffer<Element> {
    let memory = UnsafeMutablePointer<Element>.allocate(capacity: values.count)
    for index in values.indices { unsafe (memory + index).initialize(to: values[index]) }
    // SAFETY: as many elements as values were initialized.
    return unsafe FixedBuffer(unsafeBase: memory, count: values.count)
  }

  private func divergence(_ full: [Float], _ other: [Float]) -> Double {
    let other = buffer(other)
    return Distribution.divergence(
      of: other, level: Distribution.logSumOfExponentials(other),
      from: buffer(full.map { Int32(bitPattern: $0.bitPattern) }))
  }

  @Test func sumsByHand() {
    // log(e^0 + e^log 3) = log 4.
    let sum = Distribution.logSumOfExponentials(buffer([0, Float(log(3.0))]))
    #expect(abs(sum - log(4)) < 1e-7)
    #expect(abs(Distribution.logSumOfExponentials(buffer([1000, 1000])) - 1000 - log(2)) < 1e-9)
    #expect(Distribution.logSumOfExponentials(buffer([-3])) == -3)
  }

  @Test func divergenceByHand() {
    #expect(divergence([1, 2, 3], [1, 2, 3]) == 0)
    // Adding one number to all logits changes nothing.
    #expect(divergence([1, 2, 3], [5, 6, 7]) < 1e-12)
    // p = (1/2, 1/2), q = (1/4, 3/4): 1/2 log 2 + 1/2 log 2/3.
    let expected = 0.5 * log(2.0) + 0.5 * log(2.0 / 3)
    #expect(abs(divergence([0, 0], [0, Float(log(3.0))]) - expected) < 1e-7)
    // A probability of nothing adds nothing.
    #expect(abs(divergence([0, -1000], [0, 0]) - log(2)) < 1e-9)
  }
}

@Suite struct EncodedCaseTests {
  private func builtInCases() throws -> [TaskCase] {
    try TaskSet.read(path: Program.tasks, TaskSet.Selection())
  }

  @Test func aPromptIsBeginDocumentQuestion() throws {
    let hosted = try builtInTokenizer()
    let one = try #require(try builtInCases().first { $0.id == "needle-256-1000" })
    let encoded = try EncodedCase(one, hosted)
    #expect(encoded.document.first == 0)
    #expect(encoded.replyTokensMax == 16)
    #expect(encoded.marks.isEmpty)
    // The reference's peak of the full cache is 253: the prompt and a reply of one token.
    #expect(encoded.promptTokens == 252)
    let text = try hosted.decode(Array(encoded.document.dropFirst()) + encoded.question)
    #expect(String(decoding: text, as: UTF8.self) == one.document + one.question)
  }

  @Test func aStreamIsMarkedWhereAnswersAre() throws {
    let hosted = try builtInTokenizer()
    let one = try #require(try builtInCases().first { $0.id == "ppl-256-1388" })
    let encoded = try EncodedCase(one, hosted)
    #expect(encoded.document.count == 239)
    #expect(encoded.question.isEmpty)
    #expect(encoded.marks.count == 239)
    #expect(encoded.marks.count { $0 } == 23)
    let marked = zip(encoded.document, encoded.marks).filter(\.1).map(\.0)
    let text = String(decoding: try hosted.decode(marked), as: UTF8.self)
    // A full stop and the line feed behind it are one token.
    #expect(text == " 62398.\n rice.\n 13036.\n 21054.")
  }
}
