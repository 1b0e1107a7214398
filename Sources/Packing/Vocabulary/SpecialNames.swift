/// Tokens that are recognised by their text, because files do not mark them reliably.
///
/// The lists are llama.cpp's; a token of one of them is a control token whatever its type says.
enum SpecialNames {
  /// What a token of a certain text is for.
  struct Role: OptionSet {
    let rawValue: UInt16

    static let endOfTurn = Role(rawValue: 1)
    static let endOfMessage = Role(rawValue: 2)
    static let fillPrefix = Role(rawValue: 4)
    static let fillSuffix = Role(rawValue: 8)
    static let fillMiddle = Role(rawValue: 16)
    static let fillPadding = Role(rawValue: 32)
    static let fillRepository = Role(rawValue: 64)
    static let fillSeparator = Role(rawValue: 128)
    static let stop = Role(rawValue: 256)

    /// Shown although it looks like a control token.
    static let shown = Role(rawValue: 512)

    /// Of these only the first token found counts, and none where the file names one.
    static let single: [Role] = [
      .endOfTurn, .endOfMessage, .fillPrefix, .fillSuffix, .fillMiddle, .fillPadding,
      .fillRepository, .fillSeparator,
    ]
  }

  /// Whether `text` may be in the lists at all: a quick test before the search.
  static func mayContain(_ text: ArraySlice<UInt8>) -> Bool {
    guard let last = text.last else { return false }
    return (last == 0x3E || last == 0x5D || last == 0x5B) && text.count <= 32
  }

  static let roles: [[UInt8]: Role] = {
    var roles: [[UInt8]: Role] = [:]
    for (role, names) in lists {
      for name in names { roles[Array(name.utf8), default: []].insert(role) }
    }
    return roles
  }()

  /// Keys of a GGUF file that name the token of a role.
  static let keys: [(role: Role, keys: [String])] = [
    (.endOfTurn, ["eot"]), (.endOfMessage, ["eom"]), (.fillPrefix, ["fim_pre", "prefix"]),
    (.fillSuffix, ["fim_suf", "suffix"]), (.fillMiddle, ["fim_mid", "middle"]),
    (.fillPadding, ["fim_pad"]), (.fillRepository, ["fim_rep"]), (.fillSeparator, ["fim_sep"]),
  ]

  private static let lists: [(Role, [String])] = [
    (
      .endOfTurn,
      [
        "<|eot_id|>", "<|im_end|>", "<|end|>", "<end_of_turn>", "<|endoftext|>",
        "<|end_of_text|>", "<EOT>", "_<EOT>", "[EOT]", "<｜end▁of▁sentence｜>",
        "<end_of_utterance>",
      ]
    ),
    (.endOfMessage, ["<|eom_id|>"]),
    (
      .fillPrefix,
      [
        "<|fim_prefix|>", "<fim-prefix>", "<fim_prefix>", "<｜fim▁begin｜>", "<PRE>", "▁<PRE>",
        "<|code_prefix|>", "<|prefix|>",
      ]
    ),
    (
      .fillSuffix,
      [
        "<|fim_suffix|>", "<fim-suffix>", "<fim_suffix>", "<｜fim▁hole｜>", "<SUF>", "▁<SUF>",
        "<|code_suffix|>", "<|suffix|>",
      ]
    ),
    (
      .fillMiddle,
      [
        "<|fim_middle|>", "<fim-middle>", "<fim_middle>", "<｜fim▁end｜>", "<MID>", "▁<MID>",
        "<|code_middle|>", "<|middle|>",
      ]
    ),
    (.fillPadding, ["<|fim_pad|>", "<fim-pad>", "<fim_pad>", "<PAD>", "[PAD]"]),
    (
      .fillRepository,
      ["<|fim_repo|>", "<|repo_name|>", "<fim-repo>", "<REPO>", "<reponame>"]
    ),
    (.fillSeparator, ["<|file_sep|>"]),
    (
      .stop,
      [
        "<|eot_id|>", "<|im_end|>", "<|end|>", "<|return|>", "<|call|>", "<|flush|>",
        "<|calls|>", "<end_of_turn>", "<|endoftext|>", "</s>", "<|eom_id|>", "<EOT>", "_<EOT>",
        "[EOT]", "[EOS]", "<|end_of_text|>", "<end_of_utterance>", "<eos>", "<turn|>",
        "<|tool_response>", "<｜end▁of▁sentence｜>", "[e~[",
      ]
    ),
    (.shown, ["<|channel|>", "<|message|>", "<|start|>", "<|constrain|>"]),
  ]
}
