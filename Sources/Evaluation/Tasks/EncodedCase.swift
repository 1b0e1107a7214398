package import Packing
import Tokenization

/// A case as tokens.
package struct EncodedCase: Sendable {
  /// The case.
  package let source: TaskCase
  /// The begin token and the document.
  package let document: [Int32]
  /// The question; beside a stream, what policies take for the instruction, which is not read.
  package let question: [Int32]
  /// For a stream: whether each token of the document belongs to an answer.
  package let marks: [Bool]
  /// Tokens of the longest reply.
  package let replyTokensMax: Int
  /// Whether the document starts with a token that is no text.
  private let hasBegin: Bool

  /// Tokens of the prompt.
  package var promptTokens: Int { document.count + (source.task.isStream ? 0 : question.count) }

  /// Slots that hold everything the case ever reads.
  package var slots: Int { promptTokens + replyTokensMax }

  /// The most distributions that are compared.
  var rowsMax: Int { source.task.isStream ? promptTokens - 1 : replyTokensMax }

  /// Words of the largest request about the case, and of its reply.
  var words: Int {
    CaseFrame.Request.count + document.count + question.count
      + max(marks.count, replyTokensMax) + replyTokensMax
  }

  /// Encodes the parts of `source` apart, as the prompt is put together: begin token, document,
  /// question; text that spells a special token becomes that token.
  package init(_ source: TaskCase, _ hosted: HostedTokenizer) throws(EvaluationError) {
    self.source = source
    let text = try Self.encode(source.document, startsText: true, hosted)
    let begin = hosted.tokenizer.beginToken ?? hosted.tokenizer.endToken
    document = (begin.map { [$0] } ?? []) + text
    hasBegin = begin != nil
    question = try Self.encode(source.question, startsText: false, hosted)
    if source.task.isStream {
      replyTokensMax = 0
      let unmarked = begin == nil ? [] : [false]
      marks = try unmarked + Self.marks(text, source, hosted)
    } else {
      let answer = try Self.encode(source.answer, startsText: false, hosted)
      replyTokensMax = Scoring.replyTokensMax(source.task, answerTokens: answer.count)
      marks = []
    }
  }

  private static func encode(
    _ text: String, startsText: Bool, _ hosted: HostedTokenizer
  ) throws(EvaluationError) -> [Int32] {
    do throws(TokenizationError) {
      return try hosted.encode(
        Array(text.utf8),
        options: Encoder.Options(
          addsBeginAndEnd: false, parsesSpecial: true, startsText: startsText))
    } catch {
      throw .tokenizer("\(error)")
    }
  }

  /// Whether each token begins inside an answer's range of characters.
  private static func marks(
    _ tokens: [Int32], _ source: TaskCase, _ hosted: HostedTokenizer
  ) throws(EvaluationError) -> [Bool] {
    let spans = source.spans ?? []
    return try starts(of: tokens, hosted).map { start in
      spans.contains { $0[0] <= start && start < $0[1] }
    }
  }

  /// The tokens of the document that reach into a range of its characters, given as start and end.
  func tokens(of span: [Int], _ hosted: HostedTokenizer) throws(EvaluationError) -> Range<Int> {
    let skipped = hasBegin ? 1 : 0
    let starts = try Self.starts(of: Array(document.dropFirst(skipped)), hosted)
    let first = starts.lastIndex { $0 <= span[0] } ?? 0
    let end = starts.firstIndex { $0 >= span[1] } ?? starts.count
    return first + skipped..<end + skipped
  }

  /// The character that each token begins with, counted from 0.
  private static func starts(
    of tokens: [Int32], _ hosted: HostedTokenizer
  ) throws(EvaluationError) -> [Int] {
    var start = 0
    var starts: [Int] = []
    starts.reserveCapacity(tokens.count)
    for token in tokens {
      starts.append(start)
      let bytes: [UInt8]
      do throws(TokenizationError) {
        bytes = try hosted.decode([token], showsControl: true, startsText: starts.count == 1)
      } catch {
        throw .tokenizer("\(error)")
      }
      // A character is counted at its first byte.
      start += bytes.count { $0 & 0xC0 != 0x80 }
    }
    return starts
  }
}
