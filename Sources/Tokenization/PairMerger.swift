import Units

/// Merges the symbols of one word until no pair is left that the vocabulary knows.
///
/// A symbol is named by the offset of its first byte in the word. The pair to merge next is the
/// one with the lowest rank (byte pair) or the highest score (SentencePiece), of equal ones the
/// leftmost; each merge changes two neighbours, so a word of n bytes takes O(n log n).
struct PairMerger {
  /// Tables of one entry per byte of a word, and one for a space before it.
  static var tables: Int { 7 }

  private let tokenizer: Tokenizer
  private let wordBytesMax: Int

  /// The token of each symbol, or `TokenizerLayout.noToken`.
  private let tokens: FixedBuffer<UInt32>

  /// The token that each symbol and its right neighbour make, where the heap has the symbol.
  private let merged: FixedBuffer<UInt32>
  private let previous: FixedBuffer<UInt32>
  private let next: FixedBuffer<UInt32>
  private var heap: PairHeap

  init(tokenizer: Tokenizer, scratch: FixedBuffer<UInt32>) {
    self.tokenizer = tokenizer
    let entries = scratch.count / Self.tables
    wordBytesMax = max(entries - 1, 0)
    func table(_ index: Int) -> FixedBuffer<UInt32> {
      scratch.extracting(index * entries..<(index + 1) * entries)
    }
    tokens = table(0)
    merged = table(1)
    previous = table(2)
    next = table(3)
    heap = PairHeap(order: table(4), places: table(5), keys: table(6))
  }

  /// Appends the tokens of the word `range` of a byte-level vocabulary.
  ///
  /// A byte for which the vocabulary has no token leaves nothing, as in llama.cpp.
  mutating func encodeBytePair(
    _ text: RawSpan, _ range: Range<Int>, into sink: inout TokenSink
  ) throws(TokenizationError) {
    if tokenizer.takesWholeWords,
      let token = tokenizer.token(spelling: text, range, hasPrefix: false)
    {
      return try sink.append(token)
    }
    guard range.count <= wordBytesMax else {
      throw .wordTooLong(bytes: range.count, limit: wordBytesMax)
    }
    for index in 0..<range.count {
      let byte = text.byte(at: range.lowerBound + index)
      let token = tokenizer.token(forByte: byte)
      addSymbol(index, byteCount: 1, after: index - 1)
      tokens[index] = token.map { UInt32(truncatingIfNeeded: $0) } ?? TokenizerLayout.noToken
    }
    let word = Word(range: range, hasPrefix: false)
    merge(text, word)
    var symbol = 0
    while symbol < range.count {
      if tokens[symbol] != TokenizerLayout.noToken {
        try sink.append(Int32(truncatingIfNeeded: tokens[symbol]))
      }
      symbol = Int(next[symbol])
    }
  }

  /// Appends the tokens of the segment `range` of a SentencePiece vocabulary; `hasPrefix`: as if
  /// a space came before it.
  mutating func encodeSentencePiece(
    _ text: RawSpan, _ range: Range<Int>, hasPrefix: Bool, into sink: inout TokenSink
  ) throws(TokenizationError) {
    guard range.count <= wordBytesMax else {
      throw .wordTooLong(bytes: range.count, limit: wordBytesMax)
    }
    let word = Word(range: range, hasPrefix: hasPrefix)
    var symbol = 0
    var last = -1
    while symbol < word.count {
      let length =
        word.isPrefix(symbol)
        ? 1 : text.symbolLength(at: word.offset(symbol), end: range.upperBound)
      addSymbol(symbol, byteCount: length, after: last)
      last = symbol
      symbol += length
    }
    merge(text, word)
    symbol = 0
    while symbol < word.count {
      let end = Int(next[symbol])
      let known = tokens[symbol] != TokenizerLayout.noToken
      let token =
        known
        ? Int32(truncatingIfNeeded: tokens[symbol]) : spelled(text, word, symbol..<end)
      if let token {
        try sink.append(token)
      } else {
        try appendBytes(text, word, symbol..<end, into: &sink)
      }
      symbol = end
    }
  }

  /// The tokens of the bytes of a symbol that is no token itself.
  private func appendBytes(
    _ text: RawSpan, _ word: Word, _ symbol: Range<Int>, into sink: inout TokenSink
  ) throws(TokenizationError) {
    for index in symbol {
      let isPrefix = word.isPrefix(index)
      let spelling = tokenizer.spelling(of: isPrefix ? 32 : text.byte(at: word.offset(index)))
      for part in 0..<spelling.count {
        let byte = spelling.byte(part)
        guard let token = tokenizer.token(forByte: byte) else { throw .noTokenForByte(byte) }
        try sink.append(token)
      }
    }
  }

  private func addSymbol(_ symbol: Int, byteCount: Int, after last: Int) {
    tokens[symbol] = TokenizerLayout.noToken
    previous[symbol] = last < 0 ? PairHeap.nowhere : UInt32(truncatingIfNeeded: last)
    next[symbol] = UInt32(truncatingIfNeeded: symbol + byteCount)
    heap.clear(symbol)
  }

  private mutating func merge(_ text: RawSpan, _ word: Word) {
    var symbol = 0
    while symbol < word.count {
      update(text, word, symbol)
      symbol = Int(next[symbol])
    }
    while let left = heap.removeFirst() {
      let right = Int(next[left])
      heap.remove(right)
      tokens[left] = merged[left]
      next[left] = next[right]
      if Int(next[left]) < word.count {
        previous[Int(next[left])] = UInt32(truncatingIfNeeded: left)
      }
      update(text, word, left)
      if previous[left] != PairHeap.nowhere { update(text, word, Int(previous[left])) }
    }
  }

  /// Looks up whether `symbol` and its right neighbour can be merged, and when.
  private mutating func update(_ text: RawSpan, _ word: Word, _ symbol: Int) {
    let right = Int(next[symbol])
    guard right < word.count else { return heap.remove(symbol) }
    switch tokenizer.model {
    case .bytePair:
      guard let merge = tokenizer.merge(tokens[symbol], tokens[right]) else {
        return heap.remove(symbol)
      }
      merged[symbol] = merge.token
      heap.set(symbol, key: merge.rank)
    case .sentencePiece:
      guard let token = spelled(text, word, symbol..<Int(next[right])) else {
        return heap.remove(symbol)
      }
      merged[symbol] = UInt32(truncatingIfNeeded: token)
      heap.set(symbol, key: Self.key(tokenizer.score(Int(token))))
    }
  }

  /// The token that spells the bytes `symbols` of a word.
  private func spelled(_ text: RawSpan, _ word: Word, _ symbols: Range<Int>) -> Int32? {
    let isPrefixed = word.isPrefix(symbols.lowerBound)
    let start = isPrefixed ? word.range.lowerBound : word.offset(symbols.lowerBound)
    return tokenizer.token(
      spelling: text, start..<word.offset(symbols.upperBound), hasPrefix: isPrefixed)
  }

  /// A key that is lower the higher `score` is; both zeros are one.
  private static func key(_ score: Float) -> UInt32 {
    let bits = (score + 0).bitPattern
    return bits & 0x8000_0000 != 0 ? bits : ~(bits | 0x8000_0000)
  }
}

/// One word of a text, and whether a space is imagined before it.
private struct Word {
  let range: Range<Int>
  let hasPrefix: Bool

  /// Bytes of the word, the imagined space included.
  var count: Int { range.count + (hasPrefix ? 1 : 0) }

  func isPrefix(_ symbol: Int) -> Bool { hasPrefix && symbol == 0 }

  /// Where byte `index` of the word lies in the text.
  func offset(_ index: Int) -> Int { range.lowerBound + index - (hasPrefix ? 1 : 0) }
}
