// swift-tools-version: 6.3
// The architecture as a table: each row may import only rows above it that it names.
// Embedded mode is not set here; it comes from Boards/<board>/toolset.json.
import PackageDescription

let swiftSettings: [SwiftSetting] = [
  .strictMemorySafety(),
  .treatAllWarnings(as: .error),
  .enableUpcomingFeature("ExistentialAny"),
  .enableUpcomingFeature("InternalImportsByDefault"),
  .enableUpcomingFeature("MemberImportVisibility"),
  .enableExperimentalFeature("Lifetimes"),
]

func swift(_ name: String, _ dependencies: [Target.Dependency] = []) -> Target {
  .target(name: name, dependencies: dependencies, swiftSettings: swiftSettings)
}

func tests(
  _ name: String, _ dependencies: [Target.Dependency] = [], exclude: [String] = []
) -> Target {
  .testTarget(
    name: name, dependencies: dependencies, exclude: exclude, swiftSettings: swiftSettings)
}

let package = Package(
  name: "terrarium",
  products: [
    .executable(name: "terrarium", targets: ["terrarium"]),
    .executable(name: "terrarium-board", targets: ["terrarium-board"]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2")
  ],
  targets: [
    // C: micro-kernels, character tables, Linux calls.
    // libm: fmaf for portable kernels, sqrtf in debug builds.
    .target(name: "CKernels", linkerSettings: [.linkedLibrary("m")]),
    .target(name: "CUnicode"),
    .target(name: "CPlatform"),
    .target(name: "CAllocations"),
    .target(name: "CMeasure"),

    // Core: no Foundation, no platform, builds in Embedded mode without allocations.
    swift("Units"),
    swift("Memory", ["Units"]),
    swift("Profiles", ["Units"]),
    swift("Quantization", ["Units"]),
    swift("Kernels", ["Units", "Quantization", "CKernels"]),
    swift("ModelFormat", ["Units", "Quantization", "Kernels"]),
    swift("Tokenization", ["Units", "CUnicode"]),
    swift("Eviction", ["Units", "Memory", "Kernels"]),
    swift("Cache", ["Units", "Memory", "Kernels", "Eviction"]),
    swift(
      "Inference",
      [
        "Units", "Memory", "Profiles", "Quantization", "Kernels", "ModelFormat", "Tokenization",
        "Eviction", "Cache",
      ]),
    swift(
      "Commands",
      [
        "Units", "Memory", "Profiles", "Quantization", "Kernels", "ModelFormat", "Tokenization",
        "Eviction", "Cache", "Inference",
      ]),

    // Platform: Linux.
    swift("Platform", ["Units", "Commands", "CPlatform"]),

    // Hosted only: reading GGUF, writing packs.
    swift("Packing", ["Units", "Quantization", "Kernels", "ModelFormat", "Tokenization"]),

    // Hosted only: speed, and the machine's limits.
    .target(
      name: "Benchmark",
      dependencies: [
        "CMeasure", "Units", "Memory", "Profiles", "Quantization", "Kernels", "ModelFormat",
        "Eviction", "Cache", "Inference", "Commands", "Packing",
      ],
      resources: [.embedInCode("Resources/peer.py")], swiftSettings: swiftSettings),

    // Hosted only: runs task sets against the policies in sealed children, draws what comes out.
    swift(
      "Evaluation",
      [
        "Units", "Eviction", "Profiles", "Kernels", "ModelFormat", "Tokenization", "Cache",
        "Inference", "Commands", "Packing",
      ]),

    // Executables join core and platform.
    .executableTarget(
      name: "terrarium",
      dependencies: [
        "Units", "Memory", "Profiles", "Quantization", "Kernels", "ModelFormat", "Tokenization",
        "Cache", "Inference", "Commands", "Platform", "Packing", "Benchmark", "Evaluation",
        "CAllocations",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ],
      resources: [.copy("Resources/built-in.terra"), .copy("Resources/tasks.jsonl")],
      swiftSettings: swiftSettings),
    .executableTarget(
      name: "terrarium-board",
      dependencies: ["Units", "Commands", "Platform"],
      // Embedded Swift has no `CommandLine`: the program defines its own C entry point.
      swiftSettings: swiftSettings + [.unsafeFlags(["-parse-as-library"])]),

    // What tests share: the slow reference, memory, random numbers.
    .target(
      name: "TestSupport", dependencies: ["Units", "Memory", "Quantization"],
      path: "Tests/TestSupport", swiftSettings: swiftSettings),

    // Tests; those of the seal and of tidiness drive built programs and read sources.
    tests("UnitsTests", ["Units", "TestSupport"]),
    tests("MemoryTests", ["Units", "Memory", "TestSupport"]),
    tests("EvictionTests", ["Units", "Memory", "Kernels", "Eviction", "TestSupport"]),
    tests(
      "CacheTests",
      ["Units", "Memory", "Kernels", "Eviction", "Cache", "TestSupport"]),
    tests(
      "InferenceTests",
      [
        "Units", "Memory", "Profiles", "Quantization", "Kernels", "ModelFormat", "Eviction",
        "Cache", "Inference", "Commands", "Platform", "Packing", "TestSupport",
      ]),
    tests(
      "CommandsTests",
      [
        "Units", "Memory", "Profiles", "Quantization", "Kernels", "ModelFormat", "Tokenization",
        "Cache", "Inference", "Commands", "Packing", "TestSupport",
      ]),
    tests("QuantizationTests", ["Units", "Quantization", "TestSupport"]),
    tests("KernelsTests", ["Units", "Quantization", "Kernels", "TestSupport"]),
    tests("ProfilesTests", ["Units", "Profiles"]),
    tests("ModelFormatTests", ["Units", "Quantization", "Kernels", "ModelFormat", "Packing"]),
    tests(
      "PackingTests", ["Units", "Quantization", "Kernels", "ModelFormat", "Packing"],
      exclude: ["Fixtures"]),
    tests("EvaluationTests", ["Units", "Packing", "Evaluation"]),
    tests(
      "BenchmarkTests",
      [
        "Units", "Memory", "Quantization", "Kernels", "ModelFormat", "Inference", "Packing",
        "Benchmark", "TestSupport",
      ], exclude: ["Fixtures"]),
    tests("PlatformTests", ["Units", "Commands", "Platform", "TestSupport"]),
    tests("SealTests", ["Units", "Profiles"], exclude: ["Interposer"]),
    tests("TidyTests"),
    tests("OracleTests", exclude: ["Tools"]),
    tests("TokenizationTests", ["Units", "Tokenization", "Packing"], exclude: ["Fixtures"]),
  ],
  swiftLanguageModes: [.v6]
)
