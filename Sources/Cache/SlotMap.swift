package import Eviction

/// Which slot a token of the stream takes, and which slots a query sees.
package struct SlotMap: BitwiseCopyable, Sendable {
  /// What happens when the context is full.
  package let policy: EvictionPolicy

  /// Slots per layer and KV head.
  package let slots: Int

  /// Tokens at the start of the stream that `streaming` never drops.
  package static var sinkTokens: Int { EvictionPolicy.sinkTokens }

  /// A map of `slots` slots; streaming needs more of them than it keeps first tokens.
  package init(policy: EvictionPolicy, slots: Int) {
    precondition(slots > Self.sinkTokens, "a cache has more slots than first tokens")
    self.policy = policy
    self.slots = slots
  }

  /// The slot of the token at stream position `position`.
  package func slot(of position: Int) -> Int {
    if position < slots { return position }
    let window = slots - Self.sinkTokens
    return Self.sinkTokens + (position - Self.sinkTokens) % window
  }

  /// Slots that are live once the token at `position` is stored.
  package func liveSlots(after position: Int) -> Int { min(position + 1, slots) }

  /// Whether a token at `position` may come at all.
  package func admits(_ position: Int) -> Bool {
    // Stream positions are 32 bits wide.
    policy == .streaming ? position < Int(UInt32.max) : position < slots
  }
}
