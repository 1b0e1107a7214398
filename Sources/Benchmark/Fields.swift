internal import Commands
internal import Foundation

/// A value of a field.
package enum FieldValue: Equatable, Sendable {
  case text(String)
  case integer(Int)
  case boolean(Bool)
  /// Printed with six decimals.
  case real(Double)

  /// As JSON.
  package var json: String {
    switch self {
    case .text(let text): FieldValue.quoted(text)
    case .boolean(let value): value ? "true" : "false"
    case .integer, .real: plain
    }
  }

  /// As llama-bench writes it between the quotes of CSV: booleans are 0 or 1.
  package var plain: String {
    switch self {
    case .text(let text): text
    case .integer(let value): String(value)
    case .boolean(let value): value ? "1" : "0"
    case .real(let value): String(format: "%.6f", value)
    }
  }

  private static func quoted(_ text: String) -> String {
    var quoted = "\""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"": quoted += "\\\""
      case "\\": quoted += "\\\\"
      case "\u{0}"..."\u{1F}": quoted += String(format: "\\u%04x", scalar.value)
      default: quoted.unicodeScalars.append(scalar)
      }
    }
    return quoted + "\""
  }
}

extension BenchmarkResult {
  /// The fields of llama-bench in its order, then our own.
  ///
  /// What has no meaning here has the value that llama-bench prints for a processor without any
  /// of it.
  package var fields: [(name: String, value: FieldValue)] {
    identityFields + neutralFields + [
      ("n_prompt", .integer(test.prompt)), ("n_gen", .integer(test.generated)),
      ("n_depth", .integer(test.depth)), ("test_time", .text(time)),
      ("avg_ns", .integer(Int(Statistics.mean(samples.nanoseconds.map { Double($0) })))),
      (
        "stddev_ns",
        .integer(Int(Statistics.standardDeviation(samples.nanoseconds.map { Double($0) })))
      ),
      ("avg_ts", .real(samples.mean)), ("stddev_ts", .real(samples.standardDeviation)),
    ] + ownFields + depthFields + policyFields + peerFields
  }

  private var identityFields: [(name: String, value: FieldValue)] {
    [
      ("build_commit", .text(Version.text.description)), ("build_number", .integer(Version.number)),
      ("cpu_info", .text(processorName)), ("gpu_info", .text("")), ("backends", .text("CPU")),
      ("model_filename", .text(model.name)), ("model_type", .text(model.type)),
      ("model_size", .integer(model.bytes)), ("model_n_params", .integer(model.parameters)),
      ("n_batch", .integer(tileTokens)), ("n_ubatch", .integer(tileTokens)),
      ("n_threads", .integer(threads)), ("cpu_mask", .text("0x0")),
      ("cpu_strict", .boolean(false)), ("poll", .integer(0)), ("type_k", .text(keys)),
      ("type_v", .text(values)),
    ]
  }

  private var neutralFields: [(name: String, value: FieldValue)] {
    [
      ("n_gpu_layers", .integer(0)), ("n_cpu_moe", .integer(0)), ("split_mode", .text("none")),
      ("main_gpu", .integer(0)), ("no_kv_offload", .boolean(false)),
      ("flash_attn", .boolean(false)), ("devices", .text("none")),
      ("tensor_split", .text("0.00")), ("tensor_buft_overrides", .text("none")),
      ("use_mmap", .boolean(false)), ("use_direct_io", .boolean(false)),
      ("embeddings", .boolean(false)), ("no_op_offload", .integer(0)),
      ("no_host", .boolean(false)),
    ]
  }

  private var ownFields: [(name: String, value: FieldValue)] {
    [
      ("median_ts", .real(samples.median)), ("isa", .text(instructionSet)),
      ("n_ctx", .integer(contextTokens)), ("bytes_per_token", .real(bytesPerToken)),
      ("read_gb_per_s", .real(readBytesPerSecond / 1e9)),
      ("machine_read_gb_per_s", .real(limits.readBytes / 1e9)),
      ("read_share", .real(readShare)), ("ops_per_token", .real(operationsPerToken)),
      ("gop_per_s", .real(operationsPerSecond / 1e9)),
      ("machine_int8_gop_per_s", .real(limits.int8Operations / 1e9)),
      ("machine_int4_gop_per_s", .real(limits.int4Operations / 1e9)),
      ("op_share", .real(operationShare)),
      ("launch_seconds", .real(Double(launchNanoseconds) / 1e9)),
      ("planned_bytes", .integer(plannedBytes)), ("peak_resident_bytes", .integer(peakBytes)),
      ("allocations_after_launch", .integer(allocations)),
    ]
  }

  private var depthFields: [(name: String, value: FieldValue)] {
    guard let depth, let slope, let slopeAtStart else { return [] }
    let start = Samples(tokens: test.tokens, nanoseconds: depth.start)
    return [
      ("start_bytes_per_token", .real(depth.startBytesPerToken)),
      ("start_avg_ts", .real(start.mean)),
      ("start_stddev_ts", .real(start.standardDeviation)), ("start_median_ts", .real(start.median)),
      ("slope", .real(slope.median)), ("slope_error", .real(slope.error)),
      ("slope_at_start", .real(slopeAtStart.median)),
      ("slope_at_start_error", .real(slopeAtStart.error)),
    ]
  }

  private var policyFields: [(name: String, value: FieldValue)] {
    guard let policy else { return [] }
    var fields: [(name: String, value: FieldValue)] = [
      ("policy", .text(policy.name)), ("budget", .integer(policy.slots)),
      ("attended_slots", .integer(policy.attendedSlots)),
      ("probed_rows_per_token", .real(policy.probedRowsPerToken)),
      ("output_rows_per_token", .real(policy.outputRowsPerToken)),
      ("first_pass_seconds", .real(policy.filterSeconds ?? 0)),
    ]
    if !policy.full.isEmpty {
      let full = Samples(tokens: test.tokens, nanoseconds: policy.full)
      fields += [
        ("full_n_depth", .integer(policy.fullDepth)),
        ("full_avg_ts", .real(full.mean)), ("full_stddev_ts", .real(full.standardDeviation)),
        ("full_median_ts", .real(full.median)),
        ("added_share", .real(policy.added?.median ?? 0)),
        ("added_share_error", .real(policy.added?.error ?? 0)),
        ("policy_share", .real(policy.work?.median ?? 0)),
        ("policy_share_error", .real(policy.work?.error ?? 0)),
        ("output_share", .real(policy.output?.median ?? 0)),
      ]
    }
    return fields
  }

  private var peerFields: [(name: String, value: FieldValue)] {
    guard let best = bestPeer, let ratio else { return [] }
    return [
      ("peer", .text(peerName)), ("peer_type_kv", .text(best.variant)),
      ("peer_avg_ts", .real(best.samples.mean)),
      ("peer_stddev_ts", .real(best.samples.standardDeviation)),
      ("peer_median_ts", .real(best.samples.median)), ("ratio", .real(ratio)),
    ]
  }

  /// The samples, which only JSON has: nanoseconds, then tokens per second.
  package var sampleFields: [(name: String, values: [String])] {
    func rates(_ samples: Samples) -> [String] {
      samples.rates.map { FieldValue.real($0).plain }
    }
    var fields = [
      ("samples_ns", samples.nanoseconds.map { String($0) }), ("samples_ts", rates(samples)),
    ]
    if let policy, !policy.full.isEmpty {
      fields.append(
        ("full_samples_ts", rates(Samples(tokens: test.tokens, nanoseconds: policy.full))))
    }
    if let depth {
      fields.append(
        ("start_samples_ts", rates(Samples(tokens: test.tokens, nanoseconds: depth.start))))
    }
    for one in peer { fields.append(("peer_samples_ts \(one.variant)", rates(one.samples))) }
    return fields
  }
}
