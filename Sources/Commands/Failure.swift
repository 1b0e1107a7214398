package import Eviction
package import Tokenization
package import Kernels
import Memory
package import ModelFormat
package import Profiles
package import Units

/// What was being done to a file when it failed.
package enum FileAction {
  case reading
  case writing
}

/// Why a command ends early: one case per kind of error, each with its exit code and its text.
package enum Failure: Error {
  case usage(UsageError)
  case host(HostError, FileAction, Text)
  case profile(ProfileError, file: Text)
  case unknownProfile(Text)
  case model(ModelFormatError, file: Text)
  case ggufOnBoard(Text)
  case notAModel(Text)
  case sectionChecksum(StaticString, layer: Int, file: Text)
  case tokenizerSection(TokenizerSectionError, file: Text)
  case noTokenForByte(Int)
  case doesNotFit(missingBytes: Int, budgetBytes: Int)
  case reservation(HostError, bytes: Int)
  case threads(HostError)
  case instructionSet(InstructionSet, InstructionSets)
  case contextTooSmall(needed: Int, slots: Int)
  case inputTooLong(limitBytes: Int)
  case wordTooLong(limitBytes: Int)
  case inputEmpty
  case promptTooLong(tokens: Int, slots: Int)
  case promptAboveMax(tokens: Int, promptMax: Int, policy: StaticString)
  case policy(EvictionSettings.Defect, EvictionSettings, name: StaticString)
  case prompt(Evictor.PromptDefect, policy: StaticString)
  case badIDs(Text, bytes: Int)
  case idOutOfRange(Int, position: Int, vocabulary: Int)
  case noChatTemplate
  case nonFinite(position: Int)
  case interrupted

  /// The code the process exits with.
  package var exitCode: ExitCode {
    switch self {
    case .usage: .usage
    case .host(.interrupted, _, _), .interrupted: .interrupted
    case .host(.missing, .reading, _): .missingInput
    case .host(_, .reading, _): .missingInput
    case .host(_, .writing, _): .cannotWrite
    case .profile, .unknownProfile, .doesNotFit, .reservation, .threads: .doesNotFit
    case .instructionSet, .contextTooSmall, .promptTooLong, .promptAboveMax, .inputTooLong,
      .wordTooLong, .policy,
      .prompt:
      .doesNotFit
    case .model, .ggufOnBoard, .notAModel, .sectionChecksum, .tokenizerSection: .badFile
    case .noTokenForByte: .badFile
    case .badIDs, .idOutOfRange, .nonFinite, .noChatTemplate: .badFile
    case .inputEmpty: .missingInput
    }
  }
}
