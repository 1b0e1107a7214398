import Evaluation
import Foundation
import FoundationXML
import Testing

/// Names of elements and all text of an XML document; `nil` where it is not well-formed.
private final class Outline: NSObject, XMLParserDelegate {
  private(set) var elements: [String: Int] = [:]
  private(set) var texts: [String] = []

  static func of(_ xml: String) -> Outline? {
    let outline = Outline()
    let parser = XMLParser(data: Data(xml.utf8))
    parser.delegate = outline
    return parser.parse() ? outline : nil
  }

  func parser(
    _ parser: XMLParser, didStartElement name: String, namespaceURI: String?,
    qualifiedName: String?, attributes: [String: String]
  ) {
    elements[name, default: 0] += 1
  }

  func parser(_ parser: XMLParser, foundCharacters text: String) {
    if !text.allSatisfy(\.isWhitespace) { texts.append(text) }
  }
}

@Suite struct PictureTests {
  private static let results: [CaseResult] =
    [0, 50].flatMap { depth in
      [256, 512].flatMap { length in
        [
          reply(.needle, length: length, depth: depth, "full", 0, score: 1),
          reply(.needle, length: length, depth: depth, "streaming", 128, score: depth == 0 ? 0 : 1),
          reply(.needle, length: length, depth: depth, "streaming", 256, score: 1),
        ]
      }
    } + [reply(.qa, "streaming", 128, score: 0.25)]

  @Test func theHeatMapShowsEveryCell() throws {
    let drawing = try #require(HeatMap.drawing(Self.results))
    let outline = try #require(Outline.of(drawing))
    // Background, 20 steps of the scale, four cells in each of three panels.
    #expect(outline.elements["rect"] == 1 + 20 + 12)
    for text in [
      "full", "streaming", "all slots: 100 % right", "128 slots: 50 % right", "length (tokens)",
      "depth of the fact (%)", "256", "512", "0", "50",
    ] {
      #expect(outline.texts.contains(text), "\(text)")
    }
    #expect(HeatMap.drawing(Self.results) == drawing)
  }

  @Test func theChartHasALineForEachPolicy() throws {
    let drawing = try #require(BudgetChart.drawing(Self.results))
    let outline = try #require(Outline.of(drawing))
    for text in ["needle", "qa", "full", "streaming", "budget (slots)", "right (%)", "128", "256"] {
      #expect(outline.texts.contains(text), "\(text)")
    }
    // Two points of needle, one of qa, one in the legend.
    #expect(outline.elements["circle"] == 4)
    #expect(BudgetChart.drawing(Self.results) == drawing)
  }

  @Test func nothingToDraw() {
    #expect(HeatMap.drawing([]) == nil)
    #expect(HeatMap.drawing([reply(.qa, "full", 0, score: 1)]) == nil)
    #expect(BudgetChart.drawing([reply(.qa, "full", 0, score: 1)]) == nil)
  }

  @Test(.enabled(if: Shared.isPresent, Shared.absence))
  func everyPolicyOfTheReferenceIsDrawn() throws {
    let results = try Shared.results()
    let outlines = [HeatMap.drawing(results), BudgetChart.drawing(results)].compactMap { drawing in
      drawing.flatMap { Outline.of($0) }
    }
    #expect(outlines.count == 2)
    for name in Set(results.map(\.cache.name)) {
      #expect(outlines.allSatisfy { $0.texts.contains(name) }, "\(name)")
    }
  }

  @Test(
    .enabled(if: Rasterizer.converter != nil, "rsvg-convert is not installed (.ci/setup)"))
  func picturesBecomePNG() throws {
    try withFolder { folder in
      let files = try OutputFiles(json: nil, cases: nil, pictures: folder.path)
      try files.write(results: Self.results, summaries: [])
      for name in ["needle.png", "accuracy.png"] {
        let data = try Data(contentsOf: folder.appending(path: name))
        #expect(data.prefix(8) == Data([0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A]))
        #expect(data.count > 5000)
      }
      #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path).count == 4)
    }
  }
}
