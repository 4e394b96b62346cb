extension Array {
    /// The same elements in storage without room for more, for what is kept for long.
    ///
    /// Not `Array(self[...])`: a slice of all of an array is the array's own storage again, with its room.
    var exact: [Element] {
        guard !isEmpty else { return [] }
        var copy: [Element] = []
        copy.reserveCapacity(count)
        copy.append(contentsOf: self)
        return copy
    }
}
