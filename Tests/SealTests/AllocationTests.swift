import Foundation
import Testing

/// What the interposed allocator of `Interposer/interposer.c` saw after launch.
struct Requests: Equatable {
  var allocations = -1
  var mappings = -1
}

@Suite(.serialized, .enabled(if: present(Subject.hosted.program) && Scenario.model != nil))
struct AllocationTests {
  static let library: URL = {
    let library = packageFile(".build/interposer.so")
    let source = packageFile("Tests/SealTests/Interposer/interposer.c")
    let result = try? run([
      "clang", "-O1", "-Wall", "-Werror", "-shared", "-fPIC", "-o", library.path, source.path,
    ])
    precondition(result?.status == 0, "the interposer does not compile: \(result?.error ?? "")")
    return library
  }()

  private func count(
    _ scenario: Scenario, canary: String = ""
  ) throws -> (finished: Finished, requests: Requests) {
    let counts = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
    defer { try? FileManager.default.removeItem(at: counts) }
    let environment = [
      "LD_PRELOAD": Self.library.path, "TERRARIUM_COUNTS": counts.path, "TERRARIUM_CANARY": canary,
    ]
    let finished = try run(
      [Subject.hosted.program] + scenario.words,
      Treatment(
        input: scenario.input, environment: environment, interruptsAfter: scenario.interruptsAfter))
    var requests = Requests()
    let text = (try? String(contentsOf: counts, encoding: .utf8)) ?? ""
    let words = text.split(whereSeparator: \.isWhitespace)
    if words.count == 6 && words[1] == "1" {
      requests = Requests(allocations: Int(words[3]) ?? -1, mappings: Int(words[5]) ?? -1)
    }
    return (finished, requests)
  }

  @Test(arguments: Scenario.all) func nothingIsAllocatedAfterLaunch(scenario: Scenario) throws {
    let (finished, requests) = try count(scenario)
    #expect(finished.status == scenario.status, "\(finished.error)")
    #expect(requests == Requests(allocations: 0, mappings: 0))
  }

  @Test func canaryOneAllocationIsSeen() throws {
    let (_, requests) = try count(Scenario.all[0], canary: "allocate")
    #expect(requests == Requests(allocations: 1, mappings: 0))
  }

  @Test func canaryOneSystemCallEndsTheProcess() throws {
    let (finished, _) = try count(Scenario.all[0], canary: "call")
    #expect(finished.status == -SIGSYS)
  }
}
