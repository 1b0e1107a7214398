package import Units

/// One run of memory, reserved in one act at launch and then handed out until it is sealed.
///
/// After `seal()` a request traps: by then the plan has excluded it.
/// The memory is never given back while the process runs, so the views it hands out stay valid.
@safe
package struct Arena: ~Copyable {
  // SAFETY: `base` points at `byteCount` zeroed bytes for the life of the process.
  private let base: UnsafeMutableRawPointer
  package let byteCount: Int
  package private(set) var usedBytes = 0
  package private(set) var isSealed = false

  /// Every piece starts at a multiple of this: one cache line, one 512-bit register.
  package static var alignment: Int { 64 }

  /// Takes over zeroed memory that stays mapped for the life of the process.
  @unsafe
  package init(unsafeBase base: UnsafeMutableRawPointer, byteCount: Int) {
    precondition(UInt(bitPattern: base) % 64 == 0, "the arena starts on a cache line")
    unsafe self.base = base
    self.byteCount = byteCount
  }

  /// Hands out `count` zeroed elements; traps when sealed or when the plan was wrong.
  package mutating func take<Element: BitwiseCopyable>(
    _ count: Int, of type: Element.Type = Element.self
  ) -> FixedBuffer<Element> {
    precondition(!isSealed, "the arena is sealed")
    precondition(count >= 0, "count must not be negative")
    let bytes = count * MemoryLayout<Element>.stride
    precondition(bytes <= byteCount - usedBytes, "the arena is smaller than its plan")
    // SAFETY: the range is inside the arena, aligned to 64, handed out once; all-zero bytes are
    // valid for the integer and float elements used here.
    let start = unsafe (base + usedBytes).bindMemory(to: type, capacity: count)
    usedBytes = min((usedBytes + bytes).roundedUp(toMultipleOf: Self.alignment), byteCount)
    return unsafe FixedBuffer(unsafeBase: start, count: count)
  }

  /// Skips to `offset`, where the next region of the plan starts.
  package mutating func advance(to offset: Int) {
    precondition(!isSealed, "the arena is sealed")
    precondition(offset >= usedBytes && offset <= byteCount, "regions must not overlap")
    usedBytes = offset
  }

  /// Ends launching: from here on every request traps.
  package mutating func seal() {
    isSealed = true
  }
}
