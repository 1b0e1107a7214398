import Benchmark
import Foundation
import Testing

@Suite struct ValueListTests {
  private func integers(_ texts: String...) throws -> [Int] {
    try ValueList.integers(texts, option: "-p", in: 0...10_000)
  }

  @Test func readsListsAndRanges() throws {
    #expect(try integers("512") == [512])
    #expect(try integers("1,2", "4") == [1, 2, 4])
    #expect(try integers("1-4") == [1, 2, 3, 4])
    #expect(try integers("128-512+128,7") == [128, 256, 384, 512, 7])
    #expect(try integers("1-9*2") == [1, 2, 4, 8])
    #expect(try integers("0-3") == [0, 1, 2, 3])
  }

  @Test(arguments: [
    "", "x", "1,", ",1", "-1", "1-", "3-1", "1-4+0", "1-4*1", "0-4*2", "1-2-3", "1-4+1+1", "1.5",
    "10001", "99999999999", " 1", "١",
  ])
  func namesWhatIsNoValue(text: String) {
    let bad = text == "1," || text == ",1" ? "" : text
    #expect {
      try integers(text)
    } throws: { error in
      guard case .badValue(bad, option: "-p", _) = error as? BenchmarkError else { return false }
      return "\(error)".hasPrefix("`\(bad)` is no value for -p: whole numbers from 0 to 10000")
    }
  }

  @Test func readsPairs() throws {
    let pairs = try ValueList.pairs(["512,128", "1,0;0,2"], option: "-pg")
    #expect(pairs.map(\.prompt) == [512, 1, 0])
    #expect(pairs.map(\.generated) == [128, 0, 2])
    for text in ["512", "1,2,3", "0,0", "a,1", ""] {
      #expect(throws: BenchmarkError.self) { try ValueList.pairs([text], option: "-pg") }
    }
  }

  @Test func filesMayHaveCommas() throws {
    let folder = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    let name = folder.path + "/a,b"
    try Data().write(to: URL(filePath: name))
    #expect(ValueList.paths([name, "c,d"]) == [name, "c", "d"])
  }

  @Test func aRangeIsBounded() throws {
    let many = try ValueList.integers(["0-16777216"], option: "-p", in: 0...1 << 24)
    #expect(many.count == 1024)
  }

  @Test func statistics() {
    #expect(Statistics.mean([]) == 0)
    #expect(Statistics.mean([1, 2, 6]) == 3)
    #expect(Statistics.standardDeviation([5]) == 0)
    #expect(Statistics.standardDeviation([2, 4, 4, 4, 5, 5, 7, 9]) == (32.0 / 7).squareRoot())
    #expect(Statistics.median([]) == 0)
    #expect(Statistics.median([9, 1, 5]) == 5)
    #expect(Statistics.median([9, 1, 5, 6]) == 5.5)
  }
}
