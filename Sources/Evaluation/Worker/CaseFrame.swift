/// The words that a parent and its sealed children exchange over pipes, in the machine's order.
///
/// A request is a header and a payload: document, question, then the marks of a stream, the reply of
/// the full cache, or places in the prompt. An answer is a header and the tokens of the reply. A
/// child answers one request after the other; the end of its input ends it.
enum CaseFrame {
  /// What every header starts with: "TEV1".
  static let magic: Int32 = 0x3156_4554

  /// Words of a request's header.
  enum Request {
    static let magic = 0
    static let kind = 1
    static let documentTokens = 2
    static let questionTokens = 3
    /// Tokens of the longest reply.
    static let replyTokensMax = 4
    /// The byte that ends a reply: the token that holds it is no part of it.
    static let stopByte = 5
    /// Words after the question: marks of a stream, tokens of the full cache's reply, or places.
    static let extraWords = 6
    /// Which file holds the full cache's logits; -1: compare with none.
    static let comparedFile = 7
    /// Where they start in it, in rows of the vocabulary: two words, low and high.
    static let firstRow = 8
    static let count = 10
  }

  /// What is done with a prompt.
  enum Kind {
    /// Read the prompt, then reply greedily.
    static let reply: Int32 = 0
    /// Read a stream, each token predicted from those before it.
    static let stream: Int32 = 1
    /// Tell at which layers the tokens that are named would be chosen from the prompt.
    static let cover: Int32 = 2
  }

  /// Words of an answer's header; numbers of 64 bits take two words, low and high.
  enum Answer {
    static let magic = 0
    static let replyTokens = 1
    /// Most slots that were ever taken.
    static let peakSlots = 2
    /// Rows of logits that were recorded.
    static let rows = 3
    /// Tokens that were predicted, and those of them that are marked.
    static let tokens = 4
    static let markedTokens = 5
    /// Distributions that were compared with the full cache's.
    static let comparedTokens = 6
    /// Heap allocations since the launch.
    static let allocations = 7
    /// Sums in nats, as the bits of a double.
    static let nll = 8
    static let markedNLL = 10
    static let divergence = 12
    static let count = 14
  }

  /// The lower and upper half of 64 bits.
  static func halves(_ value: UInt64) -> (low: Int32, high: Int32) {
    (Int32(truncatingIfNeeded: value), Int32(truncatingIfNeeded: value &>> 32))
  }

  /// 64 bits from their halves.
  static func whole(_ low: Int32, _ high: Int32) -> UInt64 {
    UInt64(UInt32(bitPattern: low)) | UInt64(UInt32(bitPattern: high)) &<< 32
  }
}
