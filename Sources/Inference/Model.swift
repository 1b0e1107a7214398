package import Memory
package import ModelFormat
package import Quantization
package import Units

/// A weight matrix in the arena.
package struct Matrix: BitwiseCopyable {
  /// Format and shape.
  package let layout: WeightLayout

  /// The tiles.
  package let bytes: FixedBuffer<UInt8>
}

/// A model in the arena: views of its weights, its norms and biases, its rotary table.
package struct Model: BitwiseCopyable {
  /// The validated header, in the arena.
  package let header: PackHeader

  /// Everything about the shape.
  package let shape: Hyperparameters

  /// The matrices in the order of the header's table; filled by `init` with views.
  private let matrices: FixedBuffer<Matrix>

  /// The section of vectors as it lies in the file.
  package let vectors: FixedBuffer<UInt8>

  /// Per rotated pair the fraction of a turn, times 2^64, that one position adds.
  package let rotary: FixedBuffer<UInt64>

  /// Lays the model out: its header, weights, vectors, in regions of their own.
  ///
  /// A measuring arena leaves everything empty; `header` then stays where the caller has it.
  package init(header: PackHeader, in arena: inout Arena) {
    shape = header.hyperparameters
    arena.begin(.header)
    let copy = arena.take(header.bytes.count, of: UInt8.self)
    matrices = arena.take(shape.matrixCount)
    for index in 0..<copy.count { copy[index] = header.bytes[index] }
    self.header = arena.isMeasuring ? header : header.relocated(to: copy)
    arena.begin(.weights)
    for index in 0..<shape.matrixCount {
      let record = header.matrix(at: index)
      let layout = WeightLayout(
        format: record.format, rows: record.rows, columns: record.columns)
      let bytes = arena.take(layout.bytes, of: UInt8.self)
      if !arena.isMeasuring { matrices[index] = Matrix(layout: layout, bytes: bytes) }
    }
    arena.begin(.vectors)
    vectors = arena.take(Int(header.section(.vectors).bytes))
    rotary = arena.take(shape.rotatedDimensions / 2)
    arena.end()
  }

  /// The matrix at `index` of the header's table.
  package func matrix(at index: Int) -> Matrix { matrices[index] }

  /// The matrix of a role; traps where the model has none.
  package func matrix(_ role: MatrixRole, layer: Int = 0) -> Matrix {
    guard let index = shape.index(of: role, layer: layer) else {
      preconditionFailure("the model has no such matrix")
    }
    return matrices[index]
  }

  /// The matrix that makes the logits.
  package var logitsMatrix: Matrix { matrix(shape.hasTiedOutput ? .embedding : .output) }

  /// A norm or a bias; traps where the model has none.
  package func vector(_ role: VectorRole, layer: Int = 0) -> FixedBuffer<Float> {
    let record = header.vector(role, layer: layer)
    let start = Int(record.offset)
    let bytes = vectors.extracting(start..<start + record.count * MemoryLayout<Float>.stride)
    // SAFETY: vectors start at multiples of 64 bytes of a section that starts on a page; every bit
    // pattern is a float.
    return unsafe FixedBuffer(
      unsafeBase: UnsafeMutableRawPointer(bytes.unsafeBaseAddress).assumingMemoryBound(
        to: Float.self), count: record.count)
  }
}
