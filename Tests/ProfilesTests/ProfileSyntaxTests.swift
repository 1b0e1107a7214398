import Profiles
import Testing
import Units

@Suite struct ProfileSyntaxTests {
  @Test func `comments, blanks and line ends are as in TOML`() throws {
    let text =
      "# head\r\n\r\n\tname\t=\t\"a # b\"\t# tail\r\nbudget=\"1 MB\"#x\n  tile = +8  \n#end é"
    let budget = "budget=\"2 MB\""
    var expected = Profile(budgetBytes: 2_000_000)
    expected.name = FixedText("a # b")
    expected.tileTokens = 8
    expected.promptBytes = 262_144
    #expect(parse(text.replacing("budget=\"1 MB\"", with: budget)) == .success(expected))
  }

  @Test(arguments: [
    (#""""#, ""), (#""a\"b\\c""#, "a\"b\\c"), (#""\t\n""#, "\t\n"), (#""\u00e9""#, "é"),
    (#""\u20AC""#, "€"), (#""\U0001F331""#, "🌱"), (#"'\n'"#, "\\n"), (#"''"#, ""),
    (#""Zürich 🌱""#, "Zürich 🌱"), (#""it's""#, "it's"),
    (#""\u0041\u07ff\u0800""#, "A\u{7ff}\u{800}"),
  ])
  func `strings are read with their escapes`(literal: String, expected: String) throws {
    #expect(string(try profile("name = \(literal)").name) == expected)
  }

  @Test(arguments: [
    ("= 1", ProfileError.Reason.keyExpected), ("?", .keyExpected), ("é = 1", .keyExpected),
    ("tile 1", .equalsExpected), ("tile", .equalsExpected), ("tile : 1", .equalsExpected),
    ("tile =", .valueExpected), ("tile = # 1", .valueExpected), ("tile = on", .valueExpected),
    ("tile = True", .valueExpected), ("tile = -", .valueExpected), ("tile = inf", .valueExpected),
    ("tile = *", .valueExpected), ("tile = \r\n", .valueExpected),
    ("tile = 1 2", .lineEndExpected), ("tile = 1, context = 2", .lineEndExpected),
    ("name = \"a\" \"b\"", .lineEndExpected), ("name = 'a''b'", .lineEndExpected),
    ("\"tile\" = 1", .keyNotBare), ("'tile' = 1", .keyNotBare), ("cache.keys = 1", .keyNotBare),
    ("[cache]", .table), ("[[cache]]", .table), ("cores = [0, 1]", .nestedValue),
    ("keys = { bits = 8 }", .nestedValue), ("name = \"\"\"a\"\"\"", .multilineString),
    ("name = '''a'''", .multilineString), ("name = \"a", .unterminatedString),
    ("name = \"a\nb\"", .unterminatedString), ("name = 'a\r\n'", .unterminatedString),
    ("name = \"a\\", .unterminatedString), ("name = \"\\x41\"", .badEscape),
    ("name = \"\\u00g0\"", .badEscape), ("name = \"\\u12\"", .badEscape),
    ("name = \"\\ud800\"", .badEscape), ("name = \"\\U00110000\"", .badEscape),
    ("name = \"\\UFFFFFFFF\"", .badEscape), ("name = \"\\u001b[2J\"", .badEscape),
    ("name = \"\\b\"", .badEscape), ("name = \"\u{1}\"", .controlCharacter),
    ("name = '\u{7f}'", .controlCharacter), ("# \u{1b}", .controlCharacter),
    ("tile = 1\r", .controlCharacter), ("\u{0}", .controlCharacter),
    ("tile = \u{0}", .controlCharacter), ("tile = 010", .badInteger), ("tile = 0x10", .badInteger),
    ("tile = 1__0", .badInteger), ("tile = 10_", .badInteger), ("tile = 1a", .badInteger),
    ("tile = 9223372036854775808", .integerTooLarge),
    ("tile = -9223372036854775809", .integerTooLarge),
    ("tile = 99999999999999999999", .integerTooLarge), ("tile = 6.4", .notWhole),
    ("tile = 2026-11-21", .notWhole), ("tile = 12:00:00", .notWhole), ("tile = 1e3", .badInteger),
  ])
  func `each mistake is named with its line`(line: String, reason: ProfileError.Reason) {
    let error = failure("\n# third\n\(line)")
    #expect(error?.line == 4)
    #expect(error?.reason == reason, "\(line)")
    if let error { #expect(message(error).hasPrefix("board.toml:4: ")) }
  }

  @Test func `bytes that are not UTF-8 are named with their line`() {
    let head = Array("# one\n# two ".utf8)
    let bad: [[UInt8]] = [
      [0x80], [0xC0, 0x80], [0xC1, 0xBF], [0xC3], [0xE0, 0x9F, 0x80], [0xED, 0xA0, 0x80],
      [0xE2, 0x82], [0xF0, 0x8F, 0x80, 0x80], [0xF4, 0x90, 0x80, 0x80], [0xF5, 0x80, 0x80, 0x80],
      [0xFF], [0xE2, 0x28, 0xA1],
    ]
    for bytes in bad {
      #expect(parse(head + bytes) == .failure(ProfileError(line: 2, .notUTF8)), "\(bytes)")
    }
  }

  @Test func `unknown keys are named, with what is allowed`() throws {
    let error = try #require(failure("\ncontext-size = 8"))
    #expect(error == ProfileError(line: 3, .unknownKey(FixedText("context-size"))))
    #expect(
      message(error)
        == "board.toml:3: `context-size` is no key of a profile; the keys are name, description, "
        + "budget, page-size, context, keys, values, policy, tile, threads, cores, isa, "
        + "spin-microseconds, stack, prompt-bytes, word-bytes, tokens, huge-pages, lock-memory, "
        + "policy-chunk, prompt-max, h2o-recent, scissorhands-recent, scissorhands-drop, "
        + "scissorhands-history, scissorhands-threshold, snapkv-window, snapkv-pooling, "
        + "infinipot-kept, infinipot-novel, infinipot-catalyst, gemfilter-layer, gemfilter-tail, "
        + "gemfilter-exact, gemfilter-reply, valuediff-drop, valuediff-recent")
    let long = try #require(failure(String(repeating: "k", count: 5000) + " = 1"))
    #expect(message(long).contains("`\(String(repeating: "k", count: 32))`"))
  }

  @Test func `a key given twice is named with both lines`() throws {
    let error = try #require(failure("tile = 8\n\ntile = 8"))
    #expect(error == ProfileError(line: 4, key: .tile, .duplicateKey(firstLine: 2)))
    #expect(message(error) == "board.toml:4: tile: stands on line 2 already; remove one of the two")
  }

  @Test func `a profile has at most 64 KiB`() {
    let text = "budget = \"1 GiB\"\n#"
    let filled = text + String(repeating: "x", count: 65_536 - text.utf8.count)
    #expect(parse(filled) == .success(Profile(budgetBytes: 1 << 30)))
    #expect(parse(filled + "x") == .failure(ProfileError(line: 0, .profileTooLong)))
  }

  @Test func `errors are one line with file, line, key, limit and remedy`() throws {
    func text(_ line: String) throws -> String { message(try #require(failure(line))) }
    #expect(
      try text("page-size = \"8 KiB\"")
        == "board.toml:2: page-size: is out of range; write \"4 KiB\", \"16 KiB\" or \"64 KiB\"")
    #expect(
      try text("stack = \"1 M\"")
        == "board.toml:2: stack: the unit of the size is none of B, KiB, MiB, GiB, TiB, kB, MB, "
        + "GB, TB; write a size such as \"640 MiB\", from \"64 KiB\" to \"64 MiB\"")
    #expect(
      try text("threads = 0")
        == "board.toml:2: threads: is out of range; write a whole number from 1 to 256, or \"auto\""
    )
    #expect(
      try text("isa = \"sse\"")
        == "board.toml:2: isa: is not known; write one of the strings auto, portable, avx2, "
        + "avxvnni, avx512vnni, neon, dotprod, i8mm")
    #expect(
      message(ProfileError(line: 0, key: .budget, .missing))
        == "board.toml: budget: is missing; add a line such as budget = \"640 MiB\"")
    #expect(message(ProfileError(line: 0, key: .tile, .outOfRange), file: "").hasPrefix("tile: is"))
  }
}
