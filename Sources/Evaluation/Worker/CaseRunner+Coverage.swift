import Commands
import Eviction
import Inference
import ModelFormat
import Units

extension CaseRunner {
  /// Tells for each layer but the first whether all tokens of `request.extra` would be among those
  /// that gemfilter chooses there: the reply has a word for each, 1 where it is so.
  ///
  /// The layers read the prompt once; every one chooses by itself.
  mutating func cover(_ request: CaseRequest) throws(Failure) {
    let session = session
    let layers = session.shape.model.layers
    let settings = session.shape.eviction
    let prompt = request.prompt
    guard request.reply.count >= layers - 1, prompt.count > settings.slots - settings.reserve else {
      throw .inputEmpty
    }
    guard prompt.count <= settings.filteredTokens else {
      throw .promptTooLong(tokens: prompt.count, slots: settings.filteredTokens)
    }
    for layer in 1..<layers {
      if System.isInterrupted { throw .interrupted }
      guard session.readFilterLayer(layer - 1, prompt),
        session.select(at: layer, prompt, instructionStart: request.documentTokens)
      else { throw .nonFinite(position: prompt.count) }
      let isCovered = Self.holds(
        session.selectedPositions.extracting(0..<settings.slots - settings.reserve),
        all: request.extra)
      request.reply[layer - 1] = isCovered ? 1 : 0
    }
    sums.replyTokens = layers - 1
  }

  /// Whether ascending `positions` have each of `wanted`.
  private static func holds(
    _ positions: FixedBuffer<UInt32>, all wanted: FixedBuffer<Int32>
  ) -> Bool {
    var found = 0
    for index in 0..<positions.count
    where found < wanted.count && Int(positions[index]) == Int(wanted[found]) {
      found += 1
    }
    return found == wanted.count
  }
}
