import Foundation

/// Needle accuracy by depth and length: one panel per configuration, a row of panels per policy.
package enum HeatMap {
  private static let cellWidth = 36.0
  private static let cellHeight = 14.0
  private static let panelGap = 52.0
  private static let panelHead = 46.0
  private static let left = 70.0
  private static let top = 84.0

  /// The picture as SVG; `nil` where no needle was looked for.
  package static func drawing(_ results: [CaseResult]) -> String? {
    let grid = Grid(results)
    guard !grid.lengths.isEmpty, !grid.depths.isEmpty else { return nil }
    let panelWidth = Double(grid.lengths.count) * cellWidth
    let panelHeight = Double(grid.depths.count) * cellHeight
    let columns = grid.rows.map(\.count).max() ?? 1
    let width = max(left + Double(columns) * (panelWidth + panelGap), 470)
    let height = top + Double(grid.rows.count) * (panelHeight + panelHead) + 28
    var drawing = Drawing(
      width: width, height: height, title: "Needle accuracy by depth and length")
    drawing.text(
      "Needle: is the fact found?", x: 20, y: 28, size: Drawing.Size.title, isBold: true)
    drawing.text(
      "Share of cases answered right, in per cent, by where the fact stands in the document",
      x: 20, y: 44)
    scale(&drawing)
    for (row, caches) in grid.rows.enumerated() {
      for (column, cache) in caches.enumerated() {
        let x = left + Double(column) * (panelWidth + panelGap)
        let y = top + Double(row) * (panelHeight + panelHead) + 20
        panel(cache, grid, x: x, y: y, isFirst: column == 0, &drawing)
      }
    }
    drawing.text("length (tokens)", x: left, y: height - 12, size: Drawing.Size.heading)
    drawing.text(
      "depth of the fact (%)", x: 22, y: top + 20 + panelHeight / 2, size: Drawing.Size.heading,
      anchor: .middle, isVertical: true)
    return drawing.text
  }

  /// The cases of needle, by configuration and place.
  private struct Grid {
    struct Place: Hashable {
      var cache: CachePolicy
      var length: Int
      var depth: Int
    }

    var lengths: [Int] = []
    var depths: [Int] = []
    /// Configurations, a row per policy.
    var rows: [[CachePolicy]] = []
    private var scores: [Place: [Double]] = [:]

    init(_ results: [CaseResult]) {
      for result in results where result.group.task == .needle {
        guard let depth = result.depth, case .reply(let score, _) = result.finding else {
          continue
        }
        let place = Place(cache: result.cache, length: result.group.length, depth: depth)
        scores[place, default: []].append(score)
        if let row = rows.firstIndex(where: { $0[0].name == result.cache.name }) {
          if !rows[row].contains(result.cache) { rows[row].append(result.cache) }
        } else {
          rows.append([result.cache])
        }
      }
      lengths = Set(scores.keys.map(\.length)).sorted()
      depths = Set(scores.keys.map(\.depth)).sorted()
    }

    func share(_ cache: CachePolicy, length: Int, depth: Int) -> Double? {
      scores[Place(cache: cache, length: length, depth: depth)].map(mean)
    }

    func share(_ cache: CachePolicy) -> Double {
      mean(scores.filter { $0.key.cache == cache }.flatMap(\.value))
    }

    private func mean(_ values: [Double]) -> Double {
      values.isEmpty ? 0 : values.reduce(0, +) / Double(values.count)
    }
  }

  private static func panel(
    _ cache: CachePolicy, _ grid: Grid, x: Double, y: Double, isFirst: Bool,
    _ drawing: inout Drawing
  ) {
    let name = cache.budget == 0 ? "\(cache.name), all slots" : "\(cache.label) slots"
    drawing.text(
      "\(name): \(percent(grid.share(cache))) %", x: x, y: y - 7, size: 11, isBold: true)
    for (row, depth) in grid.depths.enumerated() {
      let top = y + Double(row) * cellHeight
      drawing.text(
        "\(depth)", x: x - 5, y: top + cellHeight - 3.5, size: Drawing.Size.cell, anchor: .end)
      for (column, length) in grid.lengths.enumerated() {
        let left = x + Double(column) * cellWidth
        guard let share = grid.share(cache, length: length, depth: depth) else {
          drawing.rectangle(
            x: left, y: top, width: cellWidth - 1, height: cellHeight - 1, fill: "#eeeeee")
          continue
        }
        drawing.rectangle(
          x: left, y: top, width: cellWidth - 1, height: cellHeight - 1,
          fill: Palette.shade(share))
        drawing.text(
          percent(share), x: left + cellWidth / 2, y: top + cellHeight - 4,
          size: Drawing.Size.cell, anchor: .middle, fill: Palette.ink(on: share))
      }
    }
    let bottom = y + Double(grid.depths.count) * cellHeight
    for (column, length) in grid.lengths.enumerated() {
      drawing.text(
        "\(length)", x: x + (Double(column) + 0.5) * cellWidth, y: bottom + 10,
        size: Drawing.Size.cell, anchor: .middle)
    }
  }

  /// What the colours mean.
  private static func scale(_ drawing: inout Drawing) {
    let (x, y, steps) = (70.0, 54.0, 20)
    drawing.text("0 %", x: x - 6, y: y + 10, anchor: .end)
    for step in 0..<steps {
      drawing.rectangle(
        x: x + Double(step) * 10, y: y, width: 10.5, height: 12,
        fill: Palette.shade(Double(step) / Double(steps - 1)))
    }
    drawing.text("100 % right", x: x + Double(steps) * 10 + 6, y: y + 10)
  }

  private static func percent(_ share: Double) -> String { String(format: "%.0f", 100 * share) }
}
