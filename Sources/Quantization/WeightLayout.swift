package import Units

/// Where the quants and parameters of a matrix lie: tiles of 16 rows, groups of 32 columns.
///
/// 1. Columns are filled up to a multiple of 32, rows to a multiple of 16, with zero weights.
/// 2. The quants of a group. int8: 8 × 64 bytes, each 64 bytes [16 rows][4 k]. int4: 4 × 64 bytes,
///    each 64 bytes [16 rows][4 bytes] for 8 k, where byte j of a row holds k = j in its low and
///    k = 4 + j in its high nibble.
/// 3. Groups lie in pairs: the quants of both, the scales of both in half precision
///    [2 groups][16 rows], then, asymmetric, the minimums alike. A last group without a partner
///    stands alone. So a product reads a tile from front to back, one stream for the prefetcher.
/// 4. A tile is filled up with zero bytes to a multiple of 64. Tiles follow each other.
package struct WeightLayout: BitwiseCopyable {
  package let format: WeightFormat
  package let rows: Int
  package let columns: Int
  /// Groups along k.
  package let groups: Int
  /// Tiles of 16 rows.
  package let tiles: Int
  /// Bytes of a tile.
  package let tileBytes: Int

  /// The layout of a matrix of `rows` outputs and `columns` inputs.
  package init(format: WeightFormat, rows: Int, columns: Int) {
    precondition(rows > 0 && columns > 0, "a matrix has rows and columns")
    self.format = format
    self.rows = rows
    self.columns = columns
    groups = WeightFormat.groups(columns: columns)
    tiles = WeightFormat.tiles(rows: rows)
    tileBytes = format.tileBytes(columns: columns)
  }

  /// Bytes of the matrix.
  package var bytes: Int { tiles * tileBytes }

  /// Rows with padding: the stride of an output vector.
  package var paddedRows: Int { tiles * WeightFormat.tileRows }

  /// Columns with padding: the length of a quantized activation row.
  package var paddedColumns: Int { groups * WeightFormat.groupLength }

  /// Offset in a tile of the pair that holds a group, and how many groups the pair has.
  private func pair(of group: Int) -> (offset: Int, members: Int) {
    let first = group - group % 2
    return (first * format.groupBytes, min(groups - first, 2))
  }

  /// Offset in a tile of the byte that holds column `k` of a group, and whether in its high nibble.
  package func quantOffset(row: Int, group: Int, k: Int) -> (offset: Int, isHigh: Bool) {
    let start = pair(of: group).offset + group % 2 * format.groupQuantBytes + row * 4 + k % 4
    guard format != .int8 else { return (start + k / 4 * 64, false) }
    return (start + k / 8 * 64, k % 8 >= 4)
  }

  /// Offset in a tile of the scale of a group.
  package func scaleOffset(row: Int, group: Int) -> Int {
    let (offset, members) = pair(of: group)
    return offset + members * format.groupQuantBytes
      + (group % 2 * WeightFormat.tileRows + row) * 2
  }

  /// Offset in a tile of the minimum of a group; only where the format has one.
  package func minimumOffset(row: Int, group: Int) -> Int {
    scaleOffset(row: row, group: group) + pair(of: group).members * WeightFormat.tileRows * 2
  }

  /// Writes one group of one row (0 … 15 within the tile); the tile must start out as zeros.
  package func write(
    _ values: QuantizedGroup, row: Int, group: Int, into tile: FixedBuffer<UInt8>
  ) {
    precondition(row >= 0 && row < WeightFormat.tileRows, "row outside the tile")
    precondition(group >= 0 && group < groups, "group outside the row")
    precondition(tile.count >= tileBytes, "the tile does not fit")
    for k in 0..<WeightFormat.groupLength {
      let (offset, isHigh) = quantOffset(row: row, group: group, k: k)
      let quant = UInt8(bitPattern: values.quants[k])
      if format == .int8 {
        tile[offset] = quant
      } else {
        precondition(quant < 16, "a nibble has four bits")
        tile[offset] = isHigh ? tile[offset] & 0x0F | quant << 4 : tile[offset] & 0xF0 | quant
      }
    }
    store(values.scale, at: scaleOffset(row: row, group: group), in: tile)
    if format == .int4Asymmetric {
      store(values.minimum, at: minimumOffset(row: row, group: group), in: tile)
    }
  }

  /// Reads one weight back, slowly.
  package func weight(row: Int, column: Int, of matrix: RawSpan) -> Float {
    precondition(row >= 0 && row < paddedRows, "row outside the matrix")
    precondition(column >= 0 && column < paddedColumns, "column outside the matrix")
    let start = row / WeightFormat.tileRows * tileBytes
    let tileRow = row % WeightFormat.tileRows
    let group = column / WeightFormat.groupLength
    var values = QuantizedGroup()
    let (offset, isHigh) = quantOffset(
      row: tileRow, group: group, k: column % WeightFormat.groupLength)
    let byte: UInt8 = matrix.loadLittleEndian(at: start + offset)
    let quant = format == .int8 ? byte : isHigh ? byte >> 4 : byte & 15
    values.quants[0] = Int8(bitPattern: quant)
    values.scale = matrix.loadLittleEndian(
      at: start + scaleOffset(row: tileRow, group: group))
    if format == .int4Asymmetric {
      values.minimum = matrix.loadLittleEndian(
        at: start + minimumOffset(row: tileRow, group: group))
    }
    return values.value(0, format: format)
  }

  private func store(_ half: UInt16, at offset: Int, in tile: FixedBuffer<UInt8>) {
    tile[offset] = UInt8(truncatingIfNeeded: half)
    tile[offset + 1] = UInt8(truncatingIfNeeded: half >> 8)
  }
}
