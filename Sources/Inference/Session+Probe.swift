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

  // MARK: Surprise

  /// Whether it matters how much tokens surprise the model: not once the pot has been distilled for
  /// the last time.
  var notesSurprise: Bool {
    settings.notesSurprise && !evictor.progress.isAnswering && !evictor.progress.isGenerating
  }

  /// Notes for each token of the tile how much it surprised the model; leaves the logits of the
  /// last one.
  func noteSurprises(of pass: Pass, _ first: UInt16) -> Bool {
    let offset = pass.start - evictor.progress.chunkStart
    evictor.note(surprise: first, token: offset)
    evictor.noteOutputs(pass.count)
    for row in 0..<pass.count {
      guard project(row: row) else { return false }
      if row + 1 < pass.count {
        evictor.note(surprise: surprise(at: Int(tile[row + 1])), token: offset + row + 1)
      }
    }
    return true
  }

  /// −log P of a token by the logits at hand, in 1/256 nat, at most 255.99 nats.
  func surprise(at token: Int) -> UInt16 {
    var largest = logits[0]
    for index in 1..<logits.count where logits[index] > largest { largest = logits[index] }
    let part = attentionScratch[0].vector
    var sum = 0.0
    var start = 0
    while start < logits.count {
      let count = min(part.count, logits.count - start)
      let some = part.extracting(0..<count)
      for index in 0..<count { some[index] = logits[start + index] - largest }
      kernels.exponential(some, into: some)
      for index in 0..<count { sum += Double(some[index]) }
      start += count
    }
    let nats = DoubleMath.logarithm(sum) + Double(largest) - Double(logits[token])
    return UInt16(min(max(nats * 256, 0), 65_535))
  }
}
