import Kernels
package import Memory
package import Units

/// Tables that turn keys by the distances of late: what goes at one eviction turns those behind it by
/// the same few distances in every set.
package struct TurningTables: BitwiseCopyable {
  private let distances: FixedBuffer<Int32>  // 0: no table
  private let cosines: FixedBuffer<Float>  // [distances][pairs]
  private let sines: FixedBuffer<Float>  // [distances][pairs]

  /// Lays `count` tables for so many pairs of dimensions out in the current region of `arena`.
  ///
  /// Memory of zeros holds none yet.
  package init(_ count: Int, pairs: Int, in arena: inout Arena) {
    distances = arena.take(count)
    cosines = arena.take(count * pairs)
    sines = arena.take(count * pairs)
  }

  /// What turns keys by `distance` positions, which is not 0.
  package func table(
    turningBy distance: Int, fractions: FixedBuffer<UInt64>
  ) -> (cosines: FixedBuffer<Float>, sines: FixedBuffer<Float>) {
    let index = Int(UInt(bitPattern: distance) % UInt(distances.count))
    let own = index * fractions.count..<(index + 1) * fractions.count
    let (cosines, sines) = (cosines.extracting(own), sines.extracting(own))
    if distances[index] != Int32(truncatingIfNeeded: distance) {
      Rotary.fillTable(
        turningBy: distance, fractions: fractions, cosines: cosines, sines: sines)
      distances[index] = Int32(truncatingIfNeeded: distance)
    }
    return (cosines, sines)
  }
}
