import Profiles
import Testing
import Units

@Suite struct ProfileContradictionTests {
  @Test func `values that exclude each other are named with both lines`() {
    func check(_ text: String, _ line: Int, _ key: ProfileKey, _ what: ProfileError.Contradiction) {
      #expect(failure(text) == ProfileError(line: line, key: key, .contradiction(what)), "\(text)")
    }
    check("tile = 64\ncontext = 63", 2, .tile, .tileAboveContext(contextLine: 3, contextTokens: 63))
    check(
      "policy = \"streaming\"\ncontext = 67\ntile = 64", 3, .context,
      .streamingWindow(tileTokens: 64))
    check("policy = \"streaming\"\ncontext = 4", 3, .context, .streamingWindow(tileTokens: 1))
    check(
      "context = 100\ntokens = 101", 3, .tokens,
      .replyAboveContext(contextLine: 2, contextTokens: 100))
    check(
      "prompt-bytes = \"1 KiB\"\nword-bytes = \"2 KiB\"", 3, .wordBytes,
      .wordAbovePrompt(promptLine: 2, promptBytes: 1024))
    check(
      "threads = 3\ncores = \"4-5\"", 2, .threads,
      .threadsAboveProcessors(coresLine: 3, processors: 2))
    check(
      "threads = 16\nstack = \"64 MiB\"", 3, .stack,
      .stacksAboveBudget(budgetLine: 1, stacksBytes: 1 << 30, budgetBytes: 1 << 30))
    check(
      "prompt-bytes = \"1 GiB\"", 2, .promptBytes,
      .promptAboveBudget(budgetLine: 1, budgetBytes: 1 << 30))
  }

  @Test func `one step inside each limit is accepted`() throws {
    #expect(try profile("tile = 64\ncontext = 64").tileTokens == 64)
    #expect(try profile("policy = \"streaming\"\ncontext = 68\ntile = 64").tileTokens == 64)
    #expect(try profile("policy = \"streaming\"\ncontext = 5").tileTokens == 0)
    #expect(try profile("context = 100\ntokens = 100").replyTokens == 100)
    #expect(try profile("policy = \"streaming\"\ncontext = 100\ntokens = 101").replyTokens == 101)
    #expect(try profile("prompt-bytes = \"2 KiB\"\nword-bytes = \"2 KiB\"").wordBytes == 2048)
    #expect(try profile("threads = 2\ncores = \"4-5\"").threads == 2)
    #expect(try profile("page-size = \"64 KiB\"\nstack = \"64 KiB\"").stackBytes == 65_536)
    #expect(try profile("threads = 15\nstack = \"64 MiB\"").threads == 15)
  }

  @Test func `defaults give way to what is written`() throws {
    let small = try profile("context = 32\nprompt-bytes = \"4 KiB\"")
    #expect(small.replyTokens == 32)
    #expect(small.wordBytes == 4096)
    #expect(try profile("word-bytes = \"1 MiB\"").promptBytes == 1 << 20)
  }

  @Test func `contradictions say what would do`() throws {
    func text(_ lines: String) throws -> String { message(try #require(failure(lines))) }
    #expect(
      try text("tile = 64\ncontext = 63")
        == "board.toml:2: tile: is more than the context of 63 tokens (line 3); lower the tile or "
        + "raise the context")
    #expect(
      try text("threads = 16\nstack = \"64 MiB\"")
        == "board.toml:3: stack: the stacks of all threads, 1 GiB, leave nothing of the budget of "
        + "1 GiB (line 1); lower stack or threads, or raise the budget")
    #expect(
      try text("policy = \"streaming\"\ncontext = 67\ntile = 64")
        == "board.toml:3: context: streaming keeps the first 4 tokens and a window of at least one "
        + "tile; write at least 68")
  }

  @Test func `a command line overrides, and other values give way`() throws {
    var profile = try profile("context = 1024\ntile = 128\nthreads = 2\ncores = \"0-1\"")
    func override(_ key: ProfileKey, _ text: String) throws {
      // SAFETY: bytes have no padding.
      try unsafe profile.override(key, with: Array(text.utf8).span.bytes)
    }
    try override(.context, "64")
    #expect(profile.contextTokens == 64)
    #expect(profile.tileTokens == 64)
    try override(.tokens, "1000")
    #expect(profile.replyTokens == 64)
    try override(.keys, "int4")
    #expect(profile.keyFormat == .int4)
    try override(.budget, "1.5 GiB")
    #expect(profile.budgetBytes == 1_610_612_736)
    try override(.threads, "auto")
    #expect(profile.threads == 0)
    try override(.lockMemory, "true")
    #expect(profile.locksMemory)
    let before = profile
    #expect(throws: ProfileError(line: 0, key: .threads, .outOfRange)) {
      try override(.threads, "0")
    }
    #expect(throws: ProfileError(line: 0, key: .threads, .wrongType)) {
      try override(.threads, "-1")
    }
    #expect(throws: ProfileError(line: 0, key: .isa, .unknownChoice)) { try override(.isa, "mmx") }
    #expect(throws: ProfileError(line: 0, key: .hugePages, .wrongType)) {
      try override(.hugePages, "1")
    }
    #expect(throws: ProfileError(line: 0, key: .context, .integerTooLarge)) {
      try override(.context, "99999999999999999999999")
    }
    #expect(
      throws: ProfileError(
        line: 0, key: .tile,
        .contradiction(.tileAboveContext(contextLine: 0, contextTokens: 64)))
    ) { try override(.tile, "65") }
    #expect(
      throws: ProfileError(
        line: 0, key: .threads,
        .contradiction(.threadsAboveProcessors(coresLine: 0, processors: 2)))
    ) { try override(.threads, "3") }
    #expect(profile == before)
  }
}
