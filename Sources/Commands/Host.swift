package import Units

/// What the commands need from the machine they run on, all of it without allocation.
///
/// The core never asks the platform: the executable passes a type that conforms, and the commands
/// are specialised for it. Every call retries when a signal interrupts it; once the user has
/// pressed Ctrl-C, calls that can block throw `HostError.interrupted` instead.
package protocol Host {
  // MARK: Files

  /// Opens a file for reading.
  static func open(_ path: CString) throws(HostError) -> FileHandle

  /// Creates a file for writing, or empties the one that is there.
  static func create(_ path: CString) throws(HostError) -> FileHandle

  /// Gives the file `source` the name `destination`, replacing what had that name.
  static func rename(_ source: CString, to destination: CString) throws(HostError)

  /// Removes a file; one that is already gone is no error.
  static func remove(_ path: CString) throws(HostError)

  /// The size of a regular file; `notRegular` for pipes, terminals and directories.
  static func byteCount(of file: FileHandle) throws(HostError) -> UInt64

  /// Reads what is there, at most the buffer, waiting for at least one byte; 0 at the end.
  static func read(
    _ file: FileHandle, into buffer: FixedBuffer<UInt8>
  ) throws(HostError) -> Int

  /// Fills the buffer from `offset` on; less than the whole buffer only at the end of the file.
  static func read(
    _ file: FileHandle, at offset: UInt64, into buffer: FixedBuffer<UInt8>
  ) throws(HostError) -> Int

  /// Writes all bytes.
  static func write(_ bytes: RawSpan, to file: FileHandle) throws(HostError)

  /// Tells the kernel how `range` of a file will be used; a hint, so it cannot fail.
  static func advise(_ file: FileHandle, _ advice: ReadingAdvice, _ range: Range<UInt64>)

  /// Closes a file.
  static func close(_ file: FileHandle)

  /// Whether the file is a terminal.
  static func isTerminal(_ file: FileHandle) -> Bool

  /// The path of the running program, written into `buffer`.
  static func executablePath(into buffer: FixedBuffer<UInt8>) throws(HostError) -> CString

  // MARK: Machine

  /// Nanoseconds since an arbitrary moment; never goes back.
  static func nanoseconds() -> UInt64

  /// Bytes in a page of memory.
  static var pageSize: Int { get }

  /// Writes the numbers of the processors this process may use, lowest first, and returns how
  /// many there are; those past the end of the buffer are counted and not written.
  static func processors(into buffer: FixedBuffer<Int32>) -> Int

  /// The processor's features as the kernel reports them (`AT_HWCAP`, `AT_HWCAP2`).
  static var processorFeatures: ProcessorFeatures { get }

  // MARK: Memory and threads

  /// Reserves zeroed memory in one act: aligned to 64 KiB (the largest page of any kernel), every
  /// page present, for the life of the process.
  static func reserve(
    byteCount: Int, hugePages: Bool, locked: Bool
  ) throws(HostError) -> FixedBuffer<UInt8>

  /// Memory of the program itself, zeroed and aligned to 64: what planning works in.
  static var planningMemory: FixedBuffer<UInt8> { get }

  /// Makes the pages of the calling thread's stack present, `byteCount` below the current frame.
  static func prefaultStack(byteCount: Int)

  /// Makes the program's code, data and `stackBytes` of its stack present, and tells the bytes they
  /// hold: exactly where the program is one file, as the kernel counts the process where it is not.
  static func programBytes(stackBytes: Int) -> Int

  /// What the kernel charges to this process now.
  static func memoryUsage() -> MemoryUsage

  /// Bytes of the process that lie in huge pages now; 0 where the kernel does not tell. Walks all
  /// pages, so it takes a while.
  static var hugePageBytes: Int { get }

  /// Heap allocations of the process so far; 0 where the program has no heap.
  static var allocationCount: Int { get }

  /// Starts the threads of a pool in `memory`, which is page-aligned and holds at least
  /// `WorkerPool.byteCount(threadCount:stackBytes:pageSize:)` bytes.
  ///
  /// A thread that waits for the others does so actively for `spinMicroseconds`, then sleeps.
  /// Pinned, thread `i` (the caller is 0) stays on `processors[i]`; else every thread may use all of
  /// them, or any processor where there are none.
  static func startWorkers(
    threadCount: Int, stackBytes: Int, spinMicroseconds: Int, memory: FixedBuffer<UInt8>,
    processors: FixedBuffer<Int32>, isPinned: Bool
  ) throws(HostError) -> WorkerPool

  // MARK: Life of the process

  /// Prepares signals: the first Ctrl-C sets `isInterrupted`, the second ends the process; writing
  /// to a closed pipe becomes an error. Call once, first.
  static func prepare()

  /// Whether the user has pressed Ctrl-C.
  static var isInterrupted: Bool { get }

  /// Ends launching: from here on the process can read, write, wait, ask the time and exit.
  ///
  /// What may be called afterwards: `read`, `write`, `close`, `nanoseconds`, `memoryUsage`,
  /// `isInterrupted`, `exit`, and the pool's own calls; with `publishing` also `rename` and
  /// `remove`, for a command that writes a file. Anything else ends the process by `SIGSYS`.
  static func seal(publishing: Bool) -> SealReport

  /// Ends the process at once.
  static func exit(_ code: Int32) -> Never
}

/// A file that the host has open.
package struct FileHandle: BitwiseCopyable, Equatable {
  /// The number the kernel knows it by.
  package let number: Int32

  /// Wraps the kernel's number.
  package init(number: Int32) {
    self.number = number
  }

  /// The file the program reads its input from.
  package static var standardInput: FileHandle { FileHandle(number: 0) }

  /// The file the program writes its results to.
  package static var standardOutput: FileHandle { FileHandle(number: 1) }

  /// The file the program writes messages to.
  package static var standardError: FileHandle { FileHandle(number: 2) }
}

/// Why the host could not do what it was asked.
package enum HostError: Error, Equatable {
  /// No file of that name.
  case missing
  /// The file may not be used that way.
  case notPermitted
  /// A directory, pipe or device where a regular file is needed.
  case notRegular
  /// No space left on the device, or the file would be too large.
  case noSpace
  /// The kernel has no memory for this, or a limit forbids it.
  case noMemory
  /// Memory may not be locked, or not so much of it.
  case notLocked
  /// Nobody reads what is written.
  case closedPipe
  /// The user pressed Ctrl-C.
  case interrupted
  /// The caller's buffer or the kernel's limit is too short for the name.
  case nameTooLong
  /// Any other error, with the kernel's number.
  case system(Int32)
}

/// How a part of a file will be used.
package enum ReadingAdvice {
  /// From front to back: read ahead.
  case sequential
  /// Not again: the page cache may drop it.
  case finished
}

/// The words in which an ARM kernel lists the processor's features; on x86-64 they say little.
package struct ProcessorFeatures: BitwiseCopyable {
  /// `AT_HWCAP`.
  package let first: UInt
  /// `AT_HWCAP2`.
  package let second: UInt

  /// Joins the two words.
  package init(first: UInt, second: UInt) {
    self.first = first
    self.second = second
  }
}

/// Bytes of memory that the kernel charges to the process.
package struct MemoryUsage: BitwiseCopyable, Equatable {
  /// Present now (`VmRSS`).
  package var residentBytes = 0
  /// Present now and backed by no file (`RssAnon`).
  package var anonymousBytes = 0
  /// The most that was ever present (`VmHWM`).
  package var peakResidentBytes = 0
  /// Reserved for data (`VmData`).
  package var dataBytes = 0
  /// Reserved for the main thread's stack (`VmStk`).
  package var stackBytes = 0

  /// Nothing known.
  package init() {}
}

/// Which layers of the seal this kernel enforces.
package struct SealReport: BitwiseCopyable, Equatable {
  /// Any other system call ends the process.
  package let filtersSystemCalls: Bool
  /// Address space and stack cannot grow.
  package let limitsMemory: Bool

  /// Joins the findings.
  package init(filtersSystemCalls: Bool, limitsMemory: Bool) {
    self.filtersSystemCalls = filtersSystemCalls
    self.limitsMemory = limitsMemory
  }
}
