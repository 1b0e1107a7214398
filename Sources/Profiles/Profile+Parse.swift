import Units

extension Profile {
  /// Bytes of the longest profile text.
  package static var textBytesMax: Int { 64 * 1024 }

  /// Reads a profile written as flat TOML: `key = value` lines and `#` comments, nothing nested.
  ///
  /// The text is untrusted: whatever is wrong with it is named with its line. A default that a
  /// written value leaves no room for gives way to it (a context of 32 makes the tile 32); two
  /// written values that exclude each other are refused.
  package static func parse(_ text: RawSpan) throws(ProfileError) -> Profile {
    if text.byteCount > textBytesMax { throw ProfileError(line: 0, .profileTooLong) }
    if let offset = text.firstInvalidUTF8() {
      var line = 1
      for index in 0..<offset where text.byte(at: index) == Ascii.lineFeed { line += 1 }
      throw ProfileError(line: line, .notUTF8)
    }
    var profile = Profile(budgetBytes: 0)
    var lines = ProfileKeyLines()
    var scanner = ProfileScanner(text)
    while let key = try scanner.nextKey() {
      let line = scanner.line
      if lines[key] > 0 {
        throw ProfileError(line: line, key: key, .duplicateKey(firstLine: lines[key]))
      }
      lines[key] = line
      try profile.set(key, to: try scanner.value(), line: line)
    }
    if lines[.budget] == 0 { throw ProfileError(line: 0, key: .budget, .missing) }
    try profile.settle(lines)
    return profile
  }

  /// Sets one key as a command line gives it, to the text of a string, number or boolean.
  ///
  /// Other values give way where they can, as defaults do.
  package mutating func override(
    _ key: ProfileKey, with text: RawSpan
  ) throws(ProfileError) {
    var changed = self
    let value: ProfileScanner.Value
    switch key.kind {
    case .integer: value = .integer(try Self.integer(text, for: key))
    case .integerOrAutomatic where !text.equals("auto"):
      value = .integer(try Self.integer(text, for: key))
    case .boolean:
      guard text.equals("true") || text.equals("false") else {
        throw ProfileError(line: 0, key: key, .wrongType)
      }
      value = .boolean(text.equals("true"))
    default:
      if text.firstInvalidUTF8() != nil { throw ProfileError(line: 0, key: key, .notUTF8) }
      var copy = FixedText<255>()
      for offset in 0..<text.byteCount where !copy.append(text.byte(at: offset)) {
        throw ProfileError(line: 0, key: key, .textTooLong)
      }
      value = .text(copy)
    }
    try changed.set(key, to: value, line: 0)
    try changed.settle(ProfileKeyLines(override: key))
    self = changed
  }

  private static func integer(_ text: RawSpan, for key: ProfileKey) throws(ProfileError) -> Int {
    var value = 0
    if text.byteCount == 0 { throw ProfileError(line: 0, key: key, .wrongType) }
    for offset in 0..<text.byteCount {
      guard let digit = Ascii.digit(text.byte(at: offset)) else {
        throw ProfileError(line: 0, key: key, .wrongType)
      }
      value = value * 10 + digit
      if value > Int.max / 16 { throw ProfileError(line: 0, key: key, .integerTooLarge) }
    }
    return value
  }
}
