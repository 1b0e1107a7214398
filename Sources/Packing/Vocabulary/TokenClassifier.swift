internal import Tokenization
internal import Units

/// Finds out what each token is, from its type in the file and from what its text reveals.
struct TokenClassifier {
  private let keys: VocabularyKeys
  private let pieces: GGUFValue
  private let types: GGUFValue?
  private let end: UInt32
  private let isPhi3: Bool

  /// The token of each role of which there is one.
  private var single: [UInt16: UInt32] = [:]

  /// Tokens with a text from the lists, in order.
  private var named: [(token: Int, role: SpecialNames.Role, text: [UInt8])] = []
  private var isEmpty: [Bool]

  init(_ keys: VocabularyKeys, pieces: GGUFValue, end: UInt32) throws(VocabularyError) {
    self.keys = keys
    self.pieces = pieces
    self.end = end
    types = try keys.types(tokens: pieces.count)
    let name = try keys.text("general.name")?.lowercased() ?? ""
    isPhi3 = name.contains("phi-3") || name.contains("phi3")
    for (role, names) in SpecialNames.keys {
      for name in names {
        if let token = try keys.namedToken(name, among: pieces.count) {
          single[role.rawValue] = token
        }
      }
    }
    isEmpty = [Bool](repeating: false, count: pieces.count)
    var token = 0
    for text in PieceList(pieces, in: keys.header) {
      if text.isEmpty { isEmpty[token] = true }
      if SpecialNames.mayContain(text) {
        let text = Array(text)
        if let role = SpecialNames.roles[text] { named.append((token, role, text)) }
      }
      token += 1
    }
  }

  /// The attributes of each token.
  mutating func attributes() -> [UInt8] {
    var attributes = typeAttributes()
    for (token, role, _) in named {
      for candidate in SpecialNames.Role.single
      where role.contains(candidate) && single[candidate.rawValue] == nil {
        single[candidate.rawValue] = UInt32(token)
        attributes[token] |= TokenAttributes.control
      }
    }
    let stopping: [SpecialNames.Role] = [
      .fillPadding, .fillRepository, .fillSeparator, .endOfTurn, .endOfMessage,
    ]
    for role in stopping {
      if let token = single[role.rawValue] { attributes[Int(token)] |= TokenAttributes.stop }
    }
    for (token, role, _) in named where role.contains(.stop) {
      attributes[token] |= TokenAttributes.stop | TokenAttributes.control
    }
    for (token, role, _) in named where role.contains(.shown) {
      attributes[token] = TokenAttributes.userDefined | attributes[token] & TokenAttributes.stop
    }
    if end != TokenizerLayout.noToken { attributes[Int(end)] |= TokenAttributes.stop }
    correctStops(&attributes)
    if isPhi3 { addStripping(&attributes) }
    return attributes
  }

  /// The special tokens of `attributes` that have a text.
  func specials(_ attributes: [UInt8]) -> [UInt32] {
    let special =
      TokenAttributes.control | TokenAttributes.userDefined | TokenAttributes.unknown
    return attributes.indices.filter { attributes[$0] & special != 0 && !isEmpty[$0] }
      .map { UInt32($0) }
  }

  /// What the types of the file say: normal, unknown, control, user-defined, unused, byte.
  private func typeAttributes() -> [UInt8] {
    guard let types else {
      return [UInt8](repeating: TokenAttributes.normal, count: pieces.count)
    }
    let bytes = keys.header.bytes.rawSpan
    return (0..<pieces.count).map { token in
      let start = types.range.lowerBound + 4 * token
      return switch bytes.loadLittleEndian(at: start, as: Int32.self) {
      case 1: TokenAttributes.normal
      case 2: TokenAttributes.unknown
      case 3: TokenAttributes.control
      case 4: TokenAttributes.userDefined
      case 6: TokenAttributes.byte
      default: 0
      }
    }
  }

  /// Undoes two stops: `<|end|>` where a model has calls and returns, and `</s>` where it is text.
  private func correctStops(_ attributes: inout [UInt8]) {
    func stop(_ text: String) -> Int? {
      named.first { $0.text == Array(text.utf8) }.map(\.token)
        .flatMap { attributes[$0] & TokenAttributes.stop != 0 ? $0 : nil }
    }
    let calls = stop("<|call|>") != nil || stop("<|calls|>") != nil
    if let end = stop("<|end|>"), calls, stop("<|return|>") ?? stop("<|flush|>") != nil {
      attributes[end] = TokenAttributes.userDefined
    }
    if let end = stop("</s>"), stop("<|tool_response>") != nil {
      attributes[end] = TokenAttributes.normal
    }
  }

  /// Special tokens of Phi-3 swallow the white space that follows, but for three.
  private func addStripping(_ attributes: inout [UInt8]) {
    let special =
      TokenAttributes.control | TokenAttributes.userDefined | TokenAttributes.unknown
    let exempt = ["<unk>", "<s>", "<|endoftext|>"].map { Array($0.utf8) }
    var token = 0
    for text in PieceList(pieces, in: keys.header) {
      if attributes[token] & special != 0 && !exempt.contains(Array(text))
        || text.elementsEqual("</s>".utf8)
      {
        attributes[token] |= TokenAttributes.stripsRight
      }
      token += 1
    }
  }
}
