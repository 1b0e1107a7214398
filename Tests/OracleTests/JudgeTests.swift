import Testing

/// Whether the judge can be trusted: it passes what is right and fails what is wrong.
@Suite(.enabled(if: Oracle.isPresent, Oracle.absence))
struct JudgeTests {
  @Test(arguments: GeneratedModel.all)
  func `a generated model is neither certain nor uncertain`(model: GeneratedModel) throws {
    let verdict = try Verdict.one([model.file(), "--simulate", model.ids, "-"])
    #expect(verdict.tokens == 250)
    #expect(verdict.meanTopProbability > 0.2 && verdict.meanTopProbability < 0.8)
    #expect(verdict.klSimulated > 0 && verdict.klSimulated < 0.02)
    #expect(verdict.holds)
  }

  @Test(arguments: GeneratedModel.all.filter { !$0.faults.isEmpty })
  func `a runtime with a mistake fails by a wide margin`(model: GeneratedModel) throws {
    for fault in model.faults {
      // With int4 the bound is loosest: what fails it fails all of them.
      let verdict = try Verdict.one([
        model.file(), "--kv", "int4", "--simulate", "--wrong", fault, model.ids, "-",
      ])
      #expect(!verdict.holds)
      #expect(verdict.klRatio > 4, "\(fault)")
    }
  }

  @Test(arguments: [
    (RealModel.all[0], "int8", "int8", 0.00239, 0.971),
    (RealModel.all[0], "int8", "int4", 0.247, 0.791),
    (RealModel.all[0], "int4", "int8", 0.0744, 0.852),
    (RealModel.all[0], "int4", "int4", 0.356, 0.721),
    (RealModel.all[1], "int8", "int8", 0.00007, 0.953),
    (RealModel.all[1], "int8", "int4", 0.00076, 0.911),
    (RealModel.all[1], "int4", "int8", 0.00121, 0.791),
    (RealModel.all[1], "int4", "int4", 0.00192, 0.774),
  ])
  func `the bounds are the published figures`(
    model: RealModel, weights: String, cache: String, kl: Double, top1: Double
  ) throws {
    let verdict = try Verdict.one(
      [model.file, "--weights", weights, "--embedding", "int8", "--kv", cache, "--simulate"]
        + model.texts.flatMap { [model.ids($0), "-"] })
    // As many digits as were published; the last one may go either way.
    #expect(abs(verdict.klSimulated - kl) <= max(0.0000051, kl * 0.006))
    #expect(abs(verdict.top1Simulated - top1) <= 0.0041)
    #expect(verdict.klRatioMax == (weights == "int8" && cache == "int8" ? 1.3 : 1.1))
  }

  @Test func `one token of testbed is chance with int4 keys`() throws {
    let model = RealModel.all[1]
    let verdicts = try Verdict.all(
      [model.file, "--weights", "int8", "--embedding", "int8", "--simulate"]
        + ["--kv", "int4", "--kv", "int4,int8"] + model.texts.flatMap { [model.ids($0), "-"] })
    let (coarse, fine) = (verdicts[0], verdicts[1])
    // Finer values under the same keys make the mean worse: by that token alone.
    #expect(fine.klSimulated > 3 * coarse.klSimulated)
    #expect(fine.klButOneSimulated < 1.1 * coarse.klButOneSimulated)
    #expect(coarse.klButOneSimulated < 0.5 * coarse.klSimulated)
  }
}
