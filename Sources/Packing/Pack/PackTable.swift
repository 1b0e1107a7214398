internal import Foundation
internal import ModelFormat

/// The report of a pack as a table for people.
package enum PackTable {
  /// One line per kind of matrix, source type and target, below a headline.
  package static func text(_ report: PackReport) -> String {
    let cells = report.rows.map { row in
      [
        "\(row.role.name)", row.source.name, "\(row.target)", "\(row.matrices)",
        grouped(UInt64(row.weights)), decimal(row.bitsPerWeight, places: 2),
        row.relativeError == 0 ? "exact" : decimal(row.relativeError * 100, places: 3) + " %",
      ]
    }
    let titles = ["tensor", "source", "packed", "matrices", "weights", "bits/weight", "error"]
    let table = [titles] + cells
    let widths = titles.indices.map { column in table.map { $0[column].count }.max() ?? 0 }
    return table.map { line in
      let padded = line.enumerated().map { column, cell in
        let space = String(repeating: " ", count: widths[column] - cell.count)
        return column < 3 ? cell + space : space + cell
      }
      return padded.joined(separator: "  ")
    }.joined(separator: "\n")
  }

  /// A number with a comma between thousands.
  package static func grouped(_ number: UInt64) -> String {
    let digits = Array(String(number))
    var text = ""
    for (index, digit) in digits.enumerated() {
      if index > 0 && (digits.count - index) % 3 == 0 { text.append(",") }
      text.append(digit)
    }
    return text
  }

  private static func decimal(_ value: Double, places: Int) -> String {
    String(format: "%.\(places)f", value)
  }
}
