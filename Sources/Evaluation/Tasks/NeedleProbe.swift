package import Packing

/// A document of filler with one fact in its middle, a question about it, and where the fact stands.
package struct NeedleProbe: Sendable {
  /// The prompt.
  package let prompt: EncodedCase
  /// The tokens of the prompt that hold the fact, from the name to the value.
  package let needle: Range<Int>

  /// As many probes as a search for a layer takes.
  package static let count = 100

  /// Probe `number`, whose prompt has about `length` tokens, none more.
  package init(
    number: Int, length: Int, _ hosted: HostedTokenizer
  ) throws(EvaluationError) {
    var words = ProbeWords(seed: UInt64(number))
    let fact = words.fact()
    let question =
      "Question: What is the \(fact.kind) of \(fact.name)?\n"
      + "Answer: The \(fact.kind) of \(fact.name) is"
    func encoded(_ sentences: [String]) throws(EvaluationError) -> (EncodedCase, Range<Int>) {
      let (before, after) = (
        sentences.prefix(sentences.count / 2), sentences.dropFirst(sentences.count / 2)
      )
      let start = "The \(fact.kind) of "
      let sentence = start + "\(fact.name) is \(fact.value)."
      let document = (before + [sentence] + after).joined(separator: " ") + "\n"
      // All of the text is ASCII: a character is a byte.
      let offset = before.reduce(0) { $0 + $1.utf8.count + 1 }
      let span = [offset + start.utf8.count, offset + sentence.utf8.count - 1]
      let prompt = try EncodedCase(
        TaskCase(
          id: "probe-\(number)", task: .needle, length: length, depth: 50, document: document,
          question: question, answer: fact.value, spans: [span]), hosted)
      let needle = try prompt.tokens(of: span, hosted)
      return (prompt, needle)
    }
    // The number of sentences that fit, by halving the distance.
    var (fits, tooMany) = (0, length / 4 + 2)
    let filler = (0..<tooMany).map { _ in words.filler() }
    while fits + 1 < tooMany {
      let middle = (fits + tooMany) / 2
      let (prompt, _) = try encoded(Array(filler.prefix(middle)))
      if prompt.promptTokens <= length { fits = middle } else { tooMany = middle }
    }
    (prompt, needle) = try encoded(Array(filler.prefix(fits)))
  }
}

/// Sentences drawn from lists of words.
private struct ProbeWords {
  private var state: UInt64

  init(seed: UInt64) { state = seed }

  mutating func fact() -> (kind: String, name: String, value: String) {
    let (kind, values) = Self.values[below(Self.values.count)]
    return (kind, pick(Self.names), pick(values))
  }

  mutating func filler() -> String {
    let (noun, other) = (pick(Self.nouns), pick(Self.nouns))
    let (adjective, place) = (pick(Self.adjectives), pick(Self.places))
    switch below(5) {
    case 0: return "The \(adjective) \(noun) was near the \(place)."
    case 1: return "\(pick(Self.times)), they \(pick(Self.verbs)) the \(adjective) \(noun)."
    case 2: return "Someone \(pick(Self.verbs)) a \(noun) and a \(adjective) \(other)."
    case 3: return "\(pick(Self.times)), the \(noun) by the \(place) looked \(adjective)."
    default: return "They walked from the \(place) to the \(pick(Self.places)) with a \(noun)."
    }
  }

  private mutating func pick(_ list: [String]) -> String { list[below(list.count)] }

  /// Source: SplitMix64, Steele et al., Fast Splittable Pseudorandom Number Generators, figure 14.
  private mutating func below(_ limit: Int) -> Int {
    state &+= 0x9E37_79B9_7F4A_7C15
    var mixed = (state ^ state >> 30) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
    return Int((mixed ^ mixed >> 31) % UInt64(limit))
  }

  private static func words(_ text: String) -> [String] {
    text.split(whereSeparator: \.isWhitespace).map(String.init)
  }

  private static let names = words(
    "Ada Ben Carla Dan Ella Finn Hugo Iris Jack Mona Nils Olga Paul Rosa Sam Tara Vera Walt Zoe Lena"
  )
  private static let values = [
    ("city", words("Paris Rome Oslo Lima Cairo Delhi Tokyo Milan Porto Sofia Riga Perth")),
    ("color", words("red blue green yellow purple orange pink brown black white gray silver")),
    ("pet", words("dog cat horse rabbit parrot turtle goat duck mouse fish frog pig")),
    ("job", words("baker farmer doctor sailor teacher painter singer driver tailor pilot")),
    ("food", words("bread rice soup cake cheese apple honey pasta salad corn")),
  ]
  private static let nouns = words(
    "river garden window bridge market forest mountain ship letter lamp table road tower song wheel"
  )
  private static let places = words(
    "harbor valley village station castle school kitchen meadow library square")
  private static let adjectives = words(
    "old small quiet bright tall cold warm heavy empty broken golden gentle narrow distant")
  private static let verbs = words(
    "watched crossed painted followed carried found forgot opened repaired left reached")
  private static let times = [
    "In the morning", "At night", "Every winter", "After the rain", "On Sunday", "Long ago",
  ]
}
