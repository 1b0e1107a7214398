import ModelFormat
import Packing
import Units

/// The entry of libFuzzer: the bytes are the start of a model file, a pack or a GGUF file by their
/// magic; whatever they are, reading them must end in a named error or a consistent header.
@c(LLVMFuzzerTestOneInput)
func fuzzHeader(_ data: UnsafePointer<UInt8>, _ count: Int) -> CInt {
  // SAFETY: libFuzzer hands over `count` bytes that live through the call.
  let bytes = unsafe Array(UnsafeBufferPointer(start: data, count: count))
  if bytes.first == 0x89 { fuzzPack(bytes) } else { fuzzGGUF(bytes) }
  return 0
}

/// Reads a GGUF header as `plan` does, and the header that is planned for its pack.
private func fuzzGGUF(_ bytes: [UInt8]) {
  // Room for the data of any tensor that the header may describe.
  let fileBytes = UInt64(bytes.count) + 1 << 32
  guard let header = try? GGUFHeader(bytes: bytes, fileBytes: fileBytes) else { return }
  for (key, value) in header.values {
    _ = try? header.string(key)
    _ = try? header.unsigned(key)
    _ = try? header.float(key)
    if value.type == .array && value.elementType == .string { _ = header.stringRanges(value) }
  }
  if let vocabulary = try? Vocabulary(header) {
    if let section = try? vocabulary.section() {
      precondition(section.count == vocabulary.sectionBytes, "the section has its planned size")
      precondition((try? HostedTokenizer(section: section)) != nil, "the section is valid")
    }
  }
  guard let planned = try? Packer.headerBytes(of: header) else { return }
  precondition(isPack(planned, sealing: false), "a planned header is valid")
}

/// Reads a pack's header, with its own checksum made right so that the other checks are reached.
private func fuzzPack(_ bytes: [UInt8]) {
  _ = isPack(bytes, sealing: false)
  if bytes.count >= 32 { _ = isPack(bytes, sealing: true) }
}

/// Whether the bytes are a valid header of a file of the size they state; walks it if so.
private func isPack(_ bytes: [UInt8], sealing: Bool) -> Bool {
  let memory = UnsafeMutablePointer<UInt8>.allocate(capacity: max(bytes.count, 1))
  defer { unsafe memory.deallocate() }
  for (index, byte) in bytes.enumerated() { unsafe (memory + index).initialize(to: byte) }
  // SAFETY: allocated above with this count, and initialized; not used after this function.
  let buffer = unsafe FixedBuffer(unsafeBase: memory, count: bytes.count)
  guard bytes.count >= 32 else {
    return (try? PackHeader(validating: buffer, fileBytes: UInt64(bytes.count))) != nil
  }
  if sealing {
    let stated = Int(buffer.bytes.loadLittleEndian(at: 12, as: UInt32.self))
    let count = min(max(stated, 32), bytes.count)
    let checksum = PackHeader.checksum(ofHeader: buffer.extracting(0..<count).bytes)
    for byte in 0..<8 { buffer[24 + byte] = UInt8(truncatingIfNeeded: checksum >> (8 * byte)) }
  }
  let fileBytes = buffer.bytes.loadLittleEndian(at: 16, as: UInt64.self)
  guard let header = try? PackHeader(validating: buffer, fileBytes: fileBytes) else {
    return false
  }
  for index in 0..<header.hyperparameters.matrixCount {
    let matrix = header.matrix(at: index)
    precondition(matrix.bytes <= fileBytes - matrix.offset, "a matrix lies in the file")
  }
  for index in 0..<header.hyperparameters.vectorCount { _ = header.vector(at: index) }
  return true
}
