import Foundation

/// The files an evaluation writes: each appears under its name when it is complete.
package struct OutputFiles {
  private let json: String?
  private let cases: String?
  private let pictures: String?

  /// Checks before the work begins that there is a place for each file.
  package init(json: String?, cases: String?, pictures: String?) throws(EvaluationError) {
    self.json = json
    self.cases = cases
    self.pictures = pictures
    for path in [json, cases] { if let path { try Self.check(path) } }
    if let pictures {
      do {
        try FileManager.default.createDirectory(
          atPath: pictures, withIntermediateDirectories: true)
      } catch {
        throw .cannotWrite(pictures)
      }
    }
  }

  /// Writes what was asked for; a missing PNG converter is said last.
  package func write(
    results: [CaseResult], summaries: [Summary]
  ) throws(EvaluationError) {
    if let json { try Self.write(summaries.map { $0.json + "\n" }.joined(), to: json) }
    if let cases { try Self.write(results.map { $0.json + "\n" }.joined(), to: cases) }
    guard let pictures else { return }
    let drawings = [
      ("needle", HeatMap.drawing(results)), ("accuracy", BudgetChart.drawing(results)),
    ]
    var paths: [String] = []
    for (name, drawing) in drawings {
      guard let drawing else { continue }
      let path = URL(filePath: pictures).appending(path: name).path
      try Self.write(drawing, to: path + ".svg")
      paths.append(path)
    }
    for path in paths { try Rasterizer.convert(path + ".svg", to: path + ".png") }
  }

  /// Checks that there is a place for a file.
  package static func check(_ path: String) throws(EvaluationError) {
    let folder = URL(filePath: path).deletingLastPathComponent().path
    guard FileManager.default.isWritableFile(atPath: folder) else { throw .cannotWrite(path) }
  }

  /// Writes text beside its place and renames it.
  package static func write(_ text: String, to path: String) throws(EvaluationError) {
    do {
      try Data(text.utf8).write(to: URL(filePath: path), options: .atomic)
    } catch {
      throw .cannotWrite(path)
    }
  }
}
