import Units

/// A line on a terminal that tells how far long work is; silent for short work and elsewhere.
struct Progress<System: Host> {
  private let what: StaticString
  private let total: Int
  private let startNanoseconds: UInt64
  private var done = 0
  private var shownPercent = -1

  /// Work below this time shows no line.
  private static var patienceNanoseconds: UInt64 { 300_000_000 }

  private static var barWidth: Int { 30 }

  /// Work of `total` units.
  init(_ what: StaticString, total: Int) {
    self.what = what
    self.total = max(total, 1)
    startNanoseconds = System.nanoseconds()
  }

  /// `count` more units are done.
  mutating func advance(_ count: Int, _ console: inout Console<System>) {
    done += count
    guard console.isWatched else { return }
    let percent = min(done * 100 / total, 100)
    guard percent > shownPercent,
      System.nanoseconds() - startNanoseconds > Self.patienceNanoseconds
    else { return }
    shownPercent = percent
    console.messages.append("\r")
    console.messages.append(what)
    console.messages.append(" [")
    let filled = Self.barWidth * percent / 100
    for column in 0..<Self.barWidth { console.messages.append(column < filled ? "#" : ".") }
    console.messages.append("] ")
    console.messages.append(percent, width: 3)
    console.messages.append(" %")
    console.flushMessages()
  }

  /// Removes the line.
  mutating func finish(_ console: inout Console<System>) {
    guard shownPercent >= 0 else { return }
    console.messages.append("\r\u{1B}[K")
    console.flushMessages()
    shownPercent = -1
  }
}
