import Units

/// How fast the first tenth of some tokens is read, and how fast the last: a long document must not
/// become slower.
struct Pace<System: Host> {
  /// Tokens per second of the first tenth, and of the last; 0: not read yet.
  private(set) var first = 0.0
  private(set) var last = 0.0

  private let tokens: Int
  private let start = System.nanoseconds()
  private var lastTenth: (token: Int, nanoseconds: UInt64)?

  /// Before the first of `tokens` tokens is read.
  init(tokens: Int) { self.tokens = tokens }

  /// The first `count` tokens have been read.
  mutating func advance(to count: Int) {
    let isFirst = first == 0 && count >= tokens / 10
    let isLast = lastTenth == nil && count >= tokens - tokens / 10
    guard isFirst || isLast || count == tokens else { return }
    let now = System.nanoseconds()
    if isFirst { first = Self.rate(count, since: start, now) }
    if count == tokens, let lastTenth, count > lastTenth.token {
      last = Self.rate(count - lastTenth.token, since: lastTenth.nanoseconds, now)
    }
    if isLast { lastTenth = (count, now) }
  }

  private static func rate(_ tokens: Int, since start: UInt64, _ end: UInt64) -> Double {
    Double(tokens) * 1e9 / Double(max(end - start, 1))
  }
}
