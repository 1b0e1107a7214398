import TestSupport
import Testing
import Units

@Suite struct FixedBufferTests {
  @Test func viewsAlias() {
    let whole = buffer([1, 2, 3, 4, 5, 6] as [UInt16])
    let part = whole.extracting(2..<5)
    part[0] = 30
    #expect(whole[2] == 30)
    #expect(part.count == 3)
    part.fill(9)
    #expect((0..<6).map { whole[$0] } == [1, 2, 9, 9, 9, 6])
    #expect(whole.span.count == 6 && whole.span[5] == 6)
    #expect(whole.bytes.byteCount == 12)
    #expect(whole.asBytes.count == 12)
    whole.asBytes[0] = 7
    whole.asBytes[1] = 1
    #expect(whole[0] == 0x107)
    #expect(whole.extracting(6..<6).count == 0)
  }

  @Test func emptyBuffersHaveNoElements() {
    #expect(FixedBuffer<UInt64>.empty.count == 0)
    #expect(FixedBuffer<UInt8>.empty.bytes.byteCount == 0)
    #expect(FixedBuffer<UInt64>.empty.extracting(0..<0).count == 0)
    FixedBuffer<UInt64>.empty.fill(1)
  }

  @Test func readingOutsideTraps() async {
    await #expect(processExitsWith: .failure) { _ = buffer([1, 2, 3] as [Int])[3] }
    await #expect(processExitsWith: .failure) { _ = buffer([1, 2, 3] as [Int])[-1] }
    await #expect(processExitsWith: .failure) { _ = FixedBuffer<UInt8>.empty[0] }
  }

  @Test func writingOutsideTraps() async {
    await #expect(processExitsWith: .failure) { buffer([1, 2, 3] as [Int])[3] = 0 }
    await #expect(processExitsWith: .failure) { buffer([1, 2, 3] as [Int])[Int.min] = 0 }
    await #expect(processExitsWith: .failure) {
      buffer([1, 2, 3] as [Int]).extracting(1..<2)[1] = 0
    }
  }

  @Test func partsOutsideTrap() async {
    await #expect(processExitsWith: .failure) {
      _ = buffer([1, 2, 3] as [Int]).extracting(1..<4)
    }
    await #expect(processExitsWith: .failure) {
      _ = buffer([1, 2, 3] as [Int]).extracting(-1..<2)
    }
    await #expect(processExitsWith: .failure) {
      _ = buffer([1, 2, 3] as [Int]).extracting(1..<2).extracting(0..<2)
    }
  }

  @Test func negativeCountsTrap() async {
    await #expect(processExitsWith: .failure) {
      let memory = UnsafeMutablePointer<Int>.allocate(capacity: 1)
      // SAFETY: the initializer traps before anything is read.
      _ = unsafe FixedBuffer(unsafeBase: memory, count: -1)
    }
  }
}
