import Eviction
import Kernels
import Units

/// Policies that run a few tokens over the cache only to see what they look at.
extension Session {
  /// Makes room while a prompt is read; 0 where a number was not finite.
  func makeRoomProbing(for count: Int) -> Int {
    if evictor.progress.position >= evictor.progress.documentEnd {
      guard evictor.progress.isAnswering || prepareAnswer() else { return 0 }
      let (tokens, _) = evictor.room(for: count)
      rearrange(dropping: 0, admitting: tokens, turnsOver: false)
      return tokens
    }
    let (tokens, drop) = evictor.room(for: count)
    if settings.policy == .citrusShared {
      // The scores are those of the probe before the newest chunk.
      if drop > 0 { rearrange(dropping: drop, admitting: 0, turnsOver: true) }
      guard probe() else { return 0 }
    } else if drop > 0 {
      guard probe() else { return 0 }
      rearrange(dropping: drop, admitting: 0, turnsOver: true)
    }
    rearrange(dropping: 0, admitting: tokens, turnsOver: false)
    return tokens
  }

  /// Makes room for instruction and reply, where they do not fit beside the document.
  private func prepareAnswer() -> Bool {
    if evictor.mustEvictForAnswer {
      if settings.policy == .citrusShared {
        rearrange(dropping: evictor.dropBeforeAnswer, admitting: 0, turnsOver: true)
        guard probe() else { return false }
        rearrange(dropping: evictor.dropForAnswer, admitting: 0, turnsOver: true)
      } else {
        guard probe() else { return false }
        rearrange(dropping: evictor.dropBeforeAnswer, admitting: 0, turnsOver: true)
      }
    }
    evictor.beginAnswer()
    return true
  }

  /// Runs the probe over the cache and frees its slots again; false where a number was not finite.
  private func probe() -> Bool {
    let before = evictor.beginProbe()
    var isFinite = true
    var done = 0
    while isFinite && done < before.probeCount {
      let count = min(min(before.probeCount - done, settings.chunk), tile.count)
      rearrange(dropping: 0, admitting: count, turnsOver: false)
      for index in 0..<count { tile[index] = probeTokens[done + index] }
      isFinite = prefill(start: before.position + done, count: count)
      done += count
    }
    var pass = Pass(start: before.position)
    pass.work = .forget
    run(pass)
    evictor.endProbe(before: before)
    return isFinite
  }

  // MARK: Surprise

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
