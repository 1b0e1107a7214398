/// What is wrong with a profile, and where.
package struct ProfileError: Error, BitwiseCopyable, Equatable, Sendable {
  /// The line, counted from 1; 0 where the value came from elsewhere (a command line, a default).
  package var line: Int

  /// The key that it is about, where one could be read.
  package var key: ProfileKey?

  /// What is wrong.
  package var reason: Reason

  package init(line: Int, key: ProfileKey? = nil, _ reason: Reason) {
    self.line = line
    self.key = key
    self.reason = reason
  }

  /// What can be wrong with a profile.
  package enum Reason: BitwiseCopyable, Equatable, Sendable {
    /// The whole text is longer than `Profile.textBytesMax`.
    case profileTooLong
    /// The bytes are not UTF-8.
    case notUTF8
    /// A control character where none may stand.
    case controlCharacter
    /// A line that begins with none of key, comment and line end.
    case keyExpected
    /// No `=` after the key.
    case equalsExpected
    /// Nothing, or nothing known, after the `=`.
    case valueExpected
    /// Something after the value that is no comment.
    case lineEndExpected
    /// A key of TOML that a flat profile does without: in quotes, or with a dot.
    case keyNotBare
    /// A `[table]`.
    case table
    /// An array or inline table as a value.
    case nestedValue
    /// A string over several lines, `"""` or `'''`.
    case multilineString
    /// No closing quote on the line.
    case unterminatedString
    /// A backslash followed by what is no escape, or an escape that names no character.
    case badEscape
    /// A number with a leading zero, a stray underscore, or in another base.
    case badInteger
    /// A number beyond 64 bits.
    case integerTooLarge
    /// A number with a fraction or exponent, or a date.
    case notWhole
    /// No key of a profile; the start of what stands there.
    case unknownKey(FixedText<32>)
    /// The key stands on `firstLine` already.
    case duplicateKey(firstLine: Int)
    /// A key that must be there is not.
    case missing
    /// The value is of another type than the key takes.
    case wrongType
    /// The text is longer than the key takes.
    case textTooLong
    /// The text is no size.
    case badSize(ByteSizeError)
    /// The number or size is outside what the key takes.
    case outOfRange
    /// The text is none of the names that the key takes.
    case unknownChoice
    /// The text is no list of processors.
    case badProcessors
    /// Two values exclude each other.
    case contradiction(Contradiction)
  }

  /// How two values can exclude each other, with the other's line (0 where it is a default).
  package enum Contradiction: BitwiseCopyable, Equatable, Sendable {
    /// The context has fewer tokens than a tile.
    case tileAboveContext(contextLine: Int, contextTokens: Int)
    /// The context leaves a streaming window smaller than a tile.
    case streamingWindow(tileTokens: Int)
    /// The reply does not fit the context.
    case replyAboveContext(contextLine: Int, contextTokens: Int)
    /// A word may be longer than the whole prompt.
    case wordAbovePrompt(promptLine: Int, promptBytes: Int)
    /// More threads than processors to pin them to.
    case threadsAboveProcessors(coresLine: Int, processors: Int)
    /// The stacks of all threads take the whole budget.
    case stacksAboveBudget(budgetLine: Int, stacksBytes: Int, budgetBytes: Int)
    /// The prompt's text takes the whole budget.
    case promptAboveBudget(budgetLine: Int, budgetBytes: Int)
  }
}
