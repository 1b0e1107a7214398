package import Units

/// Brings the taken slots of a set into stream order, in fixed memory.
///
/// A radix sort from the lowest byte up, in four passes between two lists.
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
    pass(0, positions, count, from: first, to: second)
    pass(8, positions, count, from: second, to: first)
    pass(16, positions, count, from: first, to: second)
    pass(24, positions, count, from: second, to: first)
    return first.extracting(0..<count)
  }

  private func pass(
    _ shift: UInt32, _ positions: FixedBuffer<UInt32>, _ count: Int,
    from source: FixedBuffer<UInt32>, to target: FixedBuffer<UInt32>
  ) {
    histogram.fill(0)
    for index in 0..<count { histogram[Int(positions[Int(source[index])] >> shift & 255)] += 1 }
    var start: UInt32 = 0
    for bin in 0..<Selection.histogramCount {
      let size = histogram[bin]
      histogram[bin] = start
      start += size
    }
    for index in 0..<count {
      let bin = Int(positions[Int(source[index])] >> shift & 255)
      target[Int(histogram[bin])] = source[index]
      histogram[bin] += 1
    }
  }
}
