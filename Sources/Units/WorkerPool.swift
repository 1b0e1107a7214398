/// A team of threads that was started at launch and runs one function at a time.
///
/// The platform starts the threads and fills in the function pointers; nothing here allocates.
/// Thread 0 is the caller of `compute`.
///
/// A body is a sequence of steps, each a call of `share`, and every thread runs the same sequence:
///
///     pool.compute(context) { context, thread, _ in
///       let context = context.assumingMemoryBound(to: Context.self).pointee
///       context.pool.share(context.rows, thread: thread) { rows in first(rows, thread) }
///       context.pool.share(context.tiles, thread: thread) { tiles in second(tiles) }
///     }
///
/// A step is complete when all its items are done, not when all threads have arrived: the others
/// take over what belongs to a thread that is late, and when it comes it finds the steps complete
/// and passes through them, even after `compute` has returned. Hence one rule: outside the closures
/// of `share` a body may read only its context, which is a copy, and memory that never changes
/// while the pool lives, and it may write nothing. Inside them it may read what earlier steps
/// wrote and write what belongs to its items or, in `thread`'s name, to the thread.
@safe
package struct WorkerPool: BitwiseCopyable {
  /// What a thread calls once per `compute`: the context, the thread's index, the thread count.
  package typealias Body = @convention(c) (UnsafeMutableRawPointer, Int, Int) -> Void

  /// Starts `Body` on every thread with a copy of the context, whose size is given, and returns when
  /// every step of it is complete.
  package typealias Compute =
    @convention(c) (UnsafeMutableRawPointer, Body, UnsafeMutableRawPointer, UInt) -> Void

  /// The next range for a thread in a step with so many items, taken in multiples of `grain`:
  /// the first item in the lower half, how many in the upper one; 0 when the step is complete.
  package typealias Claim = @convention(c) (UnsafeMutableRawPointer, Int, Int, Int) -> UInt

  /// Number of threads, the caller of `run` included.
  package let threadCount: Int

  // SAFETY: `state` belongs to the functions and stays valid for the life of the process,
  // which is the contract of the initializer.
  private let state: UnsafeMutableRawPointer
  private let start: Compute
  private let claim: Claim

  /// Joins the platform's functions; `state` stays valid for the life of the process.
  @unsafe
  package init(
    unsafeState state: UnsafeMutableRawPointer, threadCount: Int, compute: Compute,
    claim: Claim
  ) {
    precondition(threadCount >= 1, "a pool has at least one thread")
    unsafe self.state = state
    self.threadCount = threadCount
    unsafe start = compute
    unsafe self.claim = claim
  }

  /// Only the calling thread: what tests and a profile of one thread use.
  package static var single: WorkerPool {
    // SAFETY: no function reads the state; address 64 is never followed.
    unsafe WorkerPool(
      unsafeState: UnsafeMutableRawPointer(bitPattern: 64).unsafelyUnwrapped, threadCount: 1,
      compute: { _, body, context, _ in unsafe body(context, 0, 1) }, claim: { _, _, _, _ in 0 })
  }

  /// Calls `body` on every thread that has time for it, each time with the address of a copy of
  /// `context` (at most 2,048 bytes), and returns when every step of it is complete.
  ///
  /// `body` is a C function, so it captures nothing; it must not call `compute`, and it keeps to the
  /// rule above.
  package func compute<Context: BitwiseCopyable>(_ context: Context, _ body: Body) {
    precondition(MemoryLayout<Context>.size <= Self.contextBytesMax, "a context that is too large")
    var copy = context
    unsafe withUnsafeMutablePointer(to: &copy) { pointer in
      unsafe start(
        state, body, UnsafeMutableRawPointer(pointer), UInt(MemoryLayout<Context>.size))
    }
  }

  /// Inside a body of `compute`, one step: calls `work` with ranges of 0..<`count` until every item
  /// of the step is done, here or on another thread, each exactly once; what was written for any
  /// of them, all see afterwards.
  ///
  /// Undisturbed, a thread gets the same contiguous part of the items each time, half of what is
  /// left of it at once, in multiples of `grain` items. At most 65,535 items. Cost: below a
  /// microsecond, and a few nanoseconds per range.
  package func share(_ count: Int, grain: Int = 1, thread: Int, _ work: (Range<Int>) -> Void) {
    if count == 0 { return }
    precondition(count > 0 && grain > 0, "a step has items")
    precondition(threadCount == 1 || count <= Self.itemsMax, "a step has at most 65,535 items")
    while true {
      let range = threadCount == 1 ? UInt(count) << 32 : unsafe claim(state, thread, count, grain)
      if range == 0 { return }
      let first = Int(range & 0xFFFF_FFFF)
      work(first..<first + Int(range >> 32))
      if threadCount == 1 { return }
    }
  }

  /// The most items of a step.
  package static var itemsMax: Int { 65535 }

  /// The largest context of `compute`, in bytes.
  package static var contextBytesMax: Int { 2048 }

  /// Bytes that the threads share for `threadCount` of them, before they are rounded to pages.
  package static func stateBytes(threadCount: Int) -> Int { 2432 + 128 * threadCount }

  /// Bytes the platform needs for `threadCount` threads with `stackBytes` of usable stack each, on a
  /// kernel with pages of `pageSize`.
  ///
  /// The shared state, then a guard page and a stack for each thread but the caller.
  package static func byteCount(threadCount: Int, stackBytes: Int, pageSize: Int) -> Int {
    let state = stateBytes(threadCount: threadCount).roundedUp(toMultipleOf: pageSize)
    let stack = stackBytes.roundedUp(toMultipleOf: pageSize)
    return state + (threadCount - 1) * (pageSize + stack)
  }
}
