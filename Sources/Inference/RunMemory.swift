import Profiles
package import Kernels
package import Memory
package import ModelFormat
package import Units

/// Text on its way in and out, and the tokenizer's tables.
package struct TextMemory: BitwiseCopyable {
  /// The tokenizer section of the pack file.
  package let tokenizer: FixedBuffer<UInt8>

  /// The chat template section of the pack file.
  package let template: FixedBuffer<UInt8>

  /// The input text, or one line of a conversation.
  package let prompt: FixedBuffer<UInt8>

  /// Token ids of the input.
  package let ids: FixedBuffer<Int32>

  /// Token ids of what infinipot runs over a full cache.
  package let catalyst: FixedBuffer<Int32>

  /// The end of a reply, held back for stop texts.
  package let pending: FixedBuffer<UInt8>

  /// A reply's newest text: what was decoded, and what may be printed.
  package let replyScratch: FixedBuffer<UInt8>

  /// What the tokenizer works in: one word.
  package let wordScratch: FixedBuffer<UInt32>

  /// Bytes for the newest text of a reply: twice the longest piece of a vocabulary and what a stop
  /// text held back.
  package static let replyBytes = 2 * 80 * 1024

  /// The longest stop text, in bytes.
  package static let stopBytesMax = 1024
}

/// Everything a run holds, laid out by one piece of code for the plan and for the launch.
package struct RunMemory: BitwiseCopyable {
  /// The model and its cache.
  package var session: Session

  /// Text buffers.
  package let text: TextMemory

  /// Chooses tokens.
  package var sampler: Sampler

  /// Where the stacks of the threads go.
  package let stacks: FixedBuffer<UInt8>

  /// Lays everything out in `arena`; a measuring one only counts.
  package init(
    header: PackHeader, shape: RunShape, sampler settings: SamplerSettings, kernels: KernelSet,
    in arena: inout Arena
  ) {
    let session = Session(
      header: header, shape: shape, kernels: kernels, pool: .single, in: &arena)
    arena.begin(.tokenizer)
    let tokenizer = arena.take(Int(header.section(.tokenizer).bytes), of: UInt8.self)
    let template = arena.take(Int(header.section(.chatTemplate).bytes), of: UInt8.self)
    arena.begin(.prompt)
    text = TextMemory(
      tokenizer: tokenizer, template: template, prompt: arena.take(shape.promptBufferBytes),
      ids: arena.take(shape.promptTokens),
      catalyst: arena.take(shape.profile.policy == .infiniPot ? 64 : 0),
      pending: arena.take(TextMemory.stopBytesMax),
      replyScratch: arena.take(TextMemory.replyBytes),
      wordScratch: arena.take(shape.wordScratchCount))
    arena.begin(.sampler)
    sampler = Sampler(settings, vocabulary: shape.model.vocabulary, in: &arena)
    arena.begin(.stacks)
    stacks = arena.take(
      WorkerPool.byteCount(
        threadCount: shape.profile.threads, stackBytes: shape.profile.stackBytes,
        pageSize: shape.pageBytes))
    arena.end()
    self.session = session
  }
}

extension RunShape {
  /// The plan of a run, without reserving anything.
  package func plan(header: PackHeader, programBytes: Int) -> MemoryPlan {
    var arena = Arena(measuringWithPageBytes: pageBytes)
    _ = RunMemory(
      header: header, shape: self, sampler: SamplerSettings(), kernels: KernelSet(.portable),
      in: &arena)
    return MemoryPlan(
      regions: arena.regionBytes, programBytes: programBytes, budgetBytes: profile.budgetBytes)
  }
}
