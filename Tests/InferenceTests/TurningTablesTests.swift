import Inference
import Kernels
import Memory
import TestSupport
import Testing

@Suite struct TurningTablesTests {
  @Test func everyDistanceHasItsOwnTable() {
    let fractions = buffer(
      (0..<8).map { Rotary.turnFraction(index: $0, rotated: 16, theta: 10_000, factor: 1) })
    var real = RealArena(byteCount: 1 << 20)
    real.arena.begin(.attention)
    let tables = TurningTables(64, pairs: 8, in: &real.arena)
    let (cosines, sines) = (
      buffer([Float](repeating: 0, count: 8)), buffer([Float](repeating: 0, count: 8))
    )
    // Twice each, and some that take the place of others.
    for distance in [-1, -1, -2, 63, 64, -64, 128, -1, -65, 63, -1, 1, -513, 1 << 20] {
      let table = tables.table(turningBy: distance, fractions: fractions)
      Rotary.fillTable(turningBy: distance, fractions: fractions, cosines: cosines, sines: sines)
      #expect(array(table.cosines) == array(cosines), "\(distance)")
      #expect(array(table.sines) == array(sines), "\(distance)")
    }
  }
}
