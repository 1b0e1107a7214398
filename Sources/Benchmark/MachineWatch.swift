/// What the machine can do while a row is measured.
struct MachineWatch {
  private let machine: Machine
  private let threads: Int
  private let processors: [Int32]
  private let instructionSet: String
  private var tries: [MachineTry] = []
  /// Bytes per second of each turn of the repetition at hand, all of as many bytes.
  private var turns: [Double] = []
  /// Bytes per second that memory gave in the turns of each repetition that took turns with reading.
  private(set) var bandwidths: [Double] = []

  /// `processors`: where the row's threads are pinned, empty if they are not.
  init(_ machine: Machine, threads: Int, processors: [Int32], instructionSet: String) {
    self.machine = machine
    self.threads = threads
    self.processors = processors
    self.instructionSet = instructionSet
  }

  /// Tries every way of reading and multiplying once.
  mutating func tryAll() {
    tries.append(
      machine.tryAll(threads: threads, processors: processors, instructionSet: instructionSet))
  }

  /// Reads for some tens of milliseconds, in the way that is best so far.
  mutating func takeTurn() {
    turns.append(
      machine.read(way: MachineLimits.bestRead(tries), threads: threads, processors: processors))
  }

  /// Ends the turns of a repetition.
  mutating func endTurns() {
    bandwidths.append(1 / Statistics.mean(turns.map { 1 / $0 }))
    turns = []
  }

  /// The limits that the shares of a row are of.
  var limits: MachineLimits {
    var limits = MachineLimits(tries)
    if !bandwidths.isEmpty { limits.readBytes = Statistics.median(bandwidths) }
    return limits
  }
}
