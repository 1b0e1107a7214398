internal import Foundation

/// How results are printed.
package enum OutputFormat: String, CaseIterable, Sendable {
  case markdown = "md"
  case json
  case jsonl
  case csv
}

/// Results as text, row by row, so that one may watch them come.
package struct Output {
  private let format: OutputFormat
  private let table: MarkdownTable
  private var rows = 0

  /// `table` has the columns that Markdown shows.
  package init(_ format: OutputFormat, table: MarkdownTable) {
    self.format = format
    self.table = table
  }

  /// What comes before the first row; CSV has it with the first row, whose fields it names.
  package var start: String {
    switch format {
    case .markdown: table.header
    case .json: "[\n"
    case .jsonl, .csv: ""
    }
  }

  /// One row.
  package mutating func row(_ result: BenchmarkResult) -> String {
    defer { rows += 1 }
    let fields = result.fields
    switch format {
    case .markdown: return table.row(result)
    case .csv:
      let names = fields.map(\.name).joined(separator: ",") + "\n"
      let values = fields.map {
        "\"\($0.value.plain.replacingOccurrences(of: "\"", with: "\"\""))\""
      }
      return (rows == 0 ? names : "") + values.joined(separator: ",") + "\n"
    case .json:
      var lines = fields.map { "    \"\($0.name)\": \($0.value.json)" }
      lines += result.sampleFields.map {
        "    \"\($0.name)\": [ \($0.values.joined(separator: ", ")) ]"
      }
      return (rows == 0 ? "" : ",\n") + "  {\n" + lines.joined(separator: ",\n") + "\n  }"
    case .jsonl:
      var items = fields.map { "\"\($0.name)\": \($0.value.json)" }
      items += result.sampleFields.map {
        "\"\($0.name)\": [ \($0.values.joined(separator: ", ")) ]"
      }
      return "{" + items.joined(separator: ", ") + "}\n"
    }
  }

  /// What comes after the last row.
  package func end(_ results: [BenchmarkResult]) -> String {
    switch format {
    case .markdown: table.footer(results)
    case .json: "\n]\n"
    case .jsonl, .csv: ""
    }
  }
}
