import Foundation
import Inference
import Memory
import ModelFormat
import Packing
import Profiles
import Quantization
import TestSupport
import Testing
import Units

private let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
  .deletingLastPathComponent().deletingLastPathComponent()

private let models = root.deletingLastPathComponent().appendingPathComponent("shared/models").path

private let hasModels = FileManager.default.fileExists(atPath: models)

/// The bytes of a file, for the life of the test process.
private func contents(_ path: String) throws -> FixedBuffer<UInt8> {
  buffer([UInt8](try Data(contentsOf: URL(fileURLWithPath: path))))
}

/// The header of a pack file.
private func header(_ path: String) throws -> PackHeader {
  let bytes = try contents(path)
  return try PackHeader(validating: bytes, fileBytes: UInt64(bytes.count))
}

private func builtIn() throws -> PackHeader {
  try header(root.appendingPathComponent("Sources/terrarium/Resources/built-in.terra").path)
}

/// A profile of the project; four threads where it leaves their number to the machine.
private func profile(_ name: String) throws -> Profile {
  let text = try contents(root.appendingPathComponent("Profiles/\(name).toml").path)
  var profile = try Profile.parse(text.bytes)
  if profile.threads == 0 { profile.threads = 4 }
  return profile
}

private func plan(
  _ header: PackHeader, _ profile: Profile, programBytes: Int = 0, kernelPageBytes: Int = 4096
) -> MemoryPlan {
  RunShape(
    model: header.hyperparameters, profile: profile, kernelPageBytes: kernelPageBytes
  ).plan(header: header, programBytes: programBytes)
}

private func regions(_ plan: MemoryPlan) -> [Int] {
  (0..<Region.count).map { plan[Region.at($0)] }
}

@Suite struct PlanTests {
  /// Bytes of each region in the order of `Region`, the program's own left out.
  ///
  /// A change of any number is a change of what a run takes: say why in the commit.
  private static let ledger: [(String, [Int])] = [
    (
      "generic-x86-64",
      [
        2_703_360, 12_288, 28_672, 8192, 884_736, 835_584, 49_152, 0, 0,
        0, 557_056, 81_920, 4096, 897_024, 8192, 409_600,
      ]
    ),
    (
      "generic-arm64",
      [
        2_752_512, 65_536, 65_536, 65_536, 917_504, 851_968, 65_536, 0, 0,
        0, 589_824, 131_072, 65_536, 917_504, 65_536, 655_360,
      ]
    ),
    (
      "raspberry-pi-4-1gb",
      [
        2_703_360, 12_288, 28_672, 8192, 884_736, 835_584, 49_152, 0, 0,
        0, 278_528, 81_920, 4096, 765_952, 8192, 409_600,
      ]
    ),
    (
      "raspberry-pi-5-8gb",
      [
        2_703_360, 16_384, 32_768, 16_384, 3_538_944, 3_342_336, 196_608, 0, 0,
        0, 557_056, 114_688, 16_384, 933_888, 16_384, 458_752,
      ]
    ),
    (
      "raspberry-pi-zero-2w",
      [
        2_703_360, 12_288, 28_672, 8192, 442_368, 221_184, 24_576, 0, 0,
        0, 139_264, 77_824, 4096, 319_488, 8192, 409_600,
      ]
    ),
  ]

  @Test func theBuiltInModelTakesWhatTheLedgerSays() throws {
    for (name, expected) in Self.ledger {
      let found = regions(plan(try builtIn(), try profile(name)))
      #expect(Array(found.dropLast()) == expected, "\(name): \(found)")
    }
  }

  @Test func theCacheTakesOneKeyAndValuePerSlot() throws {
    let header = try builtIn()
    let model = header.hyperparameters
    var profile = try profile("generic-x86-64")
    // A tile: 16 slots of int8 dimensions and half-precision scales, in whole cache lines.
    let quants = (model.headDimension + 3) / 4 * 64
    let tile = (quants + (model.headDimension + 31) / 32 * 32 + 63) / 64 * 64
    for slots in [5, 16, 17, 512, 1000] {
      profile.contextTokens = slots
      let plan = plan(header, profile)
      #expect(plan[.keys] == pages(model.layers * model.kvHeads * ((slots + 15) / 16) * tile))
      #expect(plan[.positions] == pages(model.layers * slots * 4))
    }
  }

  private func pages(_ bytes: Int) -> Int { (bytes + 4095) / 4096 * 4096 }

  @Test func aTileThatNobodyNamesSuitsPolicyAndContext() throws {
    let model = try builtIn().hyperparameters
    func tile(_ policy: PolicyChoice, _ context: Int, named: Int = 0, chunk: Int = 0) -> Int {
      var profile = Profile(budgetBytes: 1 << 30)
      (profile.policy, profile.contextTokens) = (policy, context)
      (profile.tileTokens, profile.policyChunk) = (named, chunk)
      return RunShape(model: model, profile: profile, kernelPageBytes: 4096).profile.tileTokens
    }
    #expect(tile(.full, 512) == 64 && tile(.full, 32) == 32 && tile(.full, 0) == 64)
    #expect(tile(.streaming, 68) == 64 && tile(.streaming, 32) == 28 && tile(.streaming, 5) == 1)
    #expect(tile(.h2o, 1024) == 64 && tile(.infiniPot, 1024) == 64)
    for policy in [PolicyChoice.citrusShared, .citrusIndividual] {
      #expect(tile(policy, 1024) == 96 && tile(policy, 128) == 64 && tile(policy, 48) == 48)
      #expect(tile(policy, 1024, chunk: 100) == 132 && tile(policy, 1024, named: 16) == 16)
    }
    #expect(tile(.full, 512, named: 96) == 96 && tile(.full, 32, named: 96) == 32)
  }

  @Test func aLargerKernelPageRoundsEveryRegion() throws {
    let header = try builtIn()
    let profile = try profile("generic-x86-64")
    let large = plan(header, profile, programBytes: 12_345, kernelPageBytes: 65536)
    for region in 0..<Region.stacks.rawValue {
      let small = plan(header, profile)[Region.at(region)]
      #expect(large[Region.at(region)] == (small + 65535) / 65536 * 65536)
    }
    #expect(large[.program] == 12_345)
    #expect(large.arenaBytes % 65536 == 0)
  }

  @Test(.enabled(if: hasModels, "../shared/models is absent"))
  func theHeaderOfAGGUFPlansLikeItsPack() throws {
    for name in ["stories260K-f32", "testbed-f16"] {
      for weights in [WeightBits.int8, .int4] {
        let options = PackOptions(weights: weights, embedding: weights)
        let path = "\(models)/\(name).gguf"
        let file = try GGUFFile(path: path)
        let bytes = buffer(try Packer.headerBytes(of: file, options: options))
        let stated: UInt64 = bytes.bytes.loadLittleEndian(at: 16)
        let planned = try PackHeader(validating: bytes, fileBytes: stated)
        let output = "/tmp/terrarium-test-\(UInt64.random(in: 0 ... .max)).terra"
        defer { try? FileManager.default.removeItem(atPath: output) }
        _ = try Packer.pack(input: path, output: output, options: options)
        let packed = try header(output)
        for (profileName, _) in Self.ledger {
          let profile = try profile(profileName)
          #expect(regions(plan(planned, profile)) == regions(plan(packed, profile)))
        }
      }
    }
  }
}

@Suite struct PlanAdviceTests {
  private func advice(_ header: PackHeader, _ profile: Profile) -> (PlanAdvice, MemoryPlan) {
    let shape = RunShape(
      model: header.hyperparameters, profile: profile, kernelPageBytes: 4096)
    let plan = shape.plan(header: header, programBytes: 1_000_000)
    return (PlanAdvice(for: plan, shape: shape, header: header), plan)
  }

  private func fits(_ header: PackHeader, _ profile: Profile) -> Bool {
    plan(header, profile, programBytes: 1_000_000).fits
  }

  @Test func theLargestContextFitsAndOneMoreDoesNot() throws {
    let header = try builtIn()
    for budget in [8 << 20, 10 << 20, 64 << 20] {
      for policy in [PolicyChoice.full, .streaming] {
        for context in [5, 40, 512, 1 << 20] {
          var profile = try profile("raspberry-pi-4-1gb")
          profile.budgetBytes = budget
          profile.contextTokens = context
          profile.policy = policy
          let (advice, _) = advice(header, profile)
          #expect(advice.slots == context)
          profile.contextTokens = advice.largestContext
          #expect(advice.largestContext > 5 && fits(header, profile), "\(budget), \(context)")
          profile.contextTokens += 1
          #expect(!fits(header, profile), "\(budget), \(context)")
        }
      }
    }
  }

  @Test func nothingFitsABudgetBelowTheWeights() throws {
    var profile = try profile("raspberry-pi-4-1gb")
    profile.budgetBytes = 1 << 20
    let (advice, plan) = advice(try builtIn(), profile)
    #expect(advice.largestContext == 0 && advice.isHopeless)
    #expect(!advice.fitsWithInt4Cache && !advice.fitsWithInt4Weights && !advice.fitsWithBoth)
    #expect(!plan.fits)
  }

  /// The same model with all matrices in int4.
  private func int4(_ header: PackHeader) throws -> PackHeader {
    let model = header.hyperparameters
    let builder = PackHeaderBuilder(
      model, name: "", sourceName: "",
      formats: [WeightFormat](repeating: .int4, count: model.matrixCount),
      tokenizerBytes: header.section(.tokenizer).bytes,
      templateBytes: header.section(.chatTemplate).bytes)
    return try PackHeader(validating: buffer(builder.bytes), fileBytes: builder.fileBytes)
  }

  @Test func formatsAreAdvisedExactlyWhereTheyWouldFit() throws {
    let header = try builtIn()
    let small = try int4(header)
    var profile = try profile("raspberry-pi-4-1gb")
    profile.contextTokens = 2048
    var int4Profile = profile
    int4Profile.keyFormat = .int4
    int4Profile.valueFormat = .int4
    let totals = [
      plan(header, profile, programBytes: 1_000_000).totalBytes,
      plan(header, int4Profile, programBytes: 1_000_000).totalBytes,
      plan(small, profile, programBytes: 1_000_000).totalBytes,
      plan(small, int4Profile, programBytes: 1_000_000).totalBytes,
    ]
    #expect(Set(totals).count == 4)
    for total in totals {
      for budget in [total - 4096, total - 1, total, total + 1] {
        profile.budgetBytes = budget
        let (advice, plan) = advice(header, profile)
        #expect(plan.fits == (budget >= totals[0]))
        #expect(advice.fitsWithInt4Cache == (budget >= totals[1]), "\(budget) of \(totals)")
        #expect(advice.fitsWithInt4Weights == (budget >= totals[2]), "\(budget) of \(totals)")
        #expect(advice.fitsWithBoth == (budget >= totals[3]), "\(budget) of \(totals)")
        #expect(advice.isHopeless == (advice.largestContext == 0 && budget < totals[3]))
      }
    }
  }

  @Test func formatsThatAreThereAlreadyAreNotAdvised() throws {
    var profile = try profile("raspberry-pi-4-1gb")
    profile.keyFormat = .int4
    profile.valueFormat = .int4
    profile.budgetBytes = 4 << 20
    let (advice, _) = advice(try int4(try builtIn()), profile)
    #expect(!advice.fitsWithInt4Cache && !advice.fitsWithInt4Weights && !advice.fitsWithBoth)
  }
}
