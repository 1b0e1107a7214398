import Kernels
package import Profiles
package import Units

/// What a launch has chosen, and what the system has granted it.
package struct LaunchReport: BitwiseCopyable {
  /// The kernels.
  package internal(set) var kernels: KernelChoice

  /// Threads that compute.
  package private(set) var threads = 1

  /// The processors they keep to; empty: any.
  package private(set) var processors = ProcessorSet()

  /// Whether each has a processor of its own.
  package private(set) var isPinned = false

  /// Bytes that were reserved.
  package internal(set) var arenaBytes = 0

  /// Whether the reservation asked for huge pages.
  package let wantsHugePages: Bool

  /// Bytes that lie in huge pages.
  package internal(set) var hugePageBytes = 0

  /// The layers of the seal that hold.
  package internal(set) var seal = SealReport(filtersSystemCalls: false, limitsMemory: false)

  /// Begins a report.
  init(kernels: KernelChoice, wantsHugePages: Bool) {
    self.kernels = kernels
    self.wantsHugePages = wantsHugePages
  }

  /// Notes where the threads run.
  mutating func place(threads: Int, on numbers: FixedBuffer<Int32>, isPinned: Bool) {
    self.threads = threads
    self.isPinned = isPinned
    for index in 0..<numbers.count where numbers[index] <= ProcessorSet.numberMax {
      processors.insert(Int(numbers[index]))
    }
  }

  /// Appends the report for people: parts of a sentence, without an end.
  package func write(to text: inout TextBuffer) {
    text.append("version ")
    text.append(Version.text)
    text.append(", kernels ")
    text.append(kernels.set.name)
    text.append(" (")
    text.append(kernels.reason.name)
    text.append("), ")
    Self.write(threads: threads, processors, isPinned: isPinned, to: &text)
    if !wantsHugePages {
      text.append(", no huge pages (off)")
    } else if hugePageBytes == 0 {
      text.append(", no huge pages (the kernel has none)")
    } else {
      text.append(", ")
      text.append(Double(min(hugePageBytes, arenaBytes)) / 1_048_576, decimals: 1)
      text.append(" of ")
      text.append(Double(arenaBytes) / 1_048_576, decimals: 1)
      text.append(" MiB in huge pages")
    }
    text.append(seal.filtersSystemCalls ? ", calls filtered" : ", calls not filtered")
    text.append(seal.limitsMemory ? ", memory limited" : ", memory not limited")
  }

  /// Appends how many threads there are and where they run.
  static func write(
    threads: Int, _ processors: ProcessorSet, isPinned: Bool, to text: inout TextBuffer
  ) {
    text.append(threads)
    text.append(threads == 1 ? " thread" : " threads")
    if processors.isEmpty { return text.append(" on any core") }
    text.append(isPinned ? " pinned to cores " : " on cores ")
    processors.write(to: &text)
  }

  /// Appends the same as fields of a JSON object, each after a comma.
  package func writeJSON(to text: inout TextBuffer) {
    text.append(",\"version\":\"")
    text.append(Version.text)
    text.append("\",\"kernels\":\"")
    text.append(kernels.set.name)
    text.append("\",\"kernels_choice\":\"")
    text.append(kernels.reason.name)
    text.append("\",\"threads\":")
    text.append(threads)
    text.append(",\"cores\":\"")
    processors.write(to: &text)
    text.append(isPinned ? "\",\"pinned\":true" : "\",\"pinned\":false")
    text.append(",\"arena_bytes\":")
    text.append(arenaBytes)
    text.append(",\"huge_page_bytes\":")
    text.append(hugePageBytes)
    text.append(",\"filters_calls\":")
    text.append(seal.filtersSystemCalls ? "true" : "false")
    text.append(",\"limits_memory\":")
    text.append(seal.limitsMemory ? "true" : "false")
  }
}
