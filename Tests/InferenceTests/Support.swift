import Commands
import Kernels
import Platform
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
