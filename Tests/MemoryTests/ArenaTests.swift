import Memory
import TestSupport
import Testing
import Units

@Suite struct ArenaTests {
  /// What is asked of an arena: element sizes and counts per region, in the order of regions.
  private static func requests(_ random: inout Random) -> [(region: Region, pieces: [(Int, Int)])] {
    (0..<Region.count).filter { _ in random.below(4) > 0 }.map { raw in
      let pieces = (0..<random.below(6)).map { _ in
        (1 << random.below(4), random.below(3) == 0 ? random.below(3) : random.below(5000))
      }
      return (Region.at(raw), pieces)
    }
  }

  /// One piece as (address, bytes); from a measuring arena both are 0.
  private static func take(
    _ size: Int, _ count: Int, from arena: inout Arena
  ) -> (start: UInt, bytes: Int, isZeroed: Bool) {
    func taken<Element: FixedWidthInteger & BitwiseCopyable>(
      _ type: Element.Type, _ arena: inout Arena
    ) -> (UInt, Int, Bool) {
      let piece = arena.take(count, of: type)
      defer { piece.fill(.max) }
      return (
        piece.count == 0 ? 0 : piece.address, piece.asBytes.count,
        (0..<piece.count).allSatisfy { piece[$0] == 0 }
      )
    }
    switch size {
    case 1: return taken(UInt8.self, &arena)
    case 2: return taken(UInt16.self, &arena)
    case 4: return taken(Int32.self, &arena)
    default: return taken(UInt64.self, &arena)
    }
  }

  @Test(arguments: [4096, 16384, 65536])
  func measuringEqualsLaunching(pageBytes: Int) {
    var random = Random(seed: UInt64(pageBytes))
    for _ in 0..<40 {
      let requests = Self.requests(&random)
      var measuring = Arena(measuringWithPageBytes: pageBytes)
      var expected = [Int](repeating: 0, count: Region.count)
      for (region, pieces) in requests {
        measuring.begin(region)
        for (size, count) in pieces {
          #expect(Self.take(size, count, from: &measuring).bytes == 0)
          expected[region.rawValue] += (size * count + 63) / 64 * 64
        }
        let pages = (expected[region.rawValue] + pageBytes - 1) / pageBytes
        expected[region.rawValue] = pages * pageBytes
      }
      measuring.end()
      #expect(measuring.isMeasuring == true)
      #expect(array(measuring.regionBytes) == expected)
      #expect(measuring.usedBytes == expected.reduce(0, +))

      var real = RealArena(byteCount: measuring.usedBytes, pageBytes: pageBytes)
      var end = real.start
      for (region, pieces) in requests {
        real.arena.begin(region)
        for (size, count) in pieces {
          let piece = Self.take(size, count, from: &real.arena)
          #expect(piece.bytes == size * count && piece.isZeroed)
          guard count > 0 else { continue }
          #expect(piece.start % 64 == 0 && piece.start >= end)
          end = piece.start + UInt(piece.bytes)
          #expect(end <= real.start + UInt(measuring.usedBytes))
        }
      }
      real.arena.seal()
      #expect(!real.arena.isMeasuring && real.arena.isSealed)
      #expect(array(real.arena.regionBytes) == expected)
      #expect(real.arena.usedBytes == measuring.usedBytes)
    }
  }

  @Test func regionsStartOnPages() {
    var real = RealArena(byteCount: 5 * 16384, pageBytes: 16384)
    real.arena.begin(.keys)
    let first: FixedBuffer<UInt8> = real.arena.take(16385)
    real.arena.begin(.values)
    let second: FixedBuffer<UInt8> = real.arena.take(1)
    real.arena.begin(.logits)
    let third: FixedBuffer<UInt8> = real.arena.take(1)
    real.arena.seal()
    #expect(first.address == real.start)
    #expect(second.address == real.start + 32768)
    #expect(third.address == real.start + 49152)
    #expect(real.arena.usedBytes == 65536)
  }

  @Test func requestsAfterTheSealTrap() async {
    await #expect(processExitsWith: .failure) {
      var real = RealArena(byteCount: 4096)
      real.arena.begin(.keys)
      real.arena.seal()
      _ = real.arena.take(1, of: UInt8.self)
    }
    await #expect(processExitsWith: .failure) {
      var real = RealArena(byteCount: 4096)
      real.arena.seal()
      real.arena.begin(.keys)
      _ = real.arena.take(0, of: UInt8.self)
    }
  }

  @Test func requestsOutsideARegionTrap() async {
    await #expect(processExitsWith: .failure) {
      var real = RealArena(byteCount: 4096)
      _ = real.arena.take(1, of: UInt8.self)
    }
    await #expect(processExitsWith: .failure) {
      var real = RealArena(byteCount: 4096)
      real.arena.begin(.keys)
      real.arena.end()
      _ = real.arena.take(1, of: UInt8.self)
    }
    await #expect(processExitsWith: .failure) {
      var arena = Arena(measuringWithPageBytes: 4096)
      _ = arena.take(1, of: UInt8.self)
    }
  }

  @Test func requestsPastTheEndTrap() async {
    await #expect(processExitsWith: .failure) {
      var real = RealArena(byteCount: 4096)
      real.arena.begin(.keys)
      _ = real.arena.take(4097, of: UInt8.self)
    }
    await #expect(processExitsWith: .failure) {
      var real = RealArena(byteCount: 4096)
      real.arena.begin(.keys)
      _ = real.arena.take(4033, of: UInt8.self)
      _ = real.arena.take(1, of: UInt8.self)
    }
    // The last page of a region must be there as a whole.
    await #expect(processExitsWith: .failure) {
      var real = RealArena(byteCount: 4096 + 64)
      real.arena.begin(.keys)
      _ = real.arena.take(4097, of: UInt8.self)
      real.arena.end()
    }
  }

  @Test func numbersThatOverflowTrap() async {
    await #expect(processExitsWith: .failure) {
      var arena = Arena(measuringWithPageBytes: 4096)
      arena.begin(.keys)
      _ = arena.take(.max, of: UInt64.self)
    }
    await #expect(processExitsWith: .failure) {
      var arena = Arena(measuringWithPageBytes: 4096)
      arena.begin(.keys)
      _ = arena.take(.max, of: UInt8.self)
    }
    await #expect(processExitsWith: .failure) {
      var arena = Arena(measuringWithPageBytes: 4096)
      arena.begin(.keys)
      _ = arena.take(-1, of: UInt8.self)
    }
  }

  @Test func aRegionComesOnce() async {
    await #expect(processExitsWith: .failure) {
      var arena = Arena(measuringWithPageBytes: 4096)
      arena.begin(.keys)
      _ = arena.take(1, of: UInt8.self)
      arena.begin(.values)
      arena.begin(.keys)
    }
  }

  @Test func memoryThatStartsOffACacheLineTraps() async {
    await #expect(processExitsWith: .failure) {
      let memory = UnsafeMutableRawPointer.allocate(byteCount: 8192, alignment: 4096)
      // SAFETY: allocated above with room behind the offset.
      _ = unsafe Arena(unsafeBase: memory + 8, byteCount: 4096, pageBytes: 4096)
    }
  }
}
