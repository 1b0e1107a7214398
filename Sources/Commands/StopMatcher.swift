package import Units

/// Holds back the end of a reply for as long as it could be the start of a stop text.
///
/// The cost of a byte is the length of the longest stop text times their number; nothing is ever
/// searched again from the start.
package struct StopMatcher {
  private let stops: InlineArray<8, Text>
  private let stopCount: Int
  private let pending: FixedBuffer<UInt8>
  private var pendingCount = 0

  /// Whether a stop text was met: the reply is over.
  package private(set) var isStopped = false

  /// Bytes that may have to be held back: no stop text may be longer.
  package static let stopBytesMax = 1024

  /// Watches for the stop texts of `options`; `pending` holds `stopBytesMax` bytes.
  package init(options: Options, pending: FixedBuffer<UInt8>) {
    precondition(pending.count >= Self.stopBytesMax, "room for the longest stop text")
    stops = options.stops
    stopCount = options.stopCount
    self.pending = pending
  }

  /// Starts a new reply.
  package mutating func restart() {
    pendingCount = 0
    isStopped = false
  }

  /// Takes one byte of the reply and appends to `output` what can no longer belong to a stop text.
  package mutating func append(_ byte: UInt8, to output: inout TextBuffer) {
    if isStopped { return }
    pending[pendingCount] = byte
    pendingCount += 1
    for index in 0..<stopCount where heldText.hasSuffix(stops[index]) {
      release(pendingCount - stops[index].count, to: &output)
      pendingCount = 0
      isStopped = true
      return
    }
    var released = 0
    while released < pendingCount && !couldGrow(from: released) { released += 1 }
    release(released, to: &output)
  }

  /// Appends what was held back: the reply ended without a stop text.
  package mutating func flush(to output: inout TextBuffer) {
    release(pendingCount, to: &output)
  }

  private var heldText: Text { pending.extracting(0..<pendingCount) }

  /// Whether the held text from `start` on is the beginning of a stop text.
  private func couldGrow(from start: Int) -> Bool {
    let rest = pending.extracting(start..<pendingCount)
    for index in 0..<stopCount where stops[index].hasPrefix(rest) { return true }
    return false
  }

  private mutating func release(_ count: Int, to output: inout TextBuffer) {
    for index in 0..<count { output.append(byte: pending[index]) }
    for index in count..<pendingCount { pending[index - count] = pending[index] }
    pendingCount -= count
  }
}
