import Foundation

/// Held tokens as text for a terminal, or without colours for a file.
package enum TerminalExplanation {
  /// Runs of more dropped tokens than this are left out, and counted, where colours tell dropped
  /// from held.
  private static let droppedShownMax = 60

  /// Runs of fewer dropped tokens than this are only marked: a count would be longer than they.
  private static let countedMin = 8

  /// Whether standard error takes colours: a terminal, and `NO_COLOR` is not set to anything.
  package static var usesColor: Bool {
    let isRefused = ProcessInfo.processInfo.environment["NO_COLOR"].map { !$0.isEmpty } ?? false
    return isatty(STDERR_FILENO) == 1 && !isRefused
  }

  /// The text, its legend and its counts.
  ///
  /// With colours, the background is the share of sets that hold a token and dropped text is faint;
  /// without, dropped text is left out.
  package static func text(_ tokens: HeldTokens, usesColor: Bool) -> String {
    var text = ""
    var step: Int?
    var index = 0
    while index < tokens.pieces.count {
      let run = droppedRun(tokens.pieces, from: index)
      let count = tokens.pieces[index..<run].reduce(0) { $0 + $1.tokens }
      if count > (usesColor ? droppedShownMax : 0) {
        if step != nil && usesColor { text += reset }
        step = nil
        text += count < countedMin ? "[…]" : "[… \(count) tokens not held …]"
        index = run
        continue
      }
      let piece = tokens.pieces[index]
      let next = ShadeScale.step(piece.share)
      if usesColor && next != step {
        text += reset + style(next)
        step = next
      }
      text += safe(piece.text)
      index += 1
    }
    if usesColor { text += reset }
    if !text.hasSuffix("\n") { text += "\n" }
    if usesColor { text += legend + "\n" }
    return text + summary(tokens) + "\n"
  }

  /// One sentence with the counts.
  package static func summary(_ tokens: HeldTokens) -> String {
    let some = tokens.tokenCount - tokens.heldByAll - tokens.heldByNone
    return "Of \(tokens.tokenCount) tokens when the reply began: \(tokens.heldByAll) held by all "
      + "of \(tokens.sets) sets of slots, \(some) by some, \(tokens.heldByNone) by none"
  }

  private static let reset = "\u{1B}[0m"

  private static func style(_ step: Int) -> String {
    step == 0 ? "\u{1B}[2m" : "\u{1B}[38;5;16;48;5;\(ShadeScale.terminal[step])m"
  }

  private static var legend: String {
    "held by: "
      + (0..<ShadeScale.count).map { "\(style($0)) \(ShadeScale.names[$0]) \(reset)" }
      .joined(separator: " ")
  }

  /// The end of the run of dropped pieces that begins at `start`; `start` where none does.
  private static func droppedRun(_ pieces: [HeldTokens.Piece], from start: Int) -> Int {
    var end = start
    while end < pieces.count && pieces[end].share <= 0 { end += 1 }
    return end
  }

  /// Text without anything that a terminal could obey.
  static func safe(_ text: String) -> String {
    var safe = ""
    for scalar in text.unicodeScalars {
      let category = scalar.properties.generalCategory
      let isHarmless = scalar == "\n" || (category != .control && category != .format)
      safe.unicodeScalars.append(scalar == "\t" ? " " : isHarmless ? scalar : "·")
    }
    return safe
  }
}
