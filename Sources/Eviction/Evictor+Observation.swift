import Kernels
package import Memory
package import Units

/// One thread's share of what a layer's attention shows, until `fold`.
///
/// Shapes: G KV heads, S slots.
package struct Observation: BitwiseCopyable {
  /// The probabilities of one query, summed over the query heads of a KV head.
  package let row: FixedBuffer<UInt32>  // [S]

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
    row = arena.take(slots)
    sums = arena.take(policy.sums ? kvHeads * slots : 0)
    votes = arena.take(policy == .scissorhands ? 2 * kvHeads * slots : 0)
    touched = arena.take(policy.observes ? kvHeads : 0)
  }
}

extension Evictor {
  /// Whether the probabilities of the query at stream position `position` matter.
  package func observes(_ position: Int) -> Bool {
    let state = progress
    switch settings.policy {
    case .full, .truncate, .streaming, .valueDifference, .gemFilter: return false
    case .h2o, .heavyDifference: return true
    case .tova: return position == state.chunkStart + state.chunkCount - 1
    case .snapKV: return position >= state.windowStart && !state.isGenerating
    case .citrusShared, .infiniPot: return isProbe(position)
    case .citrusIndividual:
      return isProbe(position) || position < state.documentEnd && !state.isAnswering
    case .scissorhands:
      let counts = LowVotes.counts(seen: seen(by: position), settings: settings)
      return counts.inCurrent || counts.inTail
    }
  }

  /// Whether the token at stream position `position` is one of a probe.
  package func isProbe(_ position: Int) -> Bool { position >= progress.position }

  /// Slots that a query of the chunk at hand sees, its own included.
  package func seen(by position: Int) -> Int {
    let state = progress
    return state.live - state.chunkCount + position - state.chunkStart + 1
  }

  /// Takes in what one query saw: `share.row`, the sum over the query heads of KV head `head`.
  ///
  /// `stamp` is another one for each tile and layer.
  package func observe(
    layer: Int, head: Int, position: Int, stamp: UInt64, _ share: Observation
  ) {
    let (slots, used) = (table.slots, progress.used)
    let row = share.row.extracting(0..<used)
    let index = layer * kvHeads + head
    switch settings.policy {
    case .full, .truncate, .streaming, .valueDifference, .gemFilter: return
    case .tova:
      let target = last(index)
      for slot in 0..<used { target[slot] = row[slot] }
      return
    case .h2o, .snapKV, .heavyDifference, .citrusShared, .citrusIndividual, .infiniPot:
      ProbabilityRows.add(row, to: share.sums.extracting(head * slots..<head * slots + used))
    case .scissorhands:
      let seen = seen(by: position)
      let counts = LowVotes.counts(seen: seen, settings: settings)
      let limit = LowVotes.limit(
        heads: headsPerGroup, divisor: settings.countsStream ? position + 1 : seen)
      let positions = table.positions(table.set(layer: layer, head: head))
      for counter in 0..<2 where counter == 0 ? counts.inCurrent : counts.inTail {
        let start = (counter * kvHeads + head) * slots
        ProbabilityRows.countLow(
          row, below: limit, positions: positions, upTo: UInt32(position),
          into: share.votes.extracting(start..<start + used))
      }
    }
    share.touched[head] = stamp
  }

  /// Adds what all threads saw of a range of a KV head's slots to its scores, and forgets it.
  ///
  /// `ofProbe` says whether a probe saw it rather than the stream.
  package func fold(
    layer: Int, head: Int, stamp: UInt64, slots range: Range<Int>, ofProbe: Bool = false
  ) {
    let slots = table.slots
    let index = layer * kvHeads + head
    for thread in 0..<shares.count where shares[thread].touched[head] == stamp {
      let share = shares[thread]
      switch settings.policy {
      case .full, .truncate, .streaming, .tova, .valueDifference, .gemFilter: return
      case .h2o, .snapKV, .heavyDifference, .citrusShared, .citrusIndividual, .infiniPot:
        let isSecond = ofProbe && table.hasSecond && !progress.isJoined
        let (total, part) = (isSecond ? secondSums(index) : sums(index), share.sums)
        for slot in range {
          total[slot] += part[head * slots + slot]
          part[head * slots + slot] = 0
        }
      case .scissorhands:
        let votes = lowVotes(index)
        for slot in range {
          let place = head * slots + slot
          votes.current[slot] += share.votes[place]
          share.votes[place] = 0
          votes.tail[slot] += share.votes[kvHeads * slots + place]
          share.votes[kvHeads * slots + place] = 0
        }
      }
    }
  }
}
