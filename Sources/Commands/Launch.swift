import Eviction
import Inference
import Kernels
import Memory
import ModelFormat
import Profiles
import Units

/// The way from a command line to a sealed process: plan, reserve once, load, start; then the seal.
struct Launch<System: Host> {
  /// Everything the run holds.
  var memory: RunMemory

  /// What was planned and reserved.
  let plan: MemoryPlan

  /// Heap allocations up to the seal; every later one breaks the promise.
  private(set) var allocationsAtSeal = 0

  /// Plans and launches; what does not fit is refused before anything is reserved.
  init(
    _ model: ModelFile<System>, profile: Profile, sampler: SamplerSettings, idTokens: Int? = nil,
    in planning: PlanningMemory, _ console: inout Console<System>
  ) throws(Failure) {
    let shape = RunShape(
      model: model.header.hyperparameters, profile: profile, kernelPageBytes: System.pageSize,
      idTokens: idTokens)
    try Self.check(shape)
    let kernels = KernelSet(try Self.instructionSet(profile))
    plan = shape.plan(header: model.header, programBytes: Self.programBytes(planning))
    guard plan.fits else {
      PlanReport(
        header: model.header, profile: shape.profile, plan: plan,
        advice: PlanAdvice(for: plan, shape: shape, header: model.header)
      ).write(to: &console.messages)
      throw .doesNotFit(missingBytes: -plan.leftBytes, budgetBytes: plan.budgetBytes)
    }
    var arena = try Self.reserve(plan, shape)
    memory = RunMemory(
      header: model.header, shape: shape, sampler: sampler, kernels: kernels, in: &arena)
    arena.seal()
    precondition(arena.usedBytes == plan.arenaBytes, "the arena is exactly what was planned")
    try model.load(into: memory, &console)
    do {
      memory.session.pool = try System.startWorkers(
        threadCount: profile.threads, stackBytes: profile.stackBytes,
        spinMicroseconds: profile.spinMicroseconds, memory: memory.stacks,
        processors: Self.processors(profile, planning))
    } catch {
      throw .threads(error)
    }
  }

  /// Ends launching: from here on the process only computes, reads, writes, waits and exits.
  mutating func seal(publishing: Bool = false) {
    Self.instantiateTypes()
    _ = System.seal(publishing: publishing)
    allocationsAtSeal = System.allocationCount
  }

  /// Makes the runtime's descriptions of the generic types that are used after the seal.
  ///
  /// The hosted program compiles the core apart from the host, so it makes them where a type is
  /// first used, and that takes memory from the heap. Embedded Swift knows them when it compiles.
  private static func instantiateTypes() {
    use(Console<System>.self)
    use(LineReader<System>.self)
    use(Progress<System>.self)
    use(PromptBuilder<System>.self)
    use(ReplyWriter<System>.self)
    use(Stream<System>.self)
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
    if let defect = shape.eviction.defect { throw .policy(defect, shape.eviction) }
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

  private static func instructionSet(_ profile: Profile) throws(Failure) -> InstructionSet {
    let features = System.processorFeatures
    let available = InstructionSets.ofThisProcessor(
      hwcap: UInt64(features.first), hwcap2: UInt64(features.second))
    let wanted: InstructionSet
    switch profile.instructionSet {
    case .automatic: return available.best
    case .portable: return .portable
    case .avx2: wanted = .avx2
    case .avx512vnni: wanted = .avx512vnni
    case .neon: wanted = .neon
    case .dotprod: wanted = .dotprod
    case .i8mm: wanted = .i8mm
    }
    guard available.contains(wanted) && wanted.isBuilt else {
      throw .instructionSet(wanted.name)
    }
    return wanted
  }

  /// The processors the profile names, one per thread; empty where it names none or too few.
  private static func processors(
    _ profile: Profile, _ planning: PlanningMemory
  ) -> FixedBuffer<Int32> {
    guard !profile.processors.isEmpty else { return .empty }
    let numbers = planning.processorNumbers
    var count = 0
    for number in 0...ProcessorSet.numberMax
    where profile.processors.contains(number) && count < numbers.count {
      numbers[count] = Int32(number)
      count += 1
    }
    return count >= profile.threads ? numbers.extracting(0..<count) : .empty
  }
}
