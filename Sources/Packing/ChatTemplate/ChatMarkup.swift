package import Tokenization

/// The text that a chat template puts around messages, as data: never a program.
package struct ChatMarkup: Equatable, Sendable {
  /// What precedes a message.
  package struct Opening: Equatable, Sendable {
    /// The text; a space at its end belongs to the first word of the message.
    package var text: String

    /// Whether white space around the message is taken away.
    package var trims = false
  }

  package let family: ChatTemplateFamily
  private let openings: [Opening]
  private let suffixes: [String]

  /// What makes the model answer.
  package let generationPrompt: String

  /// What precedes a message of `role` after one of `previous`, or at the beginning.
  package func opening(of role: ChatRole, after previous: ChatRole?) -> Opening {
    openings[4 * Int(role.rawValue) + (previous.map { 1 + Int($0.rawValue) } ?? 0)]
  }

  /// What follows a message of `role`.
  package func suffix(of role: ChatRole) -> String { suffixes[Int(role.rawValue)] }

  /// Markup from its rules.
  private init(
    _ family: ChatTemplateFamily, generationPrompt: String,
    suffix: (ChatRole) -> String, opening: (ChatRole, ChatRole?) -> Opening
  ) {
    self.family = family
    self.generationPrompt = generationPrompt
    let roles: [ChatRole] = [.system, .user, .assistant]
    suffixes = roles.map(suffix)
    openings = roles.flatMap { role in
      ([nil, .system, .user, .assistant] as [ChatRole?]).map { opening(role, $0) }
    }
  }

  /// Nothing around messages.
  package static let unrecognised = ChatMarkup(
    .unrecognised, generationPrompt: "", suffix: { _ in "" },
    opening: { _, _ in Opening(text: "") })

  /// What the user says stands around messages; a system message is written like a user's where
  /// nothing is said about it, and an answer follows as it comes.
  package static func custom(
    userPrefix: String, userSuffix: String, systemPrefix: String? = nil,
    systemSuffix: String? = nil
  ) -> ChatMarkup {
    ChatMarkup(
      .custom, generationPrompt: "",
      suffix: { role in
        switch role {
        case .system: systemSuffix ?? userSuffix
        case .user: userSuffix
        case .assistant: ""
        }
      },
      opening: { role, _ in
        switch role {
        case .system: Opening(text: systemPrefix ?? userPrefix)
        case .user: Opening(text: userPrefix)
        case .assistant: Opening(text: "")
        }
      })
  }
}

extension ChatMarkup {
  private static func name(_ role: ChatRole) -> String {
    switch role {
    case .system: "system"
    case .user: "user"
    case .assistant: "assistant"
    }
  }

  /// Recognises the template `text` by the marks that only its family has.
  ///
  /// What it cannot tell it does not guess. `end`: the text of the vocabulary's end token.
  package static func recognise(_ text: String, end: String) -> ChatMarkup {
    func has(_ mark: String) -> Bool { text.contains(mark) }
    if has("<|im_start|>") {
      return has("<|im_sep|>") || has("<end_of_utterance>") ? .unrecognised : chatML
    }
    if has("[INST]") { return instruct(text) }
    if has("<|start_header_id|>") && has("<|end_header_id|>") { return llama3 }
    let others = ["<|end|>", "[gMASK]", "<|tool_declare|>", "<|begin_of_image|>", "<think>"]
    if has("<|user|>") && !others.contains(where: has) {
      if has("<|endoftext|>") { return zephyr(end: "<|endoftext|>") }
      if has("<|assistant|>") && has("eos_token") && !end.isEmpty { return zephyr(end: end) }
    }
    return .unrecognised
  }

  private static let chatML = ChatMarkup(
    .chatML, generationPrompt: "<|im_start|>assistant\n", suffix: { _ in "<|im_end|>\n" },
    opening: { role, _ in Opening(text: "<|im_start|>\(name(role))\n") })

  private static let llama3 = ChatMarkup(
    .llama3, generationPrompt: header(.assistant), suffix: { _ in "<|eot_id|>" },
    opening: { role, _ in Opening(text: header(role), trims: true) })

  private static func header(_ role: ChatRole) -> String {
    "<|start_header_id|>\(name(role))<|end_header_id|>\n\n"
  }

  private static func zephyr(end: String) -> ChatMarkup {
    ChatMarkup(
      .zephyr, generationPrompt: "<|assistant|>\n", suffix: { _ in "\(end)\n" },
      opening: { role, _ in Opening(text: "<|\(name(role))|>\n") })
  }

  /// The templates that put instructions between `[INST]` and `[/INST]`.
  private static func instruct(_ text: String) -> ChatMarkup {
    func has(_ mark: String) -> Bool { text.contains(mark) }
    if has("[SYSTEM_PROMPT]") { return mistral7(space: has("[SYSTEM_PROMPT] ") ? " " : "") }
    if has("' [INST] ' + system_message") || has("[AVAILABLE_TOOLS]") {
      if has(" [INST]") { return mistral(lead: " ", space: " ", trimsAnswer: false) }
      let isTekken = has("\"[INST]\"")
      return mistral(lead: "", space: isTekken ? "" : " ", trimsAnswer: !isTekken)
    }
    return llama2(
      marksSystem: has("<<SYS>>") || has("content.strip()"),
      begin: has("bos_token + '[INST]") ? "<s>" : "", trims: has("content.strip()"))
  }

  private static func llama2(marksSystem: Bool, begin: String, trims: Bool) -> ChatMarkup {
    let system = marksSystem ? "<<SYS>>\n" : ""
    return ChatMarkup(
      .llama2, generationPrompt: "",
      suffix: { role in
        switch role {
        case .system: marksSystem ? "\n<</SYS>>\n\n" : "\n"
        case .user: " [/INST]"
        case .assistant: "</s>"
        }
      },
      opening: { role, previous in
        // A turn lasts from a system or user message to the end of the answer.
        let opensTurn = previous == nil || previous == .assistant
        let turn = !opensTurn ? "" : previous == nil ? "[INST] " : "\(begin)[INST] "
        return Opening(text: role == .system ? turn + system : turn, trims: trims)
      })
  }

  private static func mistral(lead: String, space: String, trimsAnswer: Bool) -> ChatMarkup {
    ChatMarkup(
      .mistral, generationPrompt: "",
      suffix: { role in
        switch role {
        case .system: "\n\n"
        case .user: "\(lead)[/INST]"
        case .assistant: "</s>"
        }
      },
      opening: { role, previous in
        let opensTurn = previous == nil || previous == .assistant
        let turn = opensTurn ? "\(lead)[INST]\(space)" : ""
        return role == .assistant
          ? Opening(text: turn + space, trims: trimsAnswer) : Opening(text: turn)
      })
  }

  private static func mistral7(space: String) -> ChatMarkup {
    ChatMarkup(
      .mistral, generationPrompt: "",
      suffix: { role in
        switch role {
        case .system: "[/SYSTEM_PROMPT]"
        case .user: "[/INST]"
        case .assistant: "</s>"
        }
      },
      opening: { role, _ in
        switch role {
        case .system: Opening(text: "[SYSTEM_PROMPT]\(space)")
        case .user: Opening(text: "[INST]\(space)")
        case .assistant: Opening(text: space)
        }
      })
  }
}
