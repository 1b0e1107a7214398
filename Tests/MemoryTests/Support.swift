/// The elements of an inline array.
func array(_ values: InlineArray<16, Int>) -> [Int] { values.indices.map { values[$0] } }
