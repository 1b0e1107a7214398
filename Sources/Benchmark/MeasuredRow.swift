internal import Cache
package import Commands
internal import Eviction
internal import Inference
internal import Kernels
internal import Memory
internal import ModelFormat
internal import Profiles
internal import Quantization
internal import Units

/// A row of the benchmark as a process of its own: launched, sealed and measured like any run.
///
/// It takes its orders line by line, so that whoever started it decides when each repetition
/// happens: `r` runs one, anything else, or the end of the input, ends it. It answers `ready …` once
/// it is sealed, the cache filled to the depth and everything warm, `sample NANOSECONDS` after each
/// repetition, and `end …` last.
package enum MeasuredRow<System: Host> {
  /// Runs the row of the words from `start` on: tokens of the prompt, tokens to generate, tokens of
  /// depth, the model (a pack file, or `synthetic:SHAPE:FORMAT`), then options of `logits`.
  package static func run(
    _ arguments: Arguments, from start: Int, in planning: PlanningMemory
  ) -> ExitCode {
    guard arguments.count >= start + 4, let prompt = arguments[start].text.decimalInteger,
      let generated = arguments[start + 1].text.decimalInteger,
      let depth = arguments[start + 2].text.decimalInteger
    else { return .usage }
    let work = Work(prompt: prompt, generated: generated, depth: depth)
    do throws(Failure) {
      let words = try CommandRunner<System>.words(arguments, from: start + 4, in: planning)
      let options = try CommandRunner<System>.parse(.logits, words)
      let path = arguments[start + 3]
      if let synthetic = syntheticModel(path.text) {
        try measure(synthetic, work, options, in: planning)
      } else {
        try measure(try ModelFile<System>(path, in: planning), work, options, in: planning)
      }
      return .success
    } catch {
      return CommandRunner<System>.report(error, in: planning)
    }
  }

  /// What is measured.
  private struct Work: BitwiseCopyable {
    let prompt: Int
    let generated: Int
    let depth: Int
  }

  private static func syntheticModel(_ text: Text) -> SyntheticModel<System>? {
    let words = String(decoding: (0..<text.count).map { text[$0] }, as: UTF8.self)
      .split(separator: ":")
    guard words.count == 3, words[0] == "synthetic",
      let shape = try? SyntheticShape.named(String(words[1]))
    else { return nil }
    return SyntheticModel(shape, format: words[2] == "int4" ? .int4 : .int8)
  }

  private static func measure<Source: ModelSource>(
    _ model: Source, _ work: Work, _ options: Options, in planning: PlanningMemory
  ) throws(Failure) where Source.System == System {
    let start = System.nanoseconds()
    let profile = try Settings<System>.resolve(options, in: planning)
    var console = Console<System>(planning)
    var launch = try Launch<System>(
      model, profile: profile, sampler: SamplerSettings(), idTokens: 1, in: planning, &console)
    let session = launch.memory.session
    let last = work.depth + work.prompt + work.generated
    let settings = session.shape.eviction
    // Policies that choose for a prompt do not read random tokens on and on.
    guard !settings.policy.isFrozen && !settings.filters else {
      throw .prompt(.choosesOnce, policy: session.shape.profile.policy.name)
    }
    guard session.admits(last - 1) else {
      throw .promptTooLong(tokens: last, slots: settings.slots)
    }
    // SAFETY: never given back.
    let room = unsafe FixedBuffer<UInt8>(
      unsafeBase: UnsafeMutablePointer<UInt8>.allocate(capacity: 512), count: 512)
    room.fill(0)
    var answer = TextBuffer(room.extracting(64..<512))
    let order = room.extracting(0..<1)
    var tokens = RandomWords(seed: 7)
    launch.seal()
    let launched = System.nanoseconds() - start

    try prefill(work.depth, at: 0, wantsLogits: false, session, &tokens)
    try prefill(work.prompt, at: work.depth, wantsLogits: true, session, &tokens)
    try generate(min(work.generated, 1), at: work.depth + work.prompt, session, &tokens)
    describe(launch, session, launched: launched, &answer)
    try send(&answer)
    while try receive(order) {
      let begin = System.nanoseconds()
      try prefill(work.prompt, at: work.depth, wantsLogits: true, session, &tokens)
      try generate(work.generated, at: work.depth + work.prompt, session, &tokens)
      answer.append("sample ")
      answer.append(Int(System.nanoseconds() - begin))
      answer.append("\n")
      try send(&answer)
    }
    answer.append("end peak ")
    answer.append(System.memoryUsage().peakResidentBytes)
    answer.append(" allocations ")
    answer.append(System.allocationCount - launch.allocationsAtSeal)
    answer.append("\n")
    try send(&answer)
  }

  private static func describe(
    _ launch: Launch<System>, _ session: Session, launched: UInt64, _ answer: inout TextBuffer
  ) {
    answer.append("ready isa ")
    answer.append(session.kernels.instructionSet.name)
    answer.append(" threads ")
    answer.append(session.pool.threadCount)
    answer.append(" keys ")
    answer.append(name(session.cache.keyLayout.format))
    answer.append(" values ")
    answer.append(name(session.cache.valueLayout.format))
    answer.append(" tile ")
    answer.append(session.tile.count)
    answer.append(" slots ")
    answer.append(session.shape.eviction.slots)
    answer.append(" planned ")
    answer.append(launch.plan.totalBytes)
    answer.append(" launch ")
    answer.append(Int(launched))
    answer.append("\n")
  }

  private static func name(_ format: CacheFormat) -> StaticString {
    format == .int8 ? "int8" : "int4"
  }

  /// Where tokens for stream position `start` stand: a policy that evicts cannot go back, so there
  /// the stream goes on.
  private static func position(_ start: Int, _ session: Session) -> Int {
    session.shape.eviction.policy.isArithmetic ? start : session.evictor.progress.position
  }

  /// Runs `count` random tokens from stream position `start` on, tile by tile.
  private static func prefill(
    _ count: Int, at start: Int, wantsLogits: Bool, _ session: Session,
    _ tokens: inout RandomWords
  ) throws(Failure) {
    let start = position(start, session)
    var done = 0
    var room = 0
    var now = 0
    while done < count {
      if System.isInterrupted { throw .interrupted }
      if room == 0 { room = session.makeRoom(for: count - done) }
      now = min(session.tile.count, room)
      room -= now
      for index in 0..<now { session.tile[index] = token(session, &tokens) }
      guard session.prefill(start: start + done, count: now, lastRowOnly: true) else {
        throw .nonFinite(position: start + done + now)
      }
      done += now
    }
    if wantsLogits && count > 0 && !session.project(row: now - 1) {
      throw .nonFinite(position: start + count)
    }
  }

  /// Runs `count` random tokens from stream position `start` on, one after the other, each with its
  /// logits; nothing is sampled.
  private static func generate(
    _ count: Int, at start: Int, _ session: Session, _ tokens: inout RandomWords
  ) throws(Failure) {
    let start = position(start, session)
    for index in 0..<count {
      if System.isInterrupted { throw .interrupted }
      _ = session.makeRoom(for: 1)
      session.tile[0] = token(session, &tokens)
      guard session.prefill(start: start + index, count: 1) && session.project(row: 0) else {
        throw .nonFinite(position: start + index)
      }
    }
  }

  private static func token(_ session: Session, _ tokens: inout RandomWords) -> Int32 {
    Int32(tokens.next() >> 33) % Int32(session.shape.model.vocabulary)
  }

  /// Whether another repetition is wanted.
  private static func receive(_ order: FixedBuffer<UInt8>) throws(Failure) -> Bool {
    while true {
      let count: Int
      do { count = try System.read(.standardInput, into: order) } catch {
        throw .host(error, .reading, Text("standard input"))
      }
      if count == 0 { return false }
      if order[0] != 10 { return order[0] == 114 }
    }
  }

  private static func send(_ answer: inout TextBuffer) throws(Failure) {
    do { try System.write(answer.bytes, to: .standardOutput) } catch {
      throw .host(error, .writing, Text("standard output"))
    }
    answer.removeAll()
  }
}
