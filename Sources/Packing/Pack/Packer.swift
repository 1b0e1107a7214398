internal import ModelFormat
internal import Quantization
internal import Kernels
internal import Units

/// Turns GGUF files into pack files.
package enum Packer {
  /// The header that the pack of a GGUF file will have, with checksums of zero.
  ///
  /// From header facts alone: no weight is read. Valid for `PackHeader`.
  package static func headerBytes(
    of file: GGUFFile, options: PackOptions = PackOptions()
  ) throws(PackingError) -> [UInt8] {
    try headerBytes(of: file.header, options: options)
  }

  /// The same from a header that is in memory.
  package static func headerBytes(
    of header: GGUFHeader, options: PackOptions = PackOptions()
  ) throws(PackingError) -> [UInt8] {
    let model = try ModelDescription(header)
    let sections = try TokenizerSections.bytes(header)
    return layout(model, options, sections).bytes
  }

  /// Packs the model at `input` into the new file `output`.
  ///
  /// `progress` hears of the bytes written so far and of all; it returns whether to go on.
  /// Nothing is left of an output that did not become complete.
  package static func pack(
    input: String, output: String, options: PackOptions = PackOptions(), replacing: Bool = false,
    resources: PackResources = PackResources(),
    progress: (_ done: UInt64, _ total: UInt64) -> Bool = { _, _ in true }
  ) throws(PackingError) -> PackReport {
    let file = try reading { () throws(GGUFError) in try GGUFFile(path: input) }
    guard !file.isFile(at: output) else { throw .outputIsInput }
    return try pack(
      file, output: output, options: options, replacing: replacing, resources: resources,
      progress: progress)
  }

  /// Packs an opened GGUF file.
  package static func pack(
    _ file: GGUFFile, output: String, options: PackOptions, replacing: Bool,
    resources: PackResources, progress: (_ done: UInt64, _ total: UInt64) -> Bool
  ) throws(PackingError) -> PackReport {
    let model = try ModelDescription(file.header)
    let sections = try TokenizerSections(file.header)
    var header = layout(
      model, options, (UInt64(sections.tokenizer.count), UInt64(sections.chatTemplate.count)))
    let small: [(kind: SectionKind, bytes: [UInt8])] = [
      (.tokenizer, sections.tokenizer), (.chatTemplate, sections.chatTemplate),
      (.rotary, try rotary(model, file)), (.vectors, try vectors(model, file, header)),
    ]
    let target = try OutputFile(path: output, replacing: replacing)
    for (kind, bytes) in small {
      precondition(bytes.count == header.bytes(of: kind), "sections have their planned size")
      try target.write(bytes.rawSpan, at: header.offset(of: kind))
      header.setChecksum(XXH64.hash(bytes.rawSpan), of: kind)
    }
    var report = PackReport(fileBytes: header.fileBytes, chatTemplate: sections.family)
    try writeMatrices(
      model, file, to: target, &header, &report, options, resources, progress: progress)
    header.seal()
    try target.write(header.bytes.rawSpan, at: 0)
    try target.finish()
    return report
  }

  private static func layout(
    _ model: ModelDescription, _ options: PackOptions,
    _ sections: (tokenizer: UInt64, chatTemplate: UInt64)
  ) -> PackHeaderBuilder {
    let formats = model.matrices.enumerated().map { index, tensor in
      options.format(of: model.hyperparameters.matrix(at: index).role, source: tensor.type)
    }
    return PackHeaderBuilder(
      model.hyperparameters, name: model.name, sourceName: model.sourceName, formats: formats,
      tokenizerBytes: sections.tokenizer, templateBytes: sections.chatTemplate)
  }

  /// The rotary section: the fraction of a turn of each rotated pair.
  private static func rotary(
    _ model: ModelDescription, _ file: GGUFFile
  ) throws(PackingError) -> [UInt8] {
    let rotated = model.hyperparameters.rotatedDimensions
    var factors = [Float](repeating: 1, count: rotated / 2)
    if let tensor = model.ropeFactors { factors = try floats(tensor, file) }
    var bytes: [UInt8] = []
    for (index, factor) in factors.enumerated() {
      guard factor.isFinite && factor >= 0.5 else {
        throw .ropeFactor(index: index, factor)
      }
      let fraction = Rotary.turnFraction(
        index: index, rotated: rotated, theta: model.ropeBase, factor: Double(factor))
      for byte in 0..<8 { bytes.append(UInt8(truncatingIfNeeded: fraction >> (8 * byte))) }
    }
    return bytes
  }

  /// The section of vectors, as float32.
  private static func vectors(
    _ model: ModelDescription, _ file: GGUFFile, _ header: PackHeaderBuilder
  ) throws(PackingError) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: Int(header.bytes(of: .vectors)))
    for (tensor, offset) in zip(model.vectors, header.vectorOffsets) {
      for (index, value) in try floats(tensor, file).enumerated() {
        let bits = value.bitPattern
        for byte in 0..<4 {
          bytes[Int(offset) + index * 4 + byte] = UInt8(truncatingIfNeeded: bits >> (8 * byte))
        }
      }
    }
    return bytes
  }

  /// The elements of a tensor of one dimension; they must be finite.
  private static func floats(
    _ tensor: GGUFTensor, _ file: GGUFFile
  ) throws(PackingError) -> [Float] {
    let source = Memory<UInt8>(count: tensor.rowBytes)
    let row = Memory<Float>(count: tensor.columns)
    try reading { () throws(GGUFError) in
      try file.read(into: source.buffer, at: tensor.offset)
    }
    Dequantization.row(
      tensor.type, source.buffer.bytes, columns: tensor.columns, into: row.buffer)
    let values = (0..<tensor.columns).map { row.buffer[$0] }
    guard values.allSatisfy(\.isFinite) else { throw .notFinite(tensor: tensor.name, row: 0) }
    return values
  }

  private static func writeMatrices(
    _ model: ModelDescription, _ file: GGUFFile, to target: OutputFile,
    _ header: inout PackHeaderBuilder, _ report: inout PackReport, _ options: PackOptions,
    _ resources: PackResources, progress: (_ done: UInt64, _ total: UInt64) -> Bool
  ) throws(PackingError) {
    let total = header.fileBytes
    var section = XXH64()
    var end = header.offset(of: .matrices)
    for (index, tensor) in model.matrices.enumerated() {
      let (role, _) = model.hyperparameters.matrix(at: index)
      let (rows, columns) = model.hyperparameters.shape(of: role)
      let format = options.format(of: role, source: tensor.type)
      let writer = MatrixWriter(
        file, tensor, format: format, rows: rows, columns: columns, resources)
      let padding = [UInt8](repeating: 0, count: Int(header.matrixOffsets[index] - end))
      section.update(padding.rawSpan)
      end = header.matrixOffsets[index]
      var matrix = XXH64()
      let result = try writer.run { (block) throws(PackingError) in
        try target.write(block, at: end)
        matrix.update(block)
        section.update(block)
        end += UInt64(block.byteCount)
        guard progress(end, total) else { throw .interrupted }
      }
      header.setChecksum(matrix.digest, ofMatrix: index)
      report.add(
        role, tensor.type, format, weights: rows * columns, bytes: header.matrixBytes[index],
        result)
    }
    header.setChecksum(section.digest, of: .matrices)
  }
}
