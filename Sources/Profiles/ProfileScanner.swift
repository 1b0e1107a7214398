import Units

/// Reads flat TOML entry by entry: a key, then its value, up to the end of the text.
///
/// Flat TOML is TOML 1.0 with bare keys and, as values, strings on one line (`"basic"` with the
/// escapes `\" \\ \t \n \uXXXX \UXXXXXXXX`, or `'literal'`), decimal integers and booleans.
/// Everything else that TOML has is refused by name.
struct ProfileScanner: ~Escapable {
  /// What stands after an `=`.
  enum Value: BitwiseCopyable {
    case text(FixedText<255>)
    case integer(Int)
    case boolean(Bool)
  }

  private let text: RawSpan
  private var position = 0

  /// The line that is being read, counted from 1.
  private(set) var line = 1

  /// The key that is being read, for the errors.
  private var key: ProfileKey?

  /// Scans `text`, which must be UTF-8.
  @_lifetime(copy text)
  init(_ text: RawSpan) {
    self.text = text
  }

  private func error(_ reason: ProfileError.Reason) -> ProfileError {
    ProfileError(line: line, key: key, reason)
  }

  private var next: UInt8? { position < text.byteCount ? text.byte(at: position) : nil }

  /// The key of the next entry, up to and including its `=`; `nil` at the end of the text.
  mutating func nextKey() throws(ProfileError) -> ProfileKey? {
    key = nil
    while true {
      skipBlanks()
      guard let byte = next else { return nil }
      if Ascii.isKeyByte(byte) { break }
      switch byte {
      case Ascii.hash, Ascii.lineFeed, Ascii.carriageReturn: try finishLine()
      case Ascii.openBracket: throw error(.table)
      case Ascii.quote, Ascii.apostrophe: throw error(.keyNotBare)
      default: throw error(Self.isControl(byte) ? .controlCharacter : .keyExpected)
      }
    }
    let start = position
    while let byte = next, Ascii.isKeyByte(byte) { position += 1 }
    let name = text.extracting(start..<position)
    skipBlanks()
    if next == Ascii.point { throw error(.keyNotBare) }
    guard let found = ProfileKey(named: name) else { throw error(.unknownKey(Self.head(of: name))) }
    key = found
    if next != Ascii.equals { throw error(.equalsExpected) }
    position += 1
    return found
  }

  /// The value of the entry whose key was read last, up to the end of its line.
  mutating func value() throws(ProfileError) -> Value {
    skipBlanks()
    let value: Value
    switch next {
    case Ascii.quote: value = .text(try string())
    case Ascii.apostrophe: value = .text(try literalString())
    case Ascii.openBracket, Ascii.openBrace: throw error(.nestedValue)
    case Ascii.hash, Ascii.lineFeed, Ascii.carriageReturn, nil: throw error(.valueExpected)
    default: value = try bareValue()
    }
    skipBlanks()
    switch next {
    case nil: break
    case Ascii.hash, Ascii.lineFeed, Ascii.carriageReturn: try finishLine()
    default: throw error(.lineEndExpected)
    }
    return value
  }

  private mutating func skipBlanks() {
    while let byte = next, byte == Ascii.space || byte == Ascii.tab { position += 1 }
  }

  /// Reads a comment, where there is one, and the line feed, after a carriage return or alone.
  private mutating func finishLine() throws(ProfileError) {
    while let byte = next {
      if byte == Ascii.lineFeed {
        position += 1
        line += 1
        return
      }
      if byte == Ascii.carriageReturn {
        let after = position + 1
        if after == text.byteCount || text.byte(at: after) != Ascii.lineFeed {
          throw error(.controlCharacter)
        }
      } else if Self.isControl(byte) {
        throw error(.controlCharacter)
      }
      position += 1
    }
  }

  private static func isControl(_ byte: UInt8) -> Bool {
    byte < Ascii.space && byte != Ascii.tab || byte == Ascii.delete
  }

  private static func head(of name: RawSpan) -> FixedText<32> {
    var head = FixedText<32>()
    for offset in 0..<name.byteCount where !head.append(name.byte(at: offset)) { break }
    return head
  }

  // MARK: Strings

  private func refuseMultiline(_ quote: UInt8) throws(ProfileError) {
    if text.byteCount - position >= 3 && text.byte(at: position + 1) == quote
      && text.byte(at: position + 2) == quote
    {
      throw error(.multilineString)
    }
  }

  private mutating func literalString() throws(ProfileError) -> FixedText<255> {
    try refuseMultiline(Ascii.apostrophe)
    position += 1
    var result = FixedText<255>()
    while true {
      let byte = try stringByte()
      if byte == Ascii.apostrophe { return result }
      try append(byte, to: &result)
    }
  }

  private mutating func string() throws(ProfileError) -> FixedText<255> {
    try refuseMultiline(Ascii.quote)
    position += 1
    var result = FixedText<255>()
    while true {
      let byte = try stringByte()
      if byte == Ascii.quote { return result }
      if byte == Ascii.backslash {
        try appendEscape(to: &result)
      } else {
        try append(byte, to: &result)
      }
    }
  }

  private mutating func stringByte() throws(ProfileError) -> UInt8 {
    guard let byte = next, byte != Ascii.lineFeed, byte != Ascii.carriageReturn else {
      throw error(.unterminatedString)
    }
    if Self.isControl(byte) { throw error(.controlCharacter) }
    position += 1
    return byte
  }

  private func append(_ byte: UInt8, to result: inout FixedText<255>) throws(ProfileError) {
    if !result.append(byte) { throw error(.textTooLong) }
  }

  private mutating func appendEscape(to result: inout FixedText<255>) throws(ProfileError) {
    let escape = try stringByte()
    switch escape {
    case Ascii.quote, Ascii.backslash: try append(escape, to: &result)
    case 0x74: try append(Ascii.tab, to: &result)  // t
    case 0x6E: try append(Ascii.lineFeed, to: &result)  // n
    case 0x75: try append(scalar: try escapedScalar(digits: 4), to: &result)  // u
    case 0x55: try append(scalar: try escapedScalar(digits: 8), to: &result)  // U
    default: throw error(.badEscape)
    }
  }

  /// The character that hexadecimal digits name; control characters are none.
  private mutating func escapedScalar(digits: Int) throws(ProfileError) -> UInt32 {
    var value: UInt32 = 0
    for _ in 0..<digits {
      guard let byte = next, let digit = Ascii.hexDigit(byte) else { throw error(.badEscape) }
      value = value << 4 | digit
      position += 1
    }
    switch value {
    case 0..<0x20, 0x7F..<0xA0, 0xD800..<0xE000, 0x11_0000...: throw error(.badEscape)
    default: return value
    }
  }

  private func append(
    scalar: UInt32, to result: inout FixedText<255>
  ) throws(ProfileError) {
    let last = UInt8(scalar & 0x3F) | 0x80
    switch scalar {
    case 0..<0x80:
      try append(UInt8(scalar), to: &result)
    case 0x80..<0x800:
      try append(UInt8(scalar >> 6) | 0xC0, to: &result)
      try append(last, to: &result)
    case 0x800..<0x1_0000:
      try append(UInt8(scalar >> 12) | 0xE0, to: &result)
      try append(UInt8(scalar >> 6 & 0x3F) | 0x80, to: &result)
      try append(last, to: &result)
    default:
      try append(UInt8(scalar >> 18) | 0xF0, to: &result)
      try append(UInt8(scalar >> 12 & 0x3F) | 0x80, to: &result)
      try append(UInt8(scalar >> 6 & 0x3F) | 0x80, to: &result)
      try append(last, to: &result)
    }
  }

  // MARK: Integers and booleans

  private mutating func bareValue() throws(ProfileError) -> Value {
    let start = position
    while let byte = next, Self.isBareByte(byte) { position += 1 }
    let word = text.extracting(start..<position)
    if word.equals("true") { return .boolean(true) }
    if word.equals("false") { return .boolean(false) }
    guard word.byteCount > 0, Self.startsNumber(word) else {
      if let byte = next, Self.isControl(byte) { throw error(.controlCharacter) }
      throw error(.valueExpected)
    }
    for offset in 0..<word.byteCount {
      switch word.byte(at: offset) {
      case Ascii.point, Ascii.colon: throw error(.notWhole)
      case Ascii.minus where offset > 0: throw error(.notWhole)
      default: break
      }
    }
    return .integer(try integer(word))
  }

  private static func isBareByte(_ byte: UInt8) -> Bool {
    Ascii.isKeyByte(byte) || byte == Ascii.point || byte == Ascii.colon || byte == Ascii.plus
  }

  private static func startsNumber(_ word: RawSpan) -> Bool {
    let first = word.byte(at: 0)
    if Ascii.digit(first) != nil { return true }
    guard first == Ascii.minus || first == Ascii.plus, word.byteCount > 1 else { return false }
    return Ascii.digit(word.byte(at: 1)) != nil
  }

  /// Decimal digits with single underscores between them, after an optional sign.
  private func integer(_ word: RawSpan) throws(ProfileError) -> Int {
    let isNegative = word.byte(at: 0) == Ascii.minus
    let start = isNegative || word.byte(at: 0) == Ascii.plus ? 1 : 0
    if word.byte(at: start) == 0x30 && word.byteCount > start + 1 { throw error(.badInteger) }
    var value = 0
    var afterDigit = false
    for offset in start..<word.byteCount {
      let byte = word.byte(at: offset)
      if byte == Ascii.underscore && afterDigit {
        afterDigit = false
        continue
      }
      guard let digit = Ascii.digit(byte) else { throw error(.badInteger) }
      afterDigit = true
      // Negative values reach one further than positive ones, so digits are subtracted.
      let (product, overflow) = value.multipliedReportingOverflow(by: 10)
      let (difference, underflow) = product.subtractingReportingOverflow(digit)
      if overflow || underflow { throw error(.integerTooLarge) }
      value = difference
    }
    if !afterDigit { throw error(.badInteger) }
    if isNegative { return value }
    if value == Int.min { throw error(.integerTooLarge) }
    return -value
  }
}
