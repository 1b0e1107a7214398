import Cache
import Eviction
import Kernels
import Memory
import TestSupport
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
      layers: 3, kvHeads: 2, headsPerGroup: 1,
      keyLayout: KeyLayout(format: formats.0, headDimension: 20),
      valueLayout: ValueLayout(format: formats.1, headDimension: 20),
      settings: EvictionSettings(
        policy: .streaming, slots: slots, layers: 3, trainedContext: 100,
        choices: EvictionSettings.Choices()), threads: 1, in: &arena)
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
          #expect(cache.positions(layer: layer, head: 1).count == slots)
          pieces.append(cache.positions(layer: layer, head: 1).asBytes)
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

  /// Moved keys and values are those that were stored, whatever lies around them.
  @Test(arguments: formats) func slotsAreMovedBitForBit(formats: (CacheFormat, CacheFormat)) {
    let keyLayout = KeyLayout(format: formats.0, headDimension: 20)
    let valueLayout = ValueLayout(format: formats.1, headDimension: 20)
    let kernels = KernelSet(.portable)
    var real = RealArena(byteCount: 1 << 20)
    let cache = Self.cache(formats, slots: 70, in: &real.arena)
    var random = Random(seed: 11)
    let vectors = (0..<70).map { _ in buffer(random.floats(20)) }
    func fill(_ cache: KVCache, _ order: [Int]) {
      for (slot, vector) in order.enumerated() {
        kernels.appendKey(
          vectors[vector], slot: slot, layout: keyLayout, keys: cache.keys(layer: 1, head: 1))
        kernels.appendValue(
          vectors[vector], slot: slot, layout: valueLayout,
          values: cache.values(layer: 1, head: 1))
      }
    }
    var order = Array(0..<70)
    fill(cache, order)
    for _ in 0..<200 {
      let (source, target) = (random.below(70), random.below(70))
      cache.move(layer: 1, head: 1, from: source, to: target)
      order[target] = order[source]
    }
    var other = RealArena(byteCount: 1 << 20)
    let expected = Self.cache(formats, slots: 70, in: &other.arena)
    fill(expected, order)
    #expect(array(cache.keys(layer: 1, head: 1)) == array(expected.keys(layer: 1, head: 1)))
    #expect(array(cache.values(layer: 1, head: 1)) == array(expected.values(layer: 1, head: 1)))
  }
}
