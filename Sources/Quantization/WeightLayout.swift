package import Units

/// Where the quants and parameters of a matrix lie: tiles of 16 (int8) or 32 (int4) rows, groups of
/// 32 columns.
///
/// 1. Columns are filled up to a multiple of 32, rows to whole tiles, with zero weights.
/// 2. The quants of a group are 8 × 64 bytes, each 64 bytes [16 rows][4 k]. int4: row r of a tile in
///    the low nibbles, row 16 + r in the high ones with the bit of the 8 the other way round, so
///    that a signed byte is the first nibble plus 16 times (the second less 8). Both meet the same
///    activations, and products with bytes as they are save unpacking.
/// 3. int4: then the scales of the group in half precision [32 rows], then, asymmetric, the minimums
///    alike: whole lines of 64 bytes. int8: groups lie in pairs, the quants of both, then the scales
///    of both [2 groups][16 rows]; a last group without a partner stands alone. So a product reads a
///    tile from front to back, one stream for the prefetcher.
/// 4. A tile is filled up with zero bytes to a multiple of 64. Tiles follow each other.
package struct WeightLayout: BitwiseCopyable {
  package let format: WeightFormat
  package let rows: Int
  package let columns: Int
  /// Groups along k.
  package let groups: Int
  /// Tiles of `format.tileRows` rows.
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
    tiles = format.tiles(rows: rows)
    tileBytes = format.tileBytes(columns: columns)
  }

  /// Bytes of the matrix.
  package var bytes: Int { tiles * tileBytes }

  /// Rows with padding: the stride of an output vector.
  package var paddedRows: Int { tiles * format.tileRows }

  /// Columns with padding: the length of a quantized activation row.
  package var paddedColumns: Int { groups * WeightFormat.groupLength }

  /// The tiles that hold some blocks of `WeightFormat.tileRowsMax` rows.
  package func tiles(of blocks: Range<Int>) -> Range<Int> {
    let perBlock = WeightFormat.tileRowsMax / format.tileRows
    return min(blocks.lowerBound * perBlock, tiles)..<min(blocks.upperBound * perBlock, tiles)
  }

  /// Offset in a tile of the groups that lie together with a group, how many they are, and which of
  /// them it is.
  private func place(of group: Int) -> (offset: Int, members: Int, index: Int) {
    let index = format == .int8 ? group % 2 : 0
    let members = format == .int8 ? min(groups - group + index, 2) : 1
    return ((group - index) * format.groupBytes, members, index)
  }

  /// Offset in a tile of the byte that holds column `k` of a group, and whether in its high nibble.
  package func quantOffset(row: Int, group: Int, k: Int) -> (offset: Int, isHigh: Bool) {
    let (offset, _, index) = place(of: group)
    let start = offset + index * WeightFormat.groupQuantBytes
    return (start + k / 4 * 64 + row % 16 * 4 + k % 4, row >= 16)
  }

  /// Offset in a tile of the scale of a group.
  package func scaleOffset(row: Int, group: Int) -> Int {
    let (offset, members, index) = place(of: group)
    return offset + members * WeightFormat.groupQuantBytes + (index * format.tileRows + row) * 2
  }

  /// Offset in a tile of the minimum of a group; only where the format has one.
  package func minimumOffset(row: Int, group: Int) -> Int {
    scaleOffset(row: row, group: group) + format.tileRows * 2
  }

  /// Writes one group of one row of a tile, which must start out as zeros.
  package func write(
    _ values: QuantizedGroup, row: Int, group: Int, into tile: FixedBuffer<UInt8>
  ) {
    precondition(row >= 0 && row < format.tileRows, "row outside the tile")
    precondition(group >= 0 && group < groups, "group outside the row")
    precondition(tile.count >= tileBytes, "the tile does not fit")
    for k in 0..<WeightFormat.groupLength {
      let (offset, isHigh) = quantOffset(row: row, group: group, k: k)
      let quant = UInt8(bitPattern: values.quants[k])
      if format == .int8 {
        tile[offset] = quant
      } else {
        precondition(quant < 16, "a nibble has four bits")
        let (low, high) = (tile[offset] & 0x0F, tile[offset] & 0xF0)
        tile[offset] = isHigh ? low | (quant ^ 8) << 4 : high | quant
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
    let (tile, tileRow) = row.quotientAndRemainder(dividingBy: format.tileRows)
    let start = tile * tileBytes
    let group = column / WeightFormat.groupLength
    var values = QuantizedGroup()
    let (offset, isHigh) = quantOffset(
      row: tileRow, group: group, k: column % WeightFormat.groupLength)
    let byte: UInt8 = matrix.loadLittleEndian(at: start + offset)
    let quant = format == .int8 ? byte : isHigh ? byte >> 4 ^ 8 : byte & 15
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
