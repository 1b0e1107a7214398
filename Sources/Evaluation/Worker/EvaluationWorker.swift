package import Commands
import Inference
import ModelFormat
import Profiles
import Tokenization
import Units

/// The child that runs one policy over many cases: launches once, seals, then answers requests.
///
/// `terrarium eval-worker WORDS RECORDING COUNT [FILE…] MODEL [options]`: words of the largest
/// request and its reply; where logits are recorded, or `-`; files of logits to compare with; the
/// model and the options of a run. It is no command for people.
package enum EvaluationWorker<System: Host> {
  /// The word that starts a child.
  package static var name: StaticString { "eval-worker" }

  /// Runs to the end of the requests; `nil` where the command line names another command.
  package static func run(_ arguments: Arguments, in planning: PlanningMemory) -> ExitCode? {
    guard arguments.count > 1, arguments[1].text.equals(name) else { return nil }
    do throws(Failure) {
      try answer(arguments, in: planning)
      return .success
    } catch {
      return CommandRunner<System>.report(error, in: planning)
    }
  }

  private static func answer(
    _ arguments: Arguments, in planning: PlanningMemory
  ) throws(Failure) {
    guard arguments.count > 5, let words = arguments[2].text.decimalInteger, words > 0,
      words < 1 << 30, let fileCount = arguments[4].text.decimalInteger, fileCount >= 0,
      arguments.count > 5 + fileCount
    else { throw .usage(.needed(.model, verb: .logits)) }
    let recording = try recording(arguments[3])
    let compared = try compared(arguments, from: 5, count: fileCount)
    let options = try CommandRunner<System>.parse(
      .logits, try CommandRunner<System>.words(arguments, from: 5 + fileCount, in: planning))
    guard let name = options.text(.model) else { throw .usage(.needed(.model, verb: .logits)) }
    var names = PathBuilder(planning.paths)
    let model = try ModelFile<System>(try names.name(name), in: planning)
    let profile = try Settings<System>.resolve(options, in: planning)
    let vocabulary = model.header.hyperparameters.vocabulary
    // The parent tells how far the work is.
    var console = Console<System>(planning, isWatched: false)
    var launch = try Launch<System>(
      model, profile: profile, sampler: SamplerSettings(),
      idTokens: CaseRunner<System>.words(request: words, vocabulary: vocabulary), in: planning,
      &console)
    let tokenizer: Tokenizer
    do {
      tokenizer = try Tokenizer(section: launch.memory.text.tokenizer)
    } catch {
      throw .tokenizerSection(error, file: name)
    }
    guard tokenizer.tokenCount == vocabulary else {
      throw .tokenizerSection(
        .wrongSize(bytes: tokenizer.tokenCount, needed: vocabulary), file: name)
    }
    let catalyst =
      profile.policy == .infiniPot
      ? try Self.catalyst(profile, tokenizer, into: launch.memory.text.catalyst)
      : .empty
    var runner = CaseRunner<System>(
      launch.memory, tokenizer: tokenizer, catalyst: catalyst, recording: recording,
      compared: compared)
    use(CaseRunner<System>.self)
    launch.seal()
    try runner.run(allocationsAtSeal: launch.allocationsAtSeal, &console)
  }

  /// The tokens of the text that infinipot runs over a full cache, as `run` makes them; the words
  /// they are made with lie outside the plan, before the seal.
  private static func catalyst(
    _ profile: Profile, _ tokenizer: Tokenizer, into tokens: FixedBuffer<Int32>
  ) throws(Failure) -> FixedBuffer<Int32> {
    let count = Tokenization.Encoder.scratchCount(wordBytesMax: 64)
    let words = UnsafeMutablePointer<UInt32>.allocate(capacity: count)
    unsafe words.initialize(repeating: 0, count: count)
    // SAFETY: `count` initialized words that live as long as the process.
    let scratch = unsafe FixedBuffer(unsafeBase: words, count: count)
    var encoder = Tokenization.Encoder(tokenizer: tokenizer, scratch: scratch)
    var sink = TokenSink(tokens)
    do {
      try profile.infiniPotCatalyst.withBytes { (bytes) throws(TokenizationError) in
        try encoder.encode(
          bytes,
          options: Tokenization.Encoder.Options(
            addsBeginAndEnd: false, parsesSpecial: false, startsText: false), into: &sink)
      }
    } catch {
      switch error {
      case .noTokenForByte(let byte): throw .noTokenForByte(Int(byte))
      case .wordTooLong: throw .wordTooLong(limitBytes: 64)
      default: throw .promptTooLong(tokens: tokens.count, slots: tokens.count)
      }
    }
    return sink.tokens
  }

  /// Makes the runtime's description of a type that is used after the seal (see `Launch`).
  @inline(never)
  private static func use<Value>(_ type: Value.Type) {}

  private static func recording(_ path: CString) throws(Failure) -> FileHandle? {
    if path.text.equals("-") { return nil }
    do { return try System.create(path) } catch { throw .host(error, .writing, path.text) }
  }

  /// Opens files of logits; their numbers lie in memory that is never given back.
  private static func compared(
    _ arguments: Arguments, from start: Int, count: Int
  ) throws(Failure) -> FixedBuffer<Int32> {
    if count == 0 { return .empty }
    let numbers = UnsafeMutablePointer<Int32>.allocate(capacity: count)
    unsafe numbers.initialize(repeating: -1, count: count)
    // SAFETY: `count` initialized numbers that live as long as the process.
    let files = unsafe FixedBuffer(unsafeBase: numbers, count: count)
    for index in 0..<count {
      let path = arguments[start + index]
      do { files[index] = try System.open(path).number } catch {
        throw .host(error, .reading, path.text)
      }
    }
    return files
  }
}
