import Foundation

/// A line on a terminal's standard error: how far the work is, and how long it will still take.
package struct ProgressLine {
  private let isShown: Bool
  private let start = Date()
  private var shown = ""
  private static let width = 30

  /// Shows itself where standard error is a terminal.
  package init() {
    isShown = isatty(STDERR_FILENO) == 1
  }

  /// `done` of `total` units are done; `what` is at work.
  package mutating func show(done: Int, total: Int, what: String) {
    guard isShown else { return }
    let line = Self.text(
      done: done, total: total, what: what, seconds: Date().timeIntervalSince(start))
    guard line != shown else { return }
    shown = line
    FileHandle.standardError.write(Data("\r\(line)\u{1B}[K".utf8))
  }

  /// Removes the line.
  package mutating func clear() {
    guard !shown.isEmpty else { return }
    shown = ""
    FileHandle.standardError.write(Data("\r\u{1B}[K".utf8))
  }

  /// The line after `seconds` seconds; the rest is taken to go on as fast.
  package static func text(done: Int, total: Int, what: String, seconds: Double) -> String {
    let percent = done * 100 / max(total, 1)
    let filled = percent * width / 100
    let bar = String(repeating: "#", count: filled) + String(repeating: ".", count: width - filled)
    var line = "evaluating [\(bar)] \(String(format: "%3d", percent)) %  \(what)"
    if done > 0 && seconds >= 1 {
      let left = Int((seconds * Double(total - done) / Double(done)).rounded(.up))
      line += String(format: "  %d:%02d left", left / 60, left % 60)
    }
    return line
  }
}
