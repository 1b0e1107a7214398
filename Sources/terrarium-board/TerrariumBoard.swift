internal import Commands
internal import Platform
internal import Units

/// What the threads of the exercise share.
struct Exercise {
  var pool: WorkerPool
  var turns = InlineArray<8, Int>(repeating: 0)
}

/// Launches, seals, then works in rounds: one line of input or 40 dots of output each.
func exercise(_ arguments: Arguments) throws(HostError) {
  Linux.prepare()
  let threadCount = 4
  let size = WorkerPool.byteCount(threadCount: threadCount, pageSize: Linux.pageSize)
  let memory = try Linux.reserve(byteCount: size + 65536, hugePages: false, locked: false)
  let pool = try Linux.startWorkers(
    threadCount: threadCount, memory: memory.extracting(0..<size),
    processors: unsafe FixedBuffer(
      unsafeBase: UnsafeMutablePointer(bitPattern: 64).unsafelyUnwrapped, count: 0))
  Linux.prefaultStack(byteCount: 65536)
  var isChat = false
  for index in 0..<arguments.count where arguments[index].equals("--chat") { isChat = true }
  let report = Linux.seal(publishing: false)
  var exercise = Exercise(pool: pool)
  let room = memory.extracting(size..<size + 1024)
  for _ in 0..<1000 {
    unsafe pool.run(&exercise) { context, index, count in
      let exercise = unsafe context.assumingMemoryBound(to: Exercise.self)
      for _ in 0..<20 {
        unsafe exercise.pointee.turns[index] += 1
        unsafe exercise.pointee.pool.barrier()
      }
    }
    if isChat {
      if try Linux.read(.standardInput, into: room) == 0 { break }
    } else {
      room.fill(46)
      try Linux.write(room.extracting(0..<40).bytes, to: .standardOutput)
    }
    if Linux.isInterrupted { throw .interrupted }
  }
  var text = TextBuffer(room)
  text.append(report.filtersSystemCalls ? "\nfiltered\n" : "\nnot filtered\n")
  try send(text)
}

/// Writes a text to standard output.
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
    Linux.exit(0)
  } catch {
    Linux.exit(error == .interrupted ? 130 : 70)
  }
}
