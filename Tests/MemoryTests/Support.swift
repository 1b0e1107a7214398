import Memory
import Units

/// An arena over zeroed memory that is never given back, and its first address.
struct RealArena: ~Copyable {
  var arena: Arena
  let start: UInt

  init(byteCount: Int, pageBytes: Int = 4096) {
    let memory = UnsafeMutableRawPointer.allocate(byteCount: max(byteCount, 1), alignment: 65536)
    unsafe memory.initializeMemory(as: UInt8.self, repeating: 0, count: max(byteCount, 1))
    start = UInt(bitPattern: memory)
    // SAFETY: allocated and zeroed above, aligned to 64 KiB, never given back.
    arena = unsafe Arena(unsafeBase: memory, byteCount: byteCount, pageBytes: pageBytes)
  }
}

/// Seeded random numbers (SplitMix64).
struct Random {
  private var state: UInt64

  init(seed: UInt64) { state = seed }

  mutating func below(_ bound: Int) -> Int {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ z >> 30) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ z >> 27) &* 0x94D0_49BB_1331_11EB
    return Int((z ^ z >> 31) % UInt64(bound))
  }
}

extension FixedBuffer {
  /// Where the first element lies.
  var address: UInt { UInt(bitPattern: unsafe unsafeBaseAddress) }
}

/// The elements of an inline array.
func array(_ values: InlineArray<14, Int>) -> [Int] { values.indices.map { values[$0] } }
