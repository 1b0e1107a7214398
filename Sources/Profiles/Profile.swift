package import Units

/// One memory budget: everything that decides how many bytes a run needs, and how it uses them.
///
/// A profile is written as flat TOML (see `parse`). Every key but `budget` may be left out.
package struct Profile: BitwiseCopyable, Equatable, Sendable {
  /// `name`: how messages call the profile; at most 63 bytes.
  package var name = FixedText<63>()

  /// `description`: one line for a person; at most 255 bytes.
  package var description = FixedText<255>()

  /// `budget`: bytes that the whole process may ever use, the program itself included.
  package var budgetBytes: Int

  /// `page-size`: bytes that every region of the plan is rounded to; 4, 16 or 64 KiB.
  package var pageBytes = 4096

  /// `context`: tokens the cache has slots for; 0 is the context that the model was trained with.
  package var contextTokens = 0

  /// `keys`: format of the keys in the cache.
  package var keyFormat = CacheFormat.int8

  /// `values`: format of the values in the cache.
  package var valueFormat = CacheFormat.int8

  /// `policy`: which tokens stay when the context is full.
  package var policy = PolicyChoice.full

  /// `policy-chunk`: the most tokens read between two evictions; 0 is min(64, context / 4).
  package var policyChunk = 0

  /// `prompt-max`: tokens of the longest prompt, for policies that hold it whole before they choose;
  /// 0 is the context that the model was trained with.
  package var promptMaxTokens = 0

  /// `h2o-recent`: per cent of the kept slots that are the newest.
  package var h2oRecentPercent = 50

  /// `scissorhands-recent`: the newest slots that stay.
  package var scissorhandsRecent = 10

  /// `scissorhands-drop`: slots that go at once; 0 is an eighth of the context.
  package var scissorhandsDrop = 0

  /// `scissorhands-history`: queries that count; 0 is twice the drop, at most 400.
  package var scissorhandsHistory = 0

  /// `scissorhands-threshold`: what a probability is compared with to be low.
  package var scissorhandsThreshold = ThresholdChoice.slots

  /// `valuediff-drop`: slots that go at once; 0 is an eighth of the context.
  package var valueDifferenceDrop = 0

  /// `valuediff-recent`: the newest slots that stay.
  package var valueDifferenceRecent = 10

  /// `snapkv-window`: queries at the end of the prompt that choose; 0 is min(32, context / 4).
  package var snapKVWindow = 0

  /// `snapkv-pooling`: what neighbours make of the score of a token.
  package var snapKVPooling = PoolingChoice.mean

  /// `gemfilter-layer`: layers that read the whole prompt before tokens are chosen in the next one;
  /// 0 is half of the layers, or 1 for gemfilter-vote.
  package var gemFilterLayer = 0

  /// `gemfilter-tail`: tokens at the end of the prompt that are always chosen; 0 is 16, or the
  /// instruction where it is longer.
  package var gemFilterTail = 0

  /// `gemfilter-exact`: whether no token is always chosen, as in the paper.
  package var gemFilterIsExact = false

  /// `gemfilter-reply`: which tokens stay while the reply is generated.
  package var gemFilterReply = FilteredReplyChoice.ring

  /// `infinipot-kept`: per cent of the slots that stay when the pot is distilled.
  package var infiniPotKeptPercent = 50

  /// `infinipot-novel`: per cent of these that are the tokens the model expected least.
  package var infiniPotNovelPercent = 50

  /// `infinipot-catalyst`: what is run over a full pot to see what matters; empty: the instruction.
  package var infiniPotCatalyst = FixedText<63>("\nSummary:")

  /// `tile`: tokens that prefill handles at once; 0 is as many as suit the policy.
  package var tileTokens = 0

  /// `threads`: threads that compute; 0 is one per big core that the process may use.
  package var threads = 0

  /// `cores`: processors the threads are pinned to, one each; empty is any.
  package var processors = ProcessorSet()

  /// Whether `processors` was found on this machine rather than named: each thread may use all.
  package var sharesProcessors = false

  /// `isa`: kernels to use.
  package var instructionSet: InstructionSet?

  /// `spin-microseconds`: microseconds a thread waits actively for the others before it sleeps.
  package var spinMicroseconds = 50

  /// `stack`: bytes of stack of each thread; 128 KiB is the least that glibc takes on ARM64.
  package var stackBytes = 128 * 1024

  /// `prompt-bytes`: bytes of the longest input text.
  package var promptBytes = 256 * 1024

  /// `word-bytes`: bytes of the longest run of text that the tokenizer may not break.
  package var wordBytes = 16 * 1024

  /// `tokens`: tokens of the longest reply, where the command line does not say.
  package var replyTokens = 256

  /// `huge-pages`: whether the arena asks for huge pages.
  package var usesHugePages = true

  /// `lock-memory`: whether the arena is locked, so that it is never swapped out.
  package var locksMemory = false

  /// The defaults with a budget of `budgetBytes`.
  package init(budgetBytes: Int) {
    self.budgetBytes = budgetBytes
  }
}

extension Profile {
  /// What a run uses that names no profile: `genericX86` or `genericARM64`, as compiled.
  package static var `default`: Profile {
    #if arch(arm64)
      genericARM64
    #else
      genericX86
    #endif
  }

  /// The text of `Profiles/generic-x86-64.toml`, parsed.
  package static var genericX86: Profile {
    var profile = Profile(budgetBytes: 4 << 30)
    profile.name = FixedText("generic-x86-64")
    profile.description = FixedText("Any 64-bit Intel or AMD machine")
    return profile
  }

  /// The text of `Profiles/generic-arm64.toml`, parsed; 64 KiB pages fit every kernel.
  package static var genericARM64: Profile {
    var profile = Profile(budgetBytes: 4 << 30)
    profile.name = FixedText("generic-arm64")
    profile.description = FixedText("Any 64-bit ARM machine")
    profile.pageBytes = 64 * 1024
    return profile
  }
}
