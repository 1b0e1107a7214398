import Packing
import Testing
import Tokenization
import Units

/// A template of each kind, as files have them, by llama.cpp's name.
private let templates = [
  "chatml": """
  {% for message in messages %}{{'<|im_start|>' + message['role'] + '\\n' + message['content'] \
  + '<|im_end|>' + '\\n'}}{% endfor %}{% if add_generation_prompt %}\
  {{ '<|im_start|>assistant\\n' }}{% endif %}
  """,
  "llama3": """
  {% set loop_messages = messages %}{% for message in loop_messages %}{% set content = \
  '<|start_header_id|>' + message['role'] + '<|end_header_id|>\\n\\n'+ message['content'] | \
  trim + '<|eot_id|>' %}{{ content }}{% endfor %}
  """,
  "llama2": "{{ '[INST] ' + message['content'] + ' [/INST]' }}",
  "llama2-sys": "{{ '[INST] <<SYS>>\\n' + system + '\\n<</SYS>>\\n\\n' + text + ' [/INST]' }}",
  "llama2-sys-bos": "{{ bos_token + '[INST] <<SYS>>\\n' + system + '\\n<</SYS>>' + ' [/INST]' }}",
  "llama2-sys-strip": "{{ '[INST] ' + content.strip() + ' [/INST]' }}",
  "mistral-v1": "{{ ' [INST] ' + system_message }}{{ ' [/INST]' }}",
  "mistral-v3": "{{ '[AVAILABLE_TOOLS] ' }}{{ '[INST] ' }}{{ '[/INST]' }}",
  "mistral-v3-tekken": "{{ '[AVAILABLE_TOOLS]' }}{{ \"[INST]\" }}{{ '[/INST]' }}",
  "mistral-v7": "{{ '[SYSTEM_PROMPT] ' + text + '[/SYSTEM_PROMPT]' }}{{ '[INST] ' }}",
  "zephyr": """
  {% for message in messages %}{{'<|' + message['role'] + '|>' + '\\n' + message['content'] + \
  '<|endoftext|>' + '\\n'}}{% endfor %}{% if add_generation_prompt %}{{ '<|user|>' }}{% endif %}
  """,
]

private func role(_ name: String) -> ChatRole {
  name == "system" ? .system : name == "user" ? .user : .assistant
}

@Suite(.enabled(if: Fixtures.isPresent))
struct ChatTemplateTests {
  @Test(arguments: ["qwen2", "testbed-f16", "llama-bpe", "llama-spm", "gpt-2", "phi-3"])
  func conversationsGiveTheTokensThatLlamaCppMakesOfItsRendering(vocabulary: String) throws {
    let tokenizer = try Fixtures.tokenizer(vocabulary)
    var count = 0
    for chat in try Fixtures.chats() {
      guard let ids = chat.ids[vocabulary] else { continue }
      let markup = ChatMarkup.recognise(try #require(templates[chat.template]), end: "</s>")
      let messages = chat.messages.map { (role($0.role), $0.text) }
      let tokens = try Self.assemble(messages, markup, tokenizer)
      #expect(tokens == ids, "\(chat.template): \(chat.text.debugDescription)")
      count += 1
    }
    #expect(count >= 4)
  }

  /// The tokens of a conversation, put together as a program with the core alone would.
  static func assemble(
    _ messages: [(role: ChatRole, text: String)], _ markup: ChatMarkup, _ hosted: HostedTokenizer
  ) throws -> [Int32] {
    try withTemplate(markup.section(hosted), hosted.tokenizer.tokenCount) { template in
      var tokens: [Int32] = []
      if hosted.tokenizer.addsBegin { tokens.append(try #require(hosted.tokenizer.beginToken)) }
      var previous: ChatRole?
      for message in messages {
        let prefix = template.prefix(of: message.role, after: previous)
        append(prefix.tokens, to: &tokens)
        tokens += try hosted.encode(
          Array(((prefix.leadsWithSpace ? " " : "") + message.text).utf8),
          options: Encoder.Options(
            addsBeginAndEnd: false, parsesSpecial: false, startsText: prefix.startsText))
        append(template.suffix(of: message.role), to: &tokens)
        previous = message.role
      }
      append(template.generationPrompt, to: &tokens)
      return tokens
    }
  }

  private static func append(_ sequence: TokenSequence, to tokens: inout [Int32]) {
    for index in 0..<sequence.count { tokens.append(sequence[index]) }
  }

  static func withTemplate<Result>(
    _ section: [UInt8], _ tokenCount: Int, _ body: (ChatTemplate) throws -> Result
  ) throws -> Result {
    let memory = UnsafeMutablePointer<UInt8>.allocate(capacity: section.count)
    defer { unsafe memory.deallocate() }
    for (index, byte) in section.enumerated() { unsafe (memory + index).initialize(to: byte) }
    let buffer = unsafe FixedBuffer(unsafeBase: memory, count: section.count)
    return try body(ChatTemplate(section: buffer, tokenCount: tokenCount))
  }

  @Test(arguments: [
    ("testbed-f16", ChatTemplateFamily.chatML), ("qwen2", .chatML), ("phi-3", .unrecognised),
    ("stories260K-f32", .unrecognised),
  ])
  func templatesOfFilesAreRecognised(name: String, family: ChatTemplateFamily) throws {
    let markup = try Vocabulary(Fixtures.header(name)).chatMarkup()
    #expect(markup.family == family)
    let section = try markup.section(Fixtures.tokenizer(name))
    #expect(section.count == ChatTemplate.sectionBytes)
  }
}

struct ChatRecognitionTests {
  @Test func markupRendersAsLlamaCppDoes() throws {
    for chat in try Fixtures.chats() {
      let markup = ChatMarkup.recognise(try #require(templates[chat.template]), end: "</s>")
      var text = ""
      var previous: ChatRole?
      for message in chat.messages {
        text += markup.opening(of: role(message.role), after: previous).text
        text += message.text
        text += markup.suffix(of: role(message.role))
        previous = role(message.role)
      }
      #expect(text + markup.generationPrompt == chat.text, "\(chat.template)")
    }
  }

  @Test(arguments: [
    "", "{{ bos_token }}{{ messages[0]['content'] }}", "<|im_start|>user<|im_sep|>",
    "<|user|>\n<|end|><|assistant|>", "<start_of_turn>user", "USER: x ASSISTANT: ",
    "{{ '<|user|>' }}{{ '<|assistant|>' }}",
  ])
  func othersAreNotGuessed(text: String) {
    #expect(ChatMarkup.recognise(text, end: "</s>") == .unrecognised)
  }

  @Test func zephyrEndsMessagesWithTheEndTokenOfTheVocabulary() {
    let markup = ChatMarkup.recognise(
      "{{ '<|user|>\n' + message['content'] + eos_token }}{{ '<|assistant|>' }}", end: "</s>")
    #expect(markup.family == .zephyr)
    #expect(markup.suffix(of: .user) == "</s>\n")
    #expect(markup.opening(of: .user, after: nil).text == "<|user|>\n")
    #expect(markup.generationPrompt == "<|assistant|>\n")
  }

  @Test func theUserSaysWhatSurroundsMessages() {
    let markup = ChatMarkup.custom(userPrefix: "Q: ", userSuffix: "\nA:")
    #expect(markup.family == .custom)
    #expect(markup.opening(of: .user, after: .assistant).text == "Q: ")
    #expect(markup.suffix(of: .system) == "\nA:")
    #expect(markup.suffix(of: .assistant) == "")
  }
}
