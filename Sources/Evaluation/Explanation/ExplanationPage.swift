import Foundation

/// Held tokens as a page of HTML that needs nothing else.
package enum ExplanationPage {
  /// Columns of the overview.
  private static let columns = 240

  /// The page; `heading` says what was run.
  package static func html(_ tokens: HeldTokens, heading: String) -> String {
    """
    <!doctype html>
    <html lang="en">
    <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <title>What the cache held</title>
    <style>
    \(style)
    </style>
    </head>
    <body>
    <h1>What the cache held when the reply began</h1>
    <p>\(escaped(heading))</p>
    <p>\(escaped(TerminalExplanation.summary(tokens))).</p>
    <p class="legend">Held by
    \(legend)
    of the sets of slots: those of each layer, or of each KV head of a layer. Point at a token for
    its position and share.</p>
    \(overview(tokens))
    <p class="text">\(tokens.pieces.map(span).joined())</p>
    </body>
    </html>

    """
  }

  private static var style: String {
    func rules(_ colors: [String]) -> String {
      colors.indices.map { "--h\($0): \(colors[$0]);" }.joined(separator: " ")
    }
    let classes = (0..<ShadeScale.count).map { step in
      ".h\(step) { background: var(--h\(step)); fill: var(--h\(step)); }"
    }
    return """
      :root { color-scheme: light dark; --ink: #1a1a1a; --page: #ffffff; --faint: #6f6f6f;
        --edge: #b8b8b8; \(rules(ShadeScale.light)) }
      @media (prefers-color-scheme: dark) { :root { --ink: #f0f0f0; --page: #121212;
        --faint: #949494; --edge: #555555; \(rules(ShadeScale.dark)) } }
      body { background: var(--page); color: var(--ink); max-width: 60rem; margin: 2rem auto;
        padding: 0 1rem; font: 16px/1.6 system-ui, sans-serif; }
      h1 { font-size: 1.3rem; }
      .text { white-space: pre-wrap; overflow-wrap: anywhere; font-family: ui-monospace, monospace;
        font-size: 0.9rem; line-height: 1.9; }
      .text span { border-radius: 2px; padding: 2px 0; }
      .text span:hover { outline: 2px solid var(--ink); }
      .legend span { border: 1px solid var(--edge); border-radius: 3px; padding: 1px 6px;
        margin-right: 4px; white-space: nowrap; }
      svg { width: 100%; height: 28px; border: 1px solid var(--edge); }
      \(classes.joined(separator: "\n"))
      .h0 { color: var(--faint); }
      .h5 { color: #000000; }
      """
  }

  private static var legend: String {
    (0..<ShadeScale.count).map { "<span class=\"h\($0)\">\(ShadeScale.names[$0])</span>" }
      .joined(separator: "\n")
  }

  private static func span(_ piece: HeldTokens.Piece) -> String {
    let last = piece.position + piece.tokens - 1
    let place =
      piece.tokens == 1 ? "token \(piece.position)" : "tokens \(piece.position) to \(last)"
    let percent = String(format: "%.0f", 100 * piece.share)
    return "<span class=\"h\(ShadeScale.step(piece.share))\" title=\"\(place): \(percent) %\">"
      + escaped(piece.text) + "</span>"
  }

  /// The whole prompt from left to right as a strip of mean shares.
  private static func overview(_ tokens: HeldTokens) -> String {
    let pieces = tokens.pieces
    let count = min(columns, pieces.count)
    let bars = (0..<count).map { column in
      let range = column * pieces.count / count..<(column + 1) * pieces.count / count
      let share = pieces[range].reduce(0) { $0 + $1.share } / Double(range.count)
      return "<rect class=\"h\(ShadeScale.step(share))\" x=\"\(column)\" width=\"1\" height=\"1\"/>"
    }
    return """
      <svg viewBox="0 0 \(max(count, 1)) 1" preserveAspectRatio="none" shape-rendering="crispEdges" role="img" \
      aria-label="The prompt from its start to its end">\(bars.joined())</svg>
      """
  }

  /// Text as HTML; what a page could not show becomes a middle dot.
  private static func escaped(_ text: String) -> String {
    Drawing.escaped(TerminalExplanation.safe(text))
  }
}
