import Eviction
import Kernels
import Units

/// Policies that run a few tokens over the cache only to see what they look at: a probe.
///
/// The instruction of citrus is run beside every chunk, in one batch with it where a tile holds both:
/// its rows see what the cache held before the chunk and themselves, and so does the chunk.
extension Session {
  /// Rows of probes that were run: what a policy costs beside the tokens themselves.
  package var probedRows: Int {
    settings.policy.isArithmetic ? 0 : evictor.progress.probedRows
  }

  /// Rows of logits that were computed only to see how much tokens surprised the model.
  package var outputRows: Int {
    settings.policy.isArithmetic ? 0 : evictor.progress.outputRows
  }

  /// Makes room while a prompt is read; 0 where a number was not finite.
  func makeRoomProbing(for count: Int) -> Int {
    if evictor.progress.chunkLeft > 0 { return handOut(count) }
    if evictor.progress.position >= evictor.progress.documentEnd {
      guard evictor.progress.isAnswering || prepareAnswer() else { return 0 }
      let (tokens, _) = evictor.room(for: count)
      rearrange(admitting: tokens)
      return tokens
    }
    let (tokens, drop) = evictor.room(for: count)
    if settings.policy == .infiniPot {
      if drop > 0 {
        guard probe() else { return 0 }
        rearrange(dropping: drop, turnsOver: true)
      }
      rearrange(admitting: tokens)
      return tokens
    }
    if drop > 0 {
      rearrange(dropping: drop, turnsOver: true, both: evictor.table.hasSecond)
    }
    rearrange(admitting: tokens, probe: evictor.progress.probeCount)
    var next = evictor.progress
    next.chunkLeft = tokens
    evictor.move(to: next)
    return handOut(count)
  }

  /// Lets the caller have as many tokens of the chunk at hand as fit into a tile beside the probe;
  /// what does not fit of that is run before.
  private func handOut(_ count: Int) -> Int {
    while probePending >= tile.count {
      let start = evictor.progress.chunkStart
      guard forward(start: start, count: 0, probed: tile.count, lastRowOnly: true) else { return 0 }
    }
    var next = evictor.progress
    let tokens = min(min(next.chunkLeft, count), tile.count - probePending)
    next.chunkLeft -= tokens
    evictor.move(to: next)
    return tokens
  }

  /// Makes room for instruction and reply, where they do not fit beside the document.
  private func prepareAnswer() -> Bool {
    if evictor.mustEvictForAnswer {
      if settings.policy.isCitrus {
        let hasSecond = evictor.table.hasSecond
        rearrange(dropping: evictor.dropBeforeAnswer, turnsOver: true, both: hasSecond)
        if hasSecond {
          run(.adopt)
          evictor.endAdoption()
        }
        guard probe() else { return false }
        rearrange(dropping: evictor.dropForAnswer, turnsOver: true)
      } else {
        guard probe() else { return false }
        rearrange(dropping: evictor.dropBeforeAnswer, turnsOver: true)
      }
      // Attention need not look at slots that are free from now on.
      run(.compact)
      evictor.endCompaction()
    }
    evictor.beginAnswer()
    return true
  }

  private func run(_ work: Pass.Work) {
    var pass = Pass()
    pass.work = work
    run(pass)
  }

  /// Tokens of the probe at hand that are still to be run.
  var probePending: Int {
    if !settings.policy.probes { return 0 }
    return evictor.progress.probeAdmitted - evictor.progress.probeDone
  }

  /// Runs the probe over the cache; false where a number was not finite.
  ///
  /// Its slots are freed by the next `rearrange`.
  private func probe() -> Bool {
    rearrange(probe: evictor.progress.probeCount)
    while probePending > 0 {
      let count = min(probePending, tile.count)
      let start = evictor.progress.position
      guard forward(start: start, count: 0, probed: count, lastRowOnly: true) else { return false }
    }
    return true
  }
}
