import Units

/// How one byte of text is spelled in the pieces of a vocabulary.
struct ByteSpelling: BitwiseCopyable {
  let bytes: UInt32
  let count: Int

  @inline(__always)
  func byte(_ index: Int) -> UInt8 { UInt8(truncatingIfNeeded: bytes &>> UInt32(8 * index)) }
}

extension Tokenizer {
  /// The spelling of `byte`: SentencePiece writes `▁` for a space, byte-level vocabularies
  /// write each byte as a printable character, as GPT-2 did.
  @inline(__always)
  func spelling(of byte: UInt8) -> ByteSpelling {
    if model == .sentencePiece {
      return byte == 32
        ? ByteSpelling(bytes: 0x81_96_E2, count: 3) : ByteSpelling(bytes: UInt32(byte), count: 1)
    }
    let character = ByteLevel.character(for: byte)
    guard character >= 0x80 else { return ByteSpelling(bytes: character, count: 1) }
    return ByteSpelling(
      bytes: 0xC0 | character &>> 6 | (0x80 | character & 0x3F) &<< 8, count: 2)
  }

  /// The token whose piece spells the bytes `range` of `text`, a space imagined before them if
  /// `hasPrefix`; needs the piece order.
  func token(spelling text: RawSpan, _ range: Range<Int>, hasPrefix: Bool) -> Int32? {
    var length = hasPrefix ? 3 : 0
    guard range.count <= longestPieceBytes else { return nil }
    for offset in range { length += spelling(of: text.byte(at: offset)).count }
    guard length <= longestPieceBytes else { return nil }
    var lower = 0
    var upper = tokenCount
    while lower < upper {
      let middle = (lower + upper) / 2
      let token = Int32(truncatingIfNeeded: word(layout.pieceOrder, middle))
      let piece = piece(token)
      let order =
        piece.count != length
        ? length - piece.count : compare(text, range, hasPrefix: hasPrefix, to: piece)
      if order == 0 { return token }
      if order < 0 {
        upper = middle
      } else {
        lower = middle + 1
      }
    }
    return nil
  }

  /// Compares spelled text with a piece of the same length; negative: the text comes first.
  private func compare(
    _ text: RawSpan, _ range: Range<Int>, hasPrefix: Bool, to piece: FixedBuffer<UInt8>
  ) -> Int {
    var index = 0
    var offset = hasPrefix ? range.lowerBound - 1 : range.lowerBound
    while offset < range.upperBound {
      let spelled = spelling(of: offset < range.lowerBound ? 32 : text.byte(at: offset))
      for part in 0..<spelled.count {
        let difference = Int(spelled.byte(part)) - Int(piece[index])
        if difference != 0 { return difference }
        index += 1
      }
      offset += 1
    }
    return 0
  }

  /// The merge of `left` and `right`: its rank and the token it makes.
  func merge(_ left: UInt32, _ right: UInt32) -> (rank: UInt32, token: UInt32)? {
    guard left != TokenizerLayout.noToken && right != TokenizerLayout.noToken else { return nil }
    var lower = Int(word(layout.mergeStarts, Int(left)))
    let end = Int(word(layout.mergeStarts, Int(left) + 1))
    var upper = end
    while lower < upper {
      let middle = (lower + upper) / 2
      if word(layout.merges, 3 * middle) < right {
        lower = middle + 1
      } else {
        upper = middle
      }
    }
    guard lower < end && word(layout.merges, 3 * lower) == right else { return nil }
    return (word(layout.merges, 3 * lower + 1), word(layout.merges, 3 * lower + 2))
  }

  /// The end of the first segment of `range` that no SentencePiece merge can cross: the first
  /// place between two symbols that stand side by side in no piece.
  func segmentEnd(_ text: RawSpan, _ range: Range<Int>, hasPrefix: Bool) -> Int {
    var position = range.lowerBound
    var left: UInt32? = hasPrefix ? 0x81_96_E2 : nil
    while position < range.upperBound {
      let length = text.symbolLength(at: position, end: range.upperBound)
      let right = symbol(text, position..<position + length)
      if let left, !mayJoin(left, right) && position > range.lowerBound { return position }
      left = right
      position += length
    }
    return position
  }

  /// A symbol as an integer: its bytes, the first the lowest, a space as `▁`.
  func symbol(_ text: RawSpan, _ range: Range<Int>) -> UInt32 {
    if range.count == 1 { return spelling(of: text.byte(at: range.lowerBound)).bytes }
    var value: UInt32 = 0
    for index in 0..<range.count {
      value |= UInt32(text.byte(at: range.lowerBound + index)) &<< UInt32(8 * index)
    }
    return value
  }
}

extension RawSpan {
  /// Bytes of the symbol that SentencePiece reads at `offset`: as many as the first byte
  /// announces, as far as bytes follow that continue it.
  package func symbolLength(at offset: Int, end: Int) -> Int {
    let first = byte(at: offset)
    let announced = first < 0xC0 ? 1 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4
    var length = 1
    while length < announced && offset + length < end
      && byte(at: offset + length) & 0xC0 == 0x80
    {
      length += 1
    }
    return length
  }
}
