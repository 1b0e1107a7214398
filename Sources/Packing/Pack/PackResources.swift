internal import Foundation

/// What packing may use of the machine; the result does not depend on it.
package struct PackResources: Sendable {
  package let threads: Int
  /// Bytes of memory for a block of the source, and as many for one of the target.
  package let blockBytes: Int

  /// All processors and 8 MiB for each kind of block unless told otherwise.
  package init(
    threads: Int = ProcessInfo.processInfo.activeProcessorCount, blockBytes: Int = 8 << 20
  ) {
    precondition(threads > 0, "at least one thread")
    precondition(blockBytes > 0, "a block has bytes")
    self.threads = threads
    self.blockBytes = blockBytes
  }
}
