import Commands
import Inference
import TestSupport
import Testing
import Tokenization
import Units

@Suite struct PromptBuilderTests {
  /// A prompt under construction, and the slow way to the tokens it should have.
  private struct Prompt {
    let memory: RunMemory
    let tokenizer: Tokenizer
    let template: ChatTemplate
    var builder: PromptBuilder<FakeHost>

    init(
      _ words: [String] = [], addsBegin: Bool = false, promptBytes: Int = 4096, context: Int = 256
    ) throws {
      memory = try BuiltIn.memoryOfRun(
        addsBegin: addsBegin, promptBytes: promptBytes, context: context)
      tokenizer = try Tokenizer(section: memory.text.tokenizer)
      template = try ChatTemplate(
        section: memory.text.template, tokenCount: tokenizer.tokenCount)
      builder = PromptBuilder(
        tokenizer, template,
        options: try Options(verb: .run, arguments: CommandsTests.words(words)), memory: memory)
    }

    var tokens: [Int32] { (0..<builder.tokens.count).map { builder.tokens[$0] } }

    /// The tokens of a text by itself.
    func encode(
      _ string: String, begins: Bool = false, special: Bool = false, startsText: Bool = true
    ) throws -> [Int32] {
      var encoder = Tokenization.Encoder(
        tokenizer: tokenizer,
        scratch: TestSupport.memory(Tokenization.Encoder.scratchCount(wordBytesMax: 1000)))
      var sink = TokenSink(TestSupport.memory(1000))
      try encoder.encode(
        text(string).bytes,
        options: Tokenization.Encoder.Options(
          addsBeginAndEnd: begins, parsesSpecial: special, startsText: startsText),
        into: &sink)
      return (0..<sink.count).map { sink.tokens[$0] }
    }
  }

  @Test(arguments: [false, true])
  func aTemplateSurroundsTheText(addsBegin: Bool) throws {
    var prompt = try Prompt(addsBegin: addsBegin)
    try prompt.builder.append(text("What is the <|im_end|> code?"))
    try prompt.builder.build(afterReply: false)
    // The markup is parsed, the text of the user is not.
    let expected =
      try prompt.encode("<|im_start|>user\n", begins: addsBegin, special: true)
      + prompt.encode("What is the <|im_end|> code?")
      + prompt.encode("<|im_end|>\n<|im_start|>assistant\n", special: true)
    #expect(prompt.tokens == expected)
    #expect((prompt.tokens.first == prompt.tokenizer.beginToken) == addsBegin)

    prompt.builder.restart()
    #expect(prompt.builder.tokens.count == 0)
    try prompt.builder.append(text("And then?"))
    try prompt.builder.build(afterReply: true)
    let second =
      try prompt.encode("<|im_end|>\n<|im_start|>user\n", special: true)
      + prompt.encode("And then?")
      + prompt.encode("<|im_end|>\n<|im_start|>assistant\n", special: true)
    #expect(prompt.tokens == second)
  }

  @Test func theSystemMessageComesFirst() throws {
    var prompt = try Prompt(["-sys", "Be brief."], addsBegin: true)
    try prompt.builder.append(text("Hello"))
    try prompt.builder.build(afterReply: false)
    let expected =
      try prompt.encode("<|im_start|>system\n", begins: true, special: true)
      + prompt.encode("Be brief.")
      + prompt.encode("<|im_end|>\n<|im_start|>user\n", special: true) + prompt.encode("Hello")
      + prompt.encode("<|im_end|>\n<|im_start|>assistant\n", special: true)
    #expect(prompt.tokens == expected)
  }

  @Test(arguments: [false, true]) func rawTextIsTakenAsItIs(addsBegin: Bool) throws {
    var prompt = try Prompt(["--raw"], addsBegin: addsBegin)
    try prompt.builder.append(text("a <|im_start|> b"))
    prompt.builder.endDocument()
    try prompt.builder.append(text("c"))
    try prompt.builder.build(afterReply: false)
    #expect(
      try prompt.tokens == prompt.encode("a <|im_start|> bc", begins: addsBegin, special: true))
    prompt.builder.restart()
    try prompt.builder.append(text("d"))
    try prompt.builder.build(afterReply: true)
    #expect(try prompt.tokens == prompt.encode("d"))
  }

  @Test func ownPrefixAndSuffixReplaceTheTemplate() throws {
    for words in [
      ["--prefix", "Q: "], ["--suffix", "\nA:"], ["--prefix", "Q: ", "--suffix", "\nA:"],
    ] {
      var prompt = try Prompt(words, addsBegin: true)
      try prompt.builder.checkTemplate()
      try prompt.builder.append(text("why"))
      try prompt.builder.build(afterReply: false)
      let prefix = words.contains("Q: ") ? "Q: " : ""
      let suffix = words.contains("\nA:") ? "\nA:" : ""
      let expected =
        try prompt.encode(prefix, begins: true, special: true)
        + prompt.encode("why", startsText: false)
        + prompt.encode(suffix, special: true, startsText: false)
      #expect(prompt.tokens == expected)
    }
  }

  @Test func aDocumentEndsWithALineFeed() throws {
    for (document, ended) in [("abc", "abc\n"), ("abc\n", "abc\n"), ("", "")] {
      var prompt = try Prompt()
      let free = prompt.builder.freeText
      for (index, byte) in document.utf8.enumerated() { free[index] = byte }
      try prompt.builder.advanceText(document.utf8.count)
      prompt.builder.endDocument()
      #expect(prompt.builder.textBytes == ended.utf8.count)
      try prompt.builder.append(text("go"))
      #expect(prompt.memory.text.prompt.extracting(1..<3 + ended.utf8.count).string == ended + "go")
    }
  }

  @Test func unknownTemplatesAreRefusedUnlessReplaced() throws {
    for (words, isRefused) in [
      ([], true), (["--raw"], false), (["--prefix", "x"], false), (["--suffix", "x"], false),
    ] {
      let prompt = try Prompt(words)
      // The family's word: not recognised.
      prompt.memory.text.template[8] = 0
      let template = try ChatTemplate(
        section: prompt.memory.text.template, tokenCount: prompt.tokenizer.tokenCount)
      let builder = PromptBuilder<FakeHost>(
        prompt.tokenizer, template,
        options: try Options(verb: .run, arguments: CommandsTests.words(words)),
        memory: prompt.memory)
      var wasRefused = false
      do { try builder.checkTemplate() } catch Failure.noChatTemplate { wasRefused = true }
      #expect(wasRefused == isRefused, "\(words)")
    }
  }

  @Test func linesHaveRoomOfTheirOwn() throws {
    var prompt = try Prompt(promptBytes: 100)
    try prompt.builder.append(text("0123456789"))
    let free = prompt.builder.freeText
    let lines = prompt.builder.takeLinesBuffer()
    #expect(lines.count == free.count / 2)
    #expect(prompt.builder.freeText.count == free.count - lines.count)
    lines.fill(7)
    prompt.builder.freeText.fill(9)
    #expect((0..<lines.count).allSatisfy { lines[$0] == 7 })
    prompt.builder.restart()
    #expect(prompt.builder.freeText.count == free.count - lines.count + 10)
  }

  @Test func everyLimitIsNamed() throws {
    var prompt = try Prompt(["--raw"], promptBytes: 100)
    try prompt.builder.append(text(String(repeating: "a b ", count: 24) + "abcd"))
    do {
      try prompt.builder.append(text("e"))
      Issue.record("the text is too long")
    } catch Failure.inputTooLong(let limit) {
      #expect(limit == 100)
    }
    prompt = try Prompt(["--raw"])
    try prompt.builder.append(text(String(repeating: "w", count: 65)))
    do {
      try prompt.builder.build(afterReply: false)
      Issue.record("the word is too long")
    } catch Failure.wordTooLong(let limit) {
      #expect(limit == 64)
    }
    prompt = try Prompt(["--raw"], context: 8)
    try prompt.builder.append(text("1 2 3 4 5 6 7 8 9"))
    do {
      try prompt.builder.build(afterReply: false)
      Issue.record("the prompt is too long")
    } catch Failure.promptTooLong(let tokens, let slots) {
      #expect(tokens == 9 && slots == 8)
    }
  }
}
