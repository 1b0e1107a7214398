import Foundation

/// Needle accuracy by depth and length: one panel per configuration, a row of panels per policy.
package enum HeatMap {
  private static let cellWidth = 36.0
  private static let cellHeight = 14.0
  /// Between two panels, for the depths.
  private static let panelGap = 34.0
  /// Above a panel and below it, for its titles and lengths.
  private static let panelHead = 70.0
  private static let left = 70.0
  private static let top = 80.0

  /// The picture as SVG; `nil` where no needle was looked for.
  package static func drawing(_ results: [CaseResult]) -> String? {
    let grid = Grid(results)
    guard !grid.lengths.isEmpty, !grid.depths.isEmpty else { return nil }
    // As wide as a panel's title at least.
    let panelWidth = max(Double(grid.lengths.count) * cellWidth, 136) + panelGap
    let rowHeight = Double(grid.depths.count) * cellHeight + panelHead
    // Policies stand side by side where there are many.
    let across = grid.rows.count > 4 ? 2 : 1
    let blockWidth = Double(grid.rows.map(\.count).max() ?? 1) * panelWidth + 16
    let rows = (grid.rows.count + across - 1) / across
    let width = max(left + Double(across) * blockWidth, 520)
    let height = top + Double(rows) * rowHeight + 34
    var drawing = Drawing(
      width: width, height: height, title: "Needle accuracy by depth and length")
    drawing.text(
      "Needle: is the fact found?", x: 20, y: 28, size: Drawing.Size.title, isBold: true)
    drawing.text(
      "Share of cases answered right, in per cent, by where the fact stands in the document",
      x: 20, y: 44)
    scale(&drawing)
    for (index, caches) in grid.rows.enumerated() {
      let x = left + Double(index % across) * blockWidth
      let y = top + Double(index / across) * rowHeight
      drawing.text(caches[0].name, x: x, y: y + 24, size: 13, isBold: true)
      for (column, cache) in caches.enumerated() {
        panel(cache, grid, x: x + Double(column) * panelWidth, y: y + 48, &drawing)
      }
    }
    drawing.text("length (tokens)", x: left, y: height - 14, size: Drawing.Size.heading)
    drawing.text(
      "depth of the fact (%)", x: 26, y: top + 48 + max((rowHeight - panelHead) / 2, 40),
      size: Drawing.Size.heading, anchor: .middle, isVertical: true)
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
    _ cache: CachePolicy, _ grid: Grid, x: Double, y: Double, _ drawing: inout Drawing
  ) {
    let slots = cache.budget == 0 ? "all" : "\(cache.budget)"
    drawing.text(
      "\(slots) slots: \(percent(grid.share(cache))) % right", x: x, y: y - 7, size: 11)
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
