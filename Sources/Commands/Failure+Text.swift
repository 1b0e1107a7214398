import Eviction
import Kernels
import Tokenization
import Profiles
import ModelFormat
import Units

extension Failure {
  /// Appends one line without a line feed: what is wrong, the limit, the remedy.
  func write(to text: inout TextBuffer) {
    switch self {
    case .usage(let error): error.write(to: &text)
    case .host(let error, let action, let file): Self.write(error, action, file, to: &text)
    case .profile(let error, let file): error.write(to: &text, file: file.bytes)
    case .unknownProfile(let name):
      text.append("there is no profile `")
      text.append(name.bytes)
      text.append("`: no file of that name, and no Profiles/")
      text.append(name.bytes)
      text.append(".toml here, beside the program or above it")
    case .model(let error, let file):
      text.append(file.bytes)
      text.append(": ")
      error.describe(into: &text)
    case .ggufOnBoard(let file):
      text.append(file.bytes)
      text.append(": this is a GGUF file; pack it on a workstation with: terrarium pack ")
      text.append(file.bytes)
    case .notAModel(let file):
      text.append(file.bytes)
      text.append(": neither a pack file nor a GGUF file")
    case .sectionChecksum(let section, let layer, let file):
      text.append(file.bytes)
      text.append(": damaged: the checksum of ")
      text.append(section)
      if layer >= 0 {
        text.append(" of layer ")
        text.append(layer)
      }
      text.append(" is wrong; copy or pack the file again")
    case .tokenizerSection(let error, let file):
      text.append(file.bytes)
      text.append(": tokenizer or chat template: ")
      error.describe(into: &text)
      text.append("; pack the file again")
    case .doesNotFit(let missingBytes, let budgetBytes):
      text.append("does not fit: ")
      text.append(grouped: missingBytes)
      text.append(" bytes are missing from a budget of ")
      text.append(grouped: budgetBytes)
      text.append(" bytes")
    default: writeRun(to: &text)
    }
  }

  private func writeRun(to text: inout TextBuffer) {
    switch self {
    case .reservation(let error, let bytes):
      text.append("the system does not grant ")
      text.append(grouped: bytes)
      text.append(" bytes (")
      error.write(to: &text)
      if error == .notLocked {
        text.append("); raise the limit with ulimit -l, or set lock-memory = false in the profile")
      } else {
        text.append("); free memory, raise its limit, or choose a smaller context")
      }
    case .threads(let error):
      text.append("the threads could not be started (")
      error.write(to: &text)
      text.append("); try --threads 1")
    case .instructionSet(let set, let available):
      text.append("this processor has no ")
      text.append(set.name)
      text.append("; it has ")
      available.writeNames(to: &text, separator: ", ")
      text.append("; name one of these, or leave isa and --isa out to use the fastest")
    case .contextTooSmall(let needed, let slots):
      text.append("a context of ")
      text.append(slots)
      text.append(" tokens is too small; the least is ")
      text.append(needed)
    case .inputTooLong(let limit):
      text.append("the input is longer than ")
      text.append(grouped: limit)
      text.append(" bytes; raise prompt-bytes in the profile")
    case .wordTooLong(let limit):
      text.append("the input has a run without a break longer than ")
      text.append(grouped: limit)
      text.append(" bytes; raise word-bytes in the profile")
    case .noTokenForByte(let byte):
      text.append("the vocabulary has no token for byte ")
      text.append(byte)
    case .inputEmpty:
      text.append("the input is empty")
    case .promptTooLong(let tokens, let slots):
      text.append("the input of at least ")
      text.append(grouped: tokens)
      text.append(" tokens does not fit the context of ")
      text.append(grouped: slots)
      text.append("; raise --context, shorten the input, or use --policy streaming")
    case .badIDs(let file, let bytes):
      text.append(file.bytes)
      text.append(": ")
      text.append(grouped: bytes)
      text.append(" bytes are no whole, positive number of int32 token ids")
    case .idOutOfRange(let id, let position, let vocabulary):
      text.append("token id ")
      text.append(id)
      text.append(" at position ")
      text.append(position)
      text.append(" is outside the vocabulary of ")
      text.append(vocabulary)
    case .noChatTemplate:
      text.append("the model has no chat template that is known here;")
      text.append(" use --raw, or give --prefix and --suffix")
    case .nonFinite(let position):
      text.append("the model computed a number that is not finite in the tile that ends at token ")
      text.append(position)
      text.append("; the weights are damaged or the model is not supported")
    case .interrupted: text.append("interrupted")
    default: writePolicy(to: &text)
    }
  }

  private func writePolicy(to text: inout TextBuffer) {
    switch self {
    case .policy(let defect, let settings, let name):
      Self.write(defect, settings, name, to: &text)
    case .promptAboveMax(let tokens, let most, let policy):
      text.append("the input of at least ")
      text.append(grouped: tokens)
      text.append(" tokens is longer than what ")
      text.append(policy)
      text.append(" holds before it chooses, ")
      text.append(grouped: most)
      text.append("; raise --prompt-max, shorten the input, or use --policy scissorhands")
    case .prompt(let defect, let policy):
      text.append("the policy ")
      text.append(policy)
      switch defect {
      case .choosesOnce:
        text.append(" chose its tokens for an earlier question; give the document with --file,")
        text.append(" so that it is read again for each one, raise --context, or use --policy")
        text.append(" scissorhands")
      case .instructionTooLong:
        text.append(" finds no room for a document beside the instruction; give the document")
        text.append(" with --file and a short instruction with --prompt, or raise --context")
      }
    default: break
    }
  }

  private static func write(
    _ defect: EvictionSettings.Defect, _ settings: EvictionSettings, _ name: StaticString,
    to text: inout TextBuffer
  ) {
    switch defect {
    case .tooFewSlots:
      text.append("a policy that evicts needs at least ")
      text.append(EvictionSettings.slotsMin)
      text.append(" slots, not ")
      text.append(settings.slots)
      text.append("; raise --context")
    case .chunkTooLarge:
      text.append("policy-chunk is ")
      text.append(settings.chunk)
      text.append(", more than half of the context of ")
      text.append(settings.slots)
      text.append("; lower it or raise --context")
    case .historyTooLong:
      text.append("scissorhands-history is ")
      text.append(settings.history)
      text.append("; it may be at most twice scissorhands-drop, ")
      text.append(2 * settings.drop)
    case .nothingToDrop:
      let isVotes = settings.policy == .scissorhands
      text.append(isVotes ? "scissorhands-drop" : "valuediff-drop")
      text.append(" and ")
      text.append(isVotes ? "scissorhands-recent" : "valuediff-recent")
      text.append(" are ")
      text.append(settings.drop + settings.recent)
      text.append(" together, more than the context of ")
      text.append(settings.slots)
    case .keysDoNotTurn:
      text.append(name)
      text.append(" counts positions anew, which int4 keys do not bear; use --keys int8")
    case .windowTooLarge:
      text.append("snapkv-window leaves no slot: with the reserve of ")
      text.append(settings.reserve)
      text.append(" it may be at most ")
      text.append(settings.slots - settings.reserve - 1)
    }
  }

  private static func write(
    _ error: HostError, _ action: FileAction, _ file: Text, to text: inout TextBuffer
  ) {
    text.append(action == .reading ? "cannot read " : "cannot write ")
    text.append(file.bytes)
    text.append(": ")
    error.write(to: &text)
  }
}

extension HostError {
  /// Appends what the system said.
  func write(to text: inout TextBuffer) {
    switch self {
    case .missing: text.append("no such file or folder")
    case .notPermitted: text.append("not permitted")
    case .notRegular: text.append("not a regular file")
    case .noSpace: text.append("no space left")
    case .noMemory: text.append("not enough memory")
    case .notLocked: text.append("it may not be locked")
    case .closedPipe: text.append("nobody reads the output")
    case .interrupted: text.append("interrupted")
    case .nameTooLong: text.append("the name is too long")
    case .system(let number):
      text.append("system error ")
      text.append(Int(number))
    }
  }
}

extension UsageError {
  /// Appends what is wrong with the command line, and what would be right.
  func write(to text: inout TextBuffer) {
    switch self {
    case .unknownOption(let name, let verb):
      text.append("`")
      text.append(name.bytes)
      text.append("` is no option of ")
      text.append(verb.name)
      text.append("; terrarium ")
      text.append(verb.name)
      text.append(" --help lists them")
    case .valueMissing(let name):
      text.append(name.bytes)
      text.append(" needs a value after it")
    case .valueNotTaken(let name):
      text.append(name.bytes)
      text.append(" takes no value")
    case .badValue(let value, let option):
      let spelling = OptionSpelling.of(option)
      text.append("`")
      text.append(value.bytes)
      text.append("` is no value for ")
      text.append(spelling.long)
      text.append(" (")
      spelling.writeHelp(to: &text)
      text.append(")")
    case .tooMany(let option, let limit):
      text.append(OptionSpelling.of(option).long)
      text.append(" may be given at most ")
      text.append(limit)
      text.append(" times")
    case .secondArgument(let word):
      text.append("`")
      text.append(word.bytes)
      text.append("` is one argument too many: only one model is run")
    case .needed(let option, let verb):
      text.append("terrarium ")
      text.append(verb.name)
      text.append(" needs ")
      text.append(option == .model ? "a model file" : OptionSpelling.of(option).long)
    case .nothingToRead:
      text.append("there is nothing to read: give --prompt TEXT, --file FILE or --chat")
    case .contradiction(let one, let other):
      text.append(OptionSpelling.of(one).long)
      text.append(" and ")
      text.append(OptionSpelling.of(other).long)
      text.append(" exclude each other")
    case .tooManyWords(let count, let limit):
      text.append("a command line of ")
      text.append(grouped: count)
      text.append(" words is too long; after the command's name it may have ")
      text.append(limit)
    }
  }
}
