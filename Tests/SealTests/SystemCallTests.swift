import Foundation
import Testing

/// Whether this machine lets a process trace its children.
let canTrace: Bool = {
  let works = (try? run(["strace", "-o", "/dev/null", "true"]))?.status == 0
  if !works { print("tracing is not permitted: the filter of system calls is the proof") }
  return works
}()

@Suite(
  .serialized,
  .enabled(
    if: canTrace && present(Subject.hosted.program, Subject.board.program) && Scenario.model != nil)
) struct SystemCallTests {
  /// Reading input, writing output, waiting, time, exit; `seccomp` is the seal itself.
  private static let permitted: Set<String> = [
    "seccomp", "read", "pread64", "write", "close", "futex", "nanosleep", "clock_nanosleep",
    "restart_syscall", "sched_yield", "clock_gettime", "rt_sigreturn", "exit", "exit_group",
  ]

  /// The names of the calls after launch.
  ///
  /// Waiting on a futex is not listed, for speed.
  private func calls(
    _ subject: Subject, _ scenario: Scenario, environment: [String: String] = [:]
  ) throws -> (finished: Finished, names: Set<String>) {
    let trace = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
    defer { try? FileManager.default.removeItem(at: trace) }
    let preload = environment.map { "-E\($0.key)=\($0.value)" }
    let finished = try run(
      ["strace", "-f", "--seccomp-bpf", "-e", "trace=!futex", "-o", trace.path] + preload
        + [subject.program] + scenario.words,
      Treatment(input: scenario.input, interruptsAfter: scenario.interruptsAfter))
    let lines = try String(contentsOf: trace, encoding: .utf8).split(separator: "\n")
    let launch = try #require(lines.firstIndex { $0.contains("prctl(PR_SET_NO_NEW_PRIVS") })
    let call = /^\d+ +([a-z0-9_]+)\(/
    let names = lines[(launch + 1)...].compactMap { line in
      line.firstMatch(of: call).map { String($0.1) }
    }
    return (finished, Set(names))
  }

  @Test(arguments: Scenario.onSubjects)
  func onlyInputOutputAndWaitingAfterLaunch(subject: Subject, scenario: Scenario) throws {
    let (finished, names) = try calls(subject, scenario)
    #expect(finished.status == scenario.status, "\(finished.error)")
    #expect(names.contains("write") && names.contains("exit_group"))
    #expect(names.subtracting(Self.permitted) == [])
  }

  /// With the filter refused: the trace alone must see it.
  @Test func canaryAnotherCallIsSeen() throws {
    let (_, names) = try calls(
      .hosted, Scenario.all[0],
      environment: [
        "LD_PRELOAD": AllocationTests.library.path, "TERRARIUM_CANARY": "call",
        "TERRARIUM_FILTER": "off",
      ])
    #expect(names.subtracting(Self.permitted) == ["getppid"])
  }
}
