import Inference
import Kernels
import Memory
import ModelFormat
import Profiles
import Quantization
import Units

/// A memory plan as a person or a script reads it.
struct PlanReport {
  let header: PackHeader
  let profile: Profile
  let kernels: KernelChoice
  let plan: MemoryPlan
  let advice: PlanAdvice

  /// Appends the table for people.
  func write(to text: inout TextBuffer) {
    writeSubject(to: &text)
    text.append("\n               bytes  region                 why\n")
    for index in 0..<Region.count {
      let region = Region.at(index)
      if plan[region] == 0 { continue }
      Self.row(plan[region], region.name, region.reason, to: &text)
    }
    Self.row(plan.totalBytes, "total", "every byte this run will ever use", to: &text)
    Self.row(plan.budgetBytes, "budget", "", to: &text)
    if plan.fits {
      Self.row(plan.leftBytes, "left", "", to: &text)
      text.append("\nIt fits. ")
    } else {
      Self.row(-plan.leftBytes, "missing", "", to: &text)
      text.append("\nIt does not fit. ")
    }
    writeAdvice(to: &text)
  }

  /// Appends the same as one JSON object.
  func writeJSON(to text: inout TextBuffer) {
    text.append("{\"model\":")
    text.append(json: header.modelName.bytes)
    text.append(",\"architecture\":\"")
    text.append(header.hyperparameters.architecture.name)
    text.append("\",\"profile\":\"")
    profile.name.write(to: &text)
    text.append("\",\"context\":")
    text.append(advice.slots)
    text.append(",\"keys\":\"")
    text.append(profile.keyFormat.name)
    text.append("\",\"values\":\"")
    text.append(profile.valueFormat.name)
    text.append("\",\"policy\":\"")
    text.append(profile.policy.name)
    text.append("\",\"tile\":")
    text.append(profile.tileTokens)
    text.append(",\"threads\":")
    text.append(profile.threads)
    text.append(",\"kernels\":\"")
    if kernels.reason != .measured { text.append(kernels.set.name) }
    text.append("\",\"kernels_choice\":\"")
    text.append(kernels.reason.name)
    text.append("\"")
    text.append(",\"regions\":[")
    for index in 0..<Region.count {
      let region = Region.at(index)
      text.append(index == 0 ? "{\"name\":\"" : ",{\"name\":\"")
      text.append(region.key)
      text.append("\",\"bytes\":")
      text.append(plan[region])
      text.append(",\"reason\":\"")
      text.append(region.reason)
      text.append("\"}")
    }
    text.append("],\"arena_bytes\":")
    text.append(plan.arenaBytes)
    text.append(",\"total_bytes\":")
    text.append(plan.totalBytes)
    text.append(",\"budget_bytes\":")
    text.append(plan.budgetBytes)
    text.append(",\"left_bytes\":")
    text.append(plan.leftBytes)
    text.append(",\"fits\":")
    text.append(plan.fits ? "true" : "false")
    text.append(",\"largest_context\":")
    text.append(advice.largestContext)
    text.append("}\n")
  }

  private func writeSubject(to text: inout TextBuffer) {
    let model = header.hyperparameters
    text.append("model    ")
    text.append(header.modelName.count > 0 ? header.modelName.bytes : Text("(no name)").bytes)
    text.append(": ")
    text.append(model.architecture.name)
    text.append(", ")
    text.append(model.layers)
    text.append(" layers, dimension ")
    text.append(model.modelDimension)
    text.append(", ")
    text.append(model.queryHeads)
    text.append(" heads, ")
    text.append(model.kvHeads)
    text.append(" KV heads, vocabulary ")
    text.append(grouped: model.vocabulary)
    text.append("\nprofile  ")
    profile.name.write(to: &text)
    text.append("\ncontext  ")
    text.append(grouped: advice.slots)
    text.append(" tokens, keys ")
    text.append(profile.keyFormat.name)
    text.append(", values ")
    text.append(profile.valueFormat.name)
    text.append(", policy ")
    text.append(profile.policy.name)
    text.append(", tiles of ")
    text.append(profile.tileTokens)
    text.append(", ")
    LaunchReport.write(
      threads: profile.threads, profile.processors, isPinned: !profile.sharesProcessors, to: &text)
    text.append("\n")
    kernels.writePlan(to: &text)
    text.append("\n")
  }

  private func writeAdvice(to text: inout TextBuffer) {
    if advice.largestContext > 0 {
      text.append("The largest context that fits: ")
      text.append(grouped: advice.largestContext)
      text.append(" tokens")
      if advice.largestContext > header.hyperparameters.trainedContext {
        text.append(" (trained: ")
        text.append(grouped: header.hyperparameters.trainedContext)
        text.append(")")
      }
      text.append(".\n")
    } else {
      text.append("No context is small enough.\n")
    }
    guard !plan.fits else { return }
    if advice.largestContext > 0 {
      text.append("  --context ")
      text.append(advice.largestContext)
      text.append(" would fit\n")
    }
    if advice.fitsWithInt4Cache { text.append("  --kv int4 would fit\n") }
    if advice.fitsWithInt4Weights {
      text.append("  packing with --weights int4 --embedding int4 would fit\n")
    }
    if advice.fitsWithBoth {
      text.append("  packing with --weights int4 --embedding int4, with --kv int4, would fit\n")
    }
    if advice.isHopeless {
      text.append("  no context or format does; take a smaller model or raise the budget\n")
    }
  }

  private static func row(
    _ bytes: Int, _ name: StaticString, _ reason: StaticString, to text: inout TextBuffer
  ) {
    text.append(grouped: bytes, width: 20)
    text.append("  ")
    text.append(name)
    if reason.utf8CodeUnitCount > 0 {
      text.pad(23 - name.utf8CodeUnitCount)
      text.append(reason)
    }
    text.append("\n")
  }
}
