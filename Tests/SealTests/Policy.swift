import Foundation
import Profiles

/// Every cache policy that a profile can name.
enum Policy {
  static let names = (0..<PolicyChoice.count).compactMap {
    PolicyChoice(rawValue: $0)?.name.description
  }

  /// A document that does not fit, and a reply that the sampler's heat keeps from ending.
  static func run(_ policy: String, threadCount: Int) -> Scenario {
    Scenario(
      name: "\(policy), \(threadCount) threads",
      words: [
        "run", Scenario.model ?? "", "--raw", "--file", "-", "--prompt", "Once", "--tokens", "300",
        "--seed", "2", "--temperature", "100", "--top-k", "0", "--top-p", "1", "--min-p", "0",
        "--threads", "\(threadCount)",
      ] + cache(policy),
      input: Data((0..<60).map { "Line \($0) says nothing new.\n" }.joined().utf8))
  }

  /// A child of an evaluation: it replies to a prompt, reads a stream where the policy reads any, and
  /// compares both with recorded logits; that of `full` records.
  static func evaluation(_ policy: String) -> Scenario {
    let isRecording = policy == "full"
    let readsStreams = !["truncate", "snapkv", "gemfilter", "gemfilter-vote"].contains(policy)
    let files = isRecording ? ["/dev/null", "0"] : ["-", "1", "\(recorded.path)"]
    return Scenario(
      name: "evaluation, \(policy)",
      words: ["eval-worker", "4096"] + files + [Scenario.model ?? "", "--threads", "3"]
        + cache(policy),
      input: request(kind: 0, document: 500, question: 20, reply: 200, compares: !isRecording)
        + (readsStreams
          ? request(kind: 1, document: 400, question: 8, reply: 0, compares: !isRecording)
          : Data()),
      subjects: [.hosted])
  }

  private static func cache(_ policy: String) -> [String] {
    ["--policy", policy, "--budget", policy == "full" ? "2048" : "128", "--prompt-max", "2048"]
  }

  /// A file of logits: all 0, for more tokens than any request has.
  private static let recorded: URL = {
    let file = packageFile(".build/recorded-logits")
    do { try Data(count: 4 * 936 * 800).write(to: file) } catch {
      preconditionFailure("\(file.path): \(error)")
    }
    return file
  }()

  /// A request as an evaluation sends it; the kinds are 0, a reply, and 1, a stream.
  private static func request(
    kind: Int, document: Int, question: Int, reply: Int, compares: Bool
  ) -> Data {
    let header = [0x3156_4554, kind, document, question, reply, 10, 0, compares ? 0 : -1, 0, 0]
    let words = header + (0..<document + question).map { 300 + $0 * 7919 % 600 }
    return words.reduce(into: Data()) { data, word in
      for place in 0..<4 { data.append(UInt8(truncatingIfNeeded: word >> (8 * place))) }
    }
  }

  /// What `logits` prints for `Logits.policies`.
  static let hashes: [String: String] = [:]
}
