internal import CKernels
package import Units

/// Attention of queries over one KV head of the cache.
///
/// Steps: `appendKey`, `appendValue` once per token; queries rotated (`hadamard`) where keys are
/// int4 and quantized (`quantize`, columns = head dimension). Then the slots are taken in runs of a
/// fixed length, each run by `scores`, `softmax` and `weightedSum` on its own (`AttendedHead` does so
/// for many runs), and `merge` joins the runs in order; `divide` by the sum ends it; outputs are
/// rotated back where values are int4.
/// Because runs are cut by slot numbers alone, it does not matter who computes which of them.
/// Queries may be any mix of heads and tokens that share the KV head; the bits equal those of one
/// query at a time. (Online softmax: Milakov and Gimelshein, arXiv 1805.02867, section 3.)
extension KernelSet {
  /// Quantizes a key into its slot, over whatever was there; int4 keys come rotated.
  package func appendKey(
    _ key: FixedBuffer<Float>, slot: Int, layout: KeyLayout, keys: FixedBuffer<UInt8>
  ) {
    precondition(key.count == layout.headDimension, "one key")
    let tile = layout.tile(of: slot, in: keys)
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
  /// different queries. `next` is what will be read next: memory that the processor is asked
  /// for meanwhile.
  package func scores(
    queries: ActivationRows, keys: FixedBuffer<UInt8>, layout: KeyLayout, slots: Range<Int>,
    into scores: FixedBuffer<Float>, scoreStride: Int, next: FixedBuffer<UInt8>? = nil
  ) {
    precondition(queries.columns == layout.headDimension, "queries have the head dimension")
    precondition(slots.lowerBound >= 0, "slots count from 0")
    precondition(keys.count >= layout.bytes(slots: slots.upperBound), "the keys are there")
    precondition(scoreStride >= slots.upperBound, "a row holds the slots")
    precondition(
      scores.count >= (queries.rows - 1) * scoreStride + slots.upperBound, "room for every query")
    // SAFETY: the lines above keep keys, queries and scores inside their buffers.
    var arguments = unsafe kernel_scores(
      keys: keys.unsafeBaseAddress, tile_bytes: layout.tileBytes,
      dimensions: layout.headDimension, slot_begin: slots.lowerBound, slot_end: slots.upperBound,
      queries: queries.cRows,
      scores: scores.unsafeBaseAddress, score_stride: scoreStride,
      ahead: Self.distance(from: keys, to: next))
    switch layout.format {
    case .int8: unsafe table.pointee.scores_int8(&arguments)
    case .int4: unsafe table.pointee.scores_int4(&arguments)
    }
  }

  /// From memory that is read to what will be read next, in bytes; 0 where nothing is known.
  private static func distance(
    from memory: FixedBuffer<UInt8>, to next: FixedBuffer<UInt8>?
  ) -> Int {
    guard let next else { return 0 }
    return unsafe UnsafeRawPointer(next.unsafeBaseAddress)
      - UnsafeRawPointer(memory.unsafeBaseAddress)
  }

  /// Turns the scores of one run into e^(score − top) in place, 0 where a query does not see the
  /// slot: where the slot's position is beyond the query's.
  ///
  /// `scores` is [queries][scoreStride]; the stride is a multiple of 32 and holds the run.
  /// `slotPositions` has the stream position of each slot of the run, `queryPositions` that of each
  /// query. `tops` receives the largest visible score of each row (−2^127 where there is none),
  /// `sums` the sum of each row. `next` are the keys that will be read next.
  package func softmax(
    _ scores: FixedBuffer<Float>, scoreStride: Int, queryPositions: FixedBuffer<UInt32>,
    slotPositions: FixedBuffer<UInt32>, tops: FixedBuffer<Float>, sums: FixedBuffer<Float>,
    next: (keys: FixedBuffer<UInt8>, layout: KeyLayout)? = nil
  ) {
    precondition(scoreStride % 32 == 0, "rows of whole blocks")
    precondition(slotPositions.count <= scoreStride, "a row holds the run")
    precondition(
      scores.count >= (queryPositions.count - 1) * scoreStride
        + slotPositions.count.roundedUp(toMultipleOf: 32),
      "a row for every query")
    precondition(sums.count >= queryPositions.count, "a sum for every query")
    precondition(tops.count >= queryPositions.count, "a top for every query")
    // SAFETY: the lines above keep every index inside.
    var arguments = unsafe kernel_softmax(
      scores: scores.unsafeBaseAddress, score_stride: scoreStride,
      slot_count: slotPositions.count, slot_positions: slotPositions.unsafeBaseAddress,
      query_positions: queryPositions.unsafeBaseAddress, queries: queryPositions.count,
      sums: sums.unsafeBaseAddress, tops: tops.unsafeBaseAddress,
      next: kernel_next(keys: next?.keys.unsafeBaseAddress, slots: .max, rest: nil),
      next_stride: next?.layout.bytes(slots: 32) ?? 0, values: nil, value_stride: 0)
    unsafe table.pointee.softmax(&arguments)
  }

  /// output[query] = Σ probability · value, over the `slotCount` slots of a run.
  ///
  /// `probabilities` is what `softmax` left, [queries][probabilityStride]; `values` starts at the
  /// first slot of the run, a multiple of 32. Of each row of `output`, [queries][outputStride], the
  /// head dimension is written. One run alone; sessions have many, by way of `AttendedHead`.
  package func weightedSum(
    probabilities: FixedBuffer<Float>, probabilityStride: Int, queries: Int,
    values: FixedBuffer<UInt8>, layout: ValueLayout, slotCount: Int,
    into output: FixedBuffer<Float>, outputStride: Int
  ) {
    precondition(slotCount >= 0 && probabilityStride % 32 == 0, "rows of whole blocks")
    precondition(slotCount <= probabilityStride, "a row holds the run")
    precondition(values.count >= layout.bytes(slots: slotCount), "the values are there")
    precondition(outputStride >= layout.headDimension, "an output row holds a head")
    guard queries > 0 else { return }
    precondition(
      probabilities.count >= (queries - 1) * probabilityStride
        + slotCount.roundedUp(toMultipleOf: 32),
      "a row for every query")
    precondition(
      output.count >= (queries - 1) * outputStride + layout.headDimension, "room for every query")
    // SAFETY: the lines above keep probabilities, values and outputs inside their buffers.
    var arguments = unsafe kernel_weighted_sum(
      values: values.unsafeBaseAddress, block_bytes: layout.blockBytes,
      dimensions: layout.headDimension, slot_count: slotCount,
      probabilities: probabilities.unsafeBaseAddress, probability_stride: probabilityStride,
      queries: queries, output: output.unsafeBaseAddress, output_stride: outputStride,
      next: kernel_next())
    switch layout.format {
    case .int8: unsafe table.pointee.weighted_sum_int8(&arguments)
    case .int4: unsafe table.pointee.weighted_sum_int4(&arguments)
    }
  }

  /// The top of a row of which nothing has been seen.
  package static var emptyTop: Float { -0x1p127 }

  /// Joins what `softmax` and `weightedSum` made of some runs to the runs before them, in order.
  ///
  /// t = max(total top, part top); the total is scaled by e^(total top − t), the part by
  /// e^(part top − t), and both are added; the sums alike. A total starts as zeros with
  /// `emptyTop`. `parts` are [runs][queries][stride], `totals` [queries][stride], of which the first
  /// `dimension` elements are joined; tops and sums have one element per row.
  package func merge(
    parts: FixedBuffer<Float>, tops: FixedBuffer<Float>, sums: FixedBuffer<Float>,
    into totals: FixedBuffer<Float>, totalTops: FixedBuffer<Float>, totalSums: FixedBuffer<Float>,
    stride: Int, dimension: Int
  ) {
    let (rows, queries) = (tops.count, totalTops.count)
    guard rows > 0 && queries > 0 else { return }
    precondition(rows % queries == 0, "every run has all queries")
    precondition(sums.count == rows, "a sum for every row")
    precondition(totalSums.count == queries, "a total for every query")
    precondition(dimension >= 0 && dimension <= stride, "a row holds a head")
    func elements(_ rows: Int) -> Int { dimension == 0 ? 0 : (rows - 1) * stride + dimension }
    precondition(parts.count >= elements(rows), "a row for every query of every run")
    precondition(totals.count >= elements(queries), "a row for every query")
    // SAFETY: the lines above keep every index inside.
    var arguments = unsafe kernel_merge(
      parts: parts.unsafeBaseAddress, part_tops: tops.unsafeBaseAddress,
      part_sums: sums.unsafeBaseAddress, totals: totals.unsafeBaseAddress,
      total_tops: totalTops.unsafeBaseAddress, total_sums: totalSums.unsafeBaseAddress,
      runs: rows / queries, queries: queries, stride: stride, dimensions: dimension)
    unsafe table.pointee.merge(&arguments)
  }
}
