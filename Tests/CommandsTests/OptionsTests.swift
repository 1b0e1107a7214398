import Commands
import TestSupport
import Testing
import Units

private let verbs: [Verb] = [.plan, .run, .logits]
private let options = (0..<Option.count).compactMap { Option(rawValue: $0) }

/// Every spelling of an option, the one of the help first.
private func spellings(_ option: Option) -> [String] {
  let spelling = OptionSpelling.of(option)
  return [spelling.long.description]
    + spelling.aliases.description.split(separator: " ").map(String.init)
}

private func parse(_ verb: Verb, _ strings: [String]) throws(UsageError) -> Options {
  try Options(verb: verb, arguments: words(strings))
}

/// The text of the error that the words give, or `nil` where there is none.
private func failure(_ verb: Verb, _ strings: [String]) -> String? {
  let world = World()
  do {
    _ = try parse(verb, strings)
    return nil
  } catch {
    return World.$current.withValue(world) {
      #expect(CommandRunner<FakeHost>.report(.usage(error), in: planning()) == .usage)
      return world.messageText
    }
  }
}

@Suite struct OptionsTests {
  @Test func everySpellingOfEveryOptionWorksWhereItBelongs() throws {
    for verb in verbs {
      for option in options {
        let spelling = OptionSpelling.of(option)
        for name in spellings(option) {
          let given = spelling.takesValue ? [name, "-5 x=y"] : [name]
          guard spelling.belongs(to: verb) else {
            let error = failure(verb, given)
            #expect(error?.contains("`\(name)` is no option of \(verb.name)") == true)
            continue
          }
          let found = try parse(verb, given)
          #expect(found.has(option))
          #expect(found.text(option)?.string == (spelling.takesValue ? "-5 x=y" : ""))
          for other in options where other != option { #expect(!found.has(other)) }
          guard name.hasPrefix("--") else { continue }
          if spelling.takesValue {
            #expect(try parse(verb, ["\(name)=a=b"]).text(option)?.string == "a=b")
            if option != .stop { #expect(try parse(verb, ["\(name)="]).text(option)?.count == 0) }
          } else {
            #expect(
              failure(verb, ["\(name)=1"]) == "terrarium: \(name) takes no value\n")
          }
        }
      }
    }
  }

  @Test func spellingsAreUnique() {
    let all = options.flatMap(spellings)
    #expect(Set(all).count == all.count)
    #expect(options.allSatisfy { spellings($0)[0].hasPrefix("--") })
    #expect(
      options.allSatisfy { option in verbs.contains { OptionSpelling.of(option).belongs(to: $0) } })
  }

  @Test func theAliasesOfLlamaCppAreKnown() throws {
    let aliases: [(String, Option)] = [
      ("-m", .model), ("-c", .context), ("-ctk", .keyFormat), ("-ctv", .valueFormat),
      ("-f", .file), ("-p", .prompt), ("-cnv", .chat), ("-sys", .system), ("-n", .tokens),
      ("--temp", .temperature), ("-s", .seed), ("-t", .threads), ("-r", .stop),
    ]
    for (alias, option) in aliases {
      let value = OptionSpelling.of(option).takesValue ? ["1"] : []
      #expect(try parse(.run, [alias] + value).has(option), "\(alias)")
    }
    #expect(try parse(.logits, ["-o", "x"]).text(.output)?.string == "x")
  }

  @Test func whatIsNoOptionIsTheModel() throws {
    #expect(try parse(.run, ["a.terra", "--raw"]).text(.model)?.string == "a.terra")
    #expect(try parse(.run, ["--raw", "a.terra"]).text(.model)?.string == "a.terra")
    #expect(try parse(.run, ["-"]).text(.model)?.string == "-")
    #expect(try parse(.run, [""]).text(.model)?.string == "")
    #expect(try parse(.run, ["--", "--raw"]).text(.model)?.string == "--raw")
    #expect(try parse(.run, ["--raw", "--"]).has(.model) == false)
    #expect(try parse(.run, ["--", "--"]).text(.model)?.string == "--")
    #expect(failure(.run, ["a", "b"])?.contains("`b` is one argument too many") == true)
    #expect(failure(.run, ["--", "a", "--raw"])?.contains("`--raw` is one argument") == true)
    #expect(failure(.run, ["-m", "a", "b"])?.contains("`b` is one argument too many") == true)
  }

  @Test func theLastOfRepeatedOptionsCounts() throws {
    let found = try parse(.run, ["--seed", "1", "-s", "2", "--seed=3"])
    #expect(try found.integer(.seed, in: 0...9) == 3)
    #expect(found.replacing(.model, with: text("z")).text(.model)?.string == "z")
  }

  @Test func missingAndUnknown() {
    #expect(failure(.run, ["--seed"]) == "terrarium: --seed needs a value after it\n")
    #expect(failure(.run, ["-c"]) == "terrarium: -c needs a value after it\n")
    #expect(
      failure(.run, ["--sed", "1"])
        == "terrarium: `--sed` is no option of run; terrarium run --help lists them\n")
    #expect(failure(.run, ["--Seed=1"])?.contains("`--Seed` is no option") == true)
    #expect(failure(.run, ["--seed "])?.contains("`--seed ` is no option") == true)
    #expect(failure(.run, ["-c=5"])?.contains("`-c=5` is no option") == true)
    #expect(failure(.run, ["-"]) == nil)
  }

  @Test func stopTextsAreCounted() throws {
    let eight = (0..<8).flatMap { ["--stop", "s\($0)"] }
    let found = try parse(.run, eight)
    #expect(found.stopCount == 8)
    #expect((0..<8).map { found.stops[$0].string } == (0..<8).map { "s\($0)" })
    #expect(
      failure(.run, eight + ["-r", "x"])
        == "terrarium: --stop may be given at most 8 times\n")
    #expect(failure(.run, ["--stop", ""])?.contains("`` is no value for --stop") == true)
  }

  @Test func numbersHaveLimits() throws {
    func integer(_ value: String, _ range: ClosedRange<Int>) throws(UsageError) -> Int? {
      try parse(.run, ["--tokens", value]).integer(.tokens, in: range)
    }
    #expect(try parse(.run, []).integer(.tokens, in: 0...1) == nil)
    #expect(try integer("0", 0...5) == 0)
    #expect(try integer("5", 0...5) == 5)
    #expect(try integer("-1", -1...5) == -1)
    #expect(try integer("007", 0...9) == 7)
    #expect(try integer(String(Int.max), 0...Int.max) == .max)
    for bad in [
      "6", "-1", "", "-", "+1", "1.0", " 1", "1 ", "0x1", "1e3", "９", "--", "9223372036854775808",
      "99999999999999999999999",
    ] {
      #expect(throws: UsageError.self, "\(bad)") { try integer(bad, 0...5) }
      #expect(throws: UsageError.self, "\(bad)") { try integer(bad, 0...5) }
    }
  }

  @Test func fractionsHaveLimits() throws {
    func fraction(_ value: String) throws(UsageError) -> Float? {
      try parse(.run, ["--temp", value]).fraction(.temperature, in: 0...2)
    }
    let good: [(String, Float)] = [
      ("0", 0), ("1", 1), ("0.7", 0.7), (".5", 0.5), ("1.", 1), ("2.000", 2), ("-0", 0),
      ("0.05", 0.05), ("0.95", 0.95), ("1.1", 1.1), ("0.0000001", 1e-7),
      ("0.1234567890123", 0.12345679),
    ]
    for (word, value) in good { #expect(try fraction(word) == value, "\(word)") }
    for bad in [
      "2.0001", "-0.1", "", ".", "-", "1e-3", "nan", "inf", "0,5", "1.2.3", "0x1", " 1",
      "0.1234567890123456789",
    ] {
      #expect(throws: UsageError.self, "\(bad)") { try fraction(bad) }
    }
  }
}
