import Eviction
import Kernels
import Quantization
package import Units

/// How alike the values of a KV head are to their mean, in integers.
///
/// Source: Park et al., KeyDiff: Key Similarity-Based KV Cache Eviction, section 3: a token goes
/// whose key has the largest cosine to the mean of all normalized keys. Here values are compared.
/// Only the quants and scales of the cache decide, so that every machine finds the same numbers:
///
/// 1. A value is x[k] = quant · scale, the scales being whole numbers of 16 bits: those of the
///    cache in units of 2⁻²⁴, shifted until the largest of the slot fits.
/// 2. Its length is ⌊√Σ x²⌋; its direction x / length in units of 2⁻¹⁴.
/// 3. The anchor is the sum of all directions.
/// 4. The similarity of a slot is Σ x · anchor / length, towards 0: the cosine to the anchor times
///    the length of the anchor. A value of nothing but zeros has 0.
extension KVCache {
  /// scores[slot] is lower the more alike the slot's value is to the mean of all taken slots.
  ///
  /// Scores have 32 bits; free slots have `Selection.protected`. `positions` and `scores` have an
  /// element for each slot that was ever taken.
  package func scoreDifferences(
    layer: Int, head: Int, positions: FixedBuffer<UInt32>, into scores: FixedBuffer<UInt64>
  ) {
    precondition(scores.count >= positions.count, "a score for each slot")
    let values = values(layer: layer, head: head)
    var value = ScaledValue()
    var anchor = Anchor(slots: positions.count)
    for slot in 0..<positions.count where positions[slot] != SlotTable.free {
      value.read(slot: slot, of: values, valueLayout)
      anchor.add(value)
    }
    anchor.settle()
    for slot in 0..<positions.count {
      if positions[slot] == SlotTable.free {
        scores[slot] = Selection.protected
      } else {
        value.read(slot: slot, of: values, valueLayout)
        scores[slot] = UInt64(Anchor.similarityMax - anchor.similarity(to: value))
      }
    }
  }
}

/// A value of the cache as whole numbers.
private struct ScaledValue {
  /// quant · scale; magnitudes stay below 2²³.
  var elements = InlineArray<512, Int32>(repeating: 0)
  var count = 0
  /// ⌊√Σ x²⌋, below 2²⁸.
  var length = 0

  /// Takes the value of a slot.
  mutating func read(slot: Int, of values: FixedBuffer<UInt8>, _ layout: ValueLayout) {
    let block = slot / 32 * layout.blockBytes
    let scales = block + layout.quantBytes + slot % 32 * 2
    var largest: Int64 = 0
    for group in 0..<layout.groups {
      largest = max(largest, abs(Self.scale(at: scales + group * 64, of: values)))
    }
    let shift = max(64 - largest.leadingZeroBitCount - 16, 0)
    count = layout.headDimension
    var sum: Int64 = 0
    for group in 0..<layout.groups {
      let exact = Self.scale(at: scales + group * 64, of: values)
      let scale = exact < 0 ? -(-exact >> Int64(shift)) : exact >> Int64(shift)
      for k in group * 32..<min(group * 32 + 32, count) {
        let element = Int64(layout.quant(k, slot: slot % 32, of: values, block: block)) * scale
        elements[k] = Int32(truncatingIfNeeded: element)
        sum += element * element
      }
    }
    // A double holds the root of 2⁵⁵ to less than 1.
    var root = Int64(Double(sum).squareRoot())
    while root * root > sum { root -= 1 }
    while (root + 1) * (root + 1) <= sum { root += 1 }
    length = Int(root)
  }

  /// A half-precision scale in units of 2⁻²⁴, exactly.
  private static func scale(at offset: Int, of values: FixedBuffer<UInt8>) -> Int64 {
    let bits = UInt16(values[offset]) | UInt16(values[offset + 1]) << 8
    return Int64(Float16Bits.float(bits) * 16_777_216)
  }
}

/// The sum of directions.
private struct Anchor {
  /// Larger than every similarity: the anchor is at most 2³⁰ and a bit long.
  static var similarityMax: Int { 1 << 31 }

  private var sums = InlineArray<512, Int64>(repeating: 0)
  private let shift: Int

  /// The sum of at most `slots` directions, which is shifted to at most 2³⁰.
  init(slots: Int) {
    shift = max(Int.bitWidth - slots.leadingZeroBitCount - 16, 0)
  }

  /// Adds the direction of a value.
  mutating func add(_ value: ScaledValue) {
    if value.length == 0 { return }
    let inverse = Int64(1 << 44) / Int64(value.length)
    for k in 0..<value.count {
      sums[k] += (Int64(value.elements[k]) * inverse + 1 << 29) >> 30
    }
  }

  /// Ends the sum.
  mutating func settle() {
    if shift == 0 { return }
    for k in 0..<512 { sums[k] >>= Int64(shift) }
  }

  /// Cosine times the length of the anchor.
  func similarity(to value: ScaledValue) -> Int {
    if value.length == 0 { return 0 }
    var sum: Int64 = 0
    for k in 0..<value.count { sum += Int64(value.elements[k]) * sums[k] }
    return Int(sum / Int64(value.length))
  }
}
