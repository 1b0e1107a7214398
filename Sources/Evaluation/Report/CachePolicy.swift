import Foundation
import Profiles
import Units

/// One configuration of the cache: a policy and how many slots it has.
package struct CachePolicy: Hashable, Sendable {
  /// The policy as profiles and command lines spell it.
  package let name: String
  /// Slots per layer and KV head; 0: as many as the longest case needs.
  package let budget: Int

  /// Joins the two; `full` has no budget.
  package init(name: String, budget: Int) {
    self.name = name
    self.budget = name == Self.fullName ? 0 : budget
  }

  /// The policy that keeps everything.
  package static let fullName = "full"

  /// The cache that keeps everything.
  package static let full = CachePolicy(name: fullName, budget: 0)

  /// Policy and budget for a person.
  package var label: String { budget == 0 ? name : "\(name) \(budget)" }

  /// Every policy that profiles know.
  package static var knownNames: [String] {
    (0..<PolicyChoice.count).compactMap { PolicyChoice(rawValue: $0)?.name.description }
  }

  /// Policies that read a prompt as a whole and so cannot read a stream.
  private static let wholePromptNames: Set<String> = [
    "truncate", "snapkv", "gemfilter", "gemfilter-vote",
  ]

  /// Whether the policy reads an endless stream within its budget.
  package var readsStreams: Bool { !Self.wholePromptNames.contains(name) }

  /// Whether the whole prompt is held, in slots or hidden states, before tokens are chosen.
  var holdsPrompt: Bool { ["snapkv", "gemfilter", "gemfilter-vote"].contains(name) }

  /// Policies that rotate stored keys again, which int4 keys do not bear.
  package static var turningNames: [String] {
    knownNames.filter { $0.hasPrefix("citrus-") || $0 == "infinipot" }
  }

  /// The configurations of policies `names` (`all`: every one known that can turn its keys where it
  /// has to) with each of `budgets`.
  package static func configurations(
    names: String, budgets: [Int], keysTurn: Bool = true
  ) throws(EvaluationError) -> [CachePolicy] {
    let known = knownNames
    var configurations: [CachePolicy] = []
    var wanted = names.split(separator: ",").map { $0.trimmingCharacters(in: .whitespaces) }
    if wanted.contains("all") {
      wanted = known.filter { keysTurn || !turningNames.contains($0) }
    }
    for name in wanted {
      guard known.contains(name) else { throw .unknownPolicy(name, known: known) }
      for budget in name == fullName ? [0] : budgets {
        let one = CachePolicy(name: name, budget: budget)
        if !configurations.contains(one) { configurations.append(one) }
      }
    }
    if configurations.isEmpty { throw .unknownPolicy(names, known: known) }
    return configurations
  }
}
