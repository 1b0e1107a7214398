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
/// happens: `r` runs one, `s` the next stretch of one; anything else, or the end of the input, ends
/// it. It answers `ready …` once it is sealed, the cache filled to the depth and everything warm,
/// `sample …` after each repetition or stretch, and `end …` last.
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
    let work = RowWork(prompt: prompt, generated: generated, depth: depth)
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

  private static func syntheticModel(_ text: Text) -> SyntheticModel<System>? {
    let words = String(decoding: (0..<text.count).map { text[$0] }, as: UTF8.self)
      .split(separator: ":")
    guard words.count == 3, words[0] == "synthetic",
      let shape = try? SyntheticShape.named(String(words[1]))
    else { return nil }
    return SyntheticModel(shape, format: words[2] == "int4" ? .int4 : .int8)
  }

  private static func measure<Source: ModelSource>(
    _ model: Source, _ work: RowWork, _ options: Options, in planning: PlanningMemory
  ) throws(Failure) where Source.System == System {
    let start = System.nanoseconds()
    let profile = try Settings<System>.resolve(options, in: planning)
    var console = Console<System>(planning)
    var launch = try Launch<System>(
      model, profile: profile, sampler: SamplerSettings(),
      idTokens: work.heldTokens(profile.policy), in: planning, &console)
    let session = launch.memory.session
    var course = RowCourse<System>(session, ids: launch.memory.text.ids, work: work)
    try course.check()
    // SAFETY: never given back.
    let room = unsafe FixedBuffer<UInt8>(
      unsafeBase: UnsafeMutablePointer<UInt8>.allocate(capacity: 1024), count: 1024)
    room.fill(0)
    var answer = TextBuffer(room.extracting(64..<1024))
    let order = room.extracting(0..<1)
    launch.seal()
    let launched = System.nanoseconds() - start

    try course.begin()
    _ = try course.repetition(generated: min(work.generated, 1))
    describe(launch, session, launched: launched, &answer)
    describe(course, &answer)
    try send(&answer)
    while let wanted = try receive(order) {
      let sample =
        wanted == .stretch
        ? try course.stretch(generated: work.generated)
        : try course.repetition(generated: work.generated)
      describe(sample, &answer)
      try send(&answer)
    }
    answer.append("end peak ")
    answer.append(System.memoryUsage().peakResidentBytes)
    answer.append(" allocations ")
    answer.append(System.allocationCount - launch.allocationsAtSeal)
    answer.append("\n")
    try send(&answer)
  }

  private static func describe(_ sample: RepetitionAnswer, _ answer: inout TextBuffer) {
    answer.append("sample ns ")
    answer.append(Int(sample.nanoseconds))
    answer.append(" rows ")
    answer.append(sample.probedRows)
    answer.append(" outputs ")
    answer.append(sample.outputRows)
    answer.append(" outputns ")
    answer.append(Int(sample.outputNanoseconds))
    answer.append(" filter ")
    answer.append(Int(sample.filterNanoseconds))
    answer.append(" left ")
    answer.append(sample.left)
    answer.append("\n")
  }

  private static func describe(_ course: RowCourse<System>, _ answer: inout TextBuffer) {
    answer.append(" attended ")
    answer.append(course.attendedSlots)
    answer.append(" beside ")
    answer.append(course.fullDepth)
    answer.append("\n")
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
    answer.append(" filter ")
    answer.append(
      session.shape.eviction.policy == .gemFilter
        ? session.shape.eviction.filterLayers : 0)
    answer.append(" kept ")
    answer.append(session.shape.eviction.slots - session.shape.eviction.reserve)
  }

  private static func name(_ format: CacheFormat) -> StaticString {
    format == .int8 ? "int8" : "int4"
  }

  private enum Order {
    case repetition
    case stretch
  }

  /// What is wanted next; `nil`: the end.
  private static func receive(_ order: FixedBuffer<UInt8>) throws(Failure) -> Order? {
    while true {
      let count: Int
      do { count = try System.read(.standardInput, into: order) } catch {
        throw .host(error, .reading, Text("standard input"))
      }
      if count == 0 { return nil }
      switch order[0] {
      case UInt8(ascii: "\n"): continue
      case UInt8(ascii: "r"): return .repetition
      case UInt8(ascii: "s"): return .stretch
      default: return nil
      }
    }
  }

  private static func send(_ answer: inout TextBuffer) throws(Failure) {
    do { try System.write(answer.bytes, to: .standardOutput) } catch {
      throw .host(error, .writing, Text("standard output"))
    }
    answer.removeAll()
  }
}
