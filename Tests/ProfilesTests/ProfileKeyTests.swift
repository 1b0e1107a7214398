import Profiles
import Testing
import Units

@Suite struct ProfileKeyTests {
  @Test func `only the budget must be there`() throws {
    let parsed = try parse("budget = \"640 MiB\"").get()
    #expect(parsed == Profile(budgetBytes: 671_088_640))
    #expect(failureOfEmpty == ProfileError(line: 0, key: .budget, .missing))
  }

  private var failureOfEmpty: ProfileError? {
    if case .failure(let error) = parse("# nothing\n\n") { error } else { nil }
  }

  @Test func `defaults are these`() {
    let profile = Profile(budgetBytes: 1 << 30)
    #expect(profile.name.isEmpty && profile.description.isEmpty)
    #expect(profile.pageBytes == 4096)
    #expect(profile.contextTokens == 0)
    #expect(profile.keyFormat == .int8 && profile.valueFormat == .int8)
    #expect(profile.policy == .full)
    #expect(profile.tileTokens == 0)
    #expect(profile.threads == 0)
    #expect(profile.processors.isEmpty)
    #expect(profile.instructionSet == nil)
    #expect(profile.spinMicroseconds == 50)
    #expect(profile.stackBytes == 131_072)
    #expect(profile.promptBytes == 262_144)
    #expect(profile.wordBytes == 16_384)
    #expect(profile.replyTokens == 256)
    #expect(profile.usesHugePages && !profile.locksMemory)
    #expect(profile.policyChunk == 0 && profile.promptMaxTokens == 0)
    #expect(profile.h2oRecentPercent == 50 && profile.scissorhandsRecent == 10)
    #expect(profile.scissorhandsDrop == 0 && profile.scissorhandsHistory == 0)
    #expect(profile.scissorhandsThreshold == .slots && profile.snapKVWindow == 0)
    #expect(profile.gemFilterReply == .ring)
    #expect(profile.valueDifferenceDrop == 0 && profile.valueDifferenceRecent == 10)
  }

  @Test func `each key sets its own value and nothing else`() throws {
    var expected = Profile(budgetBytes: 1 << 30)
    func check(_ line: String, _ change: (inout Profile) -> Void) throws {
      expected = Profile(budgetBytes: 1 << 30)
      change(&expected)
      #expect(try profile(line) == expected, "\(line)")
    }
    try check("name = \"box\"") { $0.name = FixedText("box") }
    try check("description = 'a \"box\"'") { $0.description = FixedText("a \"box\"") }
    try check("page-size = \"16 KiB\"") { $0.pageBytes = 16_384 }
    try check("page-size = \"64 KiB\"") { $0.pageBytes = 65_536 }
    try check("context = 4_096") { $0.contextTokens = 4096 }
    try check("context = 16777216") { $0.contextTokens = 1 << 24 }
    try check("keys = \"int4\"") { $0.keyFormat = .int4 }
    try check("values = \"int4\"") { $0.valueFormat = .int4 }
    try check("policy = \"streaming\"") { $0.policy = .streaming }
    try check("policy = \"truncate\"") { $0.policy = .truncate }
    try check("policy = \"h2o\"") { $0.policy = .h2o }
    try check("policy = \"tova\"") { $0.policy = .tova }
    try check("policy = \"snapkv\"") { $0.policy = .snapKV }
    try check("policy = \"scissorhands\"") { $0.policy = .scissorhands }
    try check("policy = \"scissorhands-paper\"") { $0.policy = .scissorhandsPaper }
    try check("policy = \"valuediff\"") { $0.policy = .valueDifference }
    try check("policy = \"valuediff-h2o\"") { $0.policy = .heavyDifference }
    try check("policy-chunk = 16") { $0.policyChunk = 16 }
    try check("policy-chunk = \"auto\"") { $0.policyChunk = 0 }
    try check("prompt-max = 9000") { $0.promptMaxTokens = 9000 }
    try check("h2o-recent = 0") { $0.h2oRecentPercent = 0 }
    try check("scissorhands-recent = 0") { $0.scissorhandsRecent = 0 }
    try check("scissorhands-drop = 7") { $0.scissorhandsDrop = 7 }
    try check("scissorhands-history = 65535") { $0.scissorhandsHistory = 65_535 }
    try check("scissorhands-threshold = \"stream\"") { $0.scissorhandsThreshold = .stream }
    try check("gemfilter-reply = \"scissorhands\"") { $0.gemFilterReply = .scissorhands }
    try check("gemfilter-reply = \"valuediff\"") { $0.gemFilterReply = .valueDifference }
    try check("gemfilter-reply = \"valuediff-h2o\"") { $0.gemFilterReply = .heavyDifference }
    try check("valuediff-drop = 9") { $0.valueDifferenceDrop = 9 }
    try check("valuediff-recent = 0") { $0.valueDifferenceRecent = 0 }
    try check("snapkv-window = 8") { $0.snapKVWindow = 8 }
    try check("snapkv-pooling = \"max\"") { $0.snapKVPooling = .maximum }
    try check("policy = \"citrus-individual\"") { $0.policy = .citrusIndividual }
    try check("tile = 512") { $0.tileTokens = 512 }
    try check("tile = 1") { $0.tileTokens = 1 }
    try check("threads = 256") { $0.threads = 256 }
    try check("threads = \"auto\"") { $0.threads = 0 }
    try check("cores = \"0,255\"") {
      $0.processors.insert(0)
      $0.processors.insert(255)
    }
    try check("isa = \"portable\"") { $0.instructionSet = .portable }
    try check("isa = \"avx2\"") { $0.instructionSet = .avx2 }
    try check("isa = \"avxvnni\"") { $0.instructionSet = .avxvnni }
    try check("isa = \"avx512vnni\"") { $0.instructionSet = .avx512vnni }
    try check("isa = \"neon\"") { $0.instructionSet = .neon }
    try check("isa = \"dotprod\"") { $0.instructionSet = .dotprod }
    try check("isa = \"i8mm\"") { $0.instructionSet = .i8mm }
    try check("spin-microseconds = 0") { $0.spinMicroseconds = 0 }
    try check("stack = \"64 KiB\"") { $0.stackBytes = 65_536 }
    try check("prompt-bytes = \"1 MiB\"") { $0.promptBytes = 1 << 20 }
    try check("word-bytes = \"1 KiB\"") { $0.wordBytes = 1024 }
    try check("tokens = 1") { $0.replyTokens = 1 }
    try check("huge-pages = false") { $0.usesHugePages = false }
    try check("lock-memory = true") { $0.locksMemory = true }
  }

  @Test(arguments: [
    "budget = \"1023 KiB\"", "budget = \"65 TiB\"", "page-size = \"8 KiB\"", "context = -1",
    "context = 16777217", "tile = 0", "tile = 513", "threads = 0", "threads = 257",
    "spin-microseconds = 1000001", "stack = \"63 KiB\"", "stack = \"65 MiB\"",
    "prompt-bytes = \"1 KB\"", "prompt-bytes = \"2 GiB\"", "word-bytes = \"63 B\"", "tokens = 0",
    "tokens = -9223372036854775808", "policy-chunk = 513", "policy-chunk = 0", "prompt-max = 0",
    "h2o-recent = 100", "scissorhands-recent = -1", "scissorhands-drop = 0",
    "scissorhands-history = 65536", "snapkv-window = 513", "valuediff-drop = 0",
    "valuediff-recent = -1",
  ])
  func `limits are kept`(line: String) {
    guard case .failure(let error) = parse("# first\n" + line) else {
      Issue.record("\(line) was accepted")
      return
    }
    #expect(error.line == 2)
    #expect(error.reason == .outOfRange)
    #expect(message(error).contains("is out of range; write "))
  }

  @Test(arguments: [
    "name = 1", "description = true", "budget = 671088640", "page-size = 4096", "context = \"8\"",
    "keys = 8", "values = true", "policy = 0", "tile = true", "threads = true", "cores = 3",
    "isa = 1", "spin-microseconds = \"50 us\"", "stack = 65536", "prompt-bytes = 1",
    "word-bytes = false", "tokens = true", "huge-pages = 1", "lock-memory = \"true\"",
    "policy-chunk = true", "h2o-recent = \"half\"", "scissorhands-threshold = 1",
    "gemfilter-reply = 1",
  ])
  func `types are kept`(line: String) {
    guard case .failure(let error) = parse("\n\n" + line) else {
      Issue.record("\(line) was accepted")
      return
    }
    #expect(error.line == 3)
    #expect(error.reason == .wrongType)
    #expect(message(error).contains("takes another type of value; write "))
  }

  @Test func `names are spelled exactly`() {
    #expect(failure("keys = \"INT8\"")?.reason == .unknownChoice)
    #expect(failure("values = \"int2\"")?.reason == .unknownChoice)
    #expect(failure("policy = \"\"")?.reason == .unknownChoice)
    #expect(failure("isa = \"sse\"")?.reason == .unknownChoice)
    #expect(failure("threads = \"all\"")?.reason == .unknownChoice)
    #expect(failure("stack = \"64 kib\"")?.reason == .badSize(.unknownUnit))
    #expect(failure("page-size = \"4\"")?.reason == .badSize(.noUnit))
  }

  @Test func `a name has at most 63 bytes and a description 255`() throws {
    let name = String(repeating: "n", count: 63)
    #expect(string(try profile("name = \"\(name)\"").name) == name)
    #expect(failure("name = \"\(name)n\"")?.reason == .textTooLong)
    let text = String(repeating: "é", count: 127) + "d"
    #expect(string(try profile("description = \"\(text)\"").description) == text)
    #expect(failure("description = \"\(text)d\"")?.reason == .textTooLong)
  }

  @Test(arguments: [
    ("", ""), ("0", "0"), ("0-3", "0-3"), ("0-3,6", "0-3,6"), ("6,0-2,3", "0-3,6"),
    ("63,64,65", "63-65"), ("0-255", "0-255"), ("7-7", "7"), ("001", "1"),
  ])
  func `cores are a list`(list: String, expected: String) throws {
    let set = try profile("cores = \"\(list)\"").processors
    var text = textBuffer()
    set.write(to: &text)
    #expect(string(text) == expected)
  }

  @Test(arguments: [",", "0,", ",0", "3-1", "0-", "-3", "256", "0-256", "0 1", "a", "0--3", "0,,1"])
  func `what is no list of cores is refused`(list: String) {
    #expect(failure("cores = \"\(list)\"") == ProfileError(line: 2, key: .cores, .badProcessors))
  }

  @Test func `a set of cores holds what was inserted`() {
    for number in 0...255 {
      var set = ProcessorSet()
      set.insert(number)
      #expect(set.count == 1)
      for other in -1...256 { #expect(set.contains(other) == (other == number)) }
    }
  }
}
