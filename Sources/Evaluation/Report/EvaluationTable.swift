import Foundation

/// Summaries as Markdown: a row per configuration of the cache, a column per task and length.
package enum EvaluationTable {
  /// Accuracy and perplexity, then the divergence to the full cache where it was measured.
  package static func text(_ summaries: [Summary]) -> String {
    var text = "Accuracy in per cent; ppl: of all tokens (of the answers).\n\n"
    text += table(summaries) { summary in
      switch summary.quality {
      case .accuracy(let share): String(format: "%.0f", 100 * share)
      case .perplexity(let all, let answers): String(format: "%.2f (%.2f)", all, answers)
      }
    }
    let compared = summaries.filter { $0.divergence != nil && $0.cache != .full }
    guard !compared.isEmpty else { return text }
    text += "\nMean KL divergence to the full cache in nats, over all tokens of a stream, and over"
    text += " a reply as long as it is the full cache's.\n\n"
    text += table(compared) { String(format: "%.4f", $0.divergence ?? 0) }
    return text
  }

  private static func table(_ summaries: [Summary], _ cell: (Summary) -> String) -> String {
    var columns: [CaseGroup] = []
    var rows: [CachePolicy] = []
    var cells: [CachePolicy: [CaseGroup: String]] = [:]
    for summary in summaries {
      if !columns.contains(summary.group) { columns.append(summary.group) }
      if !rows.contains(summary.cache) { rows.append(summary.cache) }
      cells[summary.cache, default: [:]][summary.group] = cell(summary)
    }
    let head = ["policy", "budget"] + columns.map { "\($0.task.rawValue) \($0.length)" }
    var lines = [head, head.map { _ in "---" }]
    for row in rows {
      let budget = row.budget == 0 ? "-" : String(row.budget)
      lines.append([row.name, budget] + columns.map { cells[row]?[$0] ?? "-" })
    }
    return lines.map { "| " + $0.joined(separator: " | ") + " |\n" }.joined()
  }
}
