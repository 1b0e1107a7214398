import Commands
import Inference
import Kernels
import Platform
import TestSupport
import Testing
import Units

/// The fastest kernels of this machine.
let bestKernels = KernelSet(
  InstructionSets.ofThisProcessor(
    hwcap: UInt64(Linux.processorFeatures.first), hwcap2: UInt64(Linux.processorFeatures.second)
  ).best)

/// A pool of real threads, which end with the process.
func workers(_ threadCount: Int) throws -> WorkerPool {
  if threadCount == 1 { return .single }
  let stackBytes = 128 << 10
  let byteCount = WorkerPool.byteCount(
    threadCount: threadCount, stackBytes: stackBytes, pageSize: Linux.pageSize)
  let memory = try Linux.reserve(byteCount: byteCount, hugePages: false, locked: false)
  return try Linux.startWorkers(
    threadCount: threadCount, stackBytes: stackBytes, spinMicroseconds: 50, memory: memory,
    processors: .empty, isPinned: false)
}

/// The place of the largest element.
func likeliest(_ logits: [Float]) -> Int {
  logits.indices.max { logits[$0] < logits[$1] } ?? 0
}

extension Session {
  /// Reads tokens in tiles, the first at stream position `start`, and returns every row of logits.
  ///
  /// Room is asked for as many tokens as `wanted` says for the number of those that are read. With
  /// `lastRowOnly` all but the last row of each tile are left empty.
  func read(
    _ tokens: [Int], from start: Int = 0, lastRowOnly: Bool = false, wanted: (Int) -> Int
  ) throws -> [[Float]] {
    var rows: [[Float]] = []
    var room = 0
    while rows.count < tokens.count {
      let done = rows.count
      if room == 0 { room = makeRoom(for: wanted(done)) }
      let count = min(tile.count, room)
      try #require(count > 0 && admits(start + done + count - 1))
      for index in 0..<count { tile[index] = Int32(tokens[done + index]) }
      #expect(prefill(start: start + done, count: count, lastRowOnly: lastRowOnly))
      for row in 0..<count {
        let isWanted = !lastRowOnly || row == count - 1
        #expect(!isWanted || project(row: row))
        rows.append(isWanted ? array(logits) : [])
      }
      room -= count
    }
    return rows
  }
}
