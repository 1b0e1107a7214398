/// The elements of an inline array.
func array(_ values: InlineArray<15, Int>) -> [Int] { values.indices.map { values[$0] } }
