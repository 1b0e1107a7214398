package import Units

/// Brings the taken slots of a set into stream order, in fixed memory.
///
/// A radix sort from the lowest byte up, between two lists, in a pass for each byte in which keys
/// differ.
package struct SlotSorter: BitwiseCopyable {
  private let histogram: FixedBuffer<UInt32>
  private let first: FixedBuffer<UInt32>
  private let second: FixedBuffer<UInt32>

  /// A sorter that works in the caller's memory: 256 bins, and two lists as long as a set.
  package init(
    histogram: FixedBuffer<UInt32>, first: FixedBuffer<UInt32>, second: FixedBuffer<UInt32>
  ) {
    self.histogram = histogram
    self.first = first
    self.second = second
  }

  /// The taken slots in ascending order of their positions.
  package func order(of positions: FixedBuffer<UInt32>) -> FixedBuffer<UInt32> {
    taken(positions).slots
  }

  /// The taken slots in ascending order of their keys, of equal keys the older slot first.
  package func order(
    of positions: FixedBuffer<UInt32>, by keys: FixedBuffer<UInt32>
  ) -> FixedBuffer<UInt32> {
    var lists = taken(positions)
    sort(&lists, by: keys)
    return lists.slots
  }

  /// A list of slots and one as long to sort it into.
  private typealias Lists = (slots: FixedBuffer<UInt32>, spare: FixedBuffer<UInt32>)

  private func taken(_ positions: FixedBuffer<UInt32>) -> Lists {
    precondition(positions.count <= first.count, "the lists hold a set")
    var count = 0
    for slot in 0..<positions.count where positions[slot] != SlotTable.free {
      first[count] = UInt32(slot)
      count += 1
    }
    var lists = (slots: first.extracting(0..<count), spare: second.extracting(0..<count))
    sort(&lists, by: positions)
    return lists
  }

  /// Sorts the list of slots; equal keys keep their order.
  private func sort(_ lists: inout Lists, by keys: FixedBuffer<UInt32>) {
    guard lists.slots.count > 1 else { return }
    let key = keys[Int(lists.slots[0])]
    var differing: UInt32 = 0
    for index in 0..<lists.slots.count { differing |= keys[Int(lists.slots[index])] ^ key }
    for byte in 0..<4 as Range<UInt32> where differing >> (8 * byte) & 255 != 0 {
      pass(8 * byte, keys, from: lists.slots, to: lists.spare)
      lists = (slots: lists.spare, spare: lists.slots)
    }
  }

  private func pass(
    _ shift: UInt32, _ keys: FixedBuffer<UInt32>, from source: FixedBuffer<UInt32>,
    to target: FixedBuffer<UInt32>
  ) {
    histogram.fill(0)
    for index in 0..<source.count { histogram[Int(keys[Int(source[index])] >> shift & 255)] += 1 }
    var start: UInt32 = 0
    for bin in 0..<Selection.histogramCount {
      let size = histogram[bin]
      histogram[bin] = start
      start += size
    }
    for index in 0..<source.count {
      let bin = Int(keys[Int(source[index])] >> shift & 255)
      target[Int(histogram[bin])] = source[index]
      histogram[bin] += 1
    }
  }
}
