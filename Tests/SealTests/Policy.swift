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
  static let hashes = [
    "full": "8f7f9168d9e65fd971be7a650e25aaff0299e4d26f668315bd3aaaae715f3adc",
    "streaming": "965610074690c1dc99bda62b12bbe76a26ebb83dd8691857fea41a307b4ff03c",
    "truncate": "330d5f691a1cd1203c52a39e534fbf49fc7290abc72e083692d91ad4bf0b1128",
    "h2o": "c777e5a4f717093d84c8604f4229e019a44456654c392a382011879ae16ee69c",
    "tova": "06d17e18b2ca4783ecf2f730c0f119da7a7d3c502fbb6acf66aa3897b15c61e9",
    "snapkv": "8f5c6be462b1ef713d7a118916cc89ca8ab22346a722d7d58e39ae4c5c030005",
    "scissorhands": "b20dc29fa3c7462adbe8be2401b414fcfa61767d23e0e8080b5099d340e1b27a",
    "scissorhands-paper": "b60cb7df467aebc9c69b439440d2b74debc89f8894c7af32fe1791fa28a71524",
    "citrus-shared": "2732b96049a80780a57f3c98222f5d0bdf5c6eb9313ae5c8d483a48a11e01f09",
    "citrus-individual": "aef0f4b593652d588f657167894ac2beeec58c34ec3a95a389c2dc49752b1a5e",
    "infinipot": "db22a650778a0c39c798b502f0120b63923c046edeb213f79699e38ac3151a5c",
    "gemfilter": "efdd83a66cbd402fd3c76caf8001a2a8ef8bfc11877092c322208e77ccdaf3aa",
    "gemfilter-vote": "96a3fa81ec642cf28394c6f1bcdc72ca795fd0927979100d4962aa567b5bd1b2",
    "valuediff": "242e9331594ef86ffa8470b4ff71c1f50f97227872b0c3868f4ab8da2ce33830",
    "valuediff-h2o": "96a9936947958ae04dd4d6263cccd99642cd3343b5d960357f8b258cf70a875e",
  ]
}
