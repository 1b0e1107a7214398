import Eviction
package import Profiles
package import Inference
package import Tokenization
package import Units

/// Turns a document, an instruction and the chat template into token ids, in planned memory.
package struct PromptBuilder<System: Host> {
  private let tokenizer: Tokenizer
  private let template: ChatTemplate
  private let options: Options
  private let memory: TextMemory
  private var encoder: Tokenization.Encoder
  private var sink: TokenSink
  private var previous: ChatRole?

  /// Bytes of the text at the start of the buffer.
  package private(set) var textBytes = 0

  /// What there is room for, and limits, for messages.
  private let session: Session
  private let wordBytes: Int
  private let promptBytes: Int

  /// Bytes of the text that are the document.
  package private(set) var documentBytes = 0

  /// Where the text of the message at hand starts: behind a document that is kept.
  private var textStart = 0

  /// Whether the document stays in the buffer, so that it can be read again for another question.
  private let keepsDocument: Bool

  /// Whether the instruction is encoded apart from the document, because the policy tells them
  /// apart.
  private let splitsText: Bool

  /// Where the instruction begins among the tokens, the document before it.
  package private(set) var instructionStart = 0

  /// Where the room for the text ends.
  private var textEnd: Int

  package init(
    _ tokenizer: Tokenizer, _ template: ChatTemplate, options: Options, memory: RunMemory
  ) {
    self.tokenizer = tokenizer
    self.template = template
    self.options = options
    self.memory = memory.text
    encoder = Tokenization.Encoder(tokenizer: tokenizer, scratch: memory.text.wordScratch)
    sink = TokenSink(memory.text.ids)
    session = memory.session
    splitsText = memory.session.shape.eviction.needsInstruction
    keepsDocument = memory.session.shape.eviction.policy.isFrozen
    wordBytes = memory.session.shape.profile.wordBytes
    promptBytes = memory.session.shape.promptBytes
    textEnd = memory.text.prompt.count
  }

  /// Whether the chat template, or what the user gave in its place, surrounds the text.
  private var usesTemplate: Bool { !options.has(.raw) }

  private var hasOwnTemplate: Bool { options.has(.prefix) || options.has(.suffix) }

  /// The tokens built since the last `restart`.
  package var tokens: FixedBuffer<Int32> { sink.tokens }

  /// Where input may still be put: behind the text, one byte left for a space before it.
  package var freeText: FixedBuffer<UInt8> {
    memory.prompt.extracting(min(textBytes + 1, textEnd)..<textEnd)
  }

  /// Takes the second half of the free room away: lines of a conversation are read there, then
  /// appended.
  package mutating func takeLinesBuffer() -> FixedBuffer<UInt8> {
    let count = freeText.count / 2
    textEnd -= count
    return memory.prompt.extracting(textEnd..<textEnd + count)
  }

  /// Counts `count` bytes that were put into `freeText`.
  package mutating func advanceText(_ count: Int) throws(Failure) {
    textBytes += count
    if textBytes > promptBytes { throw .inputTooLong(limitBytes: promptBytes) }
  }

  /// Appends to the text.
  package mutating func append(_ text: Text) throws(Failure) {
    let free = freeText
    guard text.count <= free.count else { throw .inputTooLong(limitBytes: promptBytes) }
    for index in 0..<text.count { free[index] = text[index] }
    try advanceText(text.count)
  }

  /// Ends a document, so that an instruction starts on a line of its own; raw text is not touched.
  package mutating func endDocument() {
    if usesTemplate, textBytes > 0, memory.prompt[textBytes] != 10 {
      memory.prompt[1 + textBytes] = 10
      textBytes += 1
    }
    documentBytes = textBytes
  }

  /// The tokens of `text` as they stand in the middle of a stream, in memory of their own.
  package mutating func catalyst(_ text: FixedText<63>) throws(Failure) -> FixedBuffer<Int32> {
    var other = TokenSink(memory.catalyst)
    let options = Tokenization.Encoder.Options(
      addsBeginAndEnd: false, parsesSpecial: false, startsText: false)
    do {
      try text.withBytes { (bytes) throws(TokenizationError) in
        try encoder.encode(bytes, options: options, into: &other)
      }
    } catch {
      throw failure(error)
    }
    return other.tokens
  }

  /// Refuses a chat without a template early.
  package func checkTemplate() throws(Failure) {
    if usesTemplate && !hasOwnTemplate && template.family == .unrecognised {
      throw .noChatTemplate
    }
  }

  /// Forgets text and tokens: a new message comes, behind the reply to the last one.
  package mutating func restart() {
    if keepsDocument && documentBytes > 0 {
      // The byte between is the one that a space may be put into.
      textStart = documentBytes + 1
    } else {
      documentBytes = 0
    }
    textBytes = textStart
    sink.removeAll()
  }

  /// Starts anew with the document, which was kept: a message comes as if it were the first.
  package mutating func restartWithDocument() {
    (textStart, textBytes) = (0, documentBytes)
    previous = nil
    sink.removeAll()
  }

  /// Builds the tokens of a message with the text at hand; the reply follows them.
  package mutating func build(afterReply: Bool) throws(Failure) {
    if !usesTemplate {
      try encode(
        1 + textStart..<1 + textBytes, begins: !afterReply, special: true, startsText: true)
    } else if hasOwnTemplate {
      try encode(
        options.text(.prefix) ?? .empty, begins: !afterReply, special: true, startsText: true)
      try encode(
        1 + textStart..<1 + textBytes, begins: false, special: false, startsText: false)
      try encode(options.text(.suffix) ?? .empty, begins: false, special: true, startsText: false)
    } else {
      if afterReply { try append(template.suffix(of: .assistant)) }
      if !afterReply, tokenizer.addsBegin, let begin = tokenizer.beginToken { try append(begin) }
      if !afterReply, let system = options.text(.system) { try message(.system, system) }
      try message(.user, nil)
      try append(template.generationPrompt)
      previous = .assistant
    }
  }

  /// One message; the text at hand where none is given.
  private mutating func message(_ role: ChatRole, _ given: Text?) throws(Failure) {
    let prefix = template.prefix(of: role, after: previous)
    try append(prefix.tokens)
    var range = 1 + textStart..<1 + textBytes
    if let given { range = try place(given) }
    if prefix.trimsText { range = trimmed(range) }
    if prefix.leadsWithSpace {
      // What lies before the text is a byte of its own kept free, or white space trimmed away.
      range = range.lowerBound - 1..<range.upperBound
      memory.prompt[range.lowerBound] = 32
    }
    try encode(range, begins: false, special: false, startsText: prefix.startsText)
    try append(template.suffix(of: role))
    previous = role
  }

  /// Copies text behind the text at hand, one byte apart.
  private func place(_ given: Text) throws(Failure) -> Range<Int> {
    let start = 2 + textBytes
    guard given.count <= textEnd - start else { throw .inputTooLong(limitBytes: promptBytes) }
    for index in 0..<given.count { memory.prompt[start + index] = given[index] }
    return start..<start + given.count
  }

  private func trimmed(_ range: Range<Int>) -> Range<Int> {
    var (start, end) = (range.lowerBound, range.upperBound)
    while start < end && Self.isSpace(memory.prompt[start]) { start += 1 }
    while end > start && Self.isSpace(memory.prompt[end - 1]) { end -= 1 }
    return start..<end
  }

  private mutating func append(_ tokens: TokenSequence) throws(Failure) {
    for index in 0..<tokens.count { try append(tokens[index]) }
  }

  private mutating func append(_ token: Int32) throws(Failure) {
    do { try sink.append(token) } catch { throw failure(error) }
  }

  /// Encodes bytes of the prompt's buffer; where document and instruction are told apart, each by
  /// itself.
  private mutating func encode(
    _ range: Range<Int>, begins: Bool, special: Bool, startsText: Bool
  ) throws(Failure) {
    let border = 1 + documentBytes
    guard splitsText, border <= range.upperBound else {
      try encode(
        memory.prompt.extracting(range), begins: begins, special: special,
        startsText: startsText)
      return
    }
    let start = max(range.lowerBound, border)
    try encode(
      memory.prompt.extracting(range.lowerBound..<start), begins: begins, special: special,
      startsText: startsText)
    instructionStart = sink.count
    try encode(
      memory.prompt.extracting(start..<range.upperBound), begins: false, special: special,
      startsText: startsText && start == range.lowerBound)
  }

  private mutating func encode(
    _ text: Text, begins: Bool, special: Bool, startsText: Bool
  ) throws(Failure) {
    let options = Tokenization.Encoder.Options(
      addsBeginAndEnd: begins, parsesSpecial: special, startsText: startsText)
    do {
      try encoder.encode(text.bytes, options: options, into: &sink)
    } catch {
      throw failure(error)
    }
  }

  private func failure(_ error: TokenizationError) -> Failure {
    switch error {
    case .wordTooLong: .wordTooLong(limitBytes: wordBytes)
    case .outputFull(let capacity): session.refusal(of: capacity)
    case .noTokenForByte(let byte): .noTokenForByte(Int(byte))
    case .tokenOutOfRange(let token, let count):
      .idOutOfRange(Int(token), position: sink.count, vocabulary: count)
    }
  }

  private static func isSpace(_ byte: UInt8) -> Bool { byte == 32 || (byte >= 9 && byte <= 13) }
}
