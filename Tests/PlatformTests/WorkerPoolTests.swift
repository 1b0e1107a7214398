import Commands
import Foundation
import Platform
import TestSupport
import Testing
import Units

/// What the threads of a pool count together.
struct Counters {
  /// One counter per thread and the pool, as a body sees them.
  struct Turns {
    var pool: WorkerPool
    var rounds = 0
    var counts = InlineArray<8, Int>(repeating: 0)
    /// Set where a thread saw another one in a different round.
    var strayed = InlineArray<8, Bool>(repeating: false)
  }

  let pool: WorkerPool
  let room: FixedBuffer<UInt8>
  var turns: Turns

  static let stackBytes = 128 << 10

  init(
    threadCount: Int, processors: FixedBuffer<Int32>? = nil, isPinned: Bool = true
  ) throws(HostError) {
    let size = WorkerPool.byteCount(
      threadCount: threadCount, stackBytes: Self.stackBytes, pageSize: Linux.pageSize)
    room = try Linux.reserve(byteCount: size + 65536, hugePages: false, locked: false)
    pool = try Linux.startWorkers(
      threadCount: threadCount, stackBytes: Self.stackBytes, spinMicroseconds: 50,
      memory: room.extracting(0..<size),
      processors: processors ?? memory(0), isPinned: processors != nil && isPinned)
    turns = Turns(pool: pool)
  }

  /// Every thread counts up `rounds` times; between two barriers nobody may be elsewhere.
  mutating func add(rounds: Int) {
    turns.rounds = rounds
    unsafe pool.run(&turns) { context, index, count in
      let turns = unsafe context.assumingMemoryBound(to: Turns.self)
      let pool = unsafe turns.pointee.pool
      for _ in 0..<(unsafe turns.pointee.rounds) {
        unsafe turns.pointee.counts[index] += 1
        pool.barrier()
        let mine = unsafe turns.pointee.counts[index]
        for other in 0..<count where unsafe turns.pointee.counts[other] != mine {
          unsafe turns.pointee.strayed[index] = true
        }
        pool.barrier()
      }
    }
  }
}

@Suite struct WorkerPoolTests {
  @Test(arguments: [1, 2, 3, 4, 8]) func allThreadsMeet(threadCount: Int) throws {
    var counters = try Counters(threadCount: threadCount)
    #expect(counters.pool.threadCount == threadCount)
    for _ in 0..<50 { counters.add(rounds: 20) }
    for index in 0..<8 {
      #expect(counters.turns.counts[index] == (index < threadCount ? 1000 : 0))
      #expect(!counters.turns.strayed[index])
    }
  }

  @Test func pinnedThreadsStayWhereTheyWerePut() async {
    await #expect(processExitsWith: .exitCode(0)) {
      let room = memory(4096, of: Int32.self)
      let count = Linux.processors(into: room)
      let last = room[min(count, 4096) - 1]
      let list = memory(3, of: Int32.self)
      list.fill(last)
      var counters = try Counters(threadCount: 3, processors: list)
      counters.add(rounds: 100)
      unsafe counters.pool.run(&counters.turns) { context, index, _ in
        let turns = unsafe context.assumingMemoryBound(to: Counters.Turns.self)
        let mine = memory(1, of: Int32.self)
        let count = Linux.processors(into: mine)
        unsafe turns.pointee.counts[index] = count == 1 ? Int(mine[0]) : -1
      }
      for index in 0..<3 where counters.turns.counts[index] != Int(last) { Linux.exit(1) }
      Linux.exit(0)
    }
  }

  @Test func threadsThatAreNotPinnedShareTheProcessors() async {
    await #expect(processExitsWith: .exitCode(0)) {
      let room = memory(4096, of: Int32.self)
      let all = min(Linux.processors(into: room), 4096)
      var counters = try Counters(
        threadCount: 3, processors: room.extracting(0..<all), isPinned: false)
      unsafe counters.pool.run(&counters.turns) { context, index, _ in
        let turns = unsafe context.assumingMemoryBound(to: Counters.Turns.self)
        unsafe turns.pointee.counts[index] = Linux.processors(into: memory(1, of: Int32.self))
      }
      for index in 0..<3 where counters.turns.counts[index] != all { Linux.exit(1) }
      Linux.exit(0)
    }
  }

  @Test func wakesAfterALongRest() throws {
    var counters = try Counters(threadCount: 4)
    counters.add(rounds: 1)
    usleep(10000)
    counters.add(rounds: 1)
    #expect(counters.turns.counts[3] == 2)
  }

  @Test func theSingleThreadRunsTheBodyItself() {
    let pool = WorkerPool.single
    var seen = InlineArray<2, Int>(repeating: -1)
    unsafe pool.run(&seen) { context, index, count in
      let seen = unsafe context.assumingMemoryBound(to: InlineArray<2, Int>.self)
      unsafe seen.pointee[0] = index
      unsafe seen.pointee[1] = count
    }
    pool.barrier()
    #expect(pool.threadCount == 1 && seen[0] == 0 && seen[1] == 1)
  }

  @Test func statesItsBytes() {
    func bytes(_ threads: Int, _ stack: Int, _ page: Int) -> Int {
      WorkerPool.byteCount(threadCount: threads, stackBytes: stack, pageSize: page)
    }
    #expect(bytes(1, 131_072, 4096) == 4096)
    #expect(bytes(4, 131_072, 4096) == 4096 + 3 * (4096 + 131_072))
    #expect(bytes(2, 131_000, 65536) == 2 * 65536 + 131_072)
  }

  @Test func aStackThatOverflowsHitsItsGuard() async {
    await #expect(processExitsWith: .failure) {
      var counters = try Counters(threadCount: 2)
      unsafe counters.pool.run(&counters.turns) { _, index, _ in
        if index == 1 { Linux.prefaultStack(byteCount: Counters.stackBytes + 4096) }
      }
      Linux.exit(0)
    }
  }
}

/// Steps of items, as every thread has them.
private struct Items: BitwiseCopyable {
  var pool: WorkerPool
  /// How often each item was done, [step][item].
  var done: FixedBuffer<Int32>
  /// Items that were done before the step before was complete.
  var early: FixedBuffer<Int32>
  var count: Int
  var grain: Int
  /// Where a late thread waits; negative: nobody does.
  var gate: Int32 = -1

  static let steps = 3

  init(_ pool: WorkerPool, count: Int, grain: Int = 1) {
    self.pool = pool
    self.count = count
    self.grain = grain
    done = memory(Self.steps * count)
    early = memory(count)
  }

  func run() {
    unsafe pool.compute(self) { context, thread, _ in
      // SAFETY: `compute` passes the address of a copy of the items.
      let items = unsafe context.assumingMemoryBound(to: Items.self).pointee
      var byte: UInt8 = 0
      if items.gate >= 0 && thread == 1 { _ = unsafe read(items.gate, &byte, 1) }
      for step in 0..<Items.steps {
        items.pool.share(items.count, grain: items.grain, thread: thread) { range in
          items.take(range, step)
        }
      }
    }
  }

  private func take(_ range: Range<Int>, _ step: Int) {
    for item in range {
      if step > 0 && done[(step - 1) * count + (item * 7 + 3) % count] != done[item] {
        early[item] = 1
      }
      done[step * count + item] += 1
    }
  }

  /// How often each item was done in all steps, where that is the same number.
  var times: Int32? {
    for index in 0..<done.count where done[index] != done[0] { return nil }
    for index in 0..<early.count where early[index] != 0 { return nil }
    return done[0]
  }
}

@Suite struct SharedStepTests {
  @Test(arguments: [1, 2, 3, 8, 64], [1, 2, 5, 64, 1000])
  func everyItemIsDoneOnceAndInOrder(threadCount: Int, count: Int) throws {
    for grain in [1, 3, 2000] {
      let items = Items(try Counters(threadCount: threadCount).pool, count: count, grain: grain)
      for _ in 0..<20 { items.run() }
      #expect(items.times == 20, "at least \(grain) at once")
    }
  }

  @Test func stepsWithoutItemsAreNone() throws {
    let pool = try Counters(threadCount: 3).pool
    Items(pool, count: 0).run()
    let items = Items(pool, count: 10)
    items.run()
    #expect(items.times == 1)
  }

  @Test func theSingleThreadDoesAll() {
    let items = Items(.single, count: 9)
    items.run()
    #expect(items.times == 1)
  }

  /// Where all threads had to meet, this would never end.
  @Test func nobodyWaitsForAThreadThatIsLate() throws {
    let pool = try Counters(threadCount: 3).pool
    var gates: [Int32] = [0, 0]
    #expect(unsafe pipe(&gates) == 0)
    var items = Items(pool, count: 100)
    items.gate = gates[0]
    items.run()
    #expect(items.times == 1)
    // It also stays away from runs that begin and end meanwhile.
    for _ in 0..<5 { Items(pool, count: 7).run() }
    var others = Items(pool, count: 50)
    #expect(unsafe write(gates[1], [0], 1) == 1)
    others.grain = 2
    for _ in 0..<100 { others.run() }
    #expect(others.times == 100)
    #expect(items.times == 1)
  }

  @Test func aRunOfTooManyItemsTraps() async {
    await #expect(processExitsWith: .failure) {
      Items(try Counters(threadCount: 2).pool, count: 65536).run()
    }
  }

  @Test func theStateOf64ThreadsHasItsPages() {
    #expect(WorkerPool.stateBytes(threadCount: 12) <= 4096)
    #expect(
      WorkerPool.byteCount(threadCount: 64, stackBytes: 131_072, pageSize: 4096)
        == 3 * 4096 + 63 * (4096 + 131_072))
  }
}
