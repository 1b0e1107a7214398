package import Units

/// Neighbourhoods of 5 or 7 slots in stream order, in integers.
package enum Pooling {
  /// How the mean of an edge counts the neighbours that are missing.
  package enum Edges: BitwiseCopyable, Sendable {
    /// As zeros.
    case zeros
    /// Not at all: the divisor is the number of neighbours there are.
    case valid
  }

  /// output[i] is ordered like the mean of scores[i − 2 … i + 2]: 60 times the mean, as every
  /// divisor from 1 to 5 divides 60, plus 2^63 so that negative ones come first.
  ///
  /// The magnitudes of scores must stay below 2^63 / 300. The two buffers do not overlap.
  package static func averages(
    of scores: FixedBuffer<Int64>, edges: Edges, into output: FixedBuffer<UInt64>
  ) {
    precondition(output.count >= scores.count, "room for every score")
    let count = scores.count
    for index in 0..<count {
      let (first, last) = (max(index - 2, 0), min(index + 2, count - 1))
      var sum: Int64 = 0
      for neighbour in first...last { sum += scores[neighbour] }
      let divisor = edges == .zeros ? 5 : last - first + 1
      output[index] = UInt64(bitPattern: sum * Int64(60 / divisor)) ^ 1 << 63
    }
  }

  /// output[i] = the largest of scores[i − 3 … i + 3].
  ///
  /// Scores are not negative; missing neighbours do not count. The two buffers do not overlap.
  package static func maxima(
    of scores: FixedBuffer<Int64>, into output: FixedBuffer<UInt64>
  ) {
    precondition(output.count >= scores.count, "room for every score")
    let count = scores.count
    for index in 0..<count {
      var largest: Int64 = 0
      for neighbour in max(index - 3, 0)...min(index + 3, count - 1) {
        largest = max(largest, scores[neighbour])
      }
      output[index] = UInt64(largest)
    }
  }
}
