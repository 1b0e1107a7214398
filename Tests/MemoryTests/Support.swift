/// The elements of an inline array.
func array(_ values: InlineArray<14, Int>) -> [Int] { values.indices.map { values[$0] } }
