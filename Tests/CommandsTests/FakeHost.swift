import Commands
import TestSupport
import Units

/// What a call of the host may be told to fail at.
enum Call: Hashable {
  case open, create, rename, remove, byteCount, readInput, readFile, writeOutput, writeFile
  case executablePath, reserve, startWorkers
}

/// A machine that exists only in the test: files, streams, and errors on demand.
///
/// One test has one world; nothing in it is used by two threads at once.
final class World: @unchecked Sendable {
  var files: [String: [UInt8]] = [:]
  /// Standard input: each read gets one chunk, or less where the buffer is smaller.
  var input: [[UInt8]] = []
  var output: [UInt8] = []
  var messages: [UInt8] = []
  /// Calls that fail, each time.
  var errors: [Call: HostError] = [:]
  /// How often `isInterrupted` is false before Ctrl-C comes; `nil`: it never does.
  var checksBeforeInterrupt: Int?
  var terminals: Set<Int32> = []
  var programPath = "/home/someone/project/.build/release/terrarium"
  var processors: [Int32] = [0, 1, 2]
  var hugePageBytes = 0
  var seal = SealReport(filtersSystemCalls: true, limitsMemory: true)
  var usedProgramBytes = 1_000_000
  var calls: [String] = []
  private(set) var isSealed = false
  private var opened: [Int32: String] = [:]
  private var time: UInt64 = 0

  @TaskLocal static var current = World()

  var outputText: String { String(decoding: output, as: UTF8.self) }
  var messageText: String { String(decoding: messages, as: UTF8.self) }

  fileprivate func fail(_ call: Call) throws(HostError) {
    if let error = errors[call] { throw error }
  }

  fileprivate func handle(for name: String) -> FileHandle {
    let number = Int32(10 + opened.count)
    opened[number] = name
    return FileHandle(number: number)
  }

  fileprivate func name(of file: FileHandle) -> String {
    guard let name = opened[file.number] else { preconditionFailure("the file is open") }
    return name
  }

  fileprivate func noteSeal() { isSealed = true }

  fileprivate func tick() -> UInt64 {
    time += 1_000_000
    return time
  }

  fileprivate func isInterrupted() -> Bool {
    guard let left = checksBeforeInterrupt else { return false }
    checksBeforeInterrupt = max(left - 1, 0)
    return left == 0
  }
}

/// The host of the tests, which looks everything up in the world of the test at hand.
struct FakeHost: Host {
  private static var world: World { .current }

  static func open(_ path: CString) throws(HostError) -> FileHandle {
    try world.fail(.open)
    world.calls.append("open \(path.text.string)")
    guard world.files[path.text.string] != nil else { throw .missing }
    return world.handle(for: path.text.string)
  }

  static func create(_ path: CString) throws(HostError) -> FileHandle {
    try world.fail(.create)
    world.files[path.text.string] = []
    return world.handle(for: path.text.string)
  }

  static func rename(_ source: CString, to destination: CString) throws(HostError) {
    try world.fail(.rename)
    guard let bytes = world.files.removeValue(forKey: source.text.string) else { throw .missing }
    world.files[destination.text.string] = bytes
  }

  static func remove(_ path: CString) throws(HostError) {
    try world.fail(.remove)
    world.files[path.text.string] = nil
  }

  static func byteCount(of file: FileHandle) throws(HostError) -> UInt64 {
    try world.fail(.byteCount)
    return UInt64(world.files[world.name(of: file)]?.count ?? 0)
  }

  static func read(
    _ file: FileHandle, into buffer: FixedBuffer<UInt8>
  ) throws(HostError) -> Int {
    try world.fail(.readInput)
    guard file == .standardInput else {
      // From the front on: what was read is taken away.
      var bytes = world.files[world.name(of: file)] ?? []
      let count = min(bytes.count, buffer.count)
      for index in 0..<count { buffer[index] = bytes[index] }
      bytes.removeFirst(count)
      world.files[world.name(of: file)] = bytes
      return count
    }
    guard let chunk = world.input.first else { return 0 }
    let count = min(chunk.count, buffer.count)
    for index in 0..<count { buffer[index] = chunk[index] }
    world.input[0].removeFirst(count)
    if world.input[0].isEmpty { world.input.removeFirst() }
    return count
  }

  static func read(
    _ file: FileHandle, at offset: UInt64, into buffer: FixedBuffer<UInt8>
  ) throws(HostError) -> Int {
    try world.fail(.readFile)
    let bytes = world.files[world.name(of: file)] ?? []
    let start = min(Int(offset), bytes.count)
    let count = min(bytes.count - start, buffer.count)
    for index in 0..<count { buffer[index] = bytes[start + index] }
    return count
  }

  static func write(_ bytes: RawSpan, to file: FileHandle) throws(HostError) {
    let written = (0..<bytes.byteCount).map { bytes.loadLittleEndian(at: $0, as: UInt8.self) }
    switch file {
    case .standardOutput:
      try world.fail(.writeOutput)
      world.output += written
    case .standardError: world.messages += written
    default:
      try world.fail(.writeFile)
      world.files[world.name(of: file), default: []] += written
    }
  }

  static func advise(_ file: FileHandle, _ advice: ReadingAdvice, _ range: Range<UInt64>) {}

  static func close(_ file: FileHandle) {}

  static func isTerminal(_ file: FileHandle) -> Bool { world.terminals.contains(file.number) }

  static func executablePath(into buffer: FixedBuffer<UInt8>) throws(HostError) -> CString {
    try world.fail(.executablePath)
    let bytes = Array(world.programPath.utf8) + [0]
    for (index, byte) in bytes.enumerated() { buffer[index] = byte }
    guard let path = CString(terminated: buffer.extracting(0..<bytes.count)) else {
      throw .nameTooLong
    }
    return path
  }

  static func nanoseconds() -> UInt64 { world.tick() }

  static var pageSize: Int { 4096 }

  static func processors(into buffer: FixedBuffer<Int32>) -> Int {
    for index in 0..<min(world.processors.count, buffer.count) {
      buffer[index] = world.processors[index]
    }
    return world.processors.count
  }

  static var processorFeatures: ProcessorFeatures { ProcessorFeatures(first: 2, second: 0) }

  static func reserve(
    byteCount: Int, hugePages: Bool, locked: Bool
  ) throws(HostError) -> FixedBuffer<UInt8> {
    try world.fail(.reserve)
    world.calls.append("reserve \(byteCount)")
    return memory(byteCount)
  }

  static var planningMemory: FixedBuffer<UInt8> { memory(1 << 20) }

  static func prefaultStack(byteCount: Int) {}

  static func programBytes(stackBytes: Int) -> Int { world.usedProgramBytes }

  static func memoryUsage() -> MemoryUsage {
    var usage = MemoryUsage()
    usage.residentBytes = world.usedProgramBytes
    usage.peakResidentBytes = 2 * world.usedProgramBytes
    return usage
  }

  static var hugePageBytes: Int { world.hugePageBytes }

  static var allocationCount: Int { 7 }

  static func startWorkers(
    threadCount: Int, stackBytes: Int, spinMicroseconds: Int, memory: FixedBuffer<UInt8>,
    processors: FixedBuffer<Int32>, isPinned: Bool
  ) throws(HostError) -> WorkerPool {
    try world.fail(.startWorkers)
    let places = (0..<processors.count).map { "\(processors[$0])" }.joined(separator: ",")
    world.calls.append("threads \(threadCount)\(isPinned ? " pinned to" : " on") \(places)")
    // Only one thread runs here.
    guard threadCount == 1 else { throw .notPermitted }
    return .single
  }

  static func prepare() {}

  static var isInterrupted: Bool { world.isInterrupted() }

  static func seal(publishing: Bool) -> SealReport {
    world.noteSeal()
    return world.seal
  }

  static func exit(_ code: Int32) -> Never { fatalError("exit \(code)") }
}
