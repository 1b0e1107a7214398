import Foundation

/// When a reply ends and what it is worth.
package enum Scoring {
  /// The character that ends a reply: the token that holds it is no part of the reply.
  package static func stopByte(_ task: TaskKind) -> UInt8 {
    task == .summary ? UInt8(ascii: "\n") : UInt8(ascii: ".")
  }

  /// Tokens of the longest reply, from those of the right answer.
  package static func replyTokensMax(_ task: TaskKind, answerTokens: Int) -> Int {
    switch task {
    case .needle, .passkey, .qa: 16
    case .summary: answerTokens + 16
    case .ppl: 0
    }
  }

  /// 0 to 1: right or wrong, or the share of the answer's facts that the reply states.
  package static func score(_ task: TaskKind, reply: String, answer: String) -> Double {
    guard task == .summary else {
      return reply.trimmingCharacters(in: .whitespacesAndNewlines) == answer ? 1 : 0
    }
    let facts = answer.components(separatedBy: ". ")
    let stated = facts.filter { fact in
      var fact = fact[...]
      while fact.hasSuffix(".") { fact = fact.dropLast() }
      return reply.contains(fact + ".")
    }
    return Double(stated.count) / Double(facts.count)
  }
}
