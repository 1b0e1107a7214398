/// Cuts text without special tokens into the words that a byte-level vocabulary merges within.
///
/// Each pre-tokenizer is a regular expression, or several one after the other, each applied to
/// the pieces that the one before left; here they are scanners that look at each character a
/// bounded number of times. A scanner sees nothing beyond the piece it works in.
struct WordSplitter {
  private let kind: PreTokenizer
  private var position: Int
  private let end: Int

  /// End of the piece that the first expression left.
  private var outerEnd: Int

  /// End of the piece that the main expression left.
  private var innerEnd: Int

  init(_ kind: PreTokenizer, fragment: Range<Int>) {
    self.kind = kind
    position = fragment.lowerBound
    end = fragment.upperBound
    outerEnd = fragment.lowerBound
    innerEnd = fragment.lowerBound
  }

  /// The next word, or `nil` at the end.
  mutating func next(_ text: RawSpan) -> Range<Int>? {
    guard position < end else { return nil }
    let start = position
    switch kind {
    case .gpt2: position = Self.gpt2End(text, start, end)
    case .llama3: position = Self.llama3End(text, start, end, numbersMax: 3)
    case .qwen2: position = Self.llama3End(text, start, end, numbersMax: 1)
    case .smollm:
      if start == outerEnd { outerEnd = Self.singleNumberEnd(text, start, end) }
      position = Self.gpt2End(text, start, outerEnd)
    case .default:
      if start == outerEnd { outerEnd = Self.punctuationEnd(text, start, end) }
      if start == innerEnd { innerEnd = Self.gpt2End(text, start, outerEnd) }
      position = Self.numberGroupEnd(text, start, innerEnd)
    case .none: position = end
    }
    return start..<position
  }
}

/// The scanners: each returns the end of the word that begins at `start`, at most `end`.
extension WordSplitter {
  /// `\p{N}`, and what lies between.
  private static func singleNumberEnd(_ text: RawSpan, _ start: Int, _ end: Int) -> Int {
    let first = TextScalar(text, at: start, end: end)
    if first.kind == .number { return start + first.byteCount }
    return runEnd(text, start, end) { $0.kind != .number }
  }

  /// `[\p{P}\$\+<=>\^~\|]+`, and what lies between.
  private static func punctuationEnd(_ text: RawSpan, _ start: Int, _ end: Int) -> Int {
    let isPunctuation = isDefaultPunctuation(TextScalar(text, at: start, end: end))
    return runEnd(text, start, end) { isDefaultPunctuation($0) == isPunctuation }
  }

  private static func isDefaultPunctuation(_ character: TextScalar) -> Bool {
    switch character.value {
    case 0x24, 0x2B, 0x3C, 0x3D, 0x3E, 0x5E, 0x7C, 0x7E: true
    default: character.kind == .punctuation
    }
  }

  /// `\p{N}+`, then `[0-9][0-9][0-9]` within, and what lies between.
  private static func numberGroupEnd(_ text: RawSpan, _ start: Int, _ end: Int) -> Int {
    guard TextScalar(text, at: start, end: end).kind == .number else {
      return runEnd(text, start, end) { $0.kind != .number }
    }
    var position = start
    var digits = 0
    while position < end {
      let character = TextScalar(text, at: position, end: end)
      guard character.kind == .number else { break }
      position += character.byteCount
      digits = character.byteCount == 1 ? digits + 1 : 0
      if digits == 3 { return position - start == 3 ? position : position - 3 }
    }
    return position
  }

  /// `'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`.
  private static func gpt2End(_ text: RawSpan, _ start: Int, _ end: Int) -> Int {
    let first = TextScalar(text, at: start, end: end)
    if first.value == 0x27 {
      let length = contractionLength(text, start, end, ignoresCase: false)
      if length > 0 { return start + length }
    }
    var kind = first.kind
    if first.value == 0x20 && start + 1 < end {
      kind = TextScalar(text, at: start + 1, end: end).kind
    }
    switch kind {
    case .letter, .number:
      return runEnd(text, start + first.byteCount, end) { $0.kind == kind }
    case .other, .punctuation:
      return runEnd(text, start + first.byteCount, end) { isOther($0) }
    case .space: return spacesEnd(text, start, end)
    }
  }

  /// `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,numbersMax}`
  /// `| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`.
  private static func llama3End(
    _ text: RawSpan, _ start: Int, _ end: Int, numbersMax: Int
  ) -> Int {
    let first = TextScalar(text, at: start, end: end)
    if first.value == 0x27 {
      let length = contractionLength(text, start, end, ignoresCase: true)
      if length > 0 { return start + length }
    }
    let second = start + first.byteCount
    if first.kind == .number { return numbersEnd(text, start, end, numbersMax) }
    let secondKind = second < end ? TextScalar(text, at: second, end: end).kind : nil
    if !first.isLineBreak && (first.kind == .letter || secondKind == .letter) {
      return runEnd(text, second, end) { $0.kind == .letter }
    }
    let startsOther =
      first.value == 0x20
      ? secondKind == .other || secondKind == .punctuation : isOther(first)
    if startsOther {
      let symbols = runEnd(text, second, end) { isOther($0) }
      return runEnd(text, symbols, end) { $0.isLineBreak }
    }
    return lineBreaksEnd(text, start, end) ?? spacesEnd(text, start, end)
  }

  private static func isOther(_ character: TextScalar) -> Bool {
    character.kind == .other || character.kind == .punctuation
  }

  private static func numbersEnd(
    _ text: RawSpan, _ start: Int, _ end: Int, _ numbersMax: Int
  ) -> Int {
    var position = start
    for _ in 0..<numbersMax where position < end {
      let character = TextScalar(text, at: position, end: end)
      guard character.kind == .number else { break }
      position += character.byteCount
    }
    return position
  }

  /// `\s*[\r\n]+`: behind the last line break of the white space, or `nil` without one.
  private static func lineBreaksEnd(_ text: RawSpan, _ start: Int, _ end: Int) -> Int? {
    var position = start
    var last: Int?
    while position < end {
      let character = TextScalar(text, at: position, end: end)
      guard character.kind == .space else { break }
      position += character.byteCount
      if character.isLineBreak { last = position }
    }
    return last
  }

  /// `\s+(?!\S)|\s+`: white space, but for its last character if something else follows.
  private static func spacesEnd(_ text: RawSpan, _ start: Int, _ end: Int) -> Int {
    var position = start
    var last = start
    while position < end {
      let character = TextScalar(text, at: position, end: end)
      guard character.kind == .space else { break }
      last = position
      position += character.byteCount
    }
    return position < end && last > start ? last : position
  }

  /// Bytes of the contraction after the apostrophe at `start`, apostrophe included, or 0.
  private static func contractionLength(
    _ text: RawSpan, _ start: Int, _ end: Int, ignoresCase: Bool
  ) -> Int {
    func letter(_ offset: Int) -> UInt8 {
      guard offset < end else { return 0 }
      let byte = text.byte(at: offset)
      return ignoresCase && byte >= 65 && byte <= 90 ? byte + 32 : byte
    }
    switch letter(start + 1) {
    case 0x73, 0x74, 0x6D, 0x64: return 2
    case 0x72, 0x76: return letter(start + 2) == 0x65 ? 3 : 0
    case 0x6C: return letter(start + 2) == 0x6C ? 3 : 0
    default: return 0
    }
  }

  private static func runEnd(
    _ text: RawSpan, _ start: Int, _ end: Int, while condition: (TextScalar) -> Bool
  ) -> Int {
    var position = start
    while position < end {
      let character = TextScalar(text, at: position, end: end)
      guard condition(character) else { break }
      position += character.byteCount
    }
    return position
  }
}
