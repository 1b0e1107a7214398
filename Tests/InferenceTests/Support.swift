import Commands
import Kernels
import Memory
import Platform
import Units

/// Seeded random numbers (SplitMix64).
struct Random {
  private var state: UInt64

  init(seed: UInt64) { state = seed }

  mutating func bits() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ z >> 30) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ z >> 27) &* 0x94D0_49BB_1331_11EB
    return z ^ z >> 31
  }

  /// 0 … bound − 1.
  mutating func below(_ bound: Int) -> Int { Int(bits() % UInt64(bound)) }

  /// −1 … 1.
  mutating func unit() -> Float { Float(Int32(truncatingIfNeeded: bits())) / 2_147_483_648 }
}

/// Memory for the life of the test process.
func buffer<Element: BitwiseCopyable>(_ values: [Element]) -> FixedBuffer<Element> {
  let memory = UnsafeMutablePointer<Element>.allocate(capacity: max(values.count, 1))
  unsafe memory.initialize(from: values, count: values.count)
  // SAFETY: allocated above with this count, initialized, and never given back.
  return unsafe FixedBuffer(unsafeBase: memory, count: values.count)
}

func array<Element: BitwiseCopyable>(_ buffer: FixedBuffer<Element>) -> [Element] {
  (0..<buffer.count).map { buffer[$0] }
}

/// Equality of bits: tells −0 from +0 and compares NaN.
func sameBits(_ a: [Float], _ b: [Float]) -> Bool {
  a.count == b.count && zip(a, b).allSatisfy { $0.bitPattern == $1.bitPattern }
}

/// The fastest kernels of this machine.
let bestKernels = KernelSet(
  InstructionSets.ofThisProcessor(
    hwcap: UInt64(Linux.processorFeatures.first), hwcap2: UInt64(Linux.processorFeatures.second)
  ).best)

/// An arena over zeroed memory that is never given back.
func arena(byteCount: Int, pageBytes: Int) -> Arena {
  let memory = UnsafeMutableRawPointer.allocate(byteCount: max(byteCount, 1), alignment: 65536)
  unsafe memory.initializeMemory(as: UInt8.self, repeating: 0, count: max(byteCount, 1))
  // SAFETY: allocated and zeroed above, aligned to 64 KiB, never given back.
  return unsafe Arena(unsafeBase: memory, byteCount: byteCount, pageBytes: pageBytes)
}

/// A pool of real threads, which end with the process.
func workers(_ threadCount: Int) throws -> WorkerPool {
  if threadCount == 1 { return .single }
  let stackBytes = 128 << 10
  let byteCount = WorkerPool.byteCount(
    threadCount: threadCount, stackBytes: stackBytes, pageSize: Linux.pageSize)
  let memory = try Linux.reserve(byteCount: byteCount, hugePages: false, locked: false)
  return try Linux.startWorkers(
    threadCount: threadCount, stackBytes: stackBytes, spinMicroseconds: 50, memory: memory,
    processors: .empty)
}

/// The place of the largest element.
func likeliest(_ logits: [Float]) -> Int {
  logits.indices.max { logits[$0] < logits[$1] } ?? 0
}
