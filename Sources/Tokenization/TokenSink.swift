package import Units

/// Tokens under construction in fixed memory.
package struct TokenSink {
  private let storage: FixedBuffer<Int32>

  /// Tokens written so far.
  package private(set) var count = 0

  /// Writes into `storage`.
  package init(_ storage: FixedBuffer<Int32>) { self.storage = storage }

  /// Tokens that fit in all.
  package var capacity: Int { storage.count }

  /// The tokens written so far.
  package var tokens: FixedBuffer<Int32> { storage.extracting(0..<count) }

  /// Forgets the tokens.
  package mutating func removeAll() { count = 0 }

  /// Appends one token; a full sink is an error.
  package mutating func append(_ token: Int32) throws(TokenizationError) {
    guard count < storage.count else { throw .outputFull(capacity: storage.count) }
    storage[count] = token
    count += 1
  }
}
