import Commands
import Foundation
import Platform
import TestSupport
import Testing
import Units

@Suite struct MachineTests {
  @Test func reservesZeroedPages() throws {
    for hugePages in [false, true] {
      let before = Linux.memoryUsage()
      let byteCount = 8 << 20
      let arena = try Linux.reserve(byteCount: byteCount, hugePages: hugePages, locked: false)
      let after = Linux.memoryUsage()
      #expect(arena.count == byteCount)
      #expect(unsafe Int(bitPattern: arena.unsafeBaseAddress) % (64 << 10) == 0)
      #expect(stride(from: 0, to: byteCount, by: 4096).allSatisfy { arena[$0] == 0 })
      // Other tests may give a little back meanwhile.
      #expect(after.anonymousBytes - before.anonymousBytes >= byteCount - (1 << 20))
      #expect(after.dataBytes - before.dataBytes >= byteCount - (1 << 20))
      #expect(after.peakResidentBytes >= after.anonymousBytes)
    }
  }

  @Test func refusesWhatTheKernelRefuses() {
    #expect(throws: HostError.noMemory) {
      try Linux.reserve(byteCount: 1 << 50, hugePages: false, locked: false)
    }
  }

  @Test func listsItsProcessors() {
    let room = memory(4096, of: Int32.self)
    let count = Linux.processors(into: room)
    #expect(count == ProcessInfo.processInfo.activeProcessorCount)
    #expect((1..<count).allSatisfy { room[$0 - 1] < room[$0] })
    #expect(Linux.processors(into: room.extracting(0..<0)) == count)
  }

  @Test func timeDoesNotGoBack() {
    let first = Linux.nanoseconds()
    #expect(Linux.nanoseconds() >= first)
    #expect(first > 0)
  }

  @Test func readsTheStatusText() {
    let text = "Name:\tx\nVmHWM:\t    1028 kB\nVmRSS:\t 7 kB\nRssAnon:\t  3 kB"
    #expect(ProcessStatus.byteCount("VmHWM:", in: text) == 1_052_672)
    #expect(ProcessStatus.byteCount("VmRSS:", in: text) == 7168)
    #expect(ProcessStatus.byteCount("RssAnon:", in: text) == 3072)
    #expect(ProcessStatus.byteCount("Anon:", in: text) == 0)
    #expect(ProcessStatus.byteCount("VmData:", in: text) == 0)
    #expect(ProcessStatus.byteCount("VmData:", in: "") == 0)
  }

  @Test func theFirstCtrlCIsNoticedAndTheSecondEnds() async {
    await #expect(processExitsWith: .signal(SIGINT)) {
      Linux.prepare()
      precondition(!Linux.isInterrupted)
      kill(getpid(), SIGINT)
      while !Linux.isInterrupted {}
      do throws(HostError) {
        _ = try Linux.read(.standardInput, into: memory(1))
      } catch {
        precondition(error == HostError.interrupted)
        kill(getpid(), SIGINT)
        sleep(10)
      }
      Linux.exit(1)
    }
  }
}

/// Goes on in a process without the threads of the test library, which know nothing of the filter;
/// the one it came from ends as that one does.
private func alone() {
  let child = fork()
  precondition(child >= 0, "a process more")
  if child == 0 { return }
  var status: Int32 = 0
  while unsafe waitpid(child, &status, 0) < 0 {}
  let signal = status & 0x7F
  if signal != 0 {
    kill(getpid(), signal)
    sleep(10)
  }
  Linux.exit(status >> 8 & 0xFF)
}

/// KiB of code of the C and the math library that are not present.
private func absentKibibytesOfCode() throws -> [Int] {
  let file = Foundation.FileHandle(forReadingAtPath: "/proc/self/smaps")
  let text = String(decoding: try file?.readToEnd() ?? Data(), as: UTF8.self)
  var absent: [Int] = []
  var isCode = false
  for line in text.split(separator: "\n") {
    let words = line.split(separator: " ")
    if words[0].contains("-") {
      let name = URL(filePath: String(words.last ?? "")).lastPathComponent
      isCode = words[1].contains("x") && (name.hasPrefix("libc.") || name.hasPrefix("libm."))
    } else if isCode && words[0] == "Size:" {
      absent.append(Int(words[1]) ?? 0)
    } else if isCode && words[0] == "Rss:" {
      absent[absent.count - 1] -= Int(words[1]) ?? 0
    }
  }
  return absent
}

@Suite struct SealedProcessTests {
  // Functions that are first called after launch would bring in pages beyond the plan.
  @Test func librariesThatAreCalledLaterAreCounted() async {
    await #expect(processExitsWith: .exitCode(0)) {
      alone()
      _ = Linux.programBytes(stackBytes: 65536)
      Linux.exit(try absentKibibytesOfCode() == [0, 0] ? 0 : 1)
    }
  }

  @Test func aSealedProcessReadsWritesWaitsAndTellsTheTime() async {
    await #expect(processExitsWith: .exitCode(0)) {
      alone()
      do throws(HostError) {
        var team = try Team(threadCount: 3)
        let input = try Linux.open(cString("/proc/self/stat"))
        Linux.prefaultStack(byteCount: 65536)
        let before = Linux.memoryUsage()
        let report = Linux.seal(publishing: false)
        guard report == SealReport(filtersSystemCalls: true, limitsMemory: true) else {
          Linux.exit(3)
        }
        team.meet(rounds: 100)
        _ = try Linux.read(input, into: team.room)
        _ = try Linux.read(input, at: 0, into: team.room)
        Linux.close(input)
        try Linux.write(team.room.extracting(0..<0).bytes, to: .standardOutput)
        let after = Linux.memoryUsage()
        _ = Linux.nanoseconds()
        Linux.exit(after.dataBytes == before.dataBytes ? 0 : 1)
      } catch {
        Linux.exit(2)
      }
    }
  }

  @Test func openingAFileEndsIt() async {
    await #expect(processExitsWith: .signal(SIGSYS)) {
      alone()
      let path = cString("/dev/null")
      _ = Linux.seal(publishing: true)
      _ = try? Linux.open(path)
      Linux.exit(0)
    }
  }

  @Test func theFilterHoldsOnEveryThread() async {
    await #expect(processExitsWith: .signal(SIGSYS)) {
      alone()
      var team = try Team(threadCount: 2)
      _ = Linux.seal(publishing: false)
      team.meet(.askForTheParent)
      Linux.exit(0)
    }
  }

  @Test func publishingRenamesAndRemoves() async {
    await #expect(processExitsWith: .exitCode(0)) {
      alone()
      let folder = FileManager.default.temporaryDirectory.path + "/" + UUID().uuidString
      let (first, second) = (cString(folder), cString(folder + "-renamed"))
      do throws(HostError) {
        let file = try Linux.create(first)
        _ = Linux.seal(publishing: true)
        Linux.close(file)
        try Linux.rename(first, to: second)
        try Linux.remove(second)
        Linux.exit(0)
      } catch {
        Linux.exit(1)
      }
    }
  }

  @Test func withoutPublishingNothingIsRenamed() async {
    await #expect(processExitsWith: .signal(SIGSYS)) {
      alone()
      let path = cString("/tmp/terrarium-of-no-such-name")
      _ = Linux.seal(publishing: false)
      try? Linux.rename(path, to: path)
      Linux.exit(0)
    }
  }
}
