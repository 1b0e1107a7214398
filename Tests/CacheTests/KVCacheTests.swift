import Cache
import Eviction
import Kernels
import Memory
import Testing
import Units

@Suite struct KVCacheTests {
  private static let formats: [(CacheFormat, CacheFormat)] = [
    (.int8, .int8), (.int8, .int4), (.int4, .int8), (.int4, .int4),
  ]

  private static func cache(
    _ formats: (CacheFormat, CacheFormat), slots: Int, in arena: inout Arena
  ) -> KVCache {
    KVCache(
      layers: 3, kvHeads: 2, keyLayout: KeyLayout(format: formats.0, headDimension: 20),
      valueLayout: ValueLayout(format: formats.1, headDimension: 20),
      map: SlotMap(policy: .streaming, slots: slots), in: &arena)
  }

  @Test func everyPieceIsItsOwn() {
    for formats in Self.formats {
      for slots in [5, 16, 33, 64] {
        var measuring = Arena(measuringWithPageBytes: 4096)
        _ = Self.cache(formats, slots: slots, in: &measuring)
        let byteCount = measuring.usedBytes
        let memory = UnsafeMutableRawPointer.allocate(byteCount: byteCount, alignment: 4096)
        unsafe memory.initializeMemory(as: UInt8.self, repeating: 0, count: byteCount)
        // SAFETY: allocated and zeroed above, never given back.
        var arena = unsafe Arena(unsafeBase: memory, byteCount: byteCount, pageBytes: 4096)
        let cache = Self.cache(formats, slots: slots, in: &arena)
        arena.seal()
        #expect(arena.usedBytes == byteCount)

        var pieces: [FixedBuffer<UInt8>] = []
        for layer in 0..<3 {
          for head in 0..<2 {
            let keys = cache.keys(layer: layer, head: head)
            let values = cache.values(layer: layer, head: head)
            #expect(keys.count == cache.keyLayout.bytes(slots: slots))
            #expect(values.count == cache.valueLayout.bytes(slots: slots))
            pieces += [keys, values]
          }
          #expect(cache.positions(layer: layer).count == slots)
          pieces.append(cache.positions(layer: layer).asBytes)
        }
        for (index, piece) in pieces.enumerated() { piece.fill(UInt8(index + 1)) }
        for (index, piece) in pieces.enumerated() {
          #expect((0..<piece.count).allSatisfy { piece[$0] == UInt8(index + 1) })
        }
        func pages(_ bytes: Int) -> Int { (bytes + 4095) / 4096 * 4096 }
        #expect(
          arena.regionBytes[Region.keys.rawValue] == pages(6 * cache.keyLayout.bytes(slots: slots)))
        #expect(
          arena.regionBytes[Region.values.rawValue]
            == pages(6 * cache.valueLayout.bytes(slots: slots)))
        #expect(arena.regionBytes[Region.positions.rawValue] == pages(3 * 4 * slots))
      }
    }
  }

  @Test func layersAndHeadsOutsideTrap() async {
    await #expect(processExitsWith: .failure) {
      var arena = Arena(measuringWithPageBytes: 4096)
      _ = KVCacheTests.cache((.int8, .int8), slots: 8, in: &arena).keys(layer: 3, head: 0)
    }
  }
}
