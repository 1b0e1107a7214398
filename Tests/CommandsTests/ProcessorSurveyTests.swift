import Commands
import Foundation
import Profiles
import TestSupport
import Testing
import Units

/// A machine as its kernel shows it.
struct FakeProcessors: Sendable, CustomTestStringConvertible {
  var name: String
  var allowed: [Int32]
  /// Files by processor and name.
  var files: [Int32: [String: String]] = [:]
  var bigCores: Int
  /// What so many threads keep to, as a list; "" is every processor.
  var choices: [Int: String]

  var testDescription: String { name }

  /// Puts the files into a world.
  func world(root: String = "/sys/devices/system/cpu") -> World {
    let world = World()
    world.processors = allowed
    for (number, files) in files {
      for (name, content) in files {
        world.files["\(root)/cpu\(number)/\(name)"] = Array((content + "\n").utf8)
      }
    }
    return world
  }

  private static func cores(
    _ capacities: [Int], file: String = "cpu_capacity", siblings: ((Int32) -> String)? = nil
  ) -> [Int32: [String: String]] {
    var files: [Int32: [String: String]] = [:]
    for (index, capacity) in capacities.enumerated() {
      let number = Int32(index)
      files[number] = [
        file: "\(capacity)",
        "topology/thread_siblings_list": siblings?(number) ?? "\(number)",
      ]
    }
    return files
  }

  static let all = [
    FakeProcessors(
      name: "Raspberry Pi 4, without capacities", allowed: [0, 1, 2, 3],
      files: cores([1_500_000, 1_500_000, 1_500_000, 1_500_000], file: "cpufreq/cpuinfo_max_freq"),
      bigCores: 4, choices: [1: "", 4: "", 8: ""]),
    FakeProcessors(
      name: "Raspberry Pi 5", allowed: [0, 1, 2, 3],
      files: cores([1024, 1024, 1024, 1024]), bigCores: 4, choices: [4: ""]),
    FakeProcessors(
      name: "RK3588", allowed: Array(0..<8),
      files: cores([530, 530, 530, 530, 1024, 1024, 1024, 1024]), bigCores: 4,
      choices: [1: "4-7", 4: "4-7", 5: "", 8: ""]),
    FakeProcessors(
      name: "RK3588, by clock", allowed: Array(0..<8),
      files: cores(
        [1_800_000, 1_800_000, 1_800_000, 1_800_000, 2_256_000, 2_256_000, 2_304_000, 2_304_000],
        file: "cpufreq/cpuinfo_max_freq"), bigCores: 4, choices: [4: "4-7"]),
    FakeProcessors(
      name: "RK3588, two big cores allowed", allowed: [0, 1, 5, 6],
      files: cores([530, 530, 530, 530, 1024, 1024, 1024, 1024]), bigCores: 2,
      choices: [1: "5-6", 2: "5-6", 3: ""]),
    FakeProcessors(
      name: "RK3588, only little cores allowed", allowed: [0, 1, 2],
      files: cores([530, 530, 530, 530, 1024, 1024, 1024, 1024]), bigCores: 3,
      choices: [1: "", 3: ""]),
    FakeProcessors(
      name: "Orion O6", allowed: Array(0..<12),
      files: cores([1024, 279, 279, 279, 279, 866, 866, 905, 905, 984, 984, 1024]), bigCores: 8,
      choices: [2: "0,5-11", 8: "0,5-11", 9: ""]),
    FakeProcessors(
      name: "server, two threads per core", allowed: Array(0..<16),
      files: cores(
        [Int](repeating: 1024, count: 16), siblings: { "\($0 % 8),\($0 % 8 + 8)" }),
      bigCores: 8, choices: [1: "0-7", 8: "0-7", 9: "", 16: ""]),
    FakeProcessors(
      name: "server, siblings side by side, half of it allowed", allowed: [4, 5, 6, 7],
      files: cores(
        [Int](repeating: 1024, count: 8), siblings: { "\($0 / 2 * 2)-\($0 / 2 * 2 + 1)" }),
      bigCores: 2, choices: [2: "4,6", 3: ""]),
    FakeProcessors(
      name: "server, second siblings only", allowed: [8, 9],
      files: cores(
        [Int](repeating: 1024, count: 16), siblings: { "\($0 % 8),\($0 % 8 + 8)" }),
      bigCores: 2, choices: [2: ""]),
    FakeProcessors(
      name: "big cores with two threads, little ones with one", allowed: Array(0..<8),
      files: cores(
        [1024, 1024, 1024, 1024, 500, 500, 500, 500],
        siblings: { $0 < 4 ? "\($0 / 2 * 2)-\($0 / 2 * 2 + 1)" : "\($0)" }),
      bigCores: 2, choices: [2: "0,2", 3: "0,2,4-7", 6: "0,2,4-7", 7: ""]),
    FakeProcessors(
      name: "nothing to read", allowed: [0, 1, 2], bigCores: 3, choices: [1: "", 3: ""]),
    FakeProcessors(
      name: "one capacity is missing", allowed: [0, 1, 2], files: cores([1024, 100]), bigCores: 3,
      choices: [2: ""]),
    FakeProcessors(
      name: "nonsense to read", allowed: [0, 1],
      files: [
        0: ["cpu_capacity": "many", "topology/thread_siblings_list": "x"],
        1: ["cpu_capacity": "99999999999", "topology/thread_siblings_list": ""],
      ], bigCores: 2, choices: [1: "", 2: ""]),
    FakeProcessors(
      name: "a number beyond the sets", allowed: [3, 300],
      files: [3: ["cpu_capacity": "100"], 300: ["cpu_capacity": "1000"]], bigCores: 1,
      choices: [1: "", 2: ""]),
  ]
}

@Suite struct ProcessorSurveyTests {
  private func list(_ set: ProcessorSet) -> String {
    let room = memory(1024, of: UInt8.self)
    var text = TextBuffer(room)
    set.write(to: &text)
    return room.extracting(0..<text.count).string
  }

  @Test(arguments: FakeProcessors.all) func bigCoresAreTakenFirst(machine: FakeProcessors) {
    let planning = PlanningMemory(memory(1 << 20))
    World.$current.withValue(machine.world(root: "/fake")) {
      let survey = ProcessorSurvey<FakeHost>(root: "/fake", in: planning)
      #expect(survey.count == machine.allowed.count)
      #expect(survey.bigCores == machine.bigCores)
      for (threads, expected) in machine.choices {
        #expect(list(survey.processors(for: threads)) == expected, "\(threads) threads")
      }
    }
  }

  @Test func aRunTakesThemWhereTheProfileNamesNone() throws {
    let world = FakeProcessors.all[2].world()
    world.files["m.terra"] = BuiltIn.bytes
    world.files["p.toml"] = Array("budget = \"64 MiB\"\ncontext = 256\n".utf8)
    let words = ["m.terra", "--profile", "p.toml"]
    #expect(run(["plan"] + words, in: world) == .success)
    #expect(world.outputText.contains(", 4 threads on cores 4-7\n"))
    #expect(run(["run"] + words + ["-p", "x", "-n", "1", "-t", "1"], in: world) == .success)
    #expect(world.calls.contains("threads 1 on 4,5,6,7"))
    #expect(world.messageText.contains(", 1 thread on cores 4-7, "))
  }

  @Test func namedOnesArePinnedOnePerThread() throws {
    let world = FakeProcessors.all[2].world()
    world.files["m.terra"] = BuiltIn.bytes
    let words = ["m.terra", "--profile", "p.toml"]
    for (cores, threads, plan, call) in [
      ("2-3", 1, "1 thread pinned to cores 2-3", "threads 1 pinned to 2"),
      ("7", 1, "1 thread pinned to cores 7", "threads 1 pinned to 7"),
      // Those are not here: the thread runs anywhere.
      ("9", 1, "1 thread pinned to cores 9", "threads 1 on "),
    ] {
      world.files["p.toml"] = Array(
        "budget = \"64 MiB\"\ncontext = 256\ncores = \"\(cores)\"\nthreads = \(threads)\n".utf8)
      world.output = []
      world.calls = []
      #expect(run(["plan"] + words, in: world) == .success)
      #expect(world.outputText.contains(", \(plan)\n"), "\(world.outputText)")
      #expect(run(["run"] + words + ["-p", "x", "-n", "1"], in: world) == .success)
      #expect(world.calls.contains(call), "\(world.calls)")
    }
  }
}

@Suite struct LaunchReportTests {
  private let words = ["run", "m.terra", "--profile", "p.toml", "-p", "x", "-n", "1"]

  @Test func hugePagesAndSealAreReportedAsTheyAre() throws {
    let world = BuiltIn.world()
    #expect(run(words, in: world) == .success)
    #expect(
      world.messageText.contains(
        ", 1 thread on any core, no huge pages (the kernel has none), calls filtered, memory limited\n"
      ))
    world.messages = []
    world.hugePageBytes = 2 << 20
    world.seal = SealReport(filtersSystemCalls: false, limitsMemory: true)
    #expect(run(words, in: world) == .success)
    #expect(world.messageText.contains(", 2.0 of "))
    #expect(world.messageText.contains(" MiB in huge pages, calls not filtered, memory limited\n"))
    world.messages = []
    world.files["p.toml"]? += Array("huge-pages = false\n".utf8)
    #expect(run(words, in: world) == .success)
    #expect(world.messageText.contains(", no huge pages (off), "))
  }

  @Test func jsonHoldsTheSame() throws {
    let world = BuiltIn.world()
    world.hugePageBytes = 4 << 20
    world.seal = SealReport(filtersSystemCalls: true, limitsMemory: false)
    #expect(run(words + ["--json"], in: world) == .success)
    let result = try object(world.outputText)
    #expect(result["threads"] as? Int == 1)
    #expect(result["cores"] as? String == "")
    #expect(result["pinned"] as? Bool == false)
    #expect(result["huge_page_bytes"] as? Int == 4 << 20)
    #expect(result["arena_bytes"] as? Int ?? 0 > 4 << 20)
    #expect(result["filters_calls"] as? Bool == true)
    #expect(result["limits_memory"] as? Bool == false)
  }
}
