package import Profiles
import Units

/// What the kernel tells about the processors that this process may use, and which to take.
///
/// A processor's class is 0 where its capacity is at least four fifths of the largest (clusters of
/// the same cores differ by less in clock, big and little cores by more), else 1. Its rank is how
/// many processors of the same core come before it. Processors are taken by rank, then by class:
/// the big cores, the others, and only then a second thread on the big cores.
package struct ProcessorSurvey<System: Host> {
  /// Processors found: at most 256.
  package private(set) var count = 0

  private let numbers: FixedBuffer<Int32>
  private let capacities: FixedBuffer<Int32>
  private let ranks: FixedBuffer<Int32>

  private static var countMax: Int { ProcessorSet.numberMax + 1 }

  /// Reads the files below `root`; what is not there counts as equal.
  package init(root: StaticString = "/sys/devices/system/cpu", in memory: PlanningMemory) {
    let room = memory.processorNumbers
    let most = Self.countMax
    numbers = room.extracting(0..<most)
    capacities = room.extracting(most..<2 * most)
    ranks = room.extracting(2 * most..<3 * most)
    count = min(System.processors(into: numbers), most)
    var allowed = ProcessorSet()
    for index in 0..<count where numbers[index] <= ProcessorSet.numberMax {
      allowed.insert(Int(numbers[index]))
    }
    // Either every processor has a capacity, or every one has a clock, or they count as equal.
    if !readCapacities(root, "/cpu_capacity", memory)
      && !readCapacities(root, "/cpufreq/cpuinfo_max_freq", memory)
    {
      for index in 0..<count { capacities[index] = 1 }
    }
    for index in 0..<count {
      ranks[index] = 0
      guard
        let text = Self.read(root, numbers[index], "/topology/thread_siblings_list", memory),
        let siblings = ProcessorSet(text.bytes)
      else { continue }
      for number in 0..<min(Int(numbers[index]), most)
      where siblings.contains(number) && allowed.contains(number) {
        ranks[index] += 1
      }
    }
  }

  /// Big cores: as many threads as a run has that does not say how many.
  package var bigCores: Int {
    var cores = 0
    for index in 0..<count where level(index) == 0 { cores += 1 }
    return max(cores, 1)
  }

  /// The processors that `threadCount` threads should keep to, whole levels of them; empty where
  /// those are all, or where a number is too large for a set.
  package func processors(for threadCount: Int) -> ProcessorSet {
    var set = ProcessorSet()
    var taken = 0
    for next in 0..<2 * Self.countMax where taken < min(threadCount, count) {
      for index in 0..<count where level(index) == next {
        guard numbers[index] <= ProcessorSet.numberMax else { return ProcessorSet() }
        set.insert(Int(numbers[index]))
        taken += 1
      }
    }
    return taken < count ? set : ProcessorSet()
  }

  /// The place of a processor in the order: its rank, then its class.
  private func level(_ index: Int) -> Int {
    var largest: Int32 = 1
    for other in 0..<count { largest = max(largest, capacities[other]) }
    let isBig = Int(capacities[index]) * 5 >= Int(largest) * 4
    return Int(ranks[index]) * 2 + (isBig ? 0 : 1)
  }

  /// Reads one number for every processor; false where one has none.
  private func readCapacities(
    _ root: StaticString, _ file: StaticString, _ memory: PlanningMemory
  ) -> Bool {
    for index in 0..<count {
      guard
        let text = Self.read(root, numbers[index], file, memory),
        let value = text.decimalInteger, let capacity = Int32(exactly: value), capacity > 0
      else { return false }
      capacities[index] = capacity
    }
    return count > 0
  }

  /// The first line of a file of a processor.
  private static func read(
    _ root: StaticString, _ number: Int32, _ name: StaticString, _ memory: PlanningMemory
  ) -> Text? {
    // The profile has been read; names of files may be waiting where names are built.
    let bytes = memory.profile.extracting(0..<256)
    let room = memory.profile.extracting(256..<512)
    var text = TextBuffer(bytes)
    text.append(root)
    text.append("/cpu")
    text.append(Int(number))
    text.append(name)
    let length = text.count
    bytes[length] = 0
    guard
      let path = CString(terminated: bytes.extracting(0..<length + 1)),
      let file = try? System.open(path)
    else { return nil }
    defer { System.close(file) }
    guard let count = try? System.read(file, at: 0, into: room) else { return nil }
    let content = room.extracting(0..<count)
    return content.extracting(0..<(content.firstIndex(of: 10) ?? count))
  }
}
