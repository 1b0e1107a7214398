import Commands
import Units

/// The host's, not Foundation's.
typealias FileHandle = Commands.FileHandle

/// Zeroed memory for the life of the test process, aligned to a cache line.
func memory<Element: BitwiseCopyable>(
  _ count: Int, of type: Element.Type = Element.self
) -> FixedBuffer<Element> {
  let bytes = max(count * MemoryLayout<Element>.stride, 1)
  let raw = UnsafeMutableRawPointer.allocate(byteCount: bytes, alignment: 64)
  unsafe raw.initializeMemory(as: UInt8.self, repeating: 0, count: bytes)
  // SAFETY: just allocated and zeroed; never freed.
  return unsafe FixedBuffer(
    unsafeBase: raw.bindMemory(to: type, capacity: count), count: count)
}

/// Text as the commands take it.
func text(_ string: String) -> Text {
  let bytes = memory(string.utf8.count, of: UInt8.self)
  for (index, byte) in string.utf8.enumerated() { bytes[index] = byte }
  return bytes
}

/// The words of a command line as the commands take them.
func words(_ strings: [String]) -> FixedBuffer<Text> {
  let start = UnsafeMutablePointer<Text>.allocate(capacity: max(strings.count, 1))
  for (index, string) in strings.enumerated() {
    unsafe (start + index).initialize(to: text(string))
  }
  // SAFETY: allocated above with this count, initialized, and never given back.
  return unsafe FixedBuffer(unsafeBase: start, count: strings.count)
}

/// A command line as `main` receives it, the program's name first.
func arguments(_ strings: [String]) -> Arguments {
  let all = ["terrarium"] + strings
  let start = UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>.allocate(capacity: all.count + 1)
  for (index, string) in all.enumerated() {
    let word = memory(string.utf8.count + 1, of: CChar.self)
    for (offset, byte) in string.utf8.enumerated() { word[offset] = CChar(bitPattern: byte) }
    unsafe (start + index).initialize(to: word.unsafeBaseAddress)
  }
  unsafe (start + all.count).initialize(to: nil)
  // SAFETY: one zero-terminated word for each count, never given back.
  return unsafe Arguments(unsafeCount: Int32(all.count), unsafeStart: start)
}

/// Runs a whole command line in a world.
func run(_ strings: [String], in world: World) -> ExitCode? {
  World.$current.withValue(world) {
    CommandRunner<FakeHost>.run(arguments(strings), in: planning())
  }
}

/// Planning memory with room for a model's header.
func planning() -> PlanningMemory { PlanningMemory(memory(1 << 20)) }

extension FixedBuffer<UInt8> {
  /// The bytes as text.
  var string: String { String(decoding: (0..<count).map { self[$0] }, as: UTF8.self) }
}

/// A generator with a seed: SplitMix64.
struct SeededGenerator: RandomNumberGenerator {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ z >> 30) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ z >> 27) &* 0x94D0_49BB_1331_11EB
    return z ^ z >> 31
  }
}
