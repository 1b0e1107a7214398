import Memory
import Units

/// What a run took, as one line or as JSON fields.
struct RunFigures {
  var launchNanoseconds: UInt64 = 0
  var promptTokens = 0
  /// Tokens of prompts that a policy let in, which chooses before it reads.
  var chosenTokens = 0
  var promptNanoseconds: UInt64 = 0
  /// Tokens per second of the first and the last tenth of the last prompt; 0: too short to tell.
  var firstTenthRate = 0.0
  var lastTenthRate = 0.0
  var replyTokens = 0
  var replyNanoseconds: UInt64 = 0

  /// Rows that a policy ran beside those of the tokens: of probes, and of the output layer.
  var probedRows = 0
  var outputRows = 0

  var plannedBytes = 0
  var peakBytes = 0
  var allocations = 0
  /// The most slots of any KV head that were taken at any moment.
  var peakSlots = 0
  /// How often positions were counted anew.
  var turnovers = 0

  /// Why the reply ended.
  var ending = Ending.endOfText

  /// Why a reply ended.
  enum Ending {
    case endOfText
    case stopText
    case length
    case contextFull
    case interrupted

    /// The identifier in JSON and in messages.
    var name: StaticString {
      switch self {
      case .endOfText: "end_of_text"
      case .stopText: "stop"
      case .length: "length"
      case .contextFull: "context_full"
      case .interrupted: "interrupted"
      }
    }
  }

  /// Appends two lines for people: how it was launched, how it ran.
  func write(_ report: LaunchReport, to text: inout TextBuffer) {
    text.append("launch ")
    text.append(Double(launchNanoseconds) / 1e9, decimals: 3)
    text.append(" s: ")
    report.write(to: &text)
    text.append("\nprompt ")
    Self.write(promptTokens, promptNanoseconds, to: &text)
    if chosenTokens < promptTokens {
      text.append(", of which ")
      text.append(grouped: chosenTokens)
      text.append(" were chosen")
    }
    text.append(", reply ")
    Self.write(replyTokens, replyNanoseconds, to: &text)
    if probedRows > 0 {
      text.append("; probes ")
      text.append(grouped: probedRows)
      text.append(" rows")
    }
    if outputRows > 0 {
      text.append("; surprise ")
      text.append(grouped: outputRows)
      text.append(" rows of logits")
    }
    text.append("; planned ")
    text.append(grouped: plannedBytes)
    text.append(" bytes, peak resident ")
    text.append(grouped: peakBytes)
    text.append(", allocations after launch ")
    text.append(allocations)
    text.append(", most slots taken ")
    text.append(grouped: peakSlots)
    if turnovers > 0 {
      text.append(", positions counted anew ")
      text.append(grouped: turnovers)
      text.append(turnovers == 1 ? " time" : " times")
    }
    switch ending {
    case .contextFull: text.append("; the context is full (--policy streaming goes on)")
    case .length: text.append("; the reply reached its longest (--tokens)")
    default: break
    }
    text.append("\n")
  }

  /// Appends the same as the fields of a JSON object, after a field before.
  func writeJSON(_ report: LaunchReport, to text: inout TextBuffer) {
    report.writeJSON(to: &text)
    text.append(",\"ending\":\"")
    text.append(ending.name)
    text.append("\",\"launch_seconds\":")
    text.append(Double(launchNanoseconds) / 1e9, decimals: 6)
    text.append(",\"prompt_tokens\":")
    text.append(promptTokens)
    text.append(",\"chosen_tokens\":")
    text.append(chosenTokens)
    text.append(",\"prompt_seconds\":")
    text.append(Double(promptNanoseconds) / 1e9, decimals: 6)
    text.append(",\"prompt_first_tenth_ts\":")
    text.append(firstTenthRate, decimals: 1)
    text.append(",\"prompt_last_tenth_ts\":")
    text.append(lastTenthRate, decimals: 1)
    text.append(",\"reply_tokens\":")
    text.append(replyTokens)
    text.append(",\"reply_seconds\":")
    text.append(Double(replyNanoseconds) / 1e9, decimals: 6)
    text.append(",\"probed_rows\":")
    text.append(probedRows)
    text.append(",\"output_rows\":")
    text.append(outputRows)
    text.append(",\"planned_bytes\":")
    text.append(plannedBytes)
    text.append(",\"peak_resident_bytes\":")
    text.append(peakBytes)
    text.append(",\"allocations_after_launch\":")
    text.append(allocations)
    text.append(",\"peak_slots\":")
    text.append(peakSlots)
    text.append(",\"turnovers\":")
    text.append(turnovers)
    text.append("}\n")
  }

  private static func write(
    _ tokens: Int, _ nanoseconds: UInt64, to text: inout TextBuffer
  ) {
    text.append(grouped: tokens)
    text.append(tokens == 1 ? " token (" : " tokens (")
    text.append(
      nanoseconds == 0 ? 0 : Double(tokens) * 1e9 / Double(nanoseconds), decimals: 1)
    text.append("/s)")
  }
}
