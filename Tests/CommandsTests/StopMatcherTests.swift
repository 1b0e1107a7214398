import Commands
import TestSupport
import Testing
import Units

@Suite struct StopMatcherTests {
  private func options(_ stops: [String]) throws -> Options {
    try Options(verb: .run, arguments: words(stops.flatMap { ["--stop", $0] }))
  }

  /// The obvious way: the reply ends before the first place where a stop text ends; of those that
  /// end there, the one given first.
  private func slow(_ reply: [UInt8], _ stops: [[UInt8]]) -> (text: [UInt8], isStopped: Bool) {
    for end in 0...reply.count {
      for stop in stops where reply[..<end].suffix(stop.count) == stop[...] {
        return (Array(reply[..<(end - stop.count)]), true)
      }
    }
    return (reply, false)
  }

  /// What may be printed of a reply so far: all but the longest end that begins a stop text.
  private func certain(_ reply: [UInt8], _ stops: [[UInt8]]) -> [UInt8] {
    for start in 0..<reply.count {
      let rest = reply[start...]
      if stops.contains(where: { $0.starts(with: rest) }) { return Array(reply[..<start]) }
    }
    return reply
  }

  @Test func equalsTheSlowSearch() throws {
    var generator = Random(seed: 1)
    let letters = Array("aab".utf8)
    func randomText(_ count: Int) -> [UInt8] {
      (0..<count).map { _ in letters.randomElement(using: &generator) ?? 0 }
    }
    for _ in 0..<2_000 {
      let stops = (0..<Int.random(in: 0...8, using: &generator)).map { _ in
        randomText(Int.random(in: 1...6, using: &generator))
      }
      let reply = randomText(Int.random(in: 0...40, using: &generator))
      let names = stops.map { String(decoding: $0, as: UTF8.self) }
      var matcher = StopMatcher(options: try options(names), pending: memory(1024))
      var output = TextBuffer(memory(100))
      let expected = slow(reply, stops)
      for end in 1..<max(reply.count + 1, 1) {
        matcher.append(reply[end - 1], to: &output)
        guard !matcher.isStopped else { break }
        #expect(bytes(output) == certain(Array(reply[..<end]), stops), "\(names)")
      }
      #expect(matcher.isStopped == expected.isStopped)
      matcher.flush(to: &output)
      #expect(bytes(output) == expected.text, "\(names)")
    }
  }

  private func bytes(_ output: borrowing TextBuffer) -> [UInt8] {
    let span = output.bytes
    return (0..<span.byteCount).map { span.loadLittleEndian(at: $0, as: UInt8.self) }
  }

  @Test func overlappingBeginningsAreKept() throws {
    // "aab" begins again inside "aaab": nothing may be lost by a failed match.
    var matcher = StopMatcher(options: try options(["aab"]), pending: memory(1024))
    var output = TextBuffer(memory(100))
    for byte in "xaaaab after".utf8 { matcher.append(byte, to: &output) }
    #expect(matcher.isStopped)
    #expect(String(decoding: bytes(output), as: UTF8.self) == "xaa")
    output.removeAll()
    matcher.restart()
    #expect(!matcher.isStopped)
    for byte in "aa".utf8 { matcher.append(byte, to: &output) }
    #expect(output.count == 0)
    matcher.flush(to: &output)
    #expect(String(decoding: bytes(output), as: UTF8.self) == "aa")
  }

  @Test func theLongestStopTextFits() throws {
    let stop = String(repeating: "y", count: StopMatcher.stopBytesMax)
    var matcher = StopMatcher(
      options: try options([stop]), pending: memory(StopMatcher.stopBytesMax))
    var output = TextBuffer(memory(3000))
    for byte in ("z" + stop).utf8 { matcher.append(byte, to: &output) }
    #expect(matcher.isStopped)
    #expect(bytes(output) == Array("z".utf8))
  }
}
