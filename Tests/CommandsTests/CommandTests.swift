import Commands
import Foundation
import Testing
import Units

/// The object that a text is in JSON.
func object(_ text: String) throws -> [String: Any] {
  try #require(try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
}

/// Runs words that must fail, and returns what was said.
func failure(_ strings: [String], _ code: ExitCode, in world: World = BuiltIn.world()) -> String {
  #expect(run(strings, in: world) == code, "\(strings)")
  return world.messageText
}

@Suite struct HelpTests {
  @Test func helpMentionsEveryOptionOfACommandAndNoOther() {
    for verb in [Verb.plan, .run, .logits] {
      let world = World()
      #expect(run([verb.name.description, "nonsense", "-h"], in: world) == .success)
      #expect(world.outputText.hasPrefix("usage: terrarium \(verb.name) "))
      let lines = world.outputText.split(separator: "\n")
      for raw in 0..<Option.count {
        guard let option = Option(rawValue: raw) else { continue }
        let spelling = OptionSpelling.of(option)
        let line = lines.first {
          $0.hasPrefix("  \(spelling.long) ") || $0 == "  \(spelling.long)"
        }
        #expect((line != nil) == spelling.belongs(to: verb), "\(spelling.long)")
        guard let line else { continue }
        let aliases = spelling.aliases.description
        #expect(aliases.isEmpty || line.hasSuffix("[\(aliases)]"))
      }
      for code in [64, 65, 66, 70, 73, 78, 130] {
        #expect(world.outputText.contains(" \(code) ") || world.outputText.contains("\n\(code) "))
      }
      #expect(lines.allSatisfy { $0.count <= 132 })
    }
  }

  @Test func anOutputThatNobodyReadsIsAnError() {
    let world = World()
    world.errors[.writeOutput] = .closedPipe
    #expect(
      failure(["run", "--help"], .cannotWrite, in: world)
        == "terrarium: cannot write standard output: nobody reads the output\n")
  }
}

@Suite struct CommandLineTests {
  @Test func onlyTheFirstWordNamesACommand() {
    #expect(run([], in: World()) == nil)
    #expect(run(["pack", "run"], in: World()) == nil)
    #expect(run(["Run"], in: World()) == nil)
    #expect(run([""], in: World()) == nil)
  }

  @Test func tooManyWordsAreAnErrorAndNotDropped() {
    let most = [String](repeating: "--raw", count: 256)
    #expect(failure(["run"] + most, .usage) == "terrarium: terrarium run needs a model file\n")
    // The last word is the one that would have been lost.
    let message = failure(["run"] + most + ["m.terra"], .usage)
    #expect(message.contains("257 words") && message.contains("256"))
  }
}

@Suite struct PlanCommandTests {
  @Test func theTableSumsUp() throws {
    let world = BuiltIn.world()
    #expect(run(["plan", "m.terra", "--profile", "p.toml"], in: world) == .success)
    #expect(world.messages.isEmpty)
    let rows = world.outputText.split(separator: "\n").compactMap { line -> (String, Int)? in
      let words = line.split(separator: " ", omittingEmptySubsequences: true)
      guard let first = words.first else { return nil }
      guard let bytes = Int(first.filter { $0 != "," }) else { return nil }
      return (words.dropFirst().joined(separator: " "), bytes)
    }
    func bytes(_ name: String) -> Int? { rows.first { $0.0.hasPrefix(name) }?.1 }
    let regions = rows.prefix { !$0.0.hasPrefix("total") }
    // Nothing for a policy that has no state.
    #expect(regions.count == 14 && regions.allSatisfy { $0.1 > 0 })
    #expect(regions.map(\.1).reduce(0, +) == bytes("total"))
    #expect(bytes("budget") == 64 << 20)
    #expect(bytes("left") == (64 << 20) - (bytes("total") ?? 0))
    #expect(world.outputText.contains("\nIt fits. The largest context that fits: "))
  }

  @Test func jsonIsAnObject() throws {
    let world = BuiltIn.world()
    #expect(run(["plan", "m.terra", "--profile", "p.toml", "--json"], in: world) == .success)
    let plan = try object(world.outputText)
    let regions = try #require(plan["regions"] as? [[String: Any]])
    #expect(regions.count == 17)
    let sum = regions.compactMap { $0["bytes"] as? Int }.reduce(0, +)
    #expect(plan["total_bytes"] as? Int == sum)
    #expect(plan["context"] as? Int == 256 && plan["threads"] as? Int == 1)
    #expect(plan["fits"] as? Bool == true)
    #expect(plan["left_bytes"] as? Int == (64 << 20) - sum)
  }

  @Test func whatDoesNotFitIsPrintedAndRefused() throws {
    let world = BuiltIn.world()
    world.files["p.toml"] = Array("budget = \"6 MiB\"\nthreads = 1\ncontext = 9000".utf8)
    let message = failure(["plan", "m.terra", "--profile", "p.toml"], .doesNotFit, in: world)
    #expect(message.hasPrefix("terrarium: does not fit: "))
    #expect(message.hasSuffix(" bytes are missing from a budget of 6,291,456 bytes\n"))
    #expect(world.outputText.contains("It does not fit."))
    let largest = try #require(
      world.outputText.split(separator: "\n").first { $0.contains("--context ") })
    let tokens = try #require(largest.split(separator: " ").dropFirst().first)
    let again = BuiltIn.world()
    again.files["p.toml"] = world.files["p.toml"]
    #expect(
      run(["plan", "m.terra", "--profile", "p.toml", "-c", String(tokens)], in: again) == .success)
  }

  @Test func contextsBelowTheLeastAreRefused() {
    for verb in [["plan"], ["run", "-p", "x"]] {
      #expect(
        failure([verb[0], "m.terra"] + verb.dropFirst() + ["-c", "4", "-t", "1"], .doesNotFit)
          == "terrarium: a context of 4 tokens is too small; the least is 5\n")
    }
    #expect(run(["plan", "m.terra", "-c", "5"], in: BuiltIn.world()) == .success)
  }

  @Test func modelsThatAreNoneAreNamed() {
    #expect(failure(["plan"], .usage) == "terrarium: terrarium plan needs a model file\n")
    #expect(
      failure(["plan", "no.terra"], .missingInput)
        == "terrarium: cannot read no.terra: no such file or folder\n")
    let world = BuiltIn.world()
    world.files["a"] = Array("GGUF\u{3}\0\0\0".utf8)
    world.files["b"] = Array("GGU".utf8)
    world.files["c"] = []
    world.files["d"] = Array(BuiltIn.bytes.prefix(5000))
    var newer = BuiltIn.bytes
    newer[8] = 99
    world.files["e"] = newer
    for (name, message) in [
      ("a", "a: this is a GGUF file; pack it on a workstation with: terrarium pack a"),
      ("b", "b: neither a pack file nor a GGUF file"), ("c", "c: neither a pack file nor"),
      ("d", "d: "), ("e", "e: "),
    ] {
      world.messages = []
      #expect(failure(["plan", name], .badFile, in: world).hasPrefix("terrarium: \(message)"))
    }
  }

  @Test func errorsOfReadingAreNamed() {
    for (call, error) in [
      (Call.open, HostError.notPermitted), (.readFile, .system(5)), (.byteCount, .notRegular),
    ] {
      let world = BuiltIn.world()
      world.errors[call] = error
      #expect(
        failure(["plan", "m.terra"], .missingInput, in: world)
          .hasPrefix("terrarium: cannot read m.terra: "))
    }
  }
}
