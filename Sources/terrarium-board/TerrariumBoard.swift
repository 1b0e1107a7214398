internal import Commands
internal import Platform
internal import Units

struct Sum {
  var pool: WorkerPool
  var turns: InlineArray<8, Int>
}

func exercise(_ arguments: Arguments) throws(HostError) {
  Linux.prepare()
  let size = WorkerPool.byteCount(threadCount: 4, pageSize: Linux.pageSize)
  let memory = try Linux.reserve(byteCount: size + 65536, hugePages: false, locked: false)
  let numbers = unsafe FixedBuffer<Int32>(
    unsafeBase: UnsafeMutableRawPointer(memory.unsafeBaseAddress + size).bindMemory(
      to: Int32.self, capacity: 1024), count: 1024)
  let found = Linux.processors(into: numbers)
  let pool = try Linux.startWorkers(
    threadCount: 4, memory: memory.extracting(0..<size), processors: numbers.extracting(0..<0))
  Linux.prefaultStack(byteCount: 65536)
  let before = Linux.memoryUsage()
  let report = Linux.seal(publishing: false)
  var sum = Sum(pool: pool, turns: .init(repeating: 0))
  let start = Linux.nanoseconds()
  for _ in 0..<1000 {
    unsafe pool.run(&sum) { context, index, count in
      let sum = unsafe context.assumingMemoryBound(to: Sum.self)
      for _ in 0..<10 {
        unsafe sum.pointee.turns[index] += 1
        unsafe sum.pointee.pool.barrier()
      }
    }
  }
  let elapsed = Linux.nanoseconds() - start
  let usage = Linux.memoryUsage()
  var text = TextBuffer(memory.extracting(size + 8192..<size + 16384))
  text.append("arguments ")
  text.append(arguments.count)
  text.append(" processors ")
  text.append(found)
  text.append(" turns")
  for index in 0..<4 {
    text.append(" ")
    text.append(sum.turns[index])
  }
  text.append(" ns per barrier ")
  text.append(Int(elapsed / 11000))
  text.append("\nfilter ")
  text.append(report.filtersSystemCalls ? 1 : 0)
  text.append(" limits ")
  text.append(report.limitsMemory ? 1 : 0)
  text.append(" peak ")
  text.append(grouped: usage.peakResidentBytes)
  text.append(" anonymous ")
  text.append(grouped: before.anonymousBytes)
  text.append(" ")
  text.append(grouped: usage.anonymousBytes)
  text.append(" data ")
  text.append(grouped: usage.dataBytes)
  text.append("\n")
  try send(text)
}

func send(_ text: TextBuffer) throws(HostError) {
  try Linux.write(text.bytes, to: .standardOutput)
}

/// Where the C library starts the program; the package manager links `main` to this name.
@c(terrarium_board_main)
public func terrariumBoardMain(
  _ count: Int32, _ words: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>
) -> Int32 {
  do {
    try exercise(unsafe Arguments(unsafeCount: count, unsafeStart: words))
    return 0
  } catch {
    return 70
  }
}
