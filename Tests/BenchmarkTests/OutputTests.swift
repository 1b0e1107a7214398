import Benchmark
import Foundation
import Testing

@Suite struct OutputTests {
  private func result() -> BenchmarkResult {
    var cost = Cost()
    cost.bytes = 4_000_000_000
    cost.int8Operations = 6_000_000_000
    cost.int4Operations = 2_000_000_000
    return BenchmarkResult(
      model: BenchmarkModel(
        name: "a \"b\".terra", type: "llama 1B Q8_0", bytes: 1_313_251_456,
        parameters: 1_235_814_400
      ),
      test: BenchmarkTest(prompt: 0, generated: 4, depth: 8192), threads: 2, keys: "int8",
      values: "int4", tileTokens: 64, contextTokens: 8196, instructionSet: "avx2",
      processorName: "Example\tCPU", time: "2026-01-02T03:04:05Z",
      samples: Samples(tokens: 4, nanoseconds: [200_000_000, 400_000_000, 250_000_000]), cost: cost,
      limits: MachineLimits(readBytes: 20e9, int8Operations: 400e9, int4Operations: 500e9),
      launchNanoseconds: 1_500_000_000, plannedBytes: 123, peakBytes: 122, allocations: 0)
  }

  private func compared() -> BenchmarkResult {
    var result = result()
    result.peerName = "llama-cpp-python 1.2.3"
    result.peer = [
      PeerSamples(variant: "f16", samples: Samples(tokens: 4, nanoseconds: [800_000_000])),
      PeerSamples(variant: "q8_0", samples: Samples(tokens: 4, nanoseconds: [500_000_000])),
    ]
    return result
  }

  @Test func namesTests() {
    func name(_ prompt: Int, _ generated: Int, _ depth: Int) -> String {
      BenchmarkTest(prompt: prompt, generated: generated, depth: depth).name
    }
    #expect(name(512, 0, 0) == "pp512")
    #expect(name(0, 64, 0) == "tg64")
    #expect(name(512, 128, 0) == "pp512+tg128")
    #expect(name(0, 64, 8192) == "tg64 @ d8192")
  }

  @Test func sharesOfTheLimits() {
    let result = result()
    // 16 tokens per second of 1 GB and 2 Gop each; 1.5 Gop at 400 and 0.5 at 500 take 4.75 ms.
    #expect(result.samples.rates == [20, 10, 16])
    #expect(result.readBytesPerSecond == 16e9)
    #expect(result.readShare == 0.8)
    #expect(result.operationsPerSecond == 32e9)
    #expect(abs(result.operationShare - 0.076) < 1e-12)
    #expect(compared().bestPeer?.variant == "q8_0")
    #expect(compared().ratio == 2)
    #expect(result.ratio == nil)
  }

  /// A repetition that met a good moment is compared with what memory gave in that moment.
  @Test func eachRepetitionIsComparedWithItsOwnBandwidth() {
    var result = result()
    result.bandwidths = [40e9, 10e9, 20e9]
    #expect(result.readShare == 0.8)
    result.bandwidths = [25e9, 20e9, 16e9]
    #expect(result.readShare == 0.8)
    result.bandwidths = [25e9, 20e9, 32e9]
    #expect(result.readShare == 0.5)
  }

  /// Two ways of reading, one of which met a good moment in every try: neither is that fast.
  @Test func limitsAreMediansOfTheBestWay() {
    let tries = [
      MachineTry(reads: [30, 55], int8: [100, 90], int4: [200]),
      MachineTry(reads: [54, 33], int8: [70, 90], int4: [150]),
      MachineTry(reads: [31, 32], int8: [99, 91], int4: [190]),
    ]
    #expect(
      MachineLimits(tries)
        == MachineLimits(readBytes: 33, int8Operations: 99, int4Operations: 190))
    #expect(MachineLimits.bestRead(tries) == 1)
    #expect(MachineLimits.bestRead([]) == 0)
    #expect(MachineLimits([]) == MachineLimits(readBytes: 0, int8Operations: 0, int4Operations: 0))
  }

  @Test func markdownIsExact() {
    var output = Output(.markdown, table: MarkdownTable(showsCache: false))
    let text = output.start + output.row(result()) + output.end([result()])
    #expect(
      text
        == """
        | model                          |       size |     params | backend    | threads |            test |                  t/s | MB/token |   GB/s | read % |  Gop/s | peak % |
        | ------------------------------ | ---------: | ---------: | ---------- | ------: | --------------: | -------------------: | -------: | -----: | -----: | -----: | -----: |
        | llama 1B Q8_0                  |   1.22 GiB |     1.24 B | CPU        |       2 |     tg4 @ d8192 |         15.33 ± 5.03 |   1000.0 |   16.0 |   80.0 |     32 |    7.6 |

        Example\tCPU
        2 threads, avx2: reads 20.0 GB/s, multiplies int8 400 and int4 500 Gop/s
        allocations after launch: 0

        """)
  }

  @Test func markdownOfPoliciesIsExact() {
    var first = result()
    var policy = PolicyFigures(
      name: "infinipot", slots: 1024, tokens: 4, attendedSlots: 1000, fullDepth: 998)
    for nanoseconds in [200_000_000, 400_000_000, 250_000_000] as [UInt64] {
      var (own, full) = (RepetitionAnswer(), RepetitionAnswer())
      own.nanoseconds = nanoseconds
      (own.probedRows, own.outputRows, own.outputNanoseconds) = (1, 4, 20_000_000)
      full.nanoseconds = 160_000_000
      policy.add(own, beside: full)
    }
    first.policy = policy
    var second = result()
    policy = PolicyFigures(
      name: "full", slots: 1024, tokens: 4, attendedSlots: 1000, fullDepth: 998)
    for _ in 0..<3 { policy.add(RepetitionAnswer()) }
    second.policy = policy
    var output = Output(
      .markdown, table: MarkdownTable(showsCache: false, showsPolicy: true))
    let text = output.start + output.row(first) + output.row(second) + output.end([first, second])
    let lines = text.split(separator: "\n").map(String.init)
    #expect(lines.count == 9)
    #expect(
      lines[0]
        == "| model                          |       size |     params | backend    | threads | policy       | slots |            test |                  t/s | full t/s |      added % |     policy % | MB/token |   GB/s | read % |  Gop/s | peak % |"
    )
    #expect(
      lines[2]
        == "| llama 1B Q8_0                  |   1.22 GiB |     1.24 B | CPU        |       2 | infinipot    |  1024 |     tg4 @ d8192 |         15.33 ± 5.03 |    25.00 | +56.2 ± 33.5 | +15.0 ± 26.8 |   1000.0 |   16.0 |   80.0 |     32 |    7.6 |"
    )
    #expect(lines[3].contains("| full         |  1024 |"))
    #expect(lines[3].contains("|        - |            - |            - |"))
    #expect(
      lines[6]
        == "infinipot, 1024 slots, tg4 @ d8192: for each token 0.250 more that are only run to choose, and the logits of 1.000, +12.5 %"
    )
  }

  // 1 GB a token where depth 0 has 0.6: at 40, 20 and 10 GB/s the rest takes 10, 20 and 40 ms, and
  // two thirds of the 40, 40 and 50 ms of depth 0. It took 10, 60 and 12.5 ms.
  @Test func aSlopeIsTheMedianOverRepetitions() throws {
    var deep = result()
    #expect(deep.slope == nil && deep.slopeAtStart == nil)
    deep.bandwidths = [40e9, 20e9, 10e9]
    deep.depth = depthFigures([160_000_000, 160_000_000, 200_000_000])
    let slope = try #require(deep.slope)
    #expect(abs(slope.median - 1) < 1e-9)
    // Quartiles 0.65625 and 2.
    #expect(abs(slope.error - 1.2533 * 1.34375 / 1.349 / 3.0.squareRoot()) < 1e-9)
    #expect(abs(try #require(deep.slopeAtStart).median - 0.375) < 1e-9)
    var output = Output(.markdown, table: MarkdownTable(showsCache: false, showsSlope: true))
    let lines = (output.start + output.row(deep) + output.row(result()) + output.end([deep]))
      .split(separator: "\n").map(String.init)
    #expect(lines[0].contains("|       slope |  slope @ d0 | MB/token |"))
    #expect(lines[2].contains("| 1.00 ± 0.72 | 0.38 ± 0.50 |   1000.0 |"))
    #expect(lines[3].contains("|           - |           - |   1000.0 |"))
    #expect(lines[6].hasPrefix("slope: how much longer a token takes than at depth 0, in turn"))
    let fields = Dictionary(uniqueKeysWithValues: deep.fields.map { ($0.name, $0.value) })
    #expect(fields["start_bytes_per_token"] == .real(0.6e9))
    #expect(fields["start_median_ts"] == .real(25) && fields["slope"] == .real(slope.median))
    #expect(!result().fields.contains { $0.name == "slope" })
  }

  // Depth 0 reads 0.6 GB in 40 ms. At 1, 3 and 7 times as many bytes more a token takes 24, 52 and
  // 108 ms more: 10 ms once, and 14 ms for each 0.6 GB, which memory gives in 20.
  @Test func aLineThroughDepthsLeavesOutWhatTheyCostOnce() throws {
    let near = deep(1, [24, 24, 24]), middle = deep(3, [48, 52, 56])
    let far = deep(7, [108, 108, 108])
    #expect(DepthLine([near, middle]) == nil && DepthLine([near, near, middle, result()]) == nil)
    let line = try #require(DepthLine([near, result(), middle, far]))
    #expect(abs(line.slope.median - 0.7) < 1e-6 && abs(line.slopeAtStart.median - 0.35) < 1e-6)
    // The middle's slopes are 48, 52 and 56 of 60 ms, their quartiles 1/15 apart. The line has 1/28 of
    // what it stands for, 3 times that.
    let error = 1.2533 / 15 / 1.349 / 3.0.squareRoot()
    #expect(abs(line.slope.error - error * 3 / 28) < 1e-6 && line.deviation < 1e-6)
    let output = Output(.markdown, table: MarkdownTable(showsCache: false, showsSlope: true))
    #expect(
      output.end([near, middle, far]).contains(
        """
        llama 1B Q8_0, keys int8, values int4, 2 threads, avx2, tg4: a line through 3 depths has the \
        slope 0.70 ± 0.00, @ d0 0.35 ± 0.00; tokens are within 0.0 % of it

        """))
    // With 59 ms in the middle the line is 1.33125 + 0.34375 x: 3 of the 64 ms of the first are off.
    let bent = try #require(DepthLine([near, deep(3, [59, 59, 59]), far]))
    #expect(abs(bent.slopeAtStart.median - 0.34375) < 1e-6)
    #expect(abs(bent.deviation - 3.0 / 64) < 1e-6)
  }

  /// A depth with `times` as many bytes more as depth 0 reads; milliseconds more of each repetition.
  private func deep(_ times: Int, _ milliseconds: [UInt64]) -> BenchmarkResult {
    var deep = result()
    deep.cost.bytes = 2_400_000_000 * (times + 1)
    deep.samples = Samples(tokens: 4, nanoseconds: milliseconds.map { (40 + $0) * 4_000_000 })
    deep.bandwidths = Array(repeating: 30e9, count: milliseconds.count)
    deep.depth = depthFigures(milliseconds.map { _ in 160_000_000 })
    return deep
  }

  /// Repetitions at depth 0, whose tokens read 0.6 GB.
  private func depthFigures(_ nanoseconds: [UInt64]) -> DepthFigures {
    var depth = DepthFigures()
    depth.startBytesPerToken = 0.6e9
    for one in nanoseconds {
      var start = RepetitionAnswer()
      start.nanoseconds = one
      depth.add(start)
    }
    return depth
  }

  @Test func markdownOfAComparisonIsExact() {
    let table = MarkdownTable(showsCache: true, peerVariants: ["f16", "q8_0"])
    var output = Output(.markdown, table: table)
    let lines = (output.start + output.row(compared()) + output.end([compared()]))
      .split(separator: "\n").map(String.init)
    #expect(lines.count == 7)
    #expect(
      lines[0].hasSuffix(
        "| type_k | type_v |            test | terrarium t/s | llama.cpp f16 t/s | "
          + "llama.cpp q8_0 t/s |  ratio | MB/token |   GB/s | read % |  Gop/s | peak % |"))
    #expect(
      lines[2].hasSuffix(
        "| int8   | int4   |     tg4 @ d8192 |         16.00 |              5.00 | "
          + "             8.00 |   2.00 |   1000.0 |   16.0 |   80.0 |     32 |    7.6 |"))
    #expect(lines[4].hasPrefix("2 threads"))
    #expect(lines[5] == "medians of 3, in turn with llama-cpp-python 1.2.3")
    #expect(lines[6] == "allocations after launch: 0")
  }

  /// The fields of llama-bench, in its order.
  static let fields = [
    "build_commit", "build_number", "cpu_info", "gpu_info", "backends", "model_filename",
    "model_type", "model_size", "model_n_params", "n_batch", "n_ubatch", "n_threads", "cpu_mask",
    "cpu_strict", "poll", "type_k", "type_v", "n_gpu_layers", "n_cpu_moe", "split_mode",
    "main_gpu", "no_kv_offload", "flash_attn", "devices", "tensor_split", "tensor_buft_overrides",
    "use_mmap", "use_direct_io", "embeddings", "no_op_offload", "no_host", "n_prompt", "n_gen",
    "n_depth", "test_time", "avg_ns", "stddev_ns", "avg_ts", "stddev_ts",
  ]

  @Test func jsonHasTheFieldsOfLlamaBenchAndOurs() throws {
    #expect(result().fields.map(\.name).prefix(39) == Self.fields[...])
    var output = Output(.json, table: MarkdownTable(showsCache: false))
    let text =
      output.start + output.row(result()) + output.row(compared()) + output.end([])
    #expect(
      text.hasPrefix("[\n  {\n    \"build_commit\": \"0.5.0\",\n    \"build_number\": 500,\n"))
    #expect(text.hasSuffix("    \"peer_samples_ts q8_0\": [ 8.000000 ]\n  }\n]\n"))
    let rows = try #require(
      try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [[String: Any]])
    #expect(rows.count == 2)
    #expect(rows[0]["model_filename"] as? String == "a \"b\".terra")
    #expect(rows[0]["cpu_info"] as? String == "Example\tCPU")
    #expect(rows[0]["avg_ns"] as? Int == 283_333_333)
    #expect(rows[0]["stddev_ns"] as? Int == 104_083_299)
    #expect(rows[0]["samples_ns"] as? [Int] == [200_000_000, 400_000_000, 250_000_000])
    #expect(rows[0]["samples_ts"] as? [Double] == [20, 10, 16])
    #expect(rows[0]["median_ts"] as? Double == 16)
    #expect(rows[0]["read_share"] as? Double == 0.8)
    #expect(rows[0]["use_mmap"] as? Bool == false)
    #expect(rows[0]["ratio"] == nil)
    #expect(rows[1]["ratio"] as? Double == 2)
    #expect(rows[1]["peer_type_kv"] as? String == "q8_0")
  }

  @Test func jsonLinesAreObjects() throws {
    var output = Output(.jsonl, table: MarkdownTable(showsCache: false))
    let text = output.start + output.row(result()) + output.row(result()) + output.end([])
    let lines = text.split(separator: "\n")
    #expect(lines.count == 2)
    for line in lines {
      let row = try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any]
      #expect(row?["n_depth"] as? Int == 8192)
    }
  }

  @Test func csvIsExact() {
    var output = Output(.csv, table: MarkdownTable(showsCache: false))
    let text = output.start + output.row(result()) + output.row(result()) + output.end([])
    let lines = text.split(separator: "\n").map(String.init)
    #expect(lines.count == 3)
    #expect(lines[0].hasPrefix("build_commit,build_number,cpu_info,"))
    #expect(lines[0].split(separator: ",").count == result().fields.count)
    #expect(lines[1] == lines[2])
    #expect(
      lines[1].hasPrefix(
        "\"0.5.0\",\"500\",\"Example\tCPU\",\"\",\"CPU\",\"a \"\"b\"\".terra\",\"llama 1B Q8_0\","
          + "\"1313251456\",\"1235814400\",\"64\",\"64\",\"2\",\"0x0\",\"0\",\"0\",\"int8\",\"int4\","
      ))
    #expect(lines[1].contains(",\"15.333333\",\"5.033223\",\"16.000000\",\"avx2\",\"8196\","))
  }
}
