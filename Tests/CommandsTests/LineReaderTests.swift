import Commands
import TestSupport
import Testing
import Units

@Suite struct LineReaderTests {
  /// Every line that a reader with `capacity` bytes makes of the chunks, or its error.
  private func lines(
    _ chunks: [String], capacity: Int = 64, error: HostError? = nil
  ) throws -> [String] {
    let world = World()
    world.input = chunks.map { Array($0.utf8) }.filter { !$0.isEmpty }
    if let error { world.errors[.readInput] = error }
    return try World.$current.withValue(world) {
      var reader = LineReader<FakeHost>(memory(capacity))
      var lines: [String] = []
      while let line = try reader.next() { lines.append(line.string) }
      #expect(try reader.next() == nil, "the end stays the end")
      return lines
    }
  }

  @Test func linesEndAtLineFeeds() throws {
    #expect(try lines([]) == [])
    #expect(try lines(["a\n"]) == ["a"])
    #expect(try lines(["a"]) == ["a"])
    #expect(try lines(["\n"]) == [""])
    #expect(try lines(["\n\na\n"]) == ["", "", "a"])
    #expect(try lines(["a\r\nb"]) == ["a\r", "b"])
  }

  @Test func everyCutOfTheInputGivesTheSameLines() throws {
    let text = "one\n\ntwo words\nthrée\nlast"
    let expected = ["one", "", "two words", "thrée", "last"]
    let bytes = Array(text.utf8)
    for first in 0...bytes.count {
      for second in first...bytes.count {
        let world = World()
        world.input = [
          Array(bytes[..<first]), Array(bytes[first..<second]), Array(bytes[second...]),
        ].filter { !$0.isEmpty }
        let lines: [String] = try World.$current.withValue(world) {
          var reader = LineReader<FakeHost>(memory(12))
          var lines: [String] = []
          while let line = try reader.next() { lines.append(line.string) }
          return lines
        }
        #expect(lines == expected, "\(first), \(second)")
      }
    }
  }

  @Test func aLineMayFillTheBufferAndNoMore() throws {
    #expect(try lines(["1234567\nx"], capacity: 8) == ["1234567", "x"])
    #expect(try lines(["12345678"], capacity: 9) == ["12345678"])
    do {
      _ = try lines(["123456789\n"], capacity: 8)
      Issue.record("the line is too long")
    } catch Failure.inputTooLong(let limit) {
      #expect(limit == 8)
    }
  }

  @Test func errorsAreNamed() throws {
    do {
      _ = try lines(["a\n"], error: .system(5))
      Issue.record("reading fails")
    } catch Failure.host(let error, let action, let name) {
      #expect(error == .system(5) && action == .reading && name.string == "standard input")
    }
    do {
      _ = try lines(["a\n"], error: .interrupted)
      Issue.record("reading is interrupted")
    } catch Failure.interrupted {}
  }
}
