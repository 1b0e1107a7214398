import Units

/// The symbols of one word that can be merged with their right neighbour, the next to merge first.
///
/// A binary heap over symbol indices with the place of each remembered, so that a symbol whose
/// neighbours changed is moved in O(log n): the heap never holds a symbol twice.
struct PairHeap {
  private let order: FixedBuffer<UInt32>
  private let places: FixedBuffer<UInt32>
  private let keys: FixedBuffer<UInt32>
  private(set) var count = 0

  static var nowhere: UInt32 { 0xFFFF_FFFF }

  init(order: FixedBuffer<UInt32>, places: FixedBuffer<UInt32>, keys: FixedBuffer<UInt32>) {
    self.order = order
    self.places = places
    self.keys = keys
  }

  /// Makes room for the symbol `symbol`, which cannot be merged yet.
  func clear(_ symbol: Int) { places[symbol] = Self.nowhere }

  /// Puts `symbol` where `key` wants it: lower keys first, then lower indices.
  mutating func set(_ symbol: Int, key: UInt32) {
    keys[symbol] = key
    if places[symbol] == Self.nowhere {
      place(symbol, at: count)
      count += 1
    }
    let hole = Int(places[symbol])
    riseOrSink(symbol, from: hole)
  }

  /// Takes `symbol` out, if it is there.
  mutating func remove(_ symbol: Int) {
    guard places[symbol] != Self.nowhere else { return }
    let hole = Int(places[symbol])
    places[symbol] = Self.nowhere
    count -= 1
    guard hole < count else { return }
    riseOrSink(Int(order[count]), from: hole)
  }

  /// Takes out the symbol with the lowest key, or `nil` where none is left.
  mutating func removeFirst() -> Int? {
    guard count > 0 else { return nil }
    let first = Int(order[0])
    remove(first)
    return first
  }

  private func precedes(_ left: Int, _ right: Int) -> Bool {
    keys[left] < keys[right] || keys[left] == keys[right] && left < right
  }

  private func place(_ symbol: Int, at hole: Int) {
    order[hole] = UInt32(truncatingIfNeeded: symbol)
    places[symbol] = UInt32(truncatingIfNeeded: hole)
  }

  private func riseOrSink(_ symbol: Int, from start: Int) {
    var hole = start
    while hole > 0 {
      let parent = (hole - 1) / 2
      guard precedes(symbol, Int(order[parent])) else { break }
      place(Int(order[parent]), at: hole)
      hole = parent
    }
    while true {
      var child = 2 * hole + 1
      guard child < count else { break }
      if child + 1 < count && precedes(Int(order[child + 1]), Int(order[child])) { child += 1 }
      guard precedes(Int(order[child]), symbol) else { break }
      place(Int(order[child]), at: hole)
      hole = child
    }
    place(symbol, at: hole)
  }
}
