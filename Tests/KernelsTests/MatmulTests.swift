import Kernels
import Quantization
import TestSupport
import Testing
import Units

@Suite struct MatmulTests {
  static let formats: [WeightFormat] = [.int8, .int4, .int4Asymmetric]

  @Test(arguments: runnableSets, formats)
  func productsEqualReference(set: InstructionSet, format: WeightFormat) {
    let kernels = KernelSet(set)
    var random = Random(seed: 10)
    // The last ones are longer than what kernels go through at once.
    let shapes = [
      (1, 1), (16, 32), (17, 33), (40, 64), (33, 100), (64, 172), (5, 576), (130, 70), (98, 2_100),
    ]
    for (rows, columns) in shapes {
      for extreme in [false, true] {
        let matrix = RandomMatrix(
          format: format, rows: rows, columns: columns, random: &random, extreme: extreme)
        let tokens = (columns > 2_048 ? 65 : 1) + random.below(21)
        let x = (0..<tokens).map { _ in random.floats(columns, extreme: extreme) }
        let activations = activationRows(rows: tokens, columns: columns)
        for token in 0..<tokens {
          #expect(kernels.quantize(buffer(x[token]), into: activations, row: token))
        }
        let stride = matrix.layout.paddedRows + 16
        let output = buffer([Float](repeating: .nan, count: tokens * stride))
        let cut = random.below(matrix.layout.tiles + 1)
        for tiles in [0..<cut, cut..<matrix.layout.tiles] {
          kernels.matmul(
            matrix.tiles, layout: matrix.layout, tiles: tiles, activations: activations,
            into: output, outputStride: stride)
        }
        for token in 0..<tokens {
          let row = Reference.quantize(x[token])
          let expected = matrix.groups.map { Reference.product($0, format: format, x: row) }
          let actual = (0..<rows).map { output[token * stride + $0] }
          #expect(sameBits(actual, expected), "\(rows) × \(columns), token \(token)")
          let padding = (rows..<matrix.layout.paddedRows).map { output[token * stride + $0] }
          #expect(padding.allSatisfy { $0 == 0 })
          #expect(output[token * stride + matrix.layout.paddedRows].isNaN)
        }
      }
    }
  }

  @Test(arguments: runnableSets, formats)
  func anyCutOfTokensGivesTheSameBits(set: InstructionSet, format: WeightFormat) {
    let kernels = KernelSet(set)
    var random = Random(seed: 11)
    let matrix = RandomMatrix(
      format: format, rows: 96, columns: 96, random: &random, extreme: false)
    let x = (0..<13).map { _ in buffer(random.floats(96)) }
    func outputs(block: Int) -> [Float] {
      let output = buffer([Float](repeating: 0, count: 13 * 96))
      for start in stride(from: 0, to: 13, by: block) {
        let tokens = start..<min(start + block, 13)
        let activations = activationRows(rows: tokens.count, columns: 96)
        for token in tokens {
          #expect(kernels.quantize(x[token], into: activations, row: token - start))
        }
        kernels.matmul(
          matrix.tiles, layout: matrix.layout, tiles: 0..<matrix.layout.tiles,
          activations: activations, into: output.extracting(start * 96..<13 * 96),
          outputStride: 96)
      }
      return array(output)
    }
    let whole = outputs(block: 13)
    for block in 1..<13 { #expect(sameBits(outputs(block: block), whole)) }
  }

  @Test(arguments: runnableSets, formats)
  func rowsAreReadBack(set: InstructionSet, format: WeightFormat) {
    let kernels = KernelSet(set)
    var random = Random(seed: 12)
    let matrix = RandomMatrix(
      format: format, rows: 37, columns: 70, random: &random, extreme: true)
    let scratch = buffer([Float](repeating: 0, count: 96))
    for row in 0..<37 {
      kernels.dequantize(row: row, of: matrix.tiles, layout: matrix.layout, scratch: scratch)
      let expected = (0..<96).map {
        matrix.layout.weight(row: row, column: $0, of: matrix.tiles.bytes)
      }
      #expect(sameBits(array(scratch), expected))
      let source = (0..<96).map { matrix.groups[row][$0 / 32].value($0 % 32, format: format) }
      #expect(sameBits(expected, source))
    }
  }

  @Test(arguments: runnableSets)
  func everyPairOfInt8QuantsIsExact(set: InstructionSet) {
    let kernels = KernelSet(set)
    // Rows 0 … 254 hold −127 … 127, the range of the format.
    let layout = WeightLayout(format: .int8, rows: 255, columns: 32)
    let tiles = buffer([UInt8](repeating: 0, count: layout.bytes))
    for row in 0..<255 {
      let group = QuantizedGroup(quant: Int8(row - 127), scale: 0x3C00)
      let start = row / 16 * layout.tileBytes
      layout.write(
        group, row: row % 16, group: 0, into: tiles.extracting(start..<start + layout.tileBytes))
    }
    let output = buffer([Float](repeating: 0, count: 2 * layout.paddedRows))
    for level in 1...127 {
      // Largest magnitude 127, so that the scale is 1 and quants are the values.
      let x = (0..<32).map { Float($0 == 0 ? 127 : $0 % 2 == 1 ? level : -level + 1) }
      let sum = x.reduce(0, +)
      for tokens in [1, 2] {
        let activations = activationRows(rows: tokens, columns: 32)
        for token in 0..<tokens {
          #expect(kernels.quantize(buffer(x), into: activations, row: token))
        }
        kernels.matmul(
          tiles, layout: layout, tiles: 0..<layout.tiles, activations: activations, into: output,
          outputStride: layout.paddedRows)
        let isExact = (0..<tokens * 256).allSatisfy {
          output[$0] == ($0 % 256 == 255 ? 0 : Float($0 % 256 - 127) * sum)
        }
        #expect(isExact, "\(level), \(tokens) tokens")
      }
    }
  }
}
