import Cache
import Units

/// The slots of some tokens of a tile that follow each other in the stream, looked up once for all.
struct TokenSlots: BitwiseCopyable {
  private let first: Int
  private let position: Int
  private let map: SlotMap?
  private let targets: FixedBuffer<UInt32>

  /// Where slots follow from positions; the first of the tokens stands at `position`.
  init(first: Int, position: Int, map: SlotMap) {
    self.first = first
    self.position = position
    self.map = map
    targets = .empty
  }

  /// Where they were set aside, one for each token.
  init(first: Int, targets: FixedBuffer<UInt32>) {
    self.first = first
    position = 0
    map = nil
    self.targets = targets
  }

  /// The slot of token `token` of the tile.
  subscript(token: Int) -> Int {
    guard let map else { return Int(targets[token - first]) }
    return map.slot(of: position + token - first)
  }

  /// The slot of a token that comes soon after `token`, where it lies apart from the others.
  func soon(after token: Int) -> Int? {
    let index = token - first + Self.tokensAhead
    return index < targets.count ? Int(targets[index]) : nil
  }

  /// So many tokens ahead the memory of a slot is asked for.
  static var tokensAhead: Int { 2 }
}
