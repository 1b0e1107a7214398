internal import Foundation
internal import ModelFormat
internal import Quantization
internal import Units

/// Streams one matrix from a GGUF file into a pack, a block of tiles at a time.
///
/// Memory: a block of the source and of the target, about `PackResources.blockBytes` each unless
/// one tile is larger, and one row of floats per thread. The result does not depend on the number of threads.
struct MatrixWriter {
  private let file: GGUFFile
  private let tensor: GGUFTensor
  private let encoder: MatrixEncoder
  private let threads: Int
  /// Tiles in a block.
  private let blockTiles: Int

  init(
    _ file: GGUFFile, _ tensor: GGUFTensor, format: WeightFormat, rows: Int, columns: Int,
    _ resources: PackResources
  ) {
    self.file = file
    self.tensor = tensor
    encoder = MatrixEncoder(tensor, format: format, rows: rows, columns: columns)
    let tileBytes = max(format.tileRows * encoder.rowBytes, encoder.layout.tileBytes)
    blockTiles = min(encoder.layout.tiles, max(1, resources.blockBytes / tileBytes))
    self.threads = min(resources.threads, blockTiles)
  }

  /// Hands the matrix's bytes to `consume` in order.
  func run(
    _ consume: (RawSpan) throws(PackingError) -> Void
  ) throws(PackingError) -> TileResult {
    let layout = encoder.layout
    let tileRows = layout.format.tileRows
    let source = Memory<UInt8>(count: blockTiles * tileRows * encoder.rowBytes)
    let target = Memory<UInt8>(count: blockTiles * layout.tileBytes)
    let scratch = Memory<Float>(count: threads * layout.paddedColumns)
    let results = Memory<TileResult>(count: blockTiles)
    var total = TileResult()
    var tile = 0
    while tile < layout.tiles {
      let tiles = min(blockTiles, layout.tiles - tile)
      let firstRow = tile * tileRows
      let rows = min(tiles * tileRows, layout.rows - firstRow)
      let sourceBytes = source.buffer.extracting(0..<rows * encoder.rowBytes)
      try read(sourceBytes, firstRow: firstRow)
      let block = target.buffer.extracting(0..<tiles * layout.tileBytes)
      block.fill(0)
      encode(sourceBytes, into: block, scratch.buffer, results.buffer, tiles: tiles)
      for index in 0..<tiles {
        let result = results.buffer[index]
        guard result.badRow < 0 else {
          let row = firstRow + index * tileRows + result.badRow
          throw .notFinite(tensor: tensor.name, row: row)
        }
        total.add(result)
      }
      try consume(block.bytes)
      tile += tiles
    }
    return total
  }

  private func read(_ rows: FixedBuffer<UInt8>, firstRow: Int) throws(PackingError) {
    let offset = tensor.offset + UInt64(firstRow * encoder.rowBytes)
    try reading { () throws(GGUFError) in try file.read(into: rows, at: offset) }
  }

  /// Encodes `tiles` tiles, every thread each `threads`-th of them.
  private func encode(
    _ source: FixedBuffer<UInt8>, into block: FixedBuffer<UInt8>, _ scratch: FixedBuffer<Float>,
    _ results: FixedBuffer<TileResult>, tiles: Int
  ) {
    let encoder = encoder
    let threads = threads
    let shared = SharedBlock(source: source, block: block, scratch: scratch, results: results)
    DispatchQueue.concurrentPerform(iterations: threads) { thread in
      let columns = encoder.layout.paddedColumns
      let row = shared.scratch.extracting(thread * columns..<(thread + 1) * columns)
      let tileSourceBytes = encoder.layout.format.tileRows * encoder.rowBytes
      for tile in stride(from: thread, to: tiles, by: threads) {
        let start = tile * tileSourceBytes
        let end = min(start + tileSourceBytes, shared.source.count)
        let tileBytes = encoder.layout.tileBytes
        shared.results[tile] = encoder.encode(
          shared.source.extracting(start..<end).bytes, scratch: row,
          into: shared.block.extracting(tile * tileBytes..<(tile + 1) * tileBytes))
      }
    }
  }
}

/// The memory that the threads of a block share.
///
/// SAFETY: each thread writes its own tiles, results and row of scratch and only reads the source;
/// the memory outlives the call that runs the threads.
private struct SharedBlock: @unchecked Sendable {
  let source: FixedBuffer<UInt8>
  let block: FixedBuffer<UInt8>
  let scratch: FixedBuffer<Float>
  let results: FixedBuffer<TileResult>
}

/// Zeroed memory that is given back with its owner.
final class Memory<Element: BitwiseCopyable> {
  /// The memory; not to be used after the owner is gone.
  let buffer: FixedBuffer<Element>

  /// Reserves `count` elements whose bytes are all zero, a valid value of every type used here.
  init(count: Int) {
    let bytes = max(count * MemoryLayout<Element>.stride, 1)
    guard let memory = unsafe calloc(1, bytes) else { fatalError("out of memory") }
    // SAFETY: calloc's alignment suffices for numbers, its bytes are zero.
    unsafe buffer = FixedBuffer(
      unsafeBase: memory.bindMemory(to: Element.self, capacity: count), count: count)
  }

  deinit {
    unsafe free(buffer.unsafeBaseAddress)
  }
}
