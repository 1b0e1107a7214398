package import Units

/// Brings the taken slots of a set into stream order, in fixed memory.
///
/// A radix sort from the lowest byte up, in four passes for 32 bits, between two lists.
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
    precondition(positions.count <= first.count, "the lists hold a set")
    var count = 0
    for slot in 0..<positions.count where positions[slot] != SlotTable.free {
      first[count] = UInt32(slot)
      count += 1
    }
    sort(count, by: positions)
    return first.extracting(0..<count)
  }

  /// The taken slots in ascending order of their keys, of equal keys the older slot first.
  package func order(
    of positions: FixedBuffer<UInt32>, by keys: FixedBuffer<UInt32>
  ) -> FixedBuffer<UInt32> {
    let slots = order(of: positions)
    sort(slots.count, by: keys)
    return slots
  }

  /// Sorts the first list; equal keys keep their order.
  private func sort(_ count: Int, by keys: FixedBuffer<UInt32>) {
    pass(0, keys, count, from: first, to: second)
    pass(8, keys, count, from: second, to: first)
    pass(16, keys, count, from: first, to: second)
    pass(24, keys, count, from: second, to: first)
  }

  private func pass(
    _ shift: UInt32, _ keys: FixedBuffer<UInt32>, _ count: Int,
    from source: FixedBuffer<UInt32>, to target: FixedBuffer<UInt32>
  ) {
    histogram.fill(0)
    for index in 0..<count { histogram[Int(keys[Int(source[index])] >> shift & 255)] += 1 }
    var start: UInt32 = 0
    for bin in 0..<Selection.histogramCount {
      let size = histogram[bin]
      histogram[bin] = start
      start += size
    }
    for index in 0..<count {
      let bin = Int(keys[Int(source[index])] >> shift & 255)
      target[Int(histogram[bin])] = source[index]
      histogram[bin] += 1
    }
  }
}
