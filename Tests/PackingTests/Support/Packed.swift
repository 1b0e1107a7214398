import Foundation
import ModelFormat
import Packing
import Units

/// A pack file in memory, its validated header, and the header that was planned for it.
struct Packed {
  let bytes: [UInt8]
  let header: PackHeader
  let report: PackReport
  let planned: [UInt8]
}

/// Packs what a builder writes, by way of files that are gone afterwards.
func packed(
  _ builder: GGUFBuilder, _ options: PackOptions,
  _ resources: PackResources = PackResources(threads: 2)
) throws -> Packed {
  let input = temporaryFile("model.gguf")
  try Data(builder.bytes).write(to: URL(fileURLWithPath: input))
  defer { try? FileManager.default.removeItem(atPath: input) }
  return try packed(input: input, options, resources)
}

/// Packs the file at `input` into one that is gone afterwards.
func packed(
  input: String, _ options: PackOptions, _ resources: PackResources = PackResources(threads: 2)
) throws -> Packed {
  let output = temporaryFile("model.terra")
  defer { try? FileManager.default.removeItem(atPath: output) }
  let file = try GGUFFile(path: input)
  let planned = try Packer.headerBytes(of: file, options: options)
  let report = try Packer.pack(
    input: input, output: output, options: options, resources: resources)
  let bytes = [UInt8](try Data(contentsOf: URL(fileURLWithPath: output)))
  let buffer = zeros(bytes.count, of: UInt8.self)
  for (index, byte) in bytes.enumerated() { buffer[index] = byte }
  let header = try PackHeader(validating: buffer, fileBytes: UInt64(bytes.count))
  return Packed(bytes: bytes, header: header, report: report, planned: planned)
}
