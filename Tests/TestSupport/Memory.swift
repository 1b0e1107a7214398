package import Memory
package import Units

/// Memory for the life of the test process.
package func buffer<Element: BitwiseCopyable>(_ values: [Element]) -> FixedBuffer<Element> {
  let memory = UnsafeMutablePointer<Element>.allocate(capacity: max(values.count, 1))
  unsafe memory.initialize(from: values, count: values.count)
  // SAFETY: allocated above with this count, initialized, and never given back.
  return unsafe FixedBuffer(unsafeBase: memory, count: values.count)
}

/// Zeroed memory for the life of the test process, aligned to a cache line.
package func memory<Element: BitwiseCopyable>(
  _ count: Int, of type: Element.Type = Element.self, alignment: Int = 64
) -> FixedBuffer<Element> {
  let bytes = max(count * MemoryLayout<Element>.stride, 1)
  let raw = UnsafeMutableRawPointer.allocate(byteCount: bytes, alignment: alignment)
  unsafe raw.initializeMemory(as: UInt8.self, repeating: 0, count: bytes)
  // SAFETY: just allocated and zeroed; never freed.
  return unsafe FixedBuffer(
    unsafeBase: raw.bindMemory(to: type, capacity: count), count: count)
}

/// An arena over zeroed memory that is never given back, and its first address.
package struct RealArena: ~Copyable {
  /// The arena.
  package var arena: Arena
  /// Where its memory starts, aligned to 64 KiB.
  package let start: UInt

  /// Allocates the memory of an arena.
  package init(byteCount: Int, pageBytes: Int = 4096) {
    let bytes = memory(byteCount, of: UInt8.self, alignment: 65536)
    start = bytes.address
    // SAFETY: just allocated and zeroed, aligned to 64 KiB, never given back.
    arena = unsafe Arena(
      unsafeBase: UnsafeMutableRawPointer(bytes.unsafeBaseAddress), byteCount: byteCount,
      pageBytes: pageBytes)
  }
}

/// The elements of a buffer.
package func array<Element: BitwiseCopyable>(_ buffer: FixedBuffer<Element>) -> [Element] {
  (0..<buffer.count).map { buffer[$0] }
}

/// Equality of bits: tells −0 from +0 and compares NaN.
package func sameBits(_ a: [Float], _ b: [Float]) -> Bool {
  a.count == b.count && zip(a, b).allSatisfy { $0.bitPattern == $1.bitPattern }
}

extension FixedBuffer {
  /// Where the first element lies.
  package var address: UInt { UInt(bitPattern: unsafe unsafeBaseAddress) }
}

extension FixedBuffer<UInt8> {
  /// The bytes as text.
  package var string: String { String(decoding: (0..<count).map { self[$0] }, as: UTF8.self) }
}
