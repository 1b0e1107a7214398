/// The elements of an inline array.
func array(_ values: InlineArray<17, Int>) -> [Int] { values.indices.map { values[$0] } }
