import Foundation
import Profiles
import Testing
import Units

/// The folder of the profiles that come with the program.
let profilesFolder = URL(filePath: #filePath).deletingLastPathComponent()
  .deletingLastPathComponent().deletingLastPathComponent().appending(path: "Profiles")

func file(_ name: String) throws -> [UInt8] {
  Array(try Data(contentsOf: profilesFolder.appending(path: "\(name).toml")))
}

@Suite struct ProfileFilesTests {
  @Test func `the generic profiles are the defaults`() throws {
    #expect(parse(try file("generic-x86-64")) == .success(.genericX86))
    #expect(parse(try file("generic-arm64")) == .success(.genericARM64))
    #if arch(arm64)
      #expect(Profile.default == .genericARM64)
    #else
      #expect(Profile.default == .genericX86)
    #endif
  }

  @Test func `the generic profile shows every key`() throws {
    let lines = String(decoding: try file("generic-x86-64"), as: UTF8.self).split(separator: "\n")
    for number in 0..<ProfileKey.count {
      let name = try #require(ProfileKey(rawValue: number)).name.description
      #expect(lines.contains { $0.hasPrefix("\(name) = ") }, "\(name)")
    }
  }

  @Test func `every profile in the folder parses and is named after its file`() throws {
    let names = try FileManager.default.contentsOfDirectory(atPath: profilesFolder.path)
    #expect(names.count >= 5)
    for name in names {
      #expect(name.hasSuffix(".toml"))
      let stem = String(name.dropLast(5))
      #expect(string(try parse(try file(stem)).get().name) == stem)
    }
  }

  @Test func `boards have these budgets`() throws {
    func board(_ name: String) throws -> Profile { try parse(try file(name)).get() }
    let four = try board("raspberry-pi-4-1gb")
    #expect(four.budgetBytes == 671_088_640)
    #expect(four.pageBytes == 4096)
    #expect(four.contextTokens == 2048)
    let five = try board("raspberry-pi-5-8gb")
    #expect(five.budgetBytes == 6_442_450_944)
    #expect(five.pageBytes == 16_384)
    let zero = try board("raspberry-pi-zero-2w")
    #expect(zero.budgetBytes == 268_435_456)
    #expect(zero.valueFormat == .int4)
    for profile in [four, five, zero] {
      #expect(profile.threads == 4 && profile.processors.count == 4)
    }
  }

  @Test func `a profile is plain memory`() {
    // Fails to compile where the type is not BitwiseCopyable.
    func bytes<Value: BitwiseCopyable>(_ value: Value) -> Int { MemoryLayout<Value>.size }
    #expect(bytes(Profile.default) <= 768)
  }

  @Test func `100,000 mutations parse or fail with a line of the text`() throws {
    let sources = try [
      "generic-x86-64", "generic-arm64", "raspberry-pi-4-1gb", "raspberry-pi-5-8gb",
      "raspberry-pi-zero-2w",
    ].map { name in
      // Without comments, so that mutations hit keys and values.
      try file(name).split(separator: 0x0A).filter { $0.first != 0x23 }.joined(separator: [0x0A])
        .map { $0 }
    }
    let seed: UInt64 = 20_261_121
    var numbers = SeededNumbers(state: seed)
    let alphabet = Array("\"'\\#=[]{}._-+:0179 \n\r\tutnaeKMiGB\u{0}\u{7f}é".utf8)
    var (accepted, refused) = (0, 0)
    var output = textBuffer()
    for index in 0..<100_000 {
      var text = sources[index % sources.count]
      for _ in 0...Int.random(in: 0...3, using: &numbers) {
        let place = Int.random(in: 0..<text.count, using: &numbers)
        switch Int.random(in: 0...5, using: &numbers) {
        case 0: text[place] = alphabet[Int.random(in: 0..<alphabet.count, using: &numbers)]
        case 1: text[place] = UInt8.random(in: 0...255, using: &numbers)
        case 2: text.remove(at: place)
        case 3:
          text.insert(alphabet[Int.random(in: 0..<alphabet.count, using: &numbers)], at: place)
        case 4: text.removeSubrange(place...)
        default:
          let end = min(text.count, place + Int.random(in: 1...40, using: &numbers))
          text.insert(contentsOf: Array(text[place..<end]), at: place)
        }
        if text.isEmpty { break }
      }
      switch parse(text) {
      case .success(let profile):
        accepted += 1
        if profile.budgetBytes < 1 << 20 || !(0...512).contains(profile.tileTokens) {
          Issue.record("seed \(seed)")
        }
      case .failure(let error):
        refused += 1
        let lines = text.count { $0 == 0x0A } + 1
        output.removeAll()
        error.write(to: &output, file: RawSpan())
        if error.line < 0 || error.line > lines || output.count == 0 || output.isTruncated {
          Issue.record("seed \(seed), case \(index)")
        }
      }
    }
    #expect(accepted > 5_000 && refused > 50_000, "accepted \(accepted), refused \(refused)")
  }
}
