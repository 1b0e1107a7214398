package import Units

/// One run of memory, reserved in one act at launch and then handed out until it is sealed.
///
/// The same code lays a run out twice: first with a *measuring* arena, which has no memory and only
/// counts (planning), then with the real one (launching). A plan can therefore not differ from what
/// a launch takes. After `seal()` a request traps: by then the plan has excluded it.
/// The memory is never given back while the process runs, so the views it hands out stay valid.
@safe
package struct Arena: ~Copyable {
  // SAFETY: where there is a base, it points at `capacityBytes` zeroed bytes for the life of the
  // process.
  private let base: UnsafeMutableRawPointer?
  private let capacityBytes: Int
  private let pageBytes: Int
  private var region: Region?
  private var regionStart = 0

  /// Bytes handed out so far, padding included.
  package private(set) var usedBytes = 0

  /// Whether requests trap.
  package private(set) var isSealed = false

  /// Bytes per region, each rounded up to whole pages; indexed by `Region.rawValue`.
  package private(set) var regionBytes = InlineArray<17, Int>(repeating: 0)

  /// Every piece starts at a multiple of this: one cache line, one 512-bit register.
  package static var alignment: Int { 64 }

  /// An arena that only counts: everything it hands out is empty.
  package init(measuringWithPageBytes pageBytes: Int) {
    unsafe base = nil
    capacityBytes = Int.max / 2
    self.pageBytes = pageBytes
  }

  /// Whether this arena only counts: what it hands out is empty and must not be filled.
  package var isMeasuring: Bool { unsafe base == nil }

  /// Takes over zeroed, page-aligned memory that stays mapped for the life of the process.
  @unsafe
  package init(unsafeBase base: UnsafeMutableRawPointer, byteCount: Int, pageBytes: Int) {
    precondition(UInt(bitPattern: base) % 64 == 0, "the arena starts on a cache line")
    unsafe self.base = base
    capacityBytes = byteCount
    self.pageBytes = pageBytes
  }

  /// Ends the current region on a page border and starts `region`; each region comes once.
  package mutating func begin(_ region: Region) {
    end()
    precondition(regionBytes[region.rawValue] == 0, "each region comes once")
    self.region = region
    regionStart = usedBytes
  }

  /// Ends the current region on a page border.
  package mutating func end() {
    guard let region else { return }
    usedBytes = usedBytes.roundedUp(toMultipleOf: pageBytes)
    precondition(usedBytes <= capacityBytes, "the arena is smaller than its plan")
    regionBytes[region.rawValue] = usedBytes - regionStart
    self.region = nil
  }

  /// Hands out `count` zeroed elements of the current region.
  ///
  /// Traps when sealed, outside a region, or when the arena is smaller than what was planned. From
  /// a measuring arena the buffer is empty.
  package mutating func take<Element: BitwiseCopyable>(
    _ count: Int, of type: Element.Type = Element.self
  ) -> FixedBuffer<Element> {
    precondition(!isSealed, "the arena is sealed")
    precondition(region != nil, "every piece belongs to a region")
    precondition(count >= 0, "count must not be negative")
    let (bytes, overflow) = count.multipliedReportingOverflow(by: MemoryLayout<Element>.stride)
    precondition(!overflow && bytes <= capacityBytes - usedBytes, "the arena is too small")
    let start = usedBytes
    usedBytes = (usedBytes + bytes).roundedUp(toMultipleOf: Self.alignment)
    guard let base = unsafe base else { return .empty }
    // SAFETY: the range is inside the arena, aligned to 64 and handed out once; all-zero bytes are
    // valid integers and floats.
    let pointer = unsafe (base + start).bindMemory(to: type, capacity: max(count, 1))
    return unsafe FixedBuffer(unsafeBase: pointer, count: count)
  }

  /// Ends launching: from here on every request traps.
  package mutating func seal() {
    end()
    isSealed = true
  }
}
