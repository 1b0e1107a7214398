internal import Foundation

/// The lists that options take, as llama-bench reads them.
package enum ValueList {
  /// Whole numbers with commas between: `512`, `1,2,4`, `128-512+128`, `1-8*2`.
  ///
  /// A range `first-last` goes up by 1, by `+step` or by `*factor`.
  package static func integers(
    _ texts: [String], option: String, in allowed: ClosedRange<Int>
  ) throws(BenchmarkError) -> [Int] {
    var values: [Int] = []
    for item in items(texts) {
      guard let found = range(item), found.allSatisfy(allowed.contains) else {
        throw .badValue(
          item, option: option,
          allowed: "whole numbers from \(allowed.lowerBound) to \(allowed.upperBound), commas "
            + "between, or ranges first-last, first-last+step, first-last*factor")
      }
      values += found
    }
    return values
  }

  /// Pairs of a prompt's and a reply's length: `512,128`; several with semicolons between.
  package static func pairs(
    _ texts: [String], option: String
  ) throws(BenchmarkError) -> [(prompt: Int, generated: Int)] {
    var pairs: [(prompt: Int, generated: Int)] = []
    for text in texts.flatMap({ $0.split(separator: ";", omittingEmptySubsequences: false) }) {
      let numbers = text.split(separator: ",", omittingEmptySubsequences: false).map(number)
      guard numbers.count == 2, let prompt = numbers[0], let generated = numbers[1],
        prompt + generated > 0
      else {
        throw .badValue(
          String(text), option: option, allowed: "tokens of prompt and reply, as in 512,128")
      }
      pairs.append((prompt, generated))
    }
    return pairs
  }

  /// The items of lists with commas between; an empty one is an item too.
  package static func items(_ texts: [String]) -> [String] {
    texts.flatMap { $0.split(separator: ",", omittingEmptySubsequences: false).map(String.init) }
  }

  /// Names of files; one that is no file itself is a list with commas between.
  package static func paths(_ texts: [String]) -> [String] {
    texts.flatMap { FileManager.default.fileExists(atPath: $0) ? [$0] : items([$0]) }
  }

  /// The most values of one range.
  private static let countMax = 1024

  private static func range(_ text: String) -> [Int]? {
    let ends = text.split(separator: "-", omittingEmptySubsequences: false)
    if ends.count == 1 { return number(ends[0]).map { [$0] } }
    guard ends.count == 2, let first = number(ends[0]) else { return nil }
    let isProduct = ends[1].contains("*")
    let parts = ends[1].split(
      separator: isProduct ? "*" : "+", omittingEmptySubsequences: false)
    guard parts.count <= 2, let last = number(parts[0]), last >= first else { return nil }
    guard let step = parts.count == 2 ? number(parts[1]) : 1, step > (isProduct ? 1 : 0),
      !isProduct || first > 0
    else { return nil }
    var values: [Int] = []
    var value = first
    while value <= last && values.count < countMax {
      values.append(value)
      value = isProduct ? value * step : value + step
    }
    return values
  }

  /// A whole number of at most ten digits.
  private static func number(_ text: Substring) -> Int? {
    guard !text.isEmpty, text.utf8.count <= 10, text.utf8.allSatisfy({ 48...57 ~= $0 }) else {
      return nil
    }
    return Int(text)
  }
}
