import Units

/// A special token found in a text.
struct SpecialMatch: BitwiseCopyable {
  let start: Int
  let end: Int
  let token: Int32
  let attributes: TokenAttributes
}

extension Tokenizer {
  /// The first special token at or after `position`, the longest of those that begin there.
  ///
  /// User-defined tokens are found always, control and unknown ones if `parsesSpecial`.
  func nextSpecial(in text: RawSpan, from position: Int, parsesSpecial: Bool) -> SpecialMatch? {
    guard parsesSpecial || hasUserDefined else { return nil }
    var start = position
    while start < text.byteCount {
      if beginsSpecial(text.byte(at: start)),
        let match = special(in: text, at: start, parsesSpecial: parsesSpecial)
      {
        return match
      }
      start += 1
    }
    return nil
  }

  /// The longest special token at `start`, by narrowing the sorted table byte by byte.
  private func special(in text: RawSpan, at start: Int, parsesSpecial: Bool) -> SpecialMatch? {
    var lower = 0
    var upper = specialCount
    var depth = 0
    var best: SpecialMatch?
    while lower < upper && start + depth < text.byteCount {
      let byte = Int(text.byte(at: start + depth))
      lower = firstSpecial(in: lower..<upper, depth: depth, atLeast: byte)
      upper = firstSpecial(in: lower..<upper, depth: depth, atLeast: byte + 1)
      depth += 1
      guard lower < upper else { break }
      let token = Int32(truncatingIfNeeded: word(layout.specials, lower))
      guard piece(token).count == depth else { continue }
      let attributes = attributes(of: token)
      if parsesSpecial || attributes.isAlwaysCut {
        best = SpecialMatch(
          start: start, end: start + depth, token: token, attributes: attributes)
      }
    }
    return best
  }

  /// The first entry of `range` whose byte at `depth` is not below `byte`; shorter texts come first.
  private func firstSpecial(in range: Range<Int>, depth: Int, atLeast byte: Int) -> Int {
    var lower = range.lowerBound
    var upper = range.upperBound
    while lower < upper {
      let middle = (lower + upper) / 2
      let text = piece(Int32(truncatingIfNeeded: word(layout.specials, middle)))
      if depth < text.count && Int(text[depth]) >= byte {
        upper = middle
      } else {
        lower = middle + 1
      }
    }
    return lower
  }
}
