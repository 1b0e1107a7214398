internal import CKernels
package import Quantization

/// Fast twins of the group quantizers of `QuantizedGroup`, with the same bits.
extension KernelSet {
  /// `QuantizedGroup.int8`.
  package func quantizeInt8(_ values: InlineArray<32, Float>) -> QuantizedGroup {
    unsafe quantize(values, with: table.pointee.quantize_int8)
  }

  /// `QuantizedGroup.int4`.
  package func quantizeInt4(_ values: InlineArray<32, Float>) -> QuantizedGroup {
    unsafe quantize(values, with: table.pointee.quantize_int4)
  }

  /// `QuantizedGroup.int4Asymmetric`.
  package func quantizeInt4Asymmetric(_ values: InlineArray<32, Float>) -> QuantizedGroup {
    var minimum: UInt16 = 0
    let kernel = unsafe table.pointee.quantize_int4_asymmetric
    var group = QuantizedGroup()
    var quants = group.quants.mutableSpan
    // SAFETY: 32 floats are read, 32 bytes and one half written, which is what they hold.
    let scale = unsafe values.span.withUnsafeBufferPointer { source in
      unsafe quants.withUnsafeMutableBufferPointer { target in
        unsafe kernel?(source.baseAddress, target.baseAddress, &minimum) ?? 0
      }
    }
    group.scale = scale
    group.minimum = minimum
    return group
  }

  @unsafe
  private func quantize(
    _ values: InlineArray<32, Float>,
    with kernel: @convention(c) (UnsafePointer<Float>?, UnsafeMutablePointer<Int8>?) -> UInt16
  ) -> QuantizedGroup {
    var group = QuantizedGroup()
    var quants = group.quants.mutableSpan
    // SAFETY: 32 floats are read and 32 bytes written, which is what both hold.
    let scale = unsafe values.span.withUnsafeBufferPointer { source in
      unsafe quants.withUnsafeMutableBufferPointer { target in
        unsafe kernel(source.baseAddress, target.baseAddress)
      }
    }
    group.scale = scale
    return group
  }
}
