import Cache
package import Eviction
import Kernels
import ModelFormat
import Quantization
package import Units

/// Keeps the cache within its slots: what happens between two chunks of the stream.
extension Session {
  /// The policy's view of the cache.
  package var evictor: Evictor { cache.evictor }

  var settings: EvictionSettings { cache.evictor.settings }

  /// Whether a token may come at stream position `position`.
  ///
  /// Keys of int4 are never rotated again, so that a policy with original positions ends where the
  /// model's trained context does.
  package func admits(_ position: Int) -> Bool {
    if settings.policy.isArithmetic { return cache.map.admits(position) }
    let state = evictor.progress
    if settings.policy.holdsPrompt && !state.isGenerating && !state.isAnswering {
      return position < settings.heldSlots
    }
    if cache.keyLayout.format == .int4 {
      return position < max(shape.model.trainedContext, settings.slots)
    }
    // Stream positions are 32 bits wide.
    return position < Int(UInt32.max)
  }

  /// Forgets what was read: another stream begins.
  package func restart() { evictor.restart() }

  /// Sets of slots that drop tokens by themselves: of a KV head of a layer, or of a layer.
  package var slotSets: Int {
    settings.policy.isArithmetic ? shape.model.layers : evictor.table.count
  }

  /// The stream positions of the slots of a set once `read` tokens were read; free slots have
  /// `SlotTable.free`.
  package func heldPositions(set: Int, read: Int) -> FixedBuffer<UInt32> {
    guard settings.policy.isArithmetic else { return evictor.table.positions(set) }
    return cache.positions(layer: set, head: 0)
      .extracting(0..<cache.map.liveSlots(after: max(read, 1) - 1))
  }

  /// The most slots of any KV head that were taken at any moment, once `read` tokens were read.
  package func peakSlots(read: Int) -> Int {
    settings.policy.isArithmetic
      ? cache.map.liveSlots(after: max(read, 1) - 1) : evictor.progress.peak
  }

  /// How often live keys were rotated to positions that are counted anew.
  package var turnovers: Int {
    settings.policy.isArithmetic ? 0 : evictor.progress.turnovers
  }

  /// Announces a document of `document` tokens and the instruction behind it, from where the stream
  /// stands.
  ///
  /// `catalyst` is what infinipot runs over a full cache to see what matters; where it is empty, and
  /// for citrus, that is the instruction. The text of both is copied.
  package func beginPrompt(
    document: Int, instruction: FixedBuffer<Int32>, catalyst: FixedBuffer<Int32> = .empty
  ) throws(Evictor.PromptDefect) {
    let isOwn = settings.policy == .infiniPot && catalyst.count > 0
    let probe = isOwn ? catalyst : instruction
    guard !settings.policy.probes || probe.count <= probeTokens.count else {
      throw .instructionTooLong
    }
    for index in 0..<min(probe.count, probeTokens.count) { probeTokens[index] = probe[index] }
    try evictor.beginPrompt(
      document: document, instruction: instruction.count, probe: probe.count)
  }

  /// Whether any token that was read has no slot any more.
  package var hasDropped: Bool {
    !settings.policy.isArithmetic && evictor.progress.live < evictor.progress.position
  }

  /// Says that the prompt has been read: what follows is generated.
  package func endPrompt() {
    guard settings.policy.isFrozen else { return }
    if evictor.progress.windowStart < evictor.progress.position {
      var pass = Pass()
      pass.work = .choose
      run(pass)
      evictor.endChoice()
    }
    var progress = evictor.progress
    progress.isGenerating = true
    progress.promptEnd = progress.position
    evictor.move(to: progress)
  }

  /// Makes room for the next of `count` tokens; returns how many may be read before the next call.
  ///
  /// Returns 0 where a number was not finite: the run cannot go on.
  package func makeRoom(for count: Int) -> Int {
    if settings.policy == .full { return count }
    if settings.policy.probes && !evictor.progress.isGenerating {
      return makeRoomProbing(for: count)
    }
    let (tokens, drop) = evictor.room(for: count)
    if settings.policy == .streaming {
      forgetOldest(for: tokens)
      evictor.advance(tokens: tokens, dropped: drop)
      return tokens
    }
    let progress = evictor.progress
    // Once something was dropped, positions are counted anew where the trained context ends.
    let isAtEnd = progress.turn + tokens > shape.model.trainedContext
    let turnsOver =
      isAtEnd && progress.turn > progress.live - drop && cache.keyLayout.format == .int8
    rearrange(dropping: drop, admitting: tokens, turnsOver: turnsOver)
    return tokens
  }

  /// Hides what the next `count` tokens overwrite: the oldest of the window.
  private func forgetOldest(for count: Int) {
    let start = evictor.progress.position
    for layer in 0..<shape.model.layers {
      let positions = cache.positions(layer: layer, head: 0)
      for position in max(start, settings.slots)..<max(start + count, settings.slots) {
        positions[cache.map.slot(of: position)] = SlotTable.free
      }
    }
  }

  /// Frees slots, counts positions anew where asked, and sets slots aside, in every set.
  ///
  /// There will be room for `tokens` tokens of the stream and `probe` of a probe. Where `both`, the
  /// second cache evicts, too.
  func rearrange(
    dropping drop: Int = 0, admitting tokens: Int = 0, turnsOver: Bool = false, probe: Int = 0,
    both: Bool = false
  ) {
    var pass = Pass()
    pass.dropped = drop
    pass.admitted = tokens + probe
    pass.turnsOver = turnsOver
    pass.admitsProbe = probe > 0
    pass.evictsBoth = both
    let secondLive = both ? evictor.secondKept : evictor.progress.secondLive
    run(pass)
    evictor.advance(
      tokens: tokens, dropped: drop, turnsOver: turnsOver, probe: probe, secondLive: secondLive)
  }

  /// Does with every set what `pass` says, between two chunks.
  func run(_ pass: Pass) {
    unsafe pool.compute(context(pass)) { session, thread, _ in
      // SAFETY: `compute` passes the address of a copy of the context.
      unsafe session.assumingMemoryBound(to: Session.self).pointee.keepRoom(thread: thread)
    }
  }

  private func keepRoom(thread: Int) {
    pool.share(evictor.table.count, thread: thread) { sets in
      let scratch = evictor.scratch[thread]
      for set in sets {
        switch now.work {
        case .choose:
          evictor.choose(in: set, scratch: scratch)
          compact(set)
        case .compact: compact(set)
        case .adopt: evictor.table.adoptSecond(set)
        case .makeRoom: makeRoom(set, scratch, thread)
        }
      }
    }
  }

  /// Frees and sets aside slots of a set.
  private func makeRoom(_ set: Int, _ scratch: EvictionScratch, _ thread: Int) {
    let table = evictor.table
    if evictor.progress.probeAdmitted > 0 { evictor.forgetProbe(in: set) }
    if now.evictsBoth {
      let (layer, heads) = heads(of: set)
      let moves = evictor.evictBoth(now.dropped, from: set, scratch: scratch, kernels)
      for head in heads { cache.move(layer: layer, head: head, moves) }
      turnOver(set, table.secondPositions(set), table.secondTurns(set), scratch, thread)
    } else if now.dropped > 0 {
      if settings.policy.comparesValues { scoreDifferences(set, scratch) }
      evictor.evict(now.dropped, from: set, scratch: scratch, kernels)
    }
    if now.turnsOver { turnOver(set, table.positions(set), table.turns(set), scratch, thread) }
    if now.admitsProbe { evictor.clearSums(of: set) }
    table.assign(now.admitted, in: set)
  }

  /// The KV heads that keep their tokens in a set.
  private func heads(of set: Int) -> (layer: Int, heads: Range<Int>) {
    let perLayer = evictor.table.setsPerLayer
    let head = set % perLayer
    return (set / perLayer, perLayer == 1 ? 0..<shape.model.kvHeads : head..<head + 1)
  }

  /// Scores the slots of a set by how much their values differ from the mean.
  private func scoreDifferences(_ set: Int, _ scratch: EvictionScratch) {
    let (layer, heads) = heads(of: set)
    kernels.differences(
      of: cache.values(layer: layer, head: heads.lowerBound), layout: cache.valueLayout,
      positions: evictor.table.positions(set).extracting(0..<evictor.used),
      into: scratch.scores)
  }

  /// Moves what is kept to the first slots, in order.
  private func compact(_ set: Int) {
    let (layer, heads) = heads(of: set)
    let positions = evictor.table.positions(set)
    var target = 0
    for slot in 0..<positions.count where positions[slot] != SlotTable.free {
      if slot != target {
        for head in heads { cache.move(layer: layer, head: head, from: slot, to: target) }
        evictor.table.move(from: slot, to: target, in: set)
      }
      target += 1
    }
  }

  /// Rotates the keys of a set to their place among the kept tokens, in stream order.
  private func turnOver(
    _ set: Int, _ positions: FixedBuffer<UInt32>, _ turns: FixedBuffer<UInt32>,
    _ scratch: EvictionScratch, _ thread: Int
  ) {
    let order = scratch.sorter.order(of: positions)
    var place = 0
    while place < order.count {
      // Neighbours turn alike until the next one that went.
      let (start, turned) = (place, place - Int(turns[Int(order[place])]))
      repeat {
        turns[Int(order[place])] = UInt32(place)
        place += 1
      } while place < order.count && place - Int(turns[Int(order[place])]) == turned
      if turned != 0 { turn(order.extracting(start..<place), of: set, by: turned, thread) }
    }
  }

  /// Rotates the keys of some slots of a set by as many positions each.
  private func turn(
    _ slots: FixedBuffer<UInt32>, of set: Int, by turned: Int, _ thread: Int
  ) {
    let (layer, heads) = heads(of: set)
    let (cosines, sines) = attentionScratch[thread].turning.table(
      turningBy: turned, fractions: model.rotary)
    for head in heads {
      kernels.turnKeys(
        in: slots, layout: cache.keyLayout, keys: cache.keys(layer: layer, head: head),
        pairing: shape.model.ropePairing, cosines: cosines, sines: sines)
    }
  }

  // MARK: During a step

  /// The stream position of a row of the tile; rows of a probe stand behind the chunk.
  func position(of row: Int) -> Int {
    row < now.probed
      ? evictor.position + now.probeStart + row : now.start + row - now.probed
  }

  /// The position that the token at stream position `position` is rotated to.
  func turn(of position: Int) -> Int {
    if settings.policy.isArithmetic { return position }
    return turnOfChunk(position)
  }

  /// streaming: the position that a query at stream position `position` is rotated to for the first
  /// tokens: its index in the cache.
  func sinkTurn(of position: Int) -> Int { turnOfChunk(position) }

  private func turnOfChunk(_ position: Int) -> Int {
    let progress = evictor.progress
    let isBehind = position >= progress.position
    return (isBehind ? progress.probeTurn : progress.turn) + position - progress.position
  }

  /// Stream positions of the slots that the token at stream position `position` looks at: those of
  /// the second cache for a probe, where there is one.
  func positions(_ layer: Int, head: Int, seenBy position: Int) -> FixedBuffer<UInt32> {
    let table = evictor.table
    if table.hasSecond && evictor.secondLive > 0 && evictor.isProbe(position) {
      return table.secondPositions(table.set(layer: layer, head: head))
    }
    return cache.positions(layer: layer, head: head)
  }

  /// The slots of some tokens of the tile, which are all of the stream or all of a probe.
  func slots(_ layer: Int, head: Int, of tokens: Range<Int>) -> TokenSlots {
    let position = position(of: tokens.lowerBound)
    guard !settings.policy.isArithmetic else {
      return TokenSlots(first: tokens.lowerBound, position: position, map: cache.map)
    }
    let table = evictor.table
    let start = position - evictor.progress.chunkStart
    return TokenSlots(
      first: tokens.lowerBound,
      targets: table.targets(table.set(layer: layer, head: head))
        .extracting(start..<start + tokens.count))
  }

  /// Slots that attention looks at for token `token` of the tile.
  func liveSlots(token: Int) -> Int {
    if settings.policy.isArithmetic { return cache.map.liveSlots(after: now.start + token) }
    return evictor.used
  }

  /// Writes down which tokens of the tile the slots of a layer hold now.
  @inline(never)
  func storePositions(_ layer: Int, tokens: Range<Int>) {
    let table = evictor.table
    if settings.policy.isArithmetic {
      let positions = cache.positions(layer: layer, head: 0)
      let slots = slots(layer, head: 0, of: tokens)
      for token in tokens { positions[slots[token]] = UInt32(now.start + token) }
      return
    }
    let progress = evictor.progress
    let isApart = progress.secondLive > 0
    for token in tokens {
      let position = position(of: token)
      let turn = turn(of: position)
      for head in 0..<table.setsPerLayer {
        table.store(
          token: position - progress.chunkStart, position: position, turn: turn,
          in: table.set(layer: layer, head: head),
          inSecond: isApart && evictor.isProbe(position))
      }
    }
  }

  /// Whether the policy looks at what any of these tokens of the tile see.
  func isSeen(_ tokens: Range<Int>) -> Bool {
    guard settings.policy.observes else { return false }
    for token in tokens where evictor.observes(position(of: token)) { return true }
    return false
  }

  /// Shows the policy what some tokens give each slot of a KV head, all query heads together: their
  /// rows of `sight` from `row` on, and of this thread's totals from the first on.
  @inline(never)
  func observe(
    _ layer: Int, head: Int, tokens: Range<Int>, live: Int, sight: Sight, row: Int, _ thread: Int
  ) {
    let rows = shape.headsPerGroup
    var first = tokens.lowerBound
    while first < tokens.upperBound {
      guard evictor.observes(position(of: first)) else {
        first += 1
        continue
      }
      // Sums do not ask which token gave what.
      var end = first + 1
      while settings.policy.sums && end < tokens.upperBound
        && evictor.observes(position(of: end))
      {
        end += 1
      }
      let done = (first - tokens.lowerBound) * rows
      look(
        rows: row + done..<row + (end - tokens.lowerBound) * rows, of: sight, totals: done,
        live: live, thread)
      let stamp = stamp(layer, ofProbe: first < now.probed)
      evictor.observe(
        attentionScratch[thread].seen, layer: layer, head: head, position: position(of: first),
        by: now.count == 1 ? nil : ObservingThread(share: thread, stamp: stamp), kernels)
      first = end
    }
  }

  /// Puts what some rows give each slot together into this thread's `seen`; their tops and sums are
  /// this thread's totals from `totals` on.
  func look(rows: Range<Int>, of sight: Sight, totals: Int, live: Int, _ thread: Int) {
    let own = attentionScratch[thread]
    sight.look(
      row: rows.lowerBound,
      totals: own.totals.extracting(
        totals..<totals + rows.count, stride: Scratch.stride(shape.model.headDimension)),
      live: live, kernels: kernels, into: own.seen)
  }

  /// Adds what all threads saw of a layer with the queries of `tokens` to the scores.
  func fold(_ layer: Int, tokens: Range<Int>, _ thread: Int) {
    // One token was seen by one thread for each KV head, which wrote the scores itself.
    guard now.count > 1, isSeen(tokens) else { return }
    let ofProbe = tokens.lowerBound < now.probed
    let used = evictor.used
    let runs = RunShape.runs(slots: used)
    pool.share(shape.model.kvHeads * runs, thread: thread) { items in
      for item in items {
        let start = item % runs * RunShape.runSlots
        evictor.fold(
          layer: layer, head: item / runs, stamp: stamp(layer, ofProbe: ofProbe),
          slots: start..<min(start + RunShape.runSlots, used), ofProbe: ofProbe, kernels)
      }
    }
  }

  /// Another number for each tile, layer and kind of row, never 0.
  private func stamp(_ layer: Int, ofProbe: Bool) -> UInt64 {
    UInt64(2 * (now.serial * shape.model.layers + layer) + (ofProbe ? 1 : 0))
  }
}
