internal import CKernels
package import Units

/// Which two dimensions of a head rotate together; the raw value is what a pack file holds.
package enum RopePairing: UInt32, BitwiseCopyable, Sendable {
  /// (0, 1), (2, 3) …
  case interleaved = 1
  /// (0, n/2), (1, n/2 + 1) … for n rotated dimensions.
  case split = 2
}

/// Rotary position embedding.
extension KernelSet {
  /// Rotates the first `2 · cosines.count` dimensions of every head in place.
  ///
  /// `heads` is [heads][headDimension]; the table, one entry per pair, comes from
  /// `Rotary.fillTable` and serves all heads of a token.
  package func rope(
    _ heads: FixedBuffer<Float>, headDimension: Int, pairing: RopePairing,
    cosines: FixedBuffer<Float>, sines: FixedBuffer<Float>
  ) {
    precondition(headDimension > 0 && heads.count % headDimension == 0, "whole heads")
    precondition(cosines.count == sines.count, "one sine for each cosine")
    precondition(cosines.count * 2 <= headDimension, "the head has the rotated dimensions")
    // SAFETY: heads × headDimension elements, of which pairs within the head are touched.
    unsafe table.pointee.rope(
      heads.unsafeBaseAddress, heads.count / headDimension, headDimension, cosines.count * 2,
      pairing == .interleaved ? 1 : 0, cosines.unsafeBaseAddress, sines.unsafeBaseAddress)
  }

  /// Rotates the keys in `slots` of one KV head where they are stored: read, rotated and quantized
  /// again, each slot once.
  ///
  /// int8 keys only: int4 keys do not bear it. The table is that of `rope`, one angle for all slots.
  package func turnKeys(
    in slots: FixedBuffer<UInt32>, layout: KeyLayout, keys: FixedBuffer<UInt8>,
    pairing: RopePairing, cosines: FixedBuffer<Float>, sines: FixedBuffer<Float>
  ) {
    precondition(layout.format == .int8, "int4 keys are never rotated again")
    precondition(cosines.count == sines.count, "one sine for each cosine")
    precondition(cosines.count * 2 <= layout.headDimension, "the head has the rotated dimensions")
    var last: UInt32 = 0
    for index in 0..<slots.count { last = max(last, slots[index]) }
    precondition(slots.count == 0 || keys.count >= layout.bytes(slots: Int(last) + 1), "keys there")
    // SAFETY: the lines above keep every slot and pair inside.
    var arguments = unsafe kernel_turn(
      keys: keys.unsafeBaseAddress, tile_bytes: layout.tileBytes,
      dimensions: layout.headDimension, slots: slots.unsafeBaseAddress, slot_count: slots.count,
      rotated: cosines.count * 2, interleaved: pairing == .interleaved ? 1 : 0,
      cosines: cosines.unsafeBaseAddress, sines: sines.unsafeBaseAddress)
    unsafe table.pointee.turn_keys(&arguments)
  }
}
