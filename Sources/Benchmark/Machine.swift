internal import CMeasure
internal import Foundation

/// One try of every way to read and to multiply: bytes, or operations, per second for each.
package struct MachineTry: Equatable, Sendable {
  /// Ways of reading memory.
  package var reads: [Double]
  /// Instructions for eight-bit and for four-bit weights.
  package var int8: [Double]
  package var int4: [Double]

  package init(reads: [Double], int8: [Double], int4: [Double]) {
    self.reads = reads
    self.int8 = int8
    self.int4 = int4
  }
}

/// What the machine can do at most.
package struct MachineLimits: Equatable, Sendable {
  /// Bytes per second that the threads read together.
  package var readBytes: Double
  /// Operations per second on eight-bit and on four-bit weights, two for each multiply-add.
  package var int8Operations: Double
  package var int4Operations: Double

  package init(readBytes: Double, int8Operations: Double, int4Operations: Double) {
    self.readBytes = readBytes
    self.int8Operations = int8Operations
    self.int4Operations = int4Operations
  }

  /// The best way of each kind, each way by the median of its tries.
  ///
  /// Rates of a model are medians too. Were the best way of every single try taken instead, a
  /// machine whose bandwidth comes and goes would be measured by its good moments alone.
  package init(_ tries: [MachineTry]) {
    func best(_ rates: [[Double]]) -> Double { Self.medians(rates).max() ?? 0 }
    self.init(
      readBytes: best(tries.map(\.reads)), int8Operations: best(tries.map(\.int8)),
      int4Operations: best(tries.map(\.int4)))
  }

  /// The way of reading that is best by the median of its tries; the first where there are none.
  package static func bestRead(_ tries: [MachineTry]) -> Int {
    let medians = medians(tries.map(\.reads))
    return medians.indices.max { medians[$0] < medians[$1] } ?? 0
  }

  /// The median of each way, of which every try has a rate.
  private static func medians(_ rates: [[Double]]) -> [Double] {
    let ways = rates.first?.count ?? 0
    return (0..<ways).map { way in Statistics.median(rates.map { $0[way] }) }
  }

  /// The median of each number.
  package static func median(_ limits: [MachineLimits]) -> MachineLimits {
    MachineLimits(
      readBytes: Statistics.median(limits.map(\.readBytes)),
      int8Operations: Statistics.median(limits.map(\.int8Operations)),
      int4Operations: Statistics.median(limits.map(\.int4Operations)))
  }
}

/// Measures the machine that the benchmark runs on.
@safe
package final class Machine {
  /// What the processor calls itself.
  package let processorName: String
  /// Bytes of the largest cache.
  package let cacheBytes: Int
  // SAFETY: reserved by `init` with `byteCount` bytes, given back by `deinit`, never written.
  private let memory: UnsafeMutableRawPointer
  private let byteCount: Int

  /// Reserves what reading is measured with: eight times the largest cache.
  ///
  /// Of four times the cache a part is still in it at the next pass: up to 12 % more bytes per second
  /// (measured: Zen 5, two threads) than memory gives.
  package init() throws(BenchmarkError) {
    processorName = Self.processorName()
    cacheBytes = Self.cacheBytes()
    byteCount = min(max(8 * cacheBytes, 64 << 20), 1 << 30)
    guard let memory = unsafe measure_reserve(UInt(byteCount)) else { throw .noMemory(byteCount) }
    unsafe self.memory = memory
  }

  deinit {
    unsafe measure_release(memory, UInt(byteCount))
  }

  /// What `threads` threads do, pinned to `processors` where there are any, with what kernels of the
  /// instruction set `name` could use.
  package func tryAll(
    threads: Int, processors: [Int32], instructionSet name: String
  ) -> MachineTry {
    precondition(processors.isEmpty || processors.count == threads, "one processor per thread")
    let kinds = Self.multiplications(of: name)
    return MachineTry(
      reads: (0..<Int(measure_read_variants())).map {
        read(way: $0, threads: threads, processors: processors)
      },
      int8: kinds.int8.map { multiplyAdd($0, threads, processors) },
      int4: kinds.int4.map { multiplyAdd($0, threads, processors) })
  }

  /// How often a try reads all of it: tens of milliseconds, because on shared machines the bandwidth
  /// changes within that.
  private static var passes: Int32 { 4 }

  /// Bytes per second of reading everything some times in one way.
  package func read(way: Int, threads: Int, processors: [Int32]) -> Double {
    // SAFETY: the pointer is to one number per thread, or null, while the call runs.
    unsafe processors.withUnsafeBufferPointer { pinned in
      unsafe measure_read(
        memory, UInt(byteCount), Int32(threads), pinned.isEmpty ? nil : pinned.baseAddress,
        Int32(way), Self.passes)
    }
  }

  private func multiplyAdd(
    _ kind: measure_multiply, _ threads: Int, _ processors: [Int32]
  ) -> Double {
    // SAFETY: the pointer is to one number per thread, or null, while the call runs.
    unsafe processors.withUnsafeBufferPointer { pinned in
      unsafe measure_multiply_add(
        kind, Int32(threads), pinned.isEmpty ? nil : pinned.baseAddress)
    }
  }

  /// The instructions that the kernels of an instruction set could multiply with.
  private static func multiplications(
    of name: String
  ) -> (int8: [measure_multiply], int4: [measure_multiply]) {
    let avx2 = [MEASURE_AVX2_INT8, MEASURE_AVX2_PAIRS]
    switch name {
    #if arch(arm64)
      case "portable", "neon": return ([MEASURE_NEON], [MEASURE_NEON])
      case "dotprod": return ([MEASURE_DOTPROD], [MEASURE_DOTPROD])
      default: return ([MEASURE_DOTPROD, MEASURE_I8MM], [MEASURE_DOTPROD, MEASURE_I8MM])
    #else
      case "portable": return ([MEASURE_SSE2_INT8], [MEASURE_SSE2_INT8])
      case "avx2": return (avx2, avx2 + [MEASURE_AVX2_INT4])
      default:
        let fused = [MEASURE_AVXVNNI, MEASURE_AVX512VNNI]
        return (avx2 + fused, avx2 + fused + [MEASURE_AVX2_INT4])
    #endif
    }
  }

  private static func processorName() -> String {
    let information = (try? String(contentsOfFile: "/proc/cpuinfo", encoding: .utf8)) ?? ""
    for key in ["model name", "Model", "Hardware", "CPU part"] {
      let line = information.split(separator: "\n").first { $0.hasPrefix(key) }
      if let value = line?.split(separator: ":", maxSplits: 1).last {
        return value.trimmingCharacters(in: .whitespaces)
      }
    }
    return "unknown"
  }

  private static func cacheBytes() -> Int {
    let sizes = (0..<8).compactMap { index -> Int? in
      let path = "/sys/devices/system/cpu/cpu0/cache/index\(index)/size"
      guard let text = try? String(contentsOfFile: path, encoding: .utf8) else { return nil }
      let digits = text.prefix { $0.isNumber }
      let unit = text.contains("M") ? 1 << 20 : text.contains("K") ? 1 << 10 : 1
      return Int(digits).map { $0 * unit }
    }
    return sizes.max() ?? 32 << 20
  }
}
