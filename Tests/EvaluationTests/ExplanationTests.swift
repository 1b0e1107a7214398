import Evaluation
import Foundation
import Testing

@Suite struct ExplanationTests {
  private static let tokens = HeldTokens(
    texts: ["Hello", ",", " you", "\u{1B}[31m<b>", " there", "\n"].map { Array($0.utf8) },
    shares: [1, 1, 0, 0.5, 0, 0], sets: 6)

  /// The bytes of 32-bit words.
  private func data(_ words: [UInt32]) -> Data {
    Data(words.flatMap { word in (0..<4).map { UInt8(truncatingIfNeeded: word >> (8 * $0)) } })
  }

  @Test func countsAndPieces() {
    #expect(Self.tokens.tokenCount == 6)
    #expect(Self.tokens.heldByAll == 2)
    #expect(Self.tokens.heldByNone == 3)
    #expect(Self.tokens.pieces.map(\.position) == [0, 1, 2, 3, 4, 5])
  }

  @Test func brokenCharactersAreJoined() {
    let euro = Array("€".utf8)
    let tokens = HeldTokens(
      texts: [[65], [euro[0]], [euro[1]], [euro[2]], [66], [0xFF]],
      shares: [1, 1, 0, 0.5, 0, 1], sets: 2)
    #expect(
      tokens.pieces == [
        HeldTokens.Piece(text: "A", position: 0, share: 1),
        HeldTokens.Piece(text: "€", position: 1, tokens: 3, share: 0.5),
        HeldTokens.Piece(text: "B", position: 4, share: 0),
        HeldTokens.Piece(text: "\u{FFFD}", position: 5, share: 1),
      ])
  }

  @Test func plainTextLeavesDroppedTokensOut() {
    #expect(
      TerminalExplanation.text(Self.tokens, usesColor: false) == """
        Hello,[…]·[31m<b>[…]
        Of 6 tokens when the reply began: 2 held by all of 6 sets of slots, 1 by some, 3 by none

        """)
  }

  @Test func colorsShade() throws {
    let text = TerminalExplanation.text(Self.tokens, usesColor: true)
    let lines = text.split(separator: "\n")
    let (all, half) = ("\u{1B}[38;5;16;48;5;39m", "\u{1B}[38;5;16;48;5;117m")
    let (off, faint) = ("\u{1B}[0m", "\u{1B}[2m")
    #expect(
      lines[0]
        == "\(off)\(all)Hello,\(off)\(faint) you\(off)\(half)·[31m<b>\(off)\(faint) there")
    #expect(lines[1].hasPrefix(off))
    #expect(text.contains("held by: \(faint) none \(off)"))
    // No escape but our own: colours, faint and off.
    let escapes = text.matches(of: /\u{1B}\[[0-9;]*m/).count
    #expect(text.count { $0 == "\u{1B}" } == escapes)
  }

  @Test func longRunsAreCountedInColor() {
    let tokens = HeldTokens(
      texts: (0..<100).map { Array(" w\($0)".utf8) }, shares: [1] + .init(repeating: 0, count: 99),
      sets: 1)
    let text = TerminalExplanation.text(tokens, usesColor: true)
    #expect(text.contains(" w0\u{1B}[0m[… 99 tokens not held …]"))
    #expect(!text.contains("w50"))
    #expect(
      TerminalExplanation.text(tokens, usesColor: false).hasPrefix(" w0[… 99 tokens not held …]\n"))
  }

  @Test func thePageIsComplete() {
    let page = ExplanationPage.html(Self.tokens, heading: "model.terra, <policy>")
    #expect(page.hasPrefix("<!doctype html>\n"))
    #expect(page.contains("<p>model.terra, &lt;policy&gt;</p>"))
    #expect(page.contains("<span class=\"h5\" title=\"token 0: 100 %\">Hello</span>"))
    #expect(page.contains("<span class=\"h0\" title=\"token 2: 0 %\"> you</span>"))
    #expect(page.contains("<span class=\"h3\" title=\"token 3: 50 %\">·[31m&lt;b&gt;</span>"))
    #expect(page.contains("prefers-color-scheme: dark"))
    #expect(page.contains("2 held by all of 6 sets of slots, 1 by some, 3 by none."))
    // Nothing is loaded from elsewhere.
    for word in ["http", "src=", "@import", "url("] { #expect(!page.contains(word), "\(word)") }
  }

  @Test func sharesComeFromTheSlots() throws {
    // Four tokens, two sets: slots of positions 0, 3 and 0, 2; the last of each is free.
    let good: [UInt32] = [0x3148_4554, 4, 2, 0, 5, 6, 7, 3, 0, 3, .max, 3, 0, 2, .max]
    let hosted = try builtInTokenizer()
    let tokens = try HeldTokens(slots: data(good), name: "slots", hosted)
    #expect(tokens.pieces.map(\.share) == [1, 0, 0.5, 0.5])
    #expect(tokens.pieces[0].text == "<|endoftext|>")
    #expect(tokens.sets == 2)
    var bad = (0..<good.count).map { Array(good.prefix($0)) }
    bad += [good + [1], [1] + good.dropFirst()]
    bad += [[good[0], 4_000_000_000] + good.dropFirst(2), [good[0], 0, 0]]
    bad += [Array(good.prefix(4)) + [936] + good.dropFirst(5)]
    for words in bad {
      #expect(throws: EvaluationError.self) {
        try HeldTokens(slots: data(words), name: "slots", hosted)
      }
    }
    #expect(throws: EvaluationError.self) {
      try HeldTokens(slots: data(good) + Data([0]), name: "slots", hosted)
    }
  }
}
