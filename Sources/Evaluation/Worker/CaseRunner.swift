import Cache
import Commands
import Eviction
import Inference
import Kernels
import ModelFormat
import Tokenization
import Units

/// Runs cases in a sealed process: reads a request, computes, answers; nothing in it allocates.
///
/// All words lie in the planned memory for token ids: the request from its start, the reply behind
/// it, one row of the full cache's logits at its end.
struct CaseRunner<System: Host> {
  private var tokens: Commands.Stream<System>
  private let tokenizer: Tokenizer
  private let words: FixedBuffer<Int32>
  private let scratch: FixedBuffer<UInt8>
  private let recording: FileHandle?
  private let compared: FixedBuffer<Int32>
  private var allocationsAtSeal = 0

  /// The sums of the case at hand.
  var sums = CaseSums()

  /// Words of planned memory that a request of `words` words and its longest reply need.
  static func words(request words: Int, vocabulary: Int) -> Int {
    words + CaseFrame.Answer.count + vocabulary
  }

  /// Runs on the session of `memory`; `recording` takes logits, `compared` are files of them.
  init(
    _ memory: RunMemory, tokenizer: Tokenizer, catalyst: FixedBuffer<Int32>,
    recording: FileHandle?, compared: FixedBuffer<Int32>
  ) {
    tokens = Commands.Stream<System>(memory)
    tokens.catalyst = catalyst
    self.tokenizer = tokenizer
    words = memory.text.ids
    scratch = memory.text.replyScratch
    self.recording = recording
    self.compared = compared
  }

  /// Answers requests until there are no more; `allocationsAtSeal` is what the launch took.
  mutating func run(
    allocationsAtSeal: Int, _ console: inout Console<System>
  ) throws(Failure) {
    self.allocationsAtSeal = allocationsAtSeal
    let header = words.extracting(0..<CaseFrame.Request.count)
    while try receive(header) {
      let request = try CaseRequest(header, vocabulary: session.shape.model.vocabulary, words)
      guard try receive(request.payload) else { throw .inputEmpty }
      try check(request)
      tokens.restart()
      sums = CaseSums()
      switch request.kind {
      case CaseFrame.Kind.stream: try stream(request)
      case CaseFrame.Kind.cover: try cover(request)
      default: try reply(request, &console)
      }
      try answer(request)
    }
  }

  var session: Session { tokens.memory.session }

  // MARK: Input and output

  /// Fills `target`; false where the input ends before its first byte.
  private func receive(_ target: FixedBuffer<Int32>) throws(Failure) -> Bool {
    let bytes = target.asBytes
    var done = 0
    while done < bytes.count {
      let count: Int
      do {
        count = try System.read(.standardInput, into: bytes.extracting(done..<bytes.count))
      } catch {
        throw error == .interrupted ? .interrupted : .host(error, .reading, Text("the requests"))
      }
      if count == 0 {
        if done == 0 { return false }
        throw .inputEmpty
      }
      done += count
    }
    return true
  }

  /// Refuses tokens that the vocabulary does not have and prompts that the cache cannot take.
  private func check(_ request: CaseRequest) throws(Failure) {
    let vocabulary = session.shape.model.vocabulary
    let prompt = request.prompt
    for index in 0..<prompt.count {
      let id = Int(prompt[index])
      guard id >= 0 && id < vocabulary else {
        throw .idOutOfRange(id, position: index, vocabulary: vocabulary)
      }
    }
    guard prompt.count > 0 else { throw .inputEmpty }
    // Policies make room; a cache that keeps everything must have it.
    guard session.shape.eviction.policy == .full else { return }
    let map = session.cache.map
    // Nobody asks about a stream.
    let isStream = request.kind == CaseFrame.Kind.stream
    let read = (isStream ? request.documentTokens : prompt.count) + request.reply.count
    guard map.admits(max(read, 1) - 1) else { throw .promptTooLong(tokens: read, slots: map.slots) }
  }

  private func answer(_ request: CaseRequest) throws(Failure) {
    typealias Answer = CaseFrame.Answer
    // The header of the request and its payload are done with: the answer goes where they lay.
    let reply = request.reply
    let answer = words.extracting(0..<Answer.count + sums.replyTokens)
    for index in 0..<sums.replyTokens { answer[Answer.count + index] = reply[index] }
    answer[Answer.magic] = CaseFrame.magic
    answer[Answer.replyTokens] = Int32(sums.replyTokens)
    answer[Answer.peakSlots] = Int32(session.peakSlots(read: sums.read))
    answer[Answer.rows] = Int32(sums.rows)
    answer[Answer.tokens] = Int32(sums.tokens)
    answer[Answer.markedTokens] = Int32(sums.markedTokens)
    answer[Answer.comparedTokens] = Int32(sums.comparedTokens)
    answer[Answer.allocations] = Int32(
      clamping: System.allocationCount - allocationsAtSeal)
    put(sums.nll, in: answer, at: Answer.nll)
    put(sums.markedNLL, in: answer, at: Answer.markedNLL)
    put(sums.divergence, in: answer, at: Answer.divergence)
    do { try System.write(answer.bytes, to: .standardOutput) } catch {
      throw .host(error, .writing, Text("the answers"))
    }
  }

  private func put(_ value: Double, in words: FixedBuffer<Int32>, at index: Int) {
    let (low, high) = CaseFrame.halves(value.bitPattern)
    words[index] = low
    words[index + 1] = high
  }

  // MARK: Computing

  /// Reads a stream; every token but the first is predicted from those before it.
  private mutating func stream(_ request: CaseRequest) throws(Failure) {
    let prompt = request.prompt.extracting(0..<request.documentTokens)
    // All of a stream is a document.
    try session.announce(
      document: prompt.count,
      instruction: request.prompt.extracting(request.documentTokens..<request.prompt.count),
      catalyst: tokens.catalyst, tokens: prompt.count)
    var reader = TileReader<System>(prompt, at: 0)
    while let tile = try reader.next(session) {
      for position in tile where position + 1 < prompt.count {
        guard session.project(row: position - tile.lowerBound) else {
          throw .nonFinite(position: position)
        }
        let next = position + 1
        let level = Distribution.logSumOfExponentials(session.logits)
        let nll = level - Double(session.logits[Int(prompt[next])])
        sums.nll += nll
        sums.tokens += 1
        if request.extra.count > next && request.extra[next] != 0 {
          sums.markedNLL += nll
          sums.markedTokens += 1
        }
        try judge(request, level: level)
      }
    }
    sums.read = prompt.count
  }

  /// Reads the prompt and replies greedily, up to a token whose text holds the stop byte.
  ///
  /// As long as the reply is that of the full cache, both have read the same tokens, so that their
  /// distributions can be compared.
  private mutating func reply(
    _ request: CaseRequest, _ console: inout Console<System>
  ) throws(Failure) {
    try tokens.prefill(
      request.prompt, instructionStart: request.documentTokens, &console)
    var agrees = request.isCompared
    while sums.replyTokens < request.reply.count {
      if recording != nil || agrees {
        try judge(request, level: Distribution.logSumOfExponentials(session.logits))
      }
      let token = Int32(Sampler.likeliest(session.logits))
      agrees =
        agrees && sums.replyTokens < request.extra.count
        && request.extra[sums.replyTokens] == token
      if tokenizer.isStop(token) || holds(request.stopByte, token) { break }
      request.reply[sums.replyTokens] = token
      sums.replyTokens += 1
      guard session.admits(tokens.position) else { break }
      try tokens.step(token)
    }
    sums.read = tokens.position
  }

  /// Whether the text of `token` has `byte` in it.
  private func holds(_ byte: UInt8, _ token: Int32) -> Bool {
    var decoder = Decoder(tokenizer: tokenizer, startsText: false)
    var text = TextBuffer(scratch)
    do { try decoder.append(token, into: &text) } catch { return false }
    decoder.finish(into: &text)
    return scratch.extracting(0..<text.count).firstIndex(of: byte) != nil
  }

  // MARK: The full cache

  /// Records the logits at hand, or compares them with what the full cache recorded.
  private mutating func judge(_ request: CaseRequest, level: Double) throws(Failure) {
    defer { sums.rows += 1 }
    if let recording {
      do { try System.write(session.logits.bytes, to: recording) } catch {
        throw .host(error, .writing, Text("the full cache's logits"))
      }
    }
    guard request.isCompared else { return }
    guard request.comparedFile < compared.count else { throw .inputEmpty }
    let row = request.row
    let offset = request.firstRow + UInt64(sums.rows)
    let count: Int
    do {
      count = try System.read(
        FileHandle(number: compared[request.comparedFile]),
        at: offset * UInt64(4 * row.count), into: row.asBytes)
    } catch {
      throw .host(error, .reading, Text("the full cache's logits"))
    }
    guard count == 4 * row.count else { throw .inputEmpty }
    sums.divergence += Distribution.divergence(of: session.logits, level: level, from: row)
    sums.comparedTokens += 1
  }
}

/// What a case adds up to.
struct CaseSums {
  /// Tokens of the prompt and of the reply that were read.
  var read = 0
  var replyTokens = 0
  var rows = 0
  var tokens = 0
  var markedTokens = 0
  var comparedTokens = 0
  var nll = 0.0
  var markedNLL = 0.0
  var divergence = 0.0
}

/// A request, and where its parts lie in the planned words.
struct CaseRequest {
  let kind: Int32
  let stopByte: UInt8
  let comparedFile: Int
  let firstRow: UInt64

  /// Everything behind the header.
  let payload: FixedBuffer<Int32>
  /// Tokens of the document.
  let documentTokens: Int
  /// Document and question.
  let prompt: FixedBuffer<Int32>
  /// Marks, the full cache's reply, or places in the prompt.
  let extra: FixedBuffer<Int32>
  /// Where the reply goes: as long as it may be.
  let reply: FixedBuffer<Int32>
  /// Where a row of the full cache's logits goes.
  let row: FixedBuffer<Int32>

  /// Whether the full cache's logits are at hand.
  var isCompared: Bool { comparedFile >= 0 }

  /// Reads a header; what does not fit into `words` is refused.
  init(
    _ header: FixedBuffer<Int32>, vocabulary: Int, _ words: FixedBuffer<Int32>
  ) throws(Failure) {
    typealias Request = CaseFrame.Request
    kind = header[Request.kind]
    stopByte = UInt8(truncatingIfNeeded: header[Request.stopByte])
    comparedFile = Int(header[Request.comparedFile])
    firstRow = CaseFrame.whole(header[Request.firstRow], header[Request.firstRow + 1])
    let document = Int(header[Request.documentTokens])
    documentTokens = document
    let question = Int(header[Request.questionTokens])
    let extraWords = Int(header[Request.extraWords])
    let replyTokens = Int(header[Request.replyTokensMax])
    let room = words.count - Request.count - CaseFrame.Answer.count - vocabulary
    guard header[Request.magic] == CaseFrame.magic, document >= 0, question >= 0,
      extraWords >= 0, replyTokens >= 0, document + question + extraWords + replyTokens <= room
    else { throw .inputEmpty }
    let start = Request.count
    let extraStart = start + document + question
    let replyStart = extraStart + extraWords
    payload = words.extracting(start..<replyStart)
    prompt = words.extracting(start..<extraStart)
    extra = words.extracting(extraStart..<replyStart)
    reply = words.extracting(
      replyStart + CaseFrame.Answer.count..<replyStart + CaseFrame.Answer.count + replyTokens)
    row = words.extracting(words.count - vocabulary..<words.count)
  }
}
