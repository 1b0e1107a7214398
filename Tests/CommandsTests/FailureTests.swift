import Commands
import Kernels
import ModelFormat
import Profiles
import Testing
import Tokenization
import Units

@Suite struct FailureTests {
  private func report(_ failure: Failure) -> String {
    let world = World()
    World.$current.withValue(world) {
      #expect(CommandRunner<FakeHost>.report(failure, in: planning()) == failure.exitCode)
    }
    #expect(world.output.isEmpty)
    #expect(world.messageText.hasPrefix("terrarium: ") && world.messageText.hasSuffix("\n"))
    #expect(world.messageText.filter { $0 == "\n" }.count == 1, "one line")
    return String(world.messageText.dropFirst(11).dropLast())
  }

  private static let file = text("dir/m.terra")

  /// Every failure with its text (the thing, the limit, the remedy) and its exit code.
  private static let all: [(Failure, String, ExitCode)] = [
    (
      .host(.missing, .reading, file), "cannot read dir/m.terra: no such file or folder",
      .missingInput
    ),
    (.host(.notPermitted, .reading, file), "cannot read dir/m.terra: not permitted", .missingInput),
    (
      .host(.notRegular, .reading, file), "cannot read dir/m.terra: not a regular file",
      .missingInput
    ),
    (.host(.noSpace, .writing, file), "cannot write dir/m.terra: no space left", .cannotWrite),
    (
      .host(.missing, .writing, file), "cannot write dir/m.terra: no such file or folder",
      .cannotWrite
    ),
    (.host(.noMemory, .reading, file), "cannot read dir/m.terra: not enough memory", .missingInput),
    (
      .host(.closedPipe, .writing, text("standard output")),
      "cannot write standard output: nobody reads the output", .cannotWrite
    ),
    (
      .host(.nameTooLong, .reading, file), "cannot read dir/m.terra: the name is too long",
      .missingInput
    ),
    (.host(.system(-3), .reading, file), "cannot read dir/m.terra: system error -3", .missingInput),
    (.host(.interrupted, .reading, file), "cannot read dir/m.terra: interrupted", .interrupted),
    (.host(.interrupted, .writing, file), "cannot write dir/m.terra: interrupted", .interrupted),
    (
      .unknownProfile(text("pi")),
      "there is no profile `pi`: no file of that name, and no Profiles/pi.toml here, beside the "
        + "program or above it", .doesNotFit
    ),
    (
      .ggufOnBoard(text("m.gguf")),
      "m.gguf: this is a GGUF file; pack it on a workstation with: terrarium pack m.gguf",
      .badFile
    ),
    (.notAModel(file), "dir/m.terra: neither a pack file nor a GGUF file", .badFile),
    (
      .sectionChecksum("gate", layer: 3, file: file),
      "dir/m.terra: damaged: the checksum of gate of layer 3 is wrong; copy or pack the file again",
      .badFile
    ),
    (
      .sectionChecksum("tokenizer", layer: -1, file: file),
      "dir/m.terra: damaged: the checksum of tokenizer is wrong; copy or pack the file again",
      .badFile
    ),
    (.noTokenForByte(200), "the vocabulary has no token for byte 200", .badFile),
    (
      .doesNotFit(missingBytes: 1234, budgetBytes: 5_000_000),
      "does not fit: 1,234 bytes are missing from a budget of 5,000,000 bytes", .doesNotFit
    ),
    (
      .reservation(.noMemory, bytes: 1_000_000),
      "the system does not grant 1,000,000 bytes (not enough memory); free memory, raise its "
        + "limit, or choose a smaller context", .doesNotFit
    ),
    (
      .reservation(.notLocked, bytes: 1_000_000),
      "the system does not grant 1,000,000 bytes (it may not be locked); raise the limit with "
        + "ulimit -l, or set lock-memory = false in the profile", .doesNotFit
    ),
    (
      .threads(.system(11)),
      "the threads could not be started (system error 11); try --threads 1", .doesNotFit
    ),
    (
      .instructionSet(.i8mm, InstructionSets(bits: 1)),
      "this processor has no i8mm; it has portable; name one of these, or leave isa and --isa out "
        + "to use the fastest", .doesNotFit
    ),
    (
      .contextTooSmall(needed: 5, slots: 2),
      "a context of 2 tokens is too small; the least is 5", .doesNotFit
    ),
    (
      .inputTooLong(limitBytes: 262_144),
      "the input is longer than 262,144 bytes; raise prompt-bytes in the profile", .doesNotFit
    ),
    (
      .wordTooLong(limitBytes: 16_384),
      "the input has a run without a break longer than 16,384 bytes; raise word-bytes in the "
        + "profile", .doesNotFit
    ),
    (.inputEmpty, "the input is empty", .missingInput),
    (
      .promptTooLong(tokens: 2049, slots: 2048),
      "the input of at least 2,049 tokens does not fit the context of 2,048; raise --context, shorten the "
        + "input, or use --policy streaming", .doesNotFit
    ),
    (
      .promptAboveMax(tokens: 2049, promptMax: 2048, policy: "snapkv"),
      "the input of at least 2,049 tokens is longer than what snapkv holds before it chooses, "
        + "2,048; raise --prompt-max, shorten the input, or use --policy scissorhands", .doesNotFit
    ),
    (
      .badIDs(text("ids"), bytes: 1001),
      "ids: 1,001 bytes are no whole, positive number of int32 token ids", .badFile
    ),
    (
      .idOutOfRange(-7, position: 3, vocabulary: 936),
      "token id -7 at position 3 is outside the vocabulary of 936", .badFile
    ),
    (
      .noChatTemplate,
      "the model has no chat template that is known here; use --raw, or give --prefix and --suffix",
      .badFile
    ),
    (
      .nonFinite(position: 64),
      "the model computed a number that is not finite in the tile that ends at token 64; the "
        + "weights are damaged or the model is not supported", .badFile
    ),
    (.interrupted, "interrupted", .interrupted),
    (
      .usage(.contradiction(.chat, .prompt)), "--chat and --prompt exclude each other", .usage
    ),
    (
      .usage(.nothingToRead),
      "there is nothing to read: give --prompt TEXT, --file FILE or --chat", .usage
    ),
    (.usage(.needed(.model, verb: .plan)), "terrarium plan needs a model file", .usage),
    (.usage(.needed(.ids, verb: .logits)), "terrarium logits needs --ids", .usage),
    (
      .usage(.tooManyWords(1257, limit: 256)),
      "a command line of 1,257 words is too long; after the command's name it may have 256",
      .usage
    ),
    (
      .usage(.badValue(text("x"), option: .seed)),
      "`x` is no value for --seed (seed of the sampler (0))", .usage
    ),
  ]

  @Test func everyFailureNamesTheThingTheLimitAndTheRemedy() {
    for (failure, expected, code) in Self.all {
      #expect(report(failure) == expected)
      #expect(failure.exitCode == code, "\(expected)")
    }
  }

  @Test func errorsOfOtherModulesNameTheFile() {
    let profile = report(.profile(ProfileError(line: 3, key: .budget, .missing), file: Self.file))
    #expect(profile.hasPrefix("dir/m.terra:3: budget: is missing"))
    let model = report(.model(.notAPack, file: Self.file))
    #expect(model.hasPrefix("dir/m.terra: "))
    let tokenizer = report(.tokenizerSection(.badScore(token: 4), file: Self.file))
    #expect(
      tokenizer
        == "dir/m.terra: tokenizer or chat template: bad score of token 4; pack the file again")
  }

  @Test func exitCodesAreThoseOfTheManual() {
    let codes: [ExitCode] = [
      .success, .usage, .badFile, .missingInput, .internalError, .cannotWrite, .doesNotFit,
      .interrupted,
    ]
    #expect(codes.map(\.rawValue) == [0, 64, 65, 66, 70, 73, 78, 130])
  }
}
