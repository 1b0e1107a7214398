package import Units

/// Turns tokens into text as they come, never cutting a character of UTF-8.
///
/// Bytes that may still become a character are held back, at most three; bytes that are not
/// UTF-8 pass as they are.
package struct Decoder {
  private let tokenizer: Tokenizer
  private let showsControl: Bool
  private var stripsSpace: Bool
  private var held = InlineArray<4, UInt8>(repeating: 0)
  private var heldCount = 0

  /// Decodes with `tokenizer`; `showsControl`: control and unknown tokens are written, not
  /// skipped; `startsText`: the space that encoding imagines before a text is taken away.
  package init(tokenizer: Tokenizer, showsControl: Bool = false, startsText: Bool) {
    self.tokenizer = tokenizer
    self.showsControl = showsControl
    stripsSpace = startsText && tokenizer.addsSpacePrefix
  }

  /// Bytes that one token can add to a text buffer at most.
  package static func bytesMax(_ tokenizer: Tokenizer) -> Int { tokenizer.longestPieceBytes + 3 }

  /// Appends the text of `token` as far as its characters are complete.
  package mutating func append(
    _ token: Int32, into text: inout TextBuffer
  ) throws(TokenizationError) {
    guard tokenizer.contains(token) else {
      throw .tokenOutOfRange(token, count: tokenizer.tokenCount)
    }
    let attributes = tokenizer.attributes(of: token)
    let piece = tokenizer.piece(token)
    if attributes.has(TokenAttributes.control | TokenAttributes.unknown) {
      if showsControl { append(raw: piece, into: &text) }
    } else if attributes.has(TokenAttributes.userDefined) {
      append(raw: piece, into: &text)
      stripsSpace = false
    } else if attributes.has(TokenAttributes.byte) {
      if let byte = Self.byte(named: piece) { append(byte: byte, into: &text) }
      stripsSpace = false
    } else if attributes.has(TokenAttributes.normal) {
      append(normal: piece, into: &text)
      stripsSpace = false
    }
  }

  /// Appends what was held back: the text ends here.
  package mutating func finish(into text: inout TextBuffer) {
    for index in 0..<heldCount { text.append(byte: held[index]) }
    heldCount = 0
  }

  private mutating func append(raw piece: FixedBuffer<UInt8>, into text: inout TextBuffer) {
    for index in 0..<piece.count { append(byte: piece[index], into: &text) }
  }

  /// Undoes the spelling of a piece.
  private mutating func append(normal piece: FixedBuffer<UInt8>, into text: inout TextBuffer) {
    let bytes = piece.bytes
    var offset = 0
    while offset < piece.count {
      let scalar = TextScalar(bytes, at: offset, end: piece.count)
      if tokenizer.model == .sentencePiece && scalar.value == 0x2581 {
        if offset > 0 || !stripsSpace { append(byte: 32, into: &text) }
      } else if tokenizer.model == .bytePair, let byte = ByteLevel.byte(for: scalar.value) {
        append(byte: byte, into: &text)
      } else {
        for index in offset..<offset + scalar.byteCount { append(byte: piece[index], into: &text) }
      }
      offset += scalar.byteCount
    }
  }

  /// Appends one byte, holding back what may become a character.
  private mutating func append(byte: UInt8, into text: inout TextBuffer) {
    if heldCount > 0 && !continues(byte) { finish(into: &text) }
    held[heldCount] = byte
    heldCount += 1
    if heldCount == Self.length(held[0]) { finish(into: &text) }
  }

  /// Whether `byte` can follow the bytes held back in well-formed UTF-8.
  private func continues(_ byte: UInt8) -> Bool {
    guard heldCount == 1 else { return byte & 0xC0 == 0x80 }
    switch held[0] {
    case 0xE0: return byte >= 0xA0 && byte <= 0xBF
    case 0xED: return byte >= 0x80 && byte <= 0x9F
    case 0xF0: return byte >= 0x90 && byte <= 0xBF
    case 0xF4: return byte >= 0x80 && byte <= 0x8F
    default: return byte & 0xC0 == 0x80
    }
  }

  /// Bytes of the character that begins with `byte`; 1 where none does.
  private static func length(_ byte: UInt8) -> Int {
    switch byte {
    case 0xC2...0xDF: 2
    case 0xE0...0xEF: 3
    case 0xF0...0xF4: 4
    default: 1
    }
  }

  /// The byte that a piece like `<0x0A>` names, or a piece of one byte is.
  package static func byte(named piece: FixedBuffer<UInt8>) -> UInt8? {
    if piece.count == 1 { return piece[0] }
    guard
      piece.count == 6 && piece[0] == 0x3C && piece[1] == 0x30 && piece[2] == 0x78
        && piece[5] == 0x3E, let high = digit(piece[3]), let low = digit(piece[4])
    else { return nil }
    return high &<< 4 | low
  }

  private static func digit(_ byte: UInt8) -> UInt8? {
    switch byte {
    case 0x30...0x39: byte - 0x30
    case 0x41...0x46: byte - 0x37
    case 0x61...0x66: byte - 0x57
    default: nil
    }
  }
}
