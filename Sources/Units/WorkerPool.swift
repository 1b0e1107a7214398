/// A team of threads that was started at launch and runs one function at a time, all together.
///
/// The platform starts the threads and fills in the function pointers; the core only calls `run`
/// and `barrier`. Nothing is allocated by either. Thread 0 is the caller of `run`.
@safe
package struct WorkerPool: BitwiseCopyable {
  /// What every thread calls once per `run`: the context, the thread's index, the thread count.
  package typealias Body = @convention(c) (UnsafeMutableRawPointer, Int, Int) -> Void

  /// Starts `Body` on every thread and returns when all have finished.
  package typealias Run =
    @convention(c) (UnsafeMutableRawPointer, Body, UnsafeMutableRawPointer) -> Void

  /// Returns when every thread of the pool has called it.
  package typealias Barrier = @convention(c) (UnsafeMutableRawPointer) -> Void

  /// Number of threads, the caller of `run` included.
  package let threadCount: Int

  // SAFETY: `state` belongs to the two functions and stays valid for the life of the process,
  // which is the contract of the initializer.
  private let state: UnsafeMutableRawPointer
  private let startAndWait: Run
  private let meet: Barrier

  /// Joins the platform's functions; `state` stays valid for the life of the process.
  @unsafe
  package init(
    unsafeState state: UnsafeMutableRawPointer, threadCount: Int, run: Run, barrier: Barrier
  ) {
    precondition(threadCount >= 1, "a pool has at least one thread")
    unsafe self.state = state
    self.threadCount = threadCount
    unsafe startAndWait = run
    unsafe meet = barrier
  }

  /// Only the calling thread: what tests and a profile of one thread use.
  package static var single: WorkerPool {
    // SAFETY: neither function reads the state; address 64 is never followed.
    unsafe WorkerPool(
      unsafeState: UnsafeMutableRawPointer(bitPattern: 64).unsafelyUnwrapped, threadCount: 1,
      run: { _, body, context in unsafe body(context, 0, 1) }, barrier: { _ in })
  }

  /// Calls `body` once on every thread with the address of `context`, and waits for all of them.
  ///
  /// `body` is a C function, so it captures nothing; it must not call `run`.
  package func run<Context: ~Copyable>(_ context: inout Context, _ body: Body) {
    unsafe withUnsafeMutablePointer(to: &context) { pointer in
      unsafe startAndWait(state, body, UnsafeMutableRawPointer(pointer))
    }
  }

  /// Inside a body: waits until every thread of the pool is here; what one wrote before, all see.
  package func barrier() {
    unsafe meet(state)
  }

  /// Bytes the platform needs for `threadCount` threads with `stackBytes` of usable stack each, on a
  /// kernel with pages of `pageSize`.
  ///
  /// One page for the shared state, then a guard page and a stack for each thread but the caller.
  package static func byteCount(threadCount: Int, stackBytes: Int, pageSize: Int) -> Int {
    let stack = stackBytes.roundedUp(toMultipleOf: pageSize)
    return pageSize + (threadCount - 1) * (pageSize + stack)
  }
}
