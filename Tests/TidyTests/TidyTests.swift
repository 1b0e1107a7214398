import Foundation
import Testing

@Suite struct TidyTests {
  static let core = [
    "CKernels", "CUnicode", "Units", "Memory", "Profiles", "Quantization", "Kernels",
    "ModelFormat", "Tokenization", "Eviction", "Cache", "Inference", "Commands",
  ]

  @Test func modulesImportWhatTheirRowNames() throws {
    let rows = rows(ofManifest: try Tree.text("Package.swift"))
    #expect(Set(rows.map(\.name)).isSuperset(of: Self.core + ["CPlatform", "Platform", "Packing"]))
    #expect(Rules.order(rows) == [])
    let files = try Tree.files("Sources").filter(\.isSwift)
    #expect(files.count > 20)
    let findings = files.flatMap { Rules.imports($0, rows) }
    #expect(findings == [])
  }

  @Test func coreRowsNameOnlyCore() throws {
    let rows = rows(ofManifest: try Tree.text("Package.swift"))
    for row in rows where Self.core.contains(row.name) {
      #expect(Set(row.dependencies).isSubset(of: Self.core), "\(row.name)")
    }
  }

  @Test func coreCIncludesNoSystemHeader() throws {
    let files = try Tree.files("Sources/CKernels", "Sources/CUnicode")
    let findings = files.flatMap(Rules.includes)
    #expect(findings == [])
  }

  @Test func kernelFilesForbidContraction() throws {
    // Choice.c only picks among the tables of the others.
    for file in try Tree.files("Sources/CKernels")
    where file.path.hasSuffix(".c") && !file.path.hasSuffix("/Choice.c") {
      #expect(file.lines.first == "#pragma STDC FP_CONTRACT OFF", "\(file.path)")
    }
  }

  @Test func filesAndFunctionsAreShort() throws {
    let findings = try Tree.files("Sources", "Tests").flatMap(Rules.lengths)
    #expect(findings == [])
  }

  @Test func nothingIsUnfinished() throws {
    let findings = try Tree.files("Sources", "Tests").flatMap(Rules.unfinished)
    #expect(findings == [])
  }

  @Test func theReadmeHoldsNoPlaceholder() throws {
    let lines = try Tree.text("README.md").split(separator: "\n")
    let findings = lines.filter { $0.wholeMatch(of: /[A-Z_]+/) != nil }
    #expect(findings == [])
  }

  @Test func theTopLevelHoldsWhatBelongsThere() throws {
    let allowed: Set<String> = [
      "Package.swift", "Sources", "Tests", "Boards", "Profiles", "README.md", "LICENSE",
    ]
    let findings = try Tree.topLevel().filter { !allowed.contains($0) && !$0.hasPrefix(".") }
    #expect(findings == [])
  }
}

/// Each rule finds what it is there to find.
@Suite struct RuleTests {
  private func swift(_ text: String, in target: String = "Cache") -> SourceFile {
    SourceFile(path: "Sources/\(target)/Example.swift", text: text)
  }

  @Test func readsTheManifest() {
    let manifest = """
      .target(name: "CKernels"),
      swift("Units"),
      swift(
        "Inference",
        [
          "Units", "Memory",
        ]),
      .executableTarget(
        name: "tool", dependencies: ["Units", .product(name: "Parser", package: "p")],
      tests("UnitsTests", ["Units"]),
      """
    #expect(
      rows(ofManifest: manifest) == [
        TargetRow(name: "CKernels", dependencies: []), TargetRow(name: "Units", dependencies: []),
        TargetRow(name: "Inference", dependencies: ["Units", "Memory"]),
        TargetRow(name: "tool", dependencies: ["Units", "Parser", "p"]),
        TargetRow(name: "UnitsTests", dependencies: ["Units"]),
      ])
    #expect(
      Rules.order([
        TargetRow(name: "A", dependencies: ["B"]), TargetRow(name: "B", dependencies: []),
      ]) == ["A names B, which is not above it"])
  }

  @Test func findsForbiddenImports() {
    let rows = [TargetRow(name: "Cache", dependencies: ["Units"])]
    let text = """
      package import Units
      internal import Foundation
      @_exported import struct Glibc.timespec
      // import Nothing
      """
    #expect(
      Rules.imports(swift(text), rows) == [
        "Sources/Cache/Example.swift:2: imports Foundation",
        "Sources/Cache/Example.swift:3: imports Glibc",
      ])
    #expect(Rules.imports(swift(text, in: "Other"), rows).count == 1)
    let header = SourceFile(path: "Sources/CKernels/k.h", text: "#include <stdlib.h>\n")
    #expect(Rules.includes(header) == ["Sources/CKernels/k.h:1: includes stdlib.h"])
  }

  @Test func measuresFunctions() {
    let body = String(repeating: "    work()\n", count: 69)
    let long = "extension A {\n  package static func step(\n    a: Int\n  ) {\n\(body)  }\n}\n"
    #expect(
      Rules.functions(swift(long)) == [Rules.Function(name: "step", start: 2, lines: 73)])
    #expect(
      Rules.lengths(swift(long)) == ["Sources/Cache/Example.swift:2: step: 73 lines"])
    #expect(Rules.lengths(swift(long.replacing("step", with: "forward"))) == [])
    let requirement =
      "protocol P {\n  func a()\n\n  func b() {\n    c()\n  }\n  init(d: Int) { e() }\n}\n"
    #expect(
      Rules.functions(swift(requirement)) == [Rules.Function(name: "b", start: 4, lines: 3)])
    let c = SourceFile(
      path: "Sources/C/a.c",
      text: "static int *f(int a,\n  int b) {\n  return 0;\n}\nint g(void);\n")
    #expect(Rules.functions(c) == [Rules.Function(name: "f", start: 1, lines: 4)])
    #expect(Rules.lengths(swift(String(repeating: "\n", count: 500))) == [])
    #expect(Rules.lengths(swift(String(repeating: "\n", count: 501))).count == 1)
  }

  @Test func findsUnfinishedWork() {
    #expect(Rules.unfinished(swift("// TO" + "DO later\n")).count == 1)
  }
}
