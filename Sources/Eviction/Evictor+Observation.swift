package import Kernels
package import Memory
package import Units

/// One thread's share of what a layer's attention shows, until `fold`.
///
/// Shapes: G KV heads, S slots.
package struct Observation: BitwiseCopyable {
  /// Sums of probabilities, where the policy sums.
  let sums: FixedBuffer<Int64>  // [G][S]

  /// Low votes for both counters of `LowVotes`: scissorhands.
  let votes: FixedBuffer<UInt16>  // [2][G][S]

  /// The stamp of the last tile and layer that this thread saw anything of.
  let touched: FixedBuffer<UInt64>  // [G]

  /// Lays the share of one thread out in the current region of `arena`.
  package init(_ settings: EvictionSettings, kvHeads: Int, in arena: inout Arena) {
    let policy = settings.policy
    let slots = policy.observes ? settings.heldSlots : 0
    sums = arena.take(policy.sums ? kvHeads * slots : 0)
    votes = arena.take(policy == .scissorhands ? 2 * kvHeads * slots : 0)
    touched = arena.take(policy.observes ? kvHeads : 0)
  }
}

/// Whose share an observation goes to.
package struct ObservingThread: BitwiseCopyable {
  /// The number of the thread.
  let share: Int
  /// Another one for each tile and layer.
  let stamp: UInt64

  package init(share: Int, stamp: UInt64) {
    self.share = share
    self.stamp = stamp
  }
}

extension Observation {
  /// The counters of one KV head in a set of `slots` slots.
  fileprivate func lowVotes(
    _ head: Int, _ slots: Int
  ) -> (current: FixedBuffer<UInt16>, tail: FixedBuffer<UInt16>) {
    let (first, second) = (head * slots, votes.count / 2 + head * slots)
    return (
      votes.extracting(first..<first + slots), votes.extracting(second..<second + slots)
    )
  }
}

extension Evictor {
  /// Whether the probabilities of the query at stream position `position` matter.
  package func observes(_ position: Int) -> Bool {
    switch settings.policy {
    case .full, .truncate, .streaming, .valueDifference, .gemFilter: return false
    case .h2o, .heavyDifference: return true
    case .tova:
      let state = progress
      return position == state.chunkStart + state.chunkCount - 1
    case .snapKV:
      let state = progress
      return position >= state.windowStart && !state.isGenerating
    case .citrusShared, .infiniPot: return isProbe(position)
    case .citrusIndividual:
      if isProbe(position) { return true }
      let state = progress
      return position < state.documentEnd && !state.isAnswering
    case .scissorhands:
      let counts = LowVotes.counts(seen: seen(by: position), settings: settings)
      return counts.inCurrent || counts.inTail
    }
  }

  /// Whether the token at stream position `position` is one of a probe.
  package func isProbe(_ position: Int) -> Bool { position >= self.position }

  /// Slots that a query of the chunk at hand sees, its own included.
  package func seen(by position: Int) -> Int {
    let state = progress
    return state.live - state.chunkCount + position - state.chunkStart + 1
  }

  /// Takes in what the query at `position` saw: `row`, the sum over the query heads of KV head
  /// `head`; where the policy sums, over several queries, of which that is the first.
  ///
  /// Several threads may take part where each keeps a share, which `fold` adds up; `nil`: no other
  /// thread sees this KV head before the next `fold`.
  package func observe(
    _ row: FixedBuffer<UInt32>, layer: Int, head: Int, position: Int, by thread: ObservingThread?,
    _ kernels: KernelSet
  ) {
    let (slots, used) = (table.slots, self.used)
    let index = layer * kvHeads + head
    let share = thread.map { shares[$0.share] }
    switch settings.policy {
    case .full, .truncate, .streaming, .valueDifference, .gemFilter: return
    case .tova:
      last(index).extracting(0..<used).copy(from: row.extracting(0..<used))
      return
    case .h2o, .snapKV, .heavyDifference, .citrusShared, .citrusIndividual, .infiniPot:
      let sums =
        share?.sums.extracting(head * slots..<(head + 1) * slots)
        ?? totals(index, ofProbe: isProbe(position))
      kernels.add(row, to: sums.extracting(0..<used))
    case .scissorhands:
      let seen = seen(by: position)
      let counts = LowVotes.counts(seen: seen, settings: settings)
      let limit = LowVotes.limit(
        heads: headsPerGroup, divisor: settings.countsStream ? position + 1 : seen)
      let (current, tail) = share?.lowVotes(head, slots) ?? counters(index)
      // The longer history counts whatever the shorter one does.
      kernels.countLow(
        row, below: limit, positions: table.positions(table.set(layer: layer, head: head)),
        upTo: UInt32(position), into: (counts.inCurrent ? current : tail).extracting(0..<used),
        and: counts.inCurrent && counts.inTail ? tail.extracting(0..<used) : .empty)
    }
    if let thread { shares[thread.share].touched[head] = thread.stamp }
  }

  /// The sums that a probe or the stream adds to.
  private func totals(_ index: Int, ofProbe: Bool) -> FixedBuffer<Int64> {
    let isSecond = ofProbe && table.hasSecond && !progress.isJoined
    return isSecond ? secondSums(index) : sums(index)
  }

  /// Adds what all threads saw of a range of a KV head's slots to its scores, and forgets it.
  ///
  /// `ofProbe` says whether a probe saw it rather than the stream.
  package func fold(
    layer: Int, head: Int, stamp: UInt64, slots range: Range<Int>, ofProbe: Bool = false,
    _ kernels: KernelSet
  ) {
    let slots = table.slots
    let index = layer * kvHeads + head
    for thread in 0..<shares.count where shares[thread].touched[head] == stamp {
      let share = shares[thread]
      switch settings.policy {
      case .full, .truncate, .streaming, .tova, .valueDifference, .gemFilter: return
      case .h2o, .snapKV, .heavyDifference, .citrusShared, .citrusIndividual, .infiniPot:
        kernels.take(
          share.sums.extracting(head * slots + range.lowerBound..<head * slots + range.upperBound),
          into: totals(index, ofProbe: ofProbe).extracting(range))
      case .scissorhands:
        let (votes, part) = (counters(index), share.lowVotes(head, slots))
        kernels.take(part.current.extracting(range), into: votes.current.extracting(range))
        kernels.take(part.tail.extracting(range), into: votes.tail.extracting(range))
      }
    }
  }
}
