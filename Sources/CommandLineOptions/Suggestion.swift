/// The name that was probably meant by `word`, or `nil` when none is near.
///
/// Near is an edit distance (insertions, deletions, replacements, swaps of neighbours) of at most
/// a third of the word's length, and at most 3. A word above 64 characters has no suggestion.
package func suggestion(for word: String, among names: [String]) -> String? {
    let letters = Array(word.utf8)
    guard letters.count <= 64 else { return nil }
    let limit = min(3, max(1, letters.count / 3))
    var best: (distance: Int, name: String)?
    for name in names {
        let distance = editDistance(letters, Array(name.utf8))
        if distance <= limit, distance < best?.distance ?? Int.max { best = (distance, name) }
    }
    return best?.name
}

/// Optimal string alignment distance: each pair of neighbours is swapped at most once.
func editDistance(_ left: [UInt8], _ right: [UInt8]) -> Int {
    var beforeLast: [Int] = []
    var last = Array(0...right.count)
    for (i, a) in left.enumerated() {
        var row = [i + 1]
        for (j, b) in right.enumerated() {
            var cost = min(last[j + 1] + 1, row[j] + 1, last[j] + (a == b ? 0 : 1))
            if i > 0, j > 0, a == right[j - 1], left[i - 1] == b {
                cost = min(cost, beforeLast[j - 1] + 1)
            }
            row.append(cost)
        }
        beforeLast = last
        last = row
    }
    return last[right.count]
}
