import Kernels
package import Units

/// What a launch has chosen, and what the system has granted it.
package struct LaunchReport: BitwiseCopyable {
  /// The kernels.
  package internal(set) var kernels: KernelChoice

  /// Begins a report.
  init(kernels: KernelChoice) {
    self.kernels = kernels
  }

  /// Appends the report for people: parts of a sentence, without an end.
  package func write(to text: inout TextBuffer) {
    text.append("kernels ")
    text.append(kernels.set.name)
    text.append(" (")
    text.append(kernels.reason.name)
    text.append(")")
  }

  /// Appends the same as fields of a JSON object, each after a comma.
  package func writeJSON(to text: inout TextBuffer) {
    text.append(",\"kernels\":\"")
    text.append(kernels.set.name)
    text.append("\",\"kernels_choice\":\"")
    text.append(kernels.reason.name)
    text.append("\"")
  }
}
