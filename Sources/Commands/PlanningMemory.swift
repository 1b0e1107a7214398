package import Units

/// The memory that exists before the arena does: part of the program, never grown.
///
/// It holds what is needed to plan (names of files, the profile, the file's header) and the text
/// buffers of the two output streams, which stay in use while the run goes on.
package struct PlanningMemory: BitwiseCopyable {
  /// Text on its way to standard output.
  let output: FixedBuffer<UInt8>
  /// Text on its way to standard error.
  let messages: FixedBuffer<UInt8>
  /// The words of the command line.
  package let words: FixedBuffer<Text>
  /// Names of files under construction.
  package let paths: FixedBuffer<UInt8>
  /// The text of the profile, 1 byte more than the longest allowed.
  let profile: FixedBuffer<UInt8>
  /// Processor numbers, Int32 each.
  private let processors: FixedBuffer<UInt8>
  /// The header of the model file.
  let header: FixedBuffer<UInt8>

  private static let wordsMax = 256
  private static let outputBytes = 16 << 10
  private static let messageBytes = 8 << 10
  private static let pathBytes = 16 << 10
  private static let profileBytes = (64 << 10) + 64
  private static let processorBytes = 4 << 10

  /// Divides `memory`, which starts at a multiple of 64; what is left after the fixed parts may
  /// hold a header.
  package init(_ memory: FixedBuffer<UInt8>) {
    var start = 0
    func next(_ count: Int) -> FixedBuffer<UInt8> {
      defer { start += count }
      return memory.extracting(start..<start + count)
    }
    let words = next(Self.wordsMax * MemoryLayout<Text>.stride)
    // SAFETY: the memory starts at a multiple of 64; every word is written before it is read.
    self.words = unsafe FixedBuffer(
      unsafeBase: UnsafeMutableRawPointer(words.unsafeBaseAddress).bindMemory(
        to: Text.self, capacity: Self.wordsMax), count: Self.wordsMax)
    output = next(Self.outputBytes)
    messages = next(Self.messageBytes)
    paths = next(Self.pathBytes)
    profile = next(Self.profileBytes)
    processors = next(Self.processorBytes)
    header = next(memory.count - start)
  }

  /// Bytes of the parts that stay in use during a run, and of names and words.
  static var lastingBytes: Int { outputBytes + messageBytes + pathBytes + 4 * wordsMax * 8 }

  /// Makes the parts present that stay in use during a run.
  func prefault() {
    output.fill(0)
    messages.fill(0)
  }

  /// Room for the header of a model file.
  package var modelHeader: FixedBuffer<UInt8> { header }

  /// Room for processor numbers.
  var processorNumbers: FixedBuffer<Int32> {
    // SAFETY: the parts before this one are multiples of 64 bytes, so it is aligned; any bytes are numbers.
    unsafe FixedBuffer(
      unsafeBase: UnsafeMutableRawPointer(processors.unsafeBaseAddress).assumingMemoryBound(
        to: Int32.self), count: processors.count / 4)
  }
}
