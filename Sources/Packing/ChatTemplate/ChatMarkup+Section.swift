internal import Tokenization

extension ChatMarkup {
  /// The chat template section: this markup as tokens of a vocabulary.
  package func section(_ hosted: HostedTokenizer) throws(VocabularyError) -> [UInt8] {
    let tokenizer = hosted.tokenizer
    var writer = SectionWriter(byteCount: ChatTemplate.sectionBytes)
    for (word, value) in [
      ChatTemplate.magic, ChatTemplate.version, family.rawValue,
    ].enumerated() {
      writer.put(value, at: 0, word)
    }
    var used = 0
    func put(_ tokens: [Int32], flags: UInt32, as index: Int) throws(VocabularyError) {
      let entry = ChatTemplate.entriesOffset + 16 * index
      for (field, value) in [UInt32(used), UInt32(tokens.count), flags].enumerated() {
        writer.put(value, at: entry, field)
      }
      guard used + tokens.count <= ChatTemplate.tokensMax else {
        throw .templateTooLong(tokens: used + tokens.count, limit: ChatTemplate.tokensMax)
      }
      for (offset, token) in tokens.enumerated() {
        writer.put(UInt32(bitPattern: token), at: ChatTemplate.tokensOffset, used + offset)
      }
      used += tokens.count
    }
    /// Whether what follows `tokens` follows a special token.
    func endsSpecial(_ tokens: [Int32]) -> Bool {
      let special =
        TokenAttributes.control | TokenAttributes.userDefined | TokenAttributes.unknown
      return tokens.last.map { tokenizer.attributes(of: $0).has(special) } ?? false
    }
    let roles: [ChatRole] = [.system, .user, .assistant]
    var suffixes: [[Int32]] = []
    for role in roles {
      suffixes.append(
        try encode(suffix(of: role), startsText: false, hosted, part: .suffix))
    }
    for role in roles {
      for previous in [nil, .system, .user, .assistant] as [ChatRole?] {
        let startsText = previous.map { endsSpecial(suffixes[Int($0.rawValue)]) } ?? true
        let opening = opening(of: role, after: previous)
        let leadsWithSpace = opening.text.hasSuffix(" ")
        let text = leadsWithSpace ? String(opening.text.dropLast()) : opening.text
        let tokens = try encode(text, startsText: startsText, hosted, part: .prefix)
        let textStarts = tokens.isEmpty ? startsText : endsSpecial(tokens)
        let flags: UInt32 =
          (leadsWithSpace ? 1 : 0) | (textStarts ? 2 : 0) | (opening.trims ? 4 : 0)
        let place = previous.map { 1 + Int($0.rawValue) } ?? 0
        try put(tokens, flags: flags, as: 4 * Int(role.rawValue) + place)
      }
      try put(suffixes[Int(role.rawValue)], flags: 0, as: 12 + Int(role.rawValue))
    }
    let startsAnswer = endsSpecial(suffixes[Int(ChatRole.user.rawValue)])
    let prompt = try encode(
      generationPrompt, startsText: startsAnswer, hosted, part: .generationPrompt)
    try put(prompt, flags: 0, as: 15)
    return writer.bytes
  }

  private func encode(
    _ text: String, startsText: Bool, _ hosted: HostedTokenizer,
    part: VocabularyError.TemplatePart
  ) throws(VocabularyError) -> [Int32] {
    do throws(TokenizationError) {
      return try hosted.encode(
        Array(text.utf8),
        options: Encoder.Options(
          addsBeginAndEnd: false, parsesSpecial: true, startsText: startsText))
    } catch {
      throw .templateNotExpressible(part)
    }
  }
}

extension Vocabulary {
  /// The markup of the chat template in the GGUF file: `unrecognised` where there is none or one
  /// of an unknown family.
  package func chatMarkup() throws(VocabularyError) -> ChatMarkup {
    guard
      let text = try VocabularyKeys(header).text(
        "tokenizer.chat_template", limit: 1 << 20)
    else {
      return .unrecognised
    }
    var endText = ""
    if end != TokenizerLayout.noToken {
      let ranges = header.stringRanges(pieces)
      endText = String(decoding: header.bytes[ranges[Int(end)]], as: UTF8.self)
    }
    return ChatMarkup.recognise(text, end: endText)
  }
}
