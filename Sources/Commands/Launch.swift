import Eviction
package import Inference
import Kernels
package import Memory
package import ModelFormat
package import Profiles
import Units

/// Where a launch takes a model from.
package protocol ModelSource {
  associatedtype System: Host

  /// The validated header: what the plan follows from.
  var header: PackHeader { get }

  /// Puts weights, norms, biases and the rotary table into their places, and the tokenizer's tables
  /// where the header has any.
  func load(into memory: RunMemory, _ console: inout Console<System>) throws(Failure)
}

/// The way from a command line to a sealed process: plan, reserve once, load, start; then the seal.
package struct Launch<System: Host> {
  /// Everything the run holds.
  package private(set) var memory: RunMemory

  /// What was planned and reserved.
  package let plan: MemoryPlan

  /// How it went: what was chosen and what the kernel granted.
  package private(set) var report: LaunchReport

  /// Heap allocations up to the seal; every later one breaks the promise.
  package private(set) var allocationsAtSeal = 0

  /// Plans and launches; what does not fit is refused before anything is reserved.
  package init<Source: ModelSource>(
    _ model: Source, profile: Profile, sampler: SamplerSettings, idTokens: Int? = nil,
    in planning: PlanningMemory, _ console: inout Console<System>
  ) throws(Failure) where Source.System == System {
    let shape = RunShape(
      model: model.header.hyperparameters, profile: profile, kernelPageBytes: System.pageSize,
      idTokens: idTokens)
    try Self.check(shape)
    let kernels = Self.kernels(profile)
    guard kernels.runsHere else { throw .instructionSet(kernels.set, kernels.available) }
    report = LaunchReport(
      kernels: kernels, wantsHugePages: profile.usesHugePages)
    plan = shape.plan(header: model.header, programBytes: Self.programBytes(planning))
    guard plan.fits else {
      PlanReport(
        header: model.header, profile: shape.profile, kernels: kernels, plan: plan,
        advice: PlanAdvice(for: plan, shape: shape, header: model.header)
      ).write(to: &console.messages)
      throw .doesNotFit(missingBytes: -plan.leftBytes, budgetBytes: plan.budgetBytes)
    }
    report.arenaBytes = plan.arenaBytes
    var arena = try Self.reserve(plan, shape)
    memory = RunMemory(
      header: model.header, shape: shape, sampler: sampler, kernels: KernelSet(kernels.set),
      in: &arena)
    arena.seal()
    precondition(arena.usedBytes == plan.arenaBytes, "the arena is exactly what was planned")
    try model.load(into: memory, &console)
    let processors = Self.processors(profile, planning)
    let isPinned = processors.count > 0 && !profile.sharesProcessors
    report.place(threads: profile.threads, on: processors, isPinned: isPinned)
    do {
      memory.session.pool = try System.startWorkers(
        threadCount: profile.threads, stackBytes: profile.stackBytes,
        spinMicroseconds: profile.spinMicroseconds, memory: memory.stacks,
        processors: processors, isPinned: isPinned)
    } catch {
      throw .threads(error)
    }
    chooseKernels()
  }

  /// Ends launching: from here on the process only computes, reads, writes, waits and exits.
  package mutating func seal(publishing: Bool = false) {
    Self.instantiateTypes()
    report.hugePageBytes = System.hugePageBytes
    report.seal = System.seal(publishing: publishing)
    allocationsAtSeal = System.allocationCount
  }

  /// Makes the runtime's descriptions of the generic types that are used after the seal.
  ///
  /// The hosted program compiles the core apart from the host, so it makes them where a type is
  /// first used, and that takes memory from the heap. Embedded Swift knows them when it compiles.
  private static func instantiateTypes() {
    use(Console<System>.self)
    use(HeldSlots<System>.self)
    use(LineReader<System>.self)
    use(Pace<System>.self)
    use(Progress<System>.self)
    use(PromptBuilder<System>.self)
    use(ReplyWriter<System>.self)
    use(Stream<System>.self)
    use(TileReader<System>.self)
  }

  @inline(never)
  private static func use<Value: ~Copyable>(_ type: Value.Type) {}

  /// Bytes of the program itself: its code and data, the main thread's stack, the text buffers, and
  /// a margin for the pages that the kernel adds and that libraries touch later.
  static func programBytes(_ planning: PlanningMemory) -> Int {
    planning.prefault()
    let bytes = System.programBytes(stackBytes: mainStackBytes) + PlanningMemory.lastingBytes
    return bytes.roundedUp(toMultipleOf: marginBytes) + marginBytes
  }

  /// The most the main thread's stack ever holds.
  private static var mainStackBytes: Int { 128 << 10 }

  private static var marginBytes: Int { 64 << 10 }

  /// Refuses a context that no run can have.
  static func check(_ shape: RunShape) throws(Failure) {
    let trained = shape.model.trainedContext
    let slots = shape.profile.contextTokens > 0 ? shape.profile.contextTokens : trained
    if slots < RunShape.slotsMin {
      throw .contextTooSmall(needed: RunShape.slotsMin, slots: slots)
    }
    if let defect = shape.eviction.defect(keysTurn: shape.profile.keyFormat == .int8) {
      throw .policy(defect, shape.eviction, name: shape.profile.policy.name)
    }
  }

  private static func reserve(_ plan: MemoryPlan, _ shape: RunShape) throws(Failure) -> Arena {
    do {
      let memory = try System.reserve(
        byteCount: plan.arenaBytes, hugePages: shape.profile.usesHugePages,
        locked: shape.profile.locksMemory)
      // SAFETY: the host keeps the memory mapped, zeroed and page-aligned.
      return unsafe Arena(
        unsafeBase: UnsafeMutableRawPointer(memory.unsafeBaseAddress), byteCount: memory.count,
        pageBytes: shape.pageBytes)
    } catch {
      throw .reservation(error, bytes: plan.arenaBytes)
    }
  }

  /// The kernels that `profile` asks for, as far as they are known before a measurement.
  static func kernels(_ profile: Profile) -> KernelChoice {
    let features = System.processorFeatures
    return KernelChoice(
      profile.instructionSet,
      available: .ofThisProcessor(hwcap: UInt64(features.first), hwcap2: UInt64(features.second)))
  }

  /// Chooses the fastest kernels where nobody did; the threads run, so this one is where it stays.
  private mutating func chooseKernels() {
    guard report.kernels.reason == .measured else { return }
    let candidates = report.kernels.available.candidates
    report.kernels.settle(
      memory.session.fastestKernels(among: candidates) { System.nanoseconds() })
    memory.session.kernels = KernelSet(report.kernels.set)
  }

  /// The processors of the profile that are here, for pinning no more than one per thread; empty
  /// where those are too few.
  private static func processors(
    _ profile: Profile, _ planning: PlanningMemory
  ) -> FixedBuffer<Int32> {
    let numbers = planning.processorNumbers
    let found = min(System.processors(into: numbers), numbers.count)
    var count = 0
    for index in 0..<found where profile.processors.contains(Int(numbers[index])) {
      numbers[count] = numbers[index]
      count += 1
    }
    if count < profile.threads { return .empty }
    return numbers.extracting(0..<(profile.sharesProcessors ? count : profile.threads))
  }
}
