import Foundation

/// Accuracy over budget: one panel per task, one line per policy.
package enum BudgetChart {
  private static let panelWidth = 300.0
  private static let panelHeight = 190.0
  private static let left = 66.0
  private static let top = 92.0
  private static let gapX = 64.0
  private static let gapY = 76.0
  private static let legendWidth = 190.0

  /// The picture as SVG; `nil` where nothing was answered under a budget.
  package static func drawing(_ results: [CaseResult]) -> String? {
    let series = Series(results)
    guard !series.budgets.isEmpty else { return nil }
    let columns = min(series.tasks.count, 2)
    let rows = (series.tasks.count + 1) / 2
    let width = left + Double(columns) * (panelWidth + gapX) + legendWidth
    let height = max(
      top + Double(rows) * (panelHeight + gapY), top + Double(series.policies.count) * 20 + 60)
    var drawing = Drawing(width: width, height: height, title: "Accuracy over budget by policy")
    drawing.text(
      "Accuracy over the cache's budget", x: 20, y: 28, size: Drawing.Size.title, isBold: true)
    drawing.text(
      "Mean over all lengths, in per cent; the black line is the cache that keeps everything",
      x: 20, y: 44)
    for (index, task) in series.tasks.enumerated() {
      panel(
        task, series, x: left + Double(index % 2) * (panelWidth + gapX),
        y: top + Double(index / 2) * (panelHeight + gapY), &drawing)
    }
    legend(series, x: width - legendWidth - 24, &drawing)
    return drawing.text
  }

  /// Mean scores by task, policy and budget.
  private struct Series {
    struct Key: Hashable {
      var task: TaskKind
      var cache: CachePolicy
    }

    var tasks: [TaskKind] = []
    var policies: [String] = []
    var budgets: [Int] = []
    private var sums: [Key: (sum: Double, count: Int)] = [:]

    init(_ results: [CaseResult]) {
      for result in results {
        guard case .reply(let score, _) = result.finding else { continue }
        let key = Key(task: result.group.task, cache: result.cache)
        let before = sums[key] ?? (0, 0)
        sums[key] = (before.sum + score, before.count + 1)
        if !tasks.contains(key.task) { tasks.append(key.task) }
        if key.cache != .full && !policies.contains(key.cache.name) {
          policies.append(key.cache.name)
        }
      }
      budgets = Set(sums.keys.map(\.cache.budget)).subtracting([0]).sorted()
    }

    func share(_ task: TaskKind, _ cache: CachePolicy) -> Double? {
      sums[Key(task: task, cache: cache)].map { $0.sum / Double($0.count) }
    }
  }

  private static func panel(
    _ task: TaskKind, _ series: Series, x: Double, y: Double, _ drawing: inout Drawing
  ) {
    func height(_ share: Double) -> Double { y + panelHeight * (1 - share) }
    drawing.text(task.rawValue, x: x, y: y - 10, size: 13, isBold: true)
    for percent in stride(from: 0, through: 100, by: 20) {
      let level = height(Double(percent) / 100)
      drawing.line([(x, level), (x + panelWidth, level)], stroke: "#dddddd")
      drawing.text("\(percent)", x: x - 6, y: level + 3.5, anchor: .end)
    }
    for budget in series.budgets {
      let place = x + self.place(budget, series.budgets)
      drawing.line(
        [(place, y + panelHeight), (place, y + panelHeight + 4)], stroke: "#666666")
      drawing.text("\(budget)", x: place, y: y + panelHeight + 16, anchor: .middle)
    }
    drawing.line(
      [(x, y), (x, y + panelHeight), (x + panelWidth, y + panelHeight)], stroke: "#666666")
    drawing.text(
      "budget (slots)", x: x + panelWidth / 2, y: y + panelHeight + 32, anchor: .middle)
    drawing.text(
      "right (%)", x: x - 34, y: y + panelHeight / 2, anchor: .middle, isVertical: true)
    if let share = series.share(task, .full) {
      drawing.line(
        [(x, height(share)), (x + panelWidth, height(share))], stroke: "#000000", width: 1.5)
    }
    for (index, policy) in series.policies.enumerated() {
      let points = series.budgets.compactMap { budget in
        series.share(task, CachePolicy(name: policy, budget: budget)).map {
          (x: x + place(budget, series.budgets), y: height($0))
        }
      }
      draw(points, Palette.line(index), &drawing)
    }
  }

  /// Budgets stand apart by their logarithms.
  private static func place(_ budget: Int, _ budgets: [Int]) -> Double {
    let inset = 24.0
    guard let first = budgets.first, let last = budgets.last, first < last else {
      return panelWidth / 2
    }
    let share = log(Double(budget) / Double(first)) / log(Double(last) / Double(first))
    return inset + share * (panelWidth - 2 * inset)
  }

  private static func draw(
    _ points: [(x: Double, y: Double)], _ style: Palette.LineStyle, _ drawing: inout Drawing
  ) {
    if points.count > 1 {
      drawing.line(points, stroke: style.color, width: 2, dashes: style.dashes)
    }
    for (x, y) in points { marker(style, x: x, y: y, &drawing) }
  }

  private static func marker(
    _ style: Palette.LineStyle, x: Double, y: Double, _ drawing: inout Drawing
  ) {
    switch style.marker {
    case 0: drawing.circle(x: x, y: y, radius: 4.2, fill: style.color)
    case 1:
      drawing.polygon(
        [(x - 4, y - 4), (x + 4, y - 4), (x + 4, y + 4), (x - 4, y + 4)], fill: style.color)
    case 2: drawing.polygon([(x, y - 5), (x + 5, y + 4), (x - 5, y + 4)], fill: style.color)
    default:
      drawing.polygon([(x, y - 5), (x + 5, y), (x, y + 5), (x - 5, y)], fill: style.color)
    }
  }

  private static func legend(_ series: Series, x: Double, _ drawing: inout Drawing) {
    var y = top
    if series.tasks.contains(where: { series.share($0, .full) != nil }) {
      drawing.line([(x, y), (x + 34, y)], stroke: "#000000", width: 1.5)
      drawing.text(CachePolicy.fullName, x: x + 44, y: y + 4, size: Drawing.Size.heading)
      y += 20
    }
    for (index, policy) in series.policies.enumerated() {
      let style = Palette.line(index)
      drawing.line([(x, y), (x + 34, y)], stroke: style.color, width: 2, dashes: style.dashes)
      marker(style, x: x + 17, y: y, &drawing)
      drawing.text(policy, x: x + 44, y: y + 4, size: Drawing.Size.heading)
      y += 20
    }
  }
}
