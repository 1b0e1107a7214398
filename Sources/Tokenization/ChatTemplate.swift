package import Units

/// Who speaks a message of a conversation.
package enum ChatRole: UInt32, BitwiseCopyable {
  case system = 0
  case user = 1
  case assistant = 2
}

/// The families of chat templates that are recognised.
package enum ChatTemplateFamily: UInt32, BitwiseCopyable {
  /// No template, or one that is not known: the user must say what surrounds a message.
  case unrecognised = 0
  case chatML = 1
  case llama3 = 2
  case llama2 = 3
  case mistral = 4
  case zephyr = 5

  /// Prefix and suffix that the user gave.
  case custom = 6
}

/// What precedes the text of a message.
package struct ChatPrefix: BitwiseCopyable {
  /// Tokens before the text.
  package let tokens: TokenSequence

  /// Whether a space is written before the text, in the same word as its beginning.
  package let leadsWithSpace: Bool

  /// Whether the text follows a special token: `Encoder.Options.startsText` for it.
  package let startsText: Bool

  /// Whether white space around the text is taken away.
  package let trimsText: Bool
}

/// Tokens inside a section.
package struct TokenSequence: BitwiseCopyable {
  let bytes: FixedBuffer<UInt8>

  /// Number of tokens.
  package var count: Int { bytes.count / 4 }

  /// One token; traps outside `0..<count`.
  package subscript(index: Int) -> Int32 {
    bytes.bytes.loadLittleEndian(at: 4 * index, as: Int32.self)
  }
}

/// A chat template reduced to token sequences: a view of a checked section of fixed size.
///
/// A conversation is the begin token where the vocabulary adds one, for each message
/// `prefix(of:after:)`, the text (as the prefix says;
/// special tokens not parsed), and `suffix(of:)`; then `generationPrompt`.
///
/// Header words of the section: magic, version, family, then zeros. Then 16 entries of (first
/// token, tokens, flags, 0): the prefixes of each role after nothing and after each role,
/// 4 × role + (0 or 1 + previous role); the suffixes of each role, 12 + role; the generation
/// prompt, 15. Flags: 1: a space leads, 2: the text starts a text, 4: it is trimmed. Then tokens
/// up to the end.
package struct ChatTemplate: BitwiseCopyable {
  package static var magic: UInt32 { 0x5441_4843 }
  package static var version: UInt32 { 1 }
  package static var entries: Int { 16 }
  package static var entriesOffset: Int { 32 }
  package static var tokensOffset: Int { entriesOffset + 16 * entries }

  /// Bytes of every chat template section.
  package static var sectionBytes: Int { 4_096 }

  /// Tokens that fit a section in all.
  package static var tokensMax: Int { (sectionBytes - tokensOffset) / 4 }

  private let section: FixedBuffer<UInt8>

  /// What kind of template it is.
  package let family: ChatTemplateFamily

  /// Checks `section` against a vocabulary of `tokenCount` tokens and takes it as it is.
  package init(
    section: FixedBuffer<UInt8>, tokenCount: Int
  ) throws(TokenizerSectionError) {
    guard section.count == Self.sectionBytes else {
      throw .wrongSize(bytes: section.count, needed: Self.sectionBytes)
    }
    self.section = section
    let magic = Self.word(section, 0)
    guard magic == Self.magic else { throw .badMagic(magic) }
    let version = Self.word(section, 1)
    guard version <= Self.version else {
      throw .newerVersion(version, supported: Self.version)
    }
    guard let family = ChatTemplateFamily(rawValue: Self.word(section, 2)) else {
      throw .unknownTemplate(Self.word(section, 2))
    }
    self.family = family
    for index in 0..<Self.entries {
      let first = Int(Self.entry(section, index, 0))
      let count = Int(Self.entry(section, index, 1))
      guard first <= Self.tokensMax && count <= Self.tokensMax - first else {
        throw .badSequence(index: index)
      }
      for place in first..<first + count {
        let token = Self.word(section, Self.tokensOffset / 4 + place)
        guard Int(token) < tokenCount else { throw .idOutOfRange(token, index: place) }
      }
    }
  }

  /// What precedes a message of `role` after one of `previous`, or at the beginning.
  package func prefix(of role: ChatRole, after previous: ChatRole?) -> ChatPrefix {
    let index = 4 * Int(role.rawValue) + (previous.map { 1 + Int($0.rawValue) } ?? 0)
    let flags = Self.entry(section, index, 2)
    return ChatPrefix(
      tokens: sequence(index), leadsWithSpace: flags & 1 != 0, startsText: flags & 2 != 0,
      trimsText: flags & 4 != 0)
  }

  /// What follows the text of a message of `role`.
  package func suffix(of role: ChatRole) -> TokenSequence {
    sequence(12 + Int(role.rawValue))
  }

  /// What makes the model answer.
  package var generationPrompt: TokenSequence { sequence(15) }

  private func sequence(_ index: Int) -> TokenSequence {
    let start = Self.tokensOffset + 4 * Int(Self.entry(section, index, 0))
    let end = start + 4 * Int(Self.entry(section, index, 1))
    return TokenSequence(bytes: section.extracting(start..<end))
  }

  private static func word(_ section: FixedBuffer<UInt8>, _ index: Int) -> UInt32 {
    section.bytes.loadLittleEndian(at: 4 * index, as: UInt32.self)
  }

  private static func entry(
    _ section: FixedBuffer<UInt8>, _ index: Int, _ field: Int
  ) -> UInt32 {
    word(section, entriesOffset / 4 + 4 * index + field)
  }
}
