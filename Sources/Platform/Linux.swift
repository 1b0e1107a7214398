internal import CPlatform
package import Commands
package import Units

/// The host of every build: Linux, hosted and on the boards.
package enum Linux: Host {
  package static func nanoseconds() -> UInt64 { UInt64(platform_nanoseconds()) }

  package static var pageSize: Int { platform_page_size() }

  package static func processors(into buffer: FixedBuffer<Int32>) -> Int {
    // SAFETY: the call writes at most `count` numbers.
    let found = unsafe platform_processors(buffer.unsafeBaseAddress, buffer.count)
    return max(found, 1)
  }

  package static var processorFeatures: ProcessorFeatures {
    ProcessorFeatures(first: platform_processor_features(0), second: platform_processor_features(1))
  }

  package static func reserve(
    byteCount: Int, hugePages: Bool, locked: Bool
  ) throws(HostError) -> FixedBuffer<UInt8> {
    precondition(byteCount > 0, "an arena holds something")
    var error = 0
    let base = unsafe platform_reserve(
      UInt(byteCount), hugePages ? 1 : 0, locked ? 1 : 0, &error)
    guard let base = unsafe base else { throw HostError(systemError: error) }
    // SAFETY: the kernel mapped `byteCount` zeroed bytes that are never unmapped.
    return unsafe FixedBuffer(
      unsafeBase: base.bindMemory(to: UInt8.self, capacity: byteCount), count: byteCount)
  }

  package static var allocationCount: Int { Int(platform_allocation_count()) }

  package static var planningMemory: FixedBuffer<UInt8> {
    let count = Int(PLATFORM_PLANNING_BYTES)
    // SAFETY: a static array of that many bytes, which nothing else uses.
    return unsafe FixedBuffer(
      unsafeBase: platform_planning_memory().bindMemory(to: UInt8.self, capacity: count),
      count: count)
  }

  package static func programBytes(stackBytes: Int) -> Int {
    let imageBytes = Int(platform_prefault_program())
    platform_prefault_stack(UInt(stackBytes))
    if imageBytes > 0 {
      return imageBytes + stackBytes + max(callerBytes, Int(platform_caller_bytes()))
    }
    let counted = Int(platform_resident_bytes())
    return counted > 0 ? counted : memoryUsage().residentBytes
  }

  /// The frames of those who call `programBytes`, up to the start of the process, with some room for
  /// arguments and environment, which the kernel puts above.
  ///
  /// 72 KiB of the frames hold something. A plan counts the same where words differ, unless they
  /// take more.
  private static var callerBytes: Int { 96 << 10 }

  package static func prefaultStack(byteCount: Int) {
    platform_prefault_stack(UInt(byteCount))
  }

  package static func memoryUsage() -> MemoryUsage {
    var usage = MemoryUsage()
    withStatus { text in
      usage.residentBytes = ProcessStatus.byteCount("VmRSS:", in: text)
      usage.anonymousBytes = ProcessStatus.byteCount("RssAnon:", in: text)
      usage.peakResidentBytes = ProcessStatus.byteCount("VmHWM:", in: text)
      usage.dataBytes = ProcessStatus.byteCount("VmData:", in: text)
      usage.stackBytes = ProcessStatus.byteCount("VmStk:", in: text)
    }
    return usage
  }

  package static var hugePageBytes: Int { Int(platform_huge_page_bytes()) }

  package static func startWorkers(
    threadCount: Int, stackBytes: Int, spinMicroseconds: Int, memory: FixedBuffer<UInt8>,
    processors: FixedBuffer<Int32>, isPinned: Bool
  ) throws(HostError) -> WorkerPool {
    let needed = WorkerPool.byteCount(
      threadCount: threadCount, stackBytes: stackBytes, pageSize: pageSize)
    precondition(memory.count >= needed, "the pool's memory is smaller than its plan")
    precondition(
      WorkerPool.stateBytes(threadCount: threadCount)
        == Int(PLATFORM_POOL_STATE_BYTES) + threadCount * Int(PLATFORM_POOL_MEMBER_BYTES)
        && WorkerPool.contextBytesMax == Int(PLATFORM_POOL_CONTEXT_BYTES),
      "both sides lay the state out alike")
    precondition(
      !isPinned || processors.count == threadCount, "one processor per thread")
    // SAFETY: the memory belongs to the pool from here on; both buffers live as long as the process.
    let state = unsafe UnsafeMutableRawPointer(memory.unsafeBaseAddress)
    precondition(UInt(bitPattern: state) % UInt(pageSize) == 0, "the pool starts on a page")
    let stackBytes = stackBytes.roundedUp(toMultipleOf: pageSize)
    let result = unsafe platform_pool_start(
      state, threadCount, UInt(stackBytes), UInt(spinMicroseconds),
      processors.unsafeBaseAddress, processors.count, isPinned ? 1 : 0)
    guard result >= 0 else { throw HostError(systemError: result) }
    return unsafe WorkerPool(
      unsafeState: state, threadCount: threadCount, compute: platform_pool_compute,
      claim: platform_pool_claim)
  }

  package static func prepare() { platform_prepare() }

  package static var isInterrupted: Bool { platform_is_interrupted() != 0 }

  package static func seal(publishing: Bool) -> SealReport {
    var addressSpaceBytes = 0
    var stackBytes = 0
    withStatus { text in
      addressSpaceBytes = ProcessStatus.byteCount("VmSize:", in: text)
      stackBytes = ProcessStatus.byteCount("VmStk:", in: text)
    }
    let layers = platform_seal(UInt(addressSpaceBytes), UInt(stackBytes), publishing ? 1 : 0)
    return SealReport(
      filtersSystemCalls: layers & PLATFORM_FILTERS_CALLS != 0,
      limitsMemory: layers & PLATFORM_LIMITS_MEMORY != 0)
  }

  package static func exit(_ code: Int32) -> Never { platform_exit(code) }

  /// Calls `body` with what the kernel says about this process; empty where it says nothing.
  private static func withStatus(_ body: (RawSpan) -> Void) {
    var storage = InlineArray<4096, UInt8>(repeating: 0)
    var bytes = storage.mutableSpan
    let length = unsafe bytes.withUnsafeMutableBytes { buffer in
      // SAFETY: a buffer of 4,096 bytes has an address.
      unsafe platform_status(buffer.baseAddress.unsafelyUnwrapped, UInt(buffer.count))
    }
    unsafe body(storage.span.bytes.extracting(0..<max(length, 0)))
  }
}
