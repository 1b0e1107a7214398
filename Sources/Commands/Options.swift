package import Units

/// A problem with the words of a command line.
package enum UsageError: Error {
  case unknownOption(Text, verb: Verb)
  case valueMissing(Text)
  case valueNotTaken(Text)
  case badValue(Text, option: Option)
  case tooMany(Option, limit: Int)
  case secondArgument(Text)
  case needed(Option, verb: Verb)
  case nothingToRead
  case contradiction(Option, Option)
  case tooManyWords(Int, limit: Int)
}

/// The values given on a command line, by option; what was not given is `nil`.
package struct Options: BitwiseCopyable {
  private var values = InlineArray<40, Text>(repeating: .empty)
  private var given = InlineArray<40, Bool>(repeating: false)

  /// The texts that end a reply.
  package private(set) var stops = InlineArray<8, Text>(repeating: .empty)

  /// How many of `stops` were given.
  package private(set) var stopCount = 0

  /// The changes to single keys of the profile.
  package private(set) var tunes = InlineArray<8, Text>(repeating: .empty)

  /// How many of `tunes` were given.
  package private(set) var tuneCount = 0

  /// The command.
  package let verb: Verb

  /// Reads the words after the command's name.
  package init(verb: Verb, arguments: FixedBuffer<Text>) throws(UsageError) {
    self.verb = verb
    var index = 0
    var onlyArguments = false
    while index < arguments.count {
      let word = arguments[index]
      index += 1
      if onlyArguments || word.count < 2 || word[0] != 45 {
        if given[Option.model.rawValue] { throw .secondArgument(word) }
        set(.model, word)
      } else if word.equals("--") {
        onlyArguments = true
      } else {
        let equals = word.hasPrefix(Text("--")) ? word.firstIndex(of: 61) : nil
        let name = word.extracting(0..<(equals ?? word.count))
        let spelling = try Self.spelling(of: name, verb: verb)
        if !spelling.takesValue {
          if equals != nil { throw .valueNotTaken(name) }
          set(spelling.option, .empty)
        } else if let equals {
          try add(spelling.option, word.extracting(equals + 1..<word.count))
        } else {
          guard index < arguments.count else { throw .valueMissing(name) }
          try add(spelling.option, arguments[index])
          index += 1
        }
      }
    }
  }

  /// Whether the option was given.
  package func has(_ option: Option) -> Bool { given[option.rawValue] }

  /// The value given, if any.
  package func text(_ option: Option) -> Text? {
    has(option) ? values[option.rawValue] : nil
  }

  /// The whole number given, if any; it must lie in `range`.
  package func integer(_ option: Option, in range: ClosedRange<Int>) throws(UsageError) -> Int? {
    guard let text = text(option) else { return nil }
    guard let value = text.decimalInteger, range.contains(value) else {
      throw .badValue(text, option: option)
    }
    return value
  }

  /// The fraction given, if any; it must lie in `range`.
  package func fraction(
    _ option: Option, in range: ClosedRange<Float>
  ) throws(UsageError) -> Float? {
    guard let text = text(option) else { return nil }
    guard let value = text.decimalFraction, range.contains(value) else {
      throw .badValue(text, option: option)
    }
    return value
  }

  /// The same options with one given another value.
  package func replacing(_ option: Option, with value: Text) -> Options {
    var copy = self
    copy.set(option, value)
    return copy
  }

  private mutating func set(_ option: Option, _ value: Text) {
    values[option.rawValue] = value
    given[option.rawValue] = true
  }

  private mutating func add(_ option: Option, _ value: Text) throws(UsageError) {
    if option == .stop {
      guard stopCount < 8 else { throw .tooMany(option, limit: 8) }
      guard value.count > 0 else { throw .badValue(value, option: option) }
      stops[stopCount] = value
      stopCount += 1
    }
    if option == .tune {
      guard tuneCount < 8 else { throw .tooMany(option, limit: 8) }
      tunes[tuneCount] = value
      tuneCount += 1
    }
    set(option, value)
  }

  private static func spelling(of name: Text, verb: Verb) throws(UsageError) -> OptionSpelling {
    for raw in 0..<Option.count {
      guard let option = Option(rawValue: raw) else { continue }
      let spelling = OptionSpelling.of(option)
      if spelling.belongs(to: verb) && spelling.matches(name) { return spelling }
    }
    throw .unknownOption(name, verb: verb)
  }
}
