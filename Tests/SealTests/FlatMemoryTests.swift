import Foundation
import Testing

/// What the kernel says about a running process, once it is sealed.
struct MemorySample: Hashable {
  var anonymousKibibytes: Int
  var dataKibibytes: Int

  /// Looks now; `nil` before the seal and after the end.
  init?(process: Int32) {
    guard let text = try? String(contentsOfFile: "/proc/\(process)/status", encoding: .utf8) else {
      return nil
    }
    var values: [Substring: Int] = [:]
    for line in text.split(separator: "\n") {
      let words = line.split(whereSeparator: \.isWhitespace)
      if words.count > 1 { values[words[0]] = Int(words[1]) }
    }
    guard values["Seccomp:"] == 2, let anonymous = values["RssAnon:"],
      let data = values["VmData:"]
    else { return nil }
    anonymousKibibytes = anonymous
    dataKibibytes = data
  }
}

@Suite(
  .serialized,
  .enabled(if: present(Subject.hosted.program, Subject.board.program) && Scenario.model != nil))
struct FlatMemoryTests {
  private final class Samples {
    var all: [MemorySample] = []
  }

  private func samples(
    _ subject: Subject, _ scenario: Scenario, environment: [String: String] = [:]
  ) throws -> (finished: Finished, samples: [MemorySample]) {
    let samples = Samples()
    let finished = try run(
      [subject.program] + scenario.words,
      Treatment(
        input: scenario.input, environment: environment, interruptsAfter: scenario.interruptsAfter,
        watch: { process in
          if let sample = MemorySample(process: process) { samples.all.append(sample) }
        }))
    return (finished, samples.all)
  }

  @Test(arguments: Scenario.onSubjects)
  func memoryIsFlatAfterLaunch(subject: Subject, scenario: Scenario) throws {
    let (finished, samples) = try samples(subject, scenario)
    #expect(finished.status == scenario.status, "\(finished.error)")
    #expect(samples.count >= 2)
    #expect(Set(samples).count == 1, "\(Set(samples))")
  }

  @Test func canaryOneMebibyteMoreIsSeen() throws {
    let scenario = try #require(Scenario.all.first { $0.name == "streaming, 64 threads" })
    let (_, samples) = try samples(
      .hosted, scenario,
      environment: ["LD_PRELOAD": AllocationTests.library.path, "TERRARIUM_CANARY": "touch"])
    let sizes = samples.map(\.anonymousKibibytes)
    // Its first page may have been there.
    #expect(try #require(sizes.max()) - #require(sizes.min()) >= 1020)
  }
}
