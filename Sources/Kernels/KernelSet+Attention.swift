internal import CKernels
package import Units

/// Which slots a query sees.
///
/// Slot s is visible to a query at position P when its position p ≤ P and, unless s < `sinkSlots`,
/// P − p < `window`.
package struct AttentionMask: BitwiseCopyable {
  /// Stream position of each slot; the live slots come first.
  package let slotPositions: FixedBuffer<UInt32>
  /// Live slots.
  package let slotCount: Int
  /// First slots that no window excludes.
  package let sinkSlots: Int
  /// Positions a query looks back, its own included; `UInt32.max` for all.
  package let window: UInt32

  /// A mask over `slotCount` live slots.
  package init(
    slotPositions: FixedBuffer<UInt32>, slotCount: Int, sinkSlots: Int, window: UInt32
  ) {
    precondition(slotCount >= 0 && slotCount <= slotPositions.count, "a position for each slot")
    precondition(sinkSlots >= 0, "a number of slots")
    precondition(window > 0, "a query sees itself")
    self.slotPositions = slotPositions
    self.slotCount = slotCount
    self.sinkSlots = sinkSlots
    self.window = window
  }
}

/// Attention of queries over one KV head of the cache.
///
/// Steps: `appendKey`, `appendValue` once per token; queries rotated (`hadamard`) where keys are
/// int4 and quantized (`quantize`, columns = head dimension); `scores`, `softmax`, `weightedSum`;
/// outputs rotated back where values are int4. Queries may be any mix of heads and tokens that
/// share the KV head; the bits equal those of one query at a time.
extension KernelSet {
  /// Quantizes a key into its slot, over whatever was there; int4 keys come rotated.
  package func appendKey(
    _ key: FixedBuffer<Float>, slot: Int, layout: KeyLayout, keys: FixedBuffer<UInt8>
  ) {
    precondition(key.count == layout.headDimension, "one key")
    precondition(slot >= 0, "slots count from 0")
    let start = slot / 16 * layout.tileBytes
    let tile = keys.extracting(start..<start + layout.tileBytes)
    // SAFETY: the tile and the key have the sizes of the layout.
    switch layout.format {
    case .int8:
      unsafe table.pointee.append_key_int8(
        tile.unsafeBaseAddress, key.count, slot % 16, key.unsafeBaseAddress)
    case .int4:
      unsafe table.pointee.append_key_int4(
        tile.unsafeBaseAddress, key.count, slot % 16, key.unsafeBaseAddress)
    }
  }

  /// Quantizes a value into its slot, over whatever was there; int4 values come rotated.
  package func appendValue(
    _ value: FixedBuffer<Float>, slot: Int, layout: ValueLayout, values: FixedBuffer<UInt8>
  ) {
    precondition(value.count == layout.headDimension, "one value")
    precondition(slot >= 0, "slots count from 0")
    let start = slot / 32 * layout.blockBytes
    let block = values.extracting(start..<start + layout.blockBytes)
    // SAFETY: the block and the value have the sizes of the layout.
    switch layout.format {
    case .int8:
      unsafe table.pointee.append_value_int8(
        block.unsafeBaseAddress, value.count, slot % 32, value.unsafeBaseAddress)
    case .int4:
      unsafe table.pointee.append_value_int4(
        block.unsafeBaseAddress, value.count, slot % 32, value.unsafeBaseAddress)
    }
  }

  /// scores[query][slot] = query · key / √(head dimension) for the slots of `slots`.
  ///
  /// `scores` is [queries][scoreStride]; other slots are left alone, so that ranges may take
  /// different queries.
  package func scores(
    queries: ActivationRows, keys: FixedBuffer<UInt8>, layout: KeyLayout, slots: Range<Int>,
    into scores: FixedBuffer<Float>, scoreStride: Int
  ) {
    precondition(queries.columns == layout.headDimension, "queries have the head dimension")
    precondition(slots.lowerBound >= 0, "slots count from 0")
    precondition(keys.count >= layout.bytes(slots: slots.upperBound), "the keys are there")
    precondition(scoreStride >= slots.upperBound, "a row holds the slots")
    precondition(scores.count >= queries.rows * scoreStride, "room for every query")
    // SAFETY: the lines above keep keys, queries and scores inside their buffers.
    var arguments = unsafe kernel_scores(
      keys: keys.unsafeBaseAddress, tile_bytes: layout.tileBytes,
      dimensions: layout.headDimension, slot_begin: slots.lowerBound, slot_end: slots.upperBound,
      queries: queries.cRows,
      scores: scores.unsafeBaseAddress, score_stride: scoreStride)
    switch layout.format {
    case .int8: unsafe table.pointee.scores_int8(&arguments)
    case .int4: unsafe table.pointee.scores_int4(&arguments)
    }
  }

  /// Turns scores into e^(score − largest) in place, 0 where the mask hides the slot.
  ///
  /// `scores` is [queries][scoreStride]; the stride is a multiple of 32 and holds the live slots.
  /// `queryPositions` has the stream position of each query, its count is the number of queries;
  /// each must see at least one slot. `sums` receives the sum of each row, which `weightedSum`
  /// divides by.
  package func softmax(
    _ scores: FixedBuffer<Float>, scoreStride: Int, queryPositions: FixedBuffer<UInt32>,
    mask: AttentionMask, sums: FixedBuffer<Float>
  ) {
    precondition(scoreStride % 32 == 0, "rows of whole blocks")
    precondition(mask.slotCount <= scoreStride, "a row holds the live slots")
    precondition(scores.count >= queryPositions.count * scoreStride, "a row for every query")
    precondition(sums.count >= queryPositions.count, "a sum for every query")
    // SAFETY: the lines above and the mask's own checks keep every index inside.
    var arguments = unsafe kernel_softmax(
      scores: scores.unsafeBaseAddress, score_stride: scoreStride, slot_count: mask.slotCount,
      slot_positions: mask.slotPositions.unsafeBaseAddress,
      query_positions: queryPositions.unsafeBaseAddress, queries: queryPositions.count,
      sink_slots: min(mask.sinkSlots, mask.slotCount), window: mask.window,
      sums: sums.unsafeBaseAddress)
    unsafe table.pointee.softmax(&arguments)
  }

  /// output[query] = Σ probability · value / sum, over the first `slotCount` slots.
  ///
  /// `probabilities` is what `softmax` left, [queries][probabilityStride]; `sums` has one element
  /// per query. Of each row of `output`, [queries][outputStride], the head dimension is written.
  package func weightedSum(
    probabilities: FixedBuffer<Float>, probabilityStride: Int, sums: FixedBuffer<Float>,
    values: FixedBuffer<UInt8>, layout: ValueLayout, slotCount: Int,
    into output: FixedBuffer<Float>, outputStride: Int
  ) {
    precondition(slotCount >= 0 && probabilityStride % 32 == 0, "rows of whole blocks")
    precondition(slotCount <= probabilityStride, "a row holds the live slots")
    precondition(probabilities.count >= sums.count * probabilityStride, "a row for every query")
    precondition(values.count >= layout.bytes(slots: slotCount), "the values are there")
    precondition(outputStride >= layout.headDimension, "an output row holds a head")
    guard sums.count > 0 else { return }
    precondition(
      output.count >= (sums.count - 1) * outputStride + layout.headDimension,
      "room for every query")
    // SAFETY: the lines above keep probabilities, values and outputs inside their buffers.
    var arguments = unsafe kernel_weighted_sum(
      values: values.unsafeBaseAddress, block_bytes: layout.blockBytes,
      dimensions: layout.headDimension, slot_count: slotCount,
      probabilities: probabilities.unsafeBaseAddress, probability_stride: probabilityStride,
      sums: sums.unsafeBaseAddress, queries: sums.count, output: output.unsafeBaseAddress,
      output_stride: outputStride)
    switch layout.format {
    case .int8: unsafe table.pointee.weighted_sum_int8(&arguments)
    case .int4: unsafe table.pointee.weighted_sum_int4(&arguments)
    }
  }
}
