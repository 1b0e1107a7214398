package import Units

/// Brings the taken slots of a set into stream order, in fixed memory.
///
/// A radix sort from the lowest byte up, between two lists, in a pass for each byte in which keys
/// differ; what the passes count is counted at once.
package struct SlotSorter: BitwiseCopyable {
  private let histograms: FixedBuffer<UInt32>  // [4][256]
  private let first: FixedBuffer<UInt32>
  private let second: FixedBuffer<UInt32>

  /// Elements of the histograms.
  package static var histogramCount: Int { 4 * 256 }

  /// A sorter that works in the caller's memory: histograms, and two lists as long as a set.
  package init(
    histograms: FixedBuffer<UInt32>, first: FixedBuffer<UInt32>, second: FixedBuffer<UInt32>
  ) {
    self.histograms = histograms
    self.first = first
    self.second = second
  }

  /// The taken slots in ascending order of their positions, until the next order is asked for.
  package func order(of positions: FixedBuffer<UInt32>) -> FixedBuffer<UInt32> {
    precondition(positions.count <= first.count, "the lists hold a set")
    var count = 0
    for slot in 0..<positions.count where positions[slot] != SlotTable.free {
      first[count] = UInt32(slot)
      count += 1
    }
    return sort(count, by: positions)
  }

  /// The same slots in ascending order of their keys; of equal keys they keep their order.
  ///
  /// `slots` lies elsewhere.
  package func order(
    of slots: FixedBuffer<UInt32>, by keys: FixedBuffer<UInt32>
  ) -> FixedBuffer<UInt32> {
    first.extracting(0..<slots.count).copy(from: slots)
    return sort(slots.count, by: keys)
  }

  /// Sorts the first `count` slots of the first list; where they are afterwards.
  private func sort(_ count: Int, by keys: FixedBuffer<UInt32>) -> FixedBuffer<UInt32> {
    var lists = (slots: first.extracting(0..<count), spare: second.extracting(0..<count))
    guard count > 1 else { return lists.slots }
    histograms.fill(0)
    for index in 0..<count {
      let key = keys[Int(lists.slots[index])]
      histograms[Int(key & 255)] += 1
      histograms[256 + Int(key >> 8 & 255)] += 1
      histograms[512 + Int(key >> 16 & 255)] += 1
      histograms[768 + Int(key >> 24)] += 1
    }
    let key = keys[Int(lists.slots[0])]
    for byte in 0..<4 as Range<UInt32> {
      let bins = histograms.extracting(Int(byte) * 256..<(Int(byte) + 1) * 256)
      if Int(bins[Int(key >> (8 * byte) & 255)]) == count { continue }
      pass(8 * byte, keys, bins, from: lists.slots, to: lists.spare)
      lists = (slots: lists.spare, spare: lists.slots)
    }
    return lists.slots
  }

  private func pass(
    _ shift: UInt32, _ keys: FixedBuffer<UInt32>, _ bins: FixedBuffer<UInt32>,
    from source: FixedBuffer<UInt32>, to target: FixedBuffer<UInt32>
  ) {
    var start: UInt32 = 0
    for bin in 0..<256 {
      let size = bins[bin]
      bins[bin] = start
      start += size
    }
    for index in 0..<source.count {
      let slot = source[index]
      let bin = Int(keys[Int(slot)] >> shift & 255)
      target[Int(bins[bin])] = slot
      bins[bin] += 1
    }
  }
}
