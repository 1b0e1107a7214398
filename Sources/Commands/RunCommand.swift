import Eviction
import Memory
import Inference
import ModelFormat
import Profiles
import Tokenization
import Units

/// `terrarium run`: a document and an instruction in, a reply out; or a conversation.
package enum RunCommand<System: Host> {
  /// Runs to the end of the reply, or of the conversation.
  package static func run(
    _ options: Options, in planning: PlanningMemory, _ console: inout Console<System>
  ) throws(Failure) {
    let start = System.nanoseconds()
    guard let name = options.text(.model) else { throw .usage(.needed(.model, verb: .run)) }
    try check(options)
    let profile = try Settings<System>.resolve(options, in: planning)
    let sampler = try Settings<System>.sampler(options)
    var names = PathBuilder(planning.paths)
    let model = try ModelFile<System>(try names.name(name), in: planning)
    let document = try openDocument(options, &names)
    let held = try options.text(.explain).map { (name) throws(Failure) in
      try HeldSlots<System>(name, &names)
    }
    console.noteInput()
    var launch = try Launch<System>(
      model, profile: profile, sampler: sampler, in: planning, &console)
    let memory = launch.memory
    let tokenizer: Tokenizer
    let template: ChatTemplate
    do {
      tokenizer = try Tokenizer(section: memory.text.tokenizer)
      template = try ChatTemplate(
        section: memory.text.template, tokenCount: tokenizer.tokenCount)
    } catch {
      throw .tokenizerSection(error, file: name)
    }
    guard tokenizer.tokenCount == memory.session.shape.model.vocabulary else {
      throw .tokenizerSection(
        .wrongSize(
          bytes: tokenizer.tokenCount, needed: memory.session.shape.model.vocabulary), file: name)
    }
    var prompt = PromptBuilder<System>(tokenizer, template, options: options, memory: memory)
    try prompt.checkTemplate()
    var stream = Stream<System>(memory)
    if profile.policy == .infiniPot {
      stream.catalyst = try prompt.catalyst(profile.infiniPotCatalyst)
    }
    var matcher = StopMatcher(options: options, pending: memory.text.pending)
    var writer = ReplyWriter<System>(
      tokenizer, isJSON: options.has(.json), showsControl: false,
      scratch: memory.text.replyScratch)
    launch.seal()
    stream.figures.launchNanoseconds = System.nanoseconds() - start

    if let document {
      try read(document, options, into: &prompt)
      prompt.endDocument()
    }
    var outcome: Failure?
    do throws(Failure) {
      if options.has(.chat) {
        try converse(profile, &prompt, &stream, &matcher, &writer, &console)
      } else {
        try answer(options, profile, held, &prompt, &stream, &matcher, &writer, &console)
      }
    } catch {
      outcome = error
    }
    stream.figures.probedRows = stream.memory.session.probedRows
    stream.figures.outputRows = stream.memory.session.outputRows
    stream.noteSlots()
    try finish(launch, stream.figures, isJSON: options.has(.json), after: outcome, &console)
  }

  private static func check(_ options: Options) throws(Failure) {
    let file = options.text(.file)
    if options.has(.chat) {
      if options.has(.prompt) { throw .usage(.contradiction(.chat, .prompt)) }
      if options.has(.json) { throw .usage(.contradiction(.chat, .json)) }
      if options.has(.explain) { throw .usage(.contradiction(.chat, .explain)) }
      if let file, file.equals("-") { throw .usage(.contradiction(.chat, .file)) }
    } else if file == nil && !options.has(.prompt) {
      throw .usage(.nothingToRead)
    }
    if options.has(.raw) && (options.has(.prefix) || options.has(.suffix)) {
      throw .usage(.contradiction(.raw, options.has(.prefix) ? .prefix : .suffix))
    }
    if options.has(.raw) && options.has(.system) { throw .usage(.contradiction(.raw, .system)) }
    for index in 0..<options.stopCount
    where options.stops[index].count > TextMemory.stopBytesMax {
      throw .usage(.badValue(options.stops[index], option: .stop))
    }
  }

  /// Opens the document before the process is sealed.
  private static func openDocument(
    _ options: Options, _ names: inout PathBuilder
  ) throws(Failure) -> FileHandle? {
    guard let name = options.text(.file) else { return nil }
    if name.equals("-") { return .standardInput }
    let path = try names.name(name)
    do { return try System.open(path) } catch { throw .host(error, .reading, name) }
  }

  private static func read(
    _ document: FileHandle, _ options: Options, into prompt: inout PromptBuilder<System>
  ) throws(Failure) {
    while true {
      let count: Int
      do {
        count = try System.read(document, into: prompt.freeText)
      } catch {
        if error == .interrupted { throw .interrupted }
        throw .host(error, .reading, options.text(.file) ?? .empty)
      }
      if count == 0 { return }
      try prompt.advanceText(count)
    }
  }

  private static func answer(
    _ options: Options, _ profile: Profile, _ held: HeldSlots<System>?,
    _ prompt: inout PromptBuilder<System>, _ stream: inout Stream<System>,
    _ matcher: inout StopMatcher, _ writer: inout ReplyWriter<System>,
    _ console: inout Console<System>
  ) throws(Failure) {
    if let instruction = options.text(.prompt) { try prompt.append(instruction) }
    guard prompt.textBytes > 0 else { throw .inputEmpty }
    try prompt.build(afterReply: false)
    try held?.begin(prompt.tokens, stream.memory.session)
    try stream.prefill(
      prompt.tokens, instructionStart: prompt.instructionStart, &console)
    try held?.finish(stream)
    if options.has(.json) { console.output.append("{\"reply\":\"") }
    try stream.reply(tokensMax: profile.replyTokens, &matcher, &writer, &console)
    if options.has(.json) { console.output.append("\"") }
  }

  private static func converse(
    _ profile: Profile, _ prompt: inout PromptBuilder<System>, _ stream: inout Stream<System>,
    _ matcher: inout StopMatcher, _ writer: inout ReplyWriter<System>,
    _ console: inout Console<System>
  ) throws(Failure) {
    var lines = LineReader<System>(prompt.takeLinesBuffer())
    var isFirst = true
    while true {
      if console.isConversation {
        console.messages.append("> ")
        console.flushMessages()
      }
      guard let line = try lines.next() else { return }
      if line.count == 0 { continue }
      try prompt.append(line)
      try prompt.build(afterReply: !isFirst)
      if !stream.takesMore(prompt.tokens.count) {
        try readAgain(for: line, &prompt, &stream, &console)
      }
      try stream.prefill(
        prompt.tokens, instructionStart: prompt.instructionStart, &console)
      try stream.reply(tokensMax: profile.replyTokens, &matcher, &writer, &console)
      console.output.append("\n")
      try console.flushOutput()
      if stream.figures.ending == .interrupted || stream.figures.ending == .contextFull { return }
      prompt.restart()
      isFirst = false
    }
  }

  /// Starts anew with the document and another question, where the policy has chosen tokens for an
  /// earlier one; refuses where there is no document.
  private static func readAgain(
    for line: Text, _ prompt: inout PromptBuilder<System>, _ stream: inout Stream<System>,
    _ console: inout Console<System>
  ) throws(Failure) {
    let policy = stream.memory.session.shape.profile.policy.name
    guard prompt.documentBytes > 0 else { throw .prompt(.choosesOnce, policy: policy) }
    console.messages.append(policy)
    console.messages.append(
      " reads the document again for this question; earlier ones are forgotten\n")
    console.flushMessages()
    stream.restart()
    prompt.restartWithDocument()
    try prompt.append(line)
    try prompt.build(afterReply: false)
  }

  /// Prints the figures, whatever happened before, and passes on what did.
  private static func finish(
    _ launch: Launch<System>, _ figures: RunFigures, isJSON: Bool, after outcome: Failure?,
    _ console: inout Console<System>
  ) throws(Failure) {
    var figures = figures
    figures.plannedBytes = launch.plan.totalBytes
    figures.peakBytes = System.memoryUsage().peakResidentBytes
    figures.allocations = System.allocationCount - launch.allocationsAtSeal
    let isInterrupted = System.isInterrupted
    if let outcome, !isInterrupted { throw outcome }
    if isJSON {
      figures.writeJSON(launch.report, to: &console.output)
    } else if console.output.count > 0 || figures.replyTokens > 0 {
      console.output.append("\n")
    }
    try console.flushOutput()
    if !isJSON {
      figures.write(launch.report, to: &console.messages)
      console.flushMessages()
    }
    if isInterrupted { throw .interrupted }
  }
}
