internal import Tokenization
internal import Units

extension Vocabulary {
  /// The tokenizer section, as `TokenizerLayout` describes it.
  package func section() throws(VocabularyError) -> [UInt8] {
    let ranges = header.stringRanges(pieces)
    let index = try PieceIndex(header.bytes, ranges)
    var writer = SectionWriter(byteCount: sectionBytes)
    let layout = layout
    for (word, value) in [
      TokenizerLayout.magic, TokenizerLayout.version, model.rawValue, preTokenizer.rawValue,
      flags, UInt32(tokenCount), UInt32(pieces.textBytes), UInt32(merges?.count ?? 0),
      UInt32(specials.count), begin, end, unknown,
    ].enumerated() {
      writer.put(value, at: 0, word)
    }
    for byte in UInt8.min...UInt8.max {
      writer.put(token(forByte: byte, index), at: layout.byteTokens, Int(byte))
    }
    putPieces(ranges, into: &writer)
    if model == .sentencePiece || preTokenizer == .llama3 {
      for (place, token) in piecesByLength(ranges).enumerated() {
        writer.put(UInt32(token), at: layout.pieceOrder, place)
      }
    }
    switch model {
    case .bytePair: try putMerges(index, into: &writer)
    case .sentencePiece:
      try putScores(into: &writer)
      putPairs(ranges, into: &writer)
    }
    try putSpecials(ranges, into: &writer)
    return writer.bytes
  }

  /// The token for one byte by itself.
  private func token(forByte byte: UInt8, _ index: PieceIndex) -> UInt32 {
    switch model {
    case .bytePair:
      let character = String(Unicode.Scalar(ByteLevel.character(for: byte)) ?? " ")
      return index.token(Array(character.utf8)[...]) ?? TokenizerLayout.noToken
    case .sentencePiece:
      let digits = Array("0123456789ABCDEF".utf8)
      let name = Array("<0x".utf8) + [digits[Int(byte >> 4)], digits[Int(byte & 15)], 0x3E]
      // Where llama.cpp would fail, the unknown token.
      return index.token(name[...]) ?? index.token([byte]) ?? unknown
    }
  }

  /// The special tokens by their text.
  private func putSpecials(
    _ ranges: [Range<Int>], into writer: inout SectionWriter
  ) throws(VocabularyError) {
    let text = header.bytes
    let limit = TokenizerLayout.specialBytesMax
    if let long = specials.first(where: { ranges[Int($0)].count > limit }) {
      throw .longSpecial(token: Int(long), bytes: ranges[Int(long)].count, limit: limit)
    }
    let sorted = specials.sorted { left, right in
      text[ranges[Int(left)]].lexicographicallyPrecedes(text[ranges[Int(right)]])
    }
    for (place, token) in sorted.enumerated() { writer.put(token, at: layout.specials, place) }
  }

  private func putPieces(_ ranges: [Range<Int>], into writer: inout SectionWriter) {
    let layout = layout
    var end = 0
    for (token, range) in ranges.enumerated() {
      writer.put(header.bytes[range], at: layout.pieceBytes + end)
      end += range.count
      writer.put(UInt32(end), at: layout.pieceEnds, token)
    }
    writer.put(attributes[...], at: layout.attributes)
  }

  /// The tokens by length of their text, then by their text.
  private func piecesByLength(_ ranges: [Range<Int>]) -> [Int] {
    let text = header.bytes
    // The first eight bytes decide most comparisons.
    let keys = ranges.enumerated().map { token, range in
      var start: UInt64 = 0
      for offset in 0..<8 {
        start = start << 8 | (offset < range.count ? UInt64(text[range.lowerBound + offset]) : 0)
      }
      return (length: range.count, start: start, token: token)
    }
    return keys.sorted { left, right in
      if left.length != right.length { return left.length < right.length }
      if left.start != right.start { return left.start < right.start }
      return text[ranges[left.token]].lexicographicallyPrecedes(text[ranges[right.token]])
    }.map(\.token)
  }

  private func putScores(into writer: inout SectionWriter) throws(VocabularyError) {
    guard let scores else { return }
    let bytes = header.bytes.rawSpan
    for token in 0..<tokenCount {
      let start = scores.range.lowerBound + 4 * token
      let score =
        scores.elementType == .float32
        ? Float(bitPattern: bytes.loadLittleEndian(at: start, as: UInt32.self))
        : Float(bytes.loadLittleEndian(at: start, as: Int32.self))
      guard score.isFinite else { throw .scoreNotFinite(token: token) }
      writer.put(score.bitPattern, at: layout.scores, token)
    }
  }

  /// Sets the bit of each pair of neighbouring symbols in any piece.
  private func putPairs(_ ranges: [Range<Int>], into writer: inout SectionWriter) {
    let bytes = header.bytes.rawSpan
    for range in ranges {
      var position = range.lowerBound
      var left: UInt32?
      while position < range.upperBound {
        let length = bytes.symbolLength(at: position, end: range.upperBound)
        var right: UInt32 = 0
        for offset in 0..<length {
          right |= UInt32(header.bytes[position + offset]) << UInt32(8 * offset)
        }
        if let left {
          writer.setBit(TokenizerLayout.pairBit(left, right), at: layout.pairFilter)
        }
        left = right
        position += length
      }
    }
  }

  private func putMerges(
    _ index: PieceIndex, into writer: inout SectionWriter
  ) throws(VocabularyError) {
    let layout = layout
    guard let merges else { return }
    let found = try readMerges(merges, index)
    var starts = [UInt32](repeating: 0, count: tokenCount + 1)
    for merge in found { starts[Int(merge.left) + 1] += 1 }
    for token in 0..<tokenCount { starts[token + 1] += starts[token] }
    for (token, start) in starts.enumerated() {
      writer.put(start, at: layout.mergeStarts, token)
    }
    // Right token and rank of each merge, those of one left token side by side.
    var keys = [UInt64](repeating: 0, count: found.count)
    var next = starts
    for (rank, merge) in found.enumerated() {
      keys[Int(next[Int(merge.left)])] = UInt64(merge.right) << 32 | UInt64(rank)
      next[Int(merge.left)] += 1
    }
    for token in 0..<tokenCount { keys[Int(starts[token])..<Int(starts[token + 1])].sort() }
    for (place, key) in keys.enumerated() {
      let rank = Int(key & 0xFFFF_FFFF)
      writer.put(UInt32(key >> 32), at: layout.merges, 3 * place)
      writer.put(UInt32(rank), at: layout.merges, 3 * place + 1)
      writer.put(found[rank].merged, at: layout.merges, 3 * place + 2)
    }
  }

  /// The merges in order of rank.
  private func readMerges(
    _ value: GGUFValue, _ index: PieceIndex
  ) throws(VocabularyError) -> [(left: UInt32, right: UInt32, merged: UInt32)] {
    var merges: [(left: UInt32, right: UInt32, merged: UInt32)] = []
    merges.reserveCapacity(value.count)
    var joined: [UInt8] = []
    for text in PieceList(value, in: header) {
      guard let space = text.dropFirst().firstIndex(of: 32), space + 1 < text.endIndex else {
        throw .brokenMerge(index: merges.count)
      }
      let (left, right) = (text[..<space], text[(space + 1)...])
      joined.removeAll(keepingCapacity: true)
      joined += left
      joined += right
      guard let first = index.token(left), let second = index.token(right),
        let merged = index.token(joined[...])
      else {
        throw .mergeOfUnknownPiece(
          index: merges.count, String(decoding: text, as: UTF8.self))
      }
      merges.append((first, second, merged))
    }
    return merges
  }
}

/// Fills the bytes of a section.
struct SectionWriter {
  private(set) var bytes: [UInt8]

  init(byteCount: Int) { bytes = [UInt8](repeating: 0, count: byteCount) }

  /// Puts a 32-bit word as entry `index` of the table at `table`.
  mutating func put(_ value: UInt32, at table: Int, _ index: Int) {
    let start = table + 4 * index
    for shift in 0..<4 {
      bytes[start + shift] = UInt8(truncatingIfNeeded: value >> UInt32(8 * shift))
    }
  }

  mutating func put(_ text: ArraySlice<UInt8>, at start: Int) {
    bytes.replaceSubrange(start..<start + text.count, with: text)
  }

  mutating func setBit(_ bit: Int, at table: Int) {
    bytes[table + bit / 8] |= 1 << UInt8(bit % 8)
  }
}
