import Commands
import Foundation
import Platform
import TestSupport
import Testing
import Units

/// A pool whose threads all do something.
struct Team {
  /// What each thread does in its item.
  enum Job: BitwiseCopyable {
    case nothing, noteProcessor, countProcessors, askForTheParent, overflowTheStack
  }

  /// One run of the team as its threads have it.
  private struct Meeting: BitwiseCopyable {
    var pool: WorkerPool
    var job: Job
    /// The newest round each item was begun in.
    var begun: FixedBuffer<Int32>
    /// By thread.
    var results: FixedBuffer<Int32>
    var firstRound: Int32
    var lastRound: Int32

    /// One item for each thread, which stays in it until all have begun theirs.
    func attend(_ thread: Int) {
      for round in firstRound...lastRound {
        pool.share(pool.threadCount, thread: thread) { items in
          for item in items { begun[item] = round }
          for other in 0..<(pool.threadCount) {
            while begun[other] < round { sched_yield() }
          }
          work(thread)
        }
      }
    }

    private func work(_ thread: Int) {
      switch job {
      case .nothing: results[thread] += 1
      case .noteProcessor:
        let mine = memory(1, of: Int32.self)
        results[thread] = Linux.processors(into: mine) == 1 ? mine[0] : -1
      case .countProcessors:
        results[thread] = Int32(Linux.processors(into: memory(1, of: Int32.self)))
      case .askForTheParent: if thread == 1 { _ = getppid() }
      case .overflowTheStack:
        if thread == 1 { Linux.prefaultStack(byteCount: Team.stackBytes + 4096) }
      }
    }
  }

  let pool: WorkerPool
  let room: FixedBuffer<UInt8>
  let results = memory(64, of: Int32.self)
  private let begun = memory(64, of: Int32.self)
  private var round: Int32 = 0

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
  }

  /// Every thread does the job once in each round.
  mutating func meet(_ job: Job = .nothing, rounds: Int32 = 1) {
    let meeting = Meeting(
      pool: pool, job: job, begun: begun, results: results,
      firstRound: round + 1, lastRound: round + rounds)
    round += rounds
    unsafe pool.compute(meeting) { context, thread, _ in
      // SAFETY: `compute` passes the address of a copy of the meeting.
      unsafe context.assumingMemoryBound(to: Meeting.self).pointee.attend(thread)
    }
  }
}

@Suite struct WorkerPoolTests {
  @Test(arguments: [1, 2, 3, 4, 8, 64]) func allThreadsTakePart(threadCount: Int) throws {
    var team = try Team(threadCount: threadCount)
    #expect(team.pool.threadCount == threadCount)
    for _ in 0..<10 { team.meet(rounds: 5) }
    for index in 0..<64 { #expect(team.results[index] == (index < threadCount ? 50 : 0)) }
  }

  @Test func pinnedThreadsStayWhereTheyWerePut() async {
    await #expect(processExitsWith: .exitCode(0)) {
      let room = memory(4096, of: Int32.self)
      let count = Linux.processors(into: room)
      let last = room[min(count, 4096) - 1]
      let list = memory(3, of: Int32.self)
      list.fill(last)
      var team = try Team(threadCount: 3, processors: list)
      team.meet(rounds: 100)
      team.meet(.noteProcessor)
      for index in 0..<3 where team.results[index] != last { Linux.exit(1) }
      Linux.exit(0)
    }
  }

  @Test func threadsThatAreNotPinnedShareTheProcessors() async {
    await #expect(processExitsWith: .exitCode(0)) {
      let room = memory(4096, of: Int32.self)
      let all = min(Linux.processors(into: room), 4096)
      var team = try Team(
        threadCount: 3, processors: room.extracting(0..<all), isPinned: false)
      team.meet(.countProcessors)
      for index in 0..<3 where team.results[index] != Int32(all) { Linux.exit(1) }
      Linux.exit(0)
    }
  }

  @Test func wakesAfterALongRest() throws {
    var team = try Team(threadCount: 4)
    team.meet()
    usleep(10000)
    team.meet()
    #expect(team.results[3] == 2)
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
      var team = try Team(threadCount: 2)
      team.meet(.overflowTheStack)
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
  /// Items behind a range that is not whole grains.
  var ragged: FixedBuffer<Int32>
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
    ragged = memory(count + 1)
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
    if range.count % grain != 0 { ragged[range.upperBound] = 1 }
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
      let items = Items(try Team(threadCount: threadCount).pool, count: count, grain: grain)
      for _ in 0..<20 { items.run() }
      #expect(items.times == 20, "\(grain) at once")
      // Only where the share of a thread ends is there less.
      let ends = (1...threadCount).map { (count * $0 + threadCount - 1) / threadCount }
      let ragged = (0...count).filter { items.ragged[$0] != 0 }
      #expect(Set(ragged).isSubset(of: ends), "\(grain) at once")
    }
  }

  @Test func stepsWithoutItemsAreNone() throws {
    let pool = try Team(threadCount: 3).pool
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
    let pool = try Team(threadCount: 3).pool
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
      Items(try Team(threadCount: 2).pool, count: 65536).run()
    }
  }

  @Test func theStateOf64ThreadsHasItsPages() {
    #expect(WorkerPool.stateBytes(threadCount: 12) <= 4096)
    #expect(
      WorkerPool.byteCount(threadCount: 64, stackBytes: 131_072, pageSize: 4096)
        == 3 * 4096 + 63 * (4096 + 131_072))
  }
}
