import Inference
import Memory
package import ModelFormat
import Units

/// `terrarium plan`: every byte of a run, from the header alone.
package enum PlanCommand<System: Host> {
  /// Prints the plan of `header`; throws `doesNotFit` after printing one that is too large.
  package static func run(
    _ options: Options, header: PackHeader, in memory: PlanningMemory,
    _ console: inout Console<System>
  ) throws(Failure) {
    let profile = try Settings<System>.resolve(options, in: memory)
    let shape = RunShape(
      model: header.hyperparameters, profile: profile, kernelPageBytes: System.pageSize)
    try Launch<System>.check(shape)
    let plan = shape.plan(header: header, programBytes: Launch<System>.programBytes(memory))
    let report = PlanReport(
      header: header, profile: shape.profile, kernels: Launch<System>.kernels(profile), plan: plan,
      advice: PlanAdvice(for: plan, shape: shape, header: header))
    if options.has(.json) {
      report.writeJSON(to: &console.output)
    } else {
      report.write(to: &console.output)
    }
    try console.flushOutput()
    if !plan.fits {
      throw .doesNotFit(missingBytes: -plan.leftBytes, budgetBytes: plan.budgetBytes)
    }
  }
}
