import Profiles
import Units

/// The commands that both builds have.
package enum Verb: Int, BitwiseCopyable {
  case plan
  case run
  case logits

  /// The command that `word` names.
  package init?(named word: Text) {
    for raw in 0..<3 {
      if let verb = Verb(rawValue: raw), word.equals(verb.name) {
        self = verb
        return
      }
    }
    return nil
  }

  /// The word on the command line.
  package var name: StaticString {
    switch self {
    case .plan: "plan"
    case .run: "run"
    case .logits: "logits"
    }
  }
}

/// Every option of `plan`, `run` and `logits`.
package enum Option: Int {
  case model, profile, context, budget, keyValueFormat, keyFormat, valueFormat, policy, promptMax,
    tune
  case file, prompt, chat, system, raw, prefix, suffix, stop
  case tokens, temperature, topK, topP, minP, repeatPenalty, seed
  case threads, isa, ids, promptTokens, output, chunk, json, explain, help

  /// Number of options.
  package static var count: Int { Option.help.rawValue + 1 }
}

/// How an option is written, and what it says of itself in the help.
package struct OptionSpelling {
  /// The option.
  let option: Option
  /// The spelling the help shows, dashes included.
  package let long: StaticString
  /// Other spellings, separated by single spaces: short forms and those of llama.cpp.
  package let aliases: StaticString
  /// What its value is called; empty for a switch.
  let value: StaticString
  /// The commands that take it, by first letter.
  let verbs: StaticString
  /// One line of help.
  let help: StaticString

  init(
    _ option: Option, _ long: StaticString, _ aliases: StaticString, _ value: StaticString,
    _ verbs: StaticString, _ help: StaticString
  ) {
    self.option = option
    self.long = long
    self.aliases = aliases
    self.value = value
    self.verbs = verbs
    self.help = help
  }

  /// Whether the option needs a value.
  package var takesValue: Bool { value.utf8CodeUnitCount > 0 }

  /// Whether `verb` takes the option.
  package func belongs(to verb: Verb) -> Bool {
    let initial = Text(verb.name)[0]
    return Text(verbs).firstIndex(of: initial) != nil
  }

  /// Appends the help, with the names that the value may be; with an indent on lines of their own,
  /// which begin with that many spaces.
  func writeHelp(to text: inout TextBuffer, indent: Int = 0) {
    text.append(help)
    guard option == .policy || option == .isa else { return }
    text.append(indent > 0 ? ":\n" : ": ")
    text.pad(indent)
    let width = indent > 0 ? 100 - indent : .max
    if option == .policy {
      PolicyChoice.writeNames(to: &text, width: width, indent: indent)
    } else {
      InstructionSet.writeNames(to: &text, width: width, indent: indent)
    }
  }

  /// Whether `text` is one of the option's spellings.
  func matches(_ text: Text) -> Bool {
    if text.equals(long) { return true }
    let aliases = Text(aliases)
    var start = 0
    while start < aliases.count {
      let end = aliases.firstIndex(of: 32, from: start) ?? aliases.count
      if aliases.extracting(start..<end).equals(text) { return true }
      start = end + 1
    }
    return false
  }

  /// The spelling of an option; the order is that of the help.
  package static func of(_ option: Option) -> OptionSpelling {
    switch option {
    case .model, .profile, .context, .budget, .keyValueFormat, .keyFormat, .valueFormat,
      .policy, .promptMax, .tune:
      memory(option)
    case .file, .prompt, .chat, .system, .raw, .prefix, .suffix, .stop: input(option)
    case .tokens, .temperature, .topK, .topP, .minP, .repeatPenalty, .seed: sampling(option)
    case .threads, .isa, .ids, .promptTokens, .output, .chunk, .json, .explain, .help:
      machine(option)
    }
  }

  private static func memory(_ option: Option) -> OptionSpelling {
    switch option {
    case .profile:
      OptionSpelling(
        option, "--profile", "", "NAME|FILE", "prl",
        "memory budget and device: a name in Profiles/ or a file")
    case .context:
      OptionSpelling(
        option, "--context", "-c --ctx-size", "N", "prl",
        "tokens the KV cache holds: its slots")
    case .budget:
      OptionSpelling(
        option, "--budget", "", "N", "prl",
        "the same, for longer inputs: with the policy valuediff-h2o where none is named")
    case .keyValueFormat:
      OptionSpelling(
        option, "--kv", "", "K[,V]", "prl", "KV cache format: int8 or int4, values apart if given")
    case .keyFormat:
      OptionSpelling(
        option, "--keys", "-ctk --cache-type-k", "K", "prl", "format of the keys: int8 or int4")
    case .valueFormat:
      OptionSpelling(
        option, "--values", "-ctv --cache-type-v", "V", "prl",
        "format of the values: int8 or int4")
    case .policy:
      OptionSpelling(
        option, "--policy", "", "NAME", "prl", "what stays when the cache is full")
    case .promptMax:
      OptionSpelling(
        option, "--prompt-max", "", "N", "prl",
        "tokens of the longest prompt, where the policy holds it whole before it chooses")
    case .tune:
      OptionSpelling(
        option, "--tune", "", "KEY=VALUE", "prl",
        "any key of a profile, such as scissorhands-drop=16; may be given up to 8 times")
    default:
      OptionSpelling(
        option, "--model", "-m", "FILE", "prl", "the model, if not given as an argument")
    }
  }

  private static func input(_ option: Option) -> OptionSpelling {
    switch option {
    case .file:
      OptionSpelling(
        option, "--file", "-f", "FILE", "r", "the document to read; - is standard input")
    case .prompt:
      OptionSpelling(
        option, "--prompt", "-p", "TEXT", "r", "the instruction, after the document if there is one"
      )
    case .chat:
      OptionSpelling(
        option, "--chat", "-cnv --conversation", "", "r",
        "talk: one line in, one reply out, until end of input")
    case .system:
      OptionSpelling(
        option, "--system", "-sys --system-prompt", "TEXT", "r", "the system message")
    case .raw:
      OptionSpelling(
        option, "--raw", "-no-cnv --no-conversation", "", "r", "do not apply the chat template")
    case .prefix:
      OptionSpelling(
        option, "--prefix", "--in-prefix", "TEXT", "r",
        "text before each user message, instead of the chat template's")
    case .suffix:
      OptionSpelling(
        option, "--suffix", "--in-suffix", "TEXT", "r",
        "text after each user message, instead of the chat template's")
    default:
      OptionSpelling(
        option, "--stop", "-r --reverse-prompt", "TEXT", "r",
        "end the reply before this text; may be given up to 8 times")
    }
  }

  private static func sampling(_ option: Option) -> OptionSpelling {
    switch option {
    case .tokens:
      OptionSpelling(
        option, "--tokens", "-n --predict --n-predict", "N", "r", "longest reply, in tokens")
    case .temperature:
      OptionSpelling(
        option, "--temperature", "--temp", "T", "r", "0 (the default): always the likeliest token")
    case .topK:
      OptionSpelling(
        option, "--top-k", "", "K", "r", "sample among the K likeliest; 0: among all (40)")
    case .topP:
      OptionSpelling(
        option, "--top-p", "", "P", "r", "sample among the likeliest that sum to P (0.95)")
    case .minP:
      OptionSpelling(
        option, "--min-p", "", "P", "r", "drop tokens below P times the likeliest (0.05)")
    case .repeatPenalty:
      OptionSpelling(
        option, "--repeat-penalty", "", "X", "r",
        "divide the logits of the last 64 tokens by X (1: off)")
    default:
      OptionSpelling(option, "--seed", "-s", "N", "r", "seed of the sampler (0)")
    }
  }

  private static func machine(_ option: Option) -> OptionSpelling {
    switch option {
    case .threads: OptionSpelling(option, "--threads", "-t", "N", "prl", "worker threads")
    case .isa:
      OptionSpelling(
        option, "--isa", "", "NAME", "rl", "kernels to use instead of the fastest")
    case .ids:
      OptionSpelling(
        option, "--ids", "", "FILE", "l", "token ids to run: int32, little-endian")
    case .promptTokens:
      OptionSpelling(
        option, "--prompt-tokens", "", "N", "l",
        "the first N ids are a prompt, for the policy to choose from; logits from its last one on")
    case .output:
      OptionSpelling(
        option, "--output", "-o", "FILE", "l",
        "where the logits go: float32, little-endian, [tokens, vocabulary]")
    case .chunk: OptionSpelling(option, "--chunk", "", "N", "l", "tokens per prefill tile")
    case .json: OptionSpelling(option, "--json", "", "", "pr", "print JSON instead of text")
    case .explain:
      OptionSpelling(
        option, "--explain", "", "FILE", "r",
        "write a page: which tokens the cache still held when the reply began (raw on boards)")
    default: OptionSpelling(option, "--help", "-h", "", "prl", "print this help")
    }
  }
}
