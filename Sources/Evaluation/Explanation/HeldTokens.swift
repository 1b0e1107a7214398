package import Foundation
package import Packing
import Tokenization

/// The prompt's tokens as text, and how much of the cache still held each when the reply began.
package struct HeldTokens: Equatable, Sendable {
  /// A token, or several that only together are a character.
  package struct Piece: Equatable, Sendable {
    /// The text.
    package var text: String
    /// Position of the first token.
    package var position: Int
    /// How many tokens.
    package var tokens: Int
    /// Share of the sets of slots that hold the token, 0 to 1; the mean of several.
    package var share: Double

    /// Joins text, place and share.
    package init(text: String, position: Int, tokens: Int = 1, share: Double) {
      self.text = text
      self.position = position
      self.tokens = tokens
      self.share = share
    }
  }

  /// The whole prompt, in order.
  package let pieces: [Piece]
  /// Sets of slots that drop tokens by themselves: layers, or layers times KV heads.
  package let sets: Int

  /// Tokens of the prompt.
  package let tokenCount: Int
  /// Tokens that every set holds, and those that none holds.
  package let heldByAll: Int
  package let heldByNone: Int

  /// Takes one text and one share per token, which stand at positions from 0 on.
  package init(texts: [[UInt8]], shares: [Double], sets: Int) {
    precondition(texts.count == shares.count, "a share for every token")
    self.sets = sets
    tokenCount = texts.count
    heldByAll = shares.count { $0 >= 1 }
    heldByNone = shares.count { $0 <= 0 }
    var pieces: [Piece] = []
    var bytes: [UInt8] = []
    var start = 0
    for index in texts.indices {
      bytes += texts[index]
      // A token may end inside a character: then the next ones belong to it, three at most.
      if String(validating: bytes, as: UTF8.self) == nil && index - start < 3
        && index + 1 < texts.count
      {
        continue
      }
      let share = shares[start...index].reduce(0, +) / Double(index - start + 1)
      pieces.append(
        Piece(
          text: String(decoding: bytes, as: UTF8.self), position: start,
          tokens: index - start + 1, share: share))
      bytes = []
      start = index + 1
    }
    self.pieces = pieces
  }

  /// Reads what a run wrote about its slots (see `HeldSlots` in the core), with the vocabulary of
  /// its model.
  package init(
    slots data: Data, name: String, _ hosted: HostedTokenizer
  ) throws(EvaluationError) {
    let slots = try SlotDump(data, name: name)
    var texts: [[UInt8]] = []
    for id in slots.ids {
      do throws(TokenizationError) {
        texts.append(
          try hosted.decode([id], showsControl: true, startsText: texts.isEmpty))
      } catch {
        throw .badHeldSlots(name)
      }
    }
    self.init(texts: texts, shares: slots.shares, sets: slots.held.count)
  }
}

/// What a run wrote about its slots: token ids, and for every set of slots the positions it holds.
struct SlotDump {
  /// What the file starts with: "TEH1".
  static let magic: UInt32 = 0x3148_4554

  let ids: [Int32]
  let held: [[UInt32]]

  /// Checks and takes the bytes of a file: magic, tokens, sets, ids; then for every set its count
  /// and positions.
  init(_ data: Data, name: String) throws(EvaluationError) {
    var words = data.count % 4 == 0 ? Self.words(data)[...] : []
    func next() throws(EvaluationError) -> UInt32 {
      guard let word = words.popFirst() else { throw .badHeldSlots(name) }
      return word
    }
    func next(_ count: UInt32) throws(EvaluationError) -> [UInt32] {
      guard Int(count) <= words.count else { throw .badHeldSlots(name) }
      defer { words = words.dropFirst(Int(count)) }
      return Array(words.prefix(Int(count)))
    }
    guard try next() == Self.magic else { throw .badHeldSlots(name) }
    let tokens = try next()
    let sets = try next()
    ids = try next(tokens).map { Int32(bitPattern: $0) }
    var held: [[UInt32]] = []
    for _ in 0..<Int(sets) { held.append(try next(try next())) }
    guard words.isEmpty, sets > 0 else { throw .badHeldSlots(name) }
    self.held = held
  }

  /// For every token the share of sets that hold its position.
  var shares: [Double] {
    var counts = [Int](repeating: 0, count: ids.count)
    for positions in held {
      for position in Set(positions) where Int(position) < counts.count {
        counts[Int(position)] += 1
      }
    }
    return counts.map { Double($0) / Double(held.count) }
  }

  private static func words(_ data: Data) -> [UInt32] {
    let bytes = [UInt8](data)
    return stride(from: 0, to: bytes.count, by: 4).map { start in
      (0..<4).reduce(UInt32(0)) { $0 | UInt32(bytes[start + $1]) &<< UInt32(8 * $1) }
    }
  }
}
