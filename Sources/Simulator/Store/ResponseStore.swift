/// The responses that can be fetched, cancelled or continued; bounded by number and bytes, oldest out first.
package struct ResponseStore {
    /// One kept response.
    package struct Entry {
        /// The `response` object of a response that is over.
        package var object: [UInt8]
        /// Set while, and after, it ran in the background.
        package var background: BackgroundResponse?
        package var inputItems: [JSONValue]
        /// What the conversation had said at its end.
        package var history: History
        /// What it counts for the bound.
        package var costBytes: Int

        package init(
            object: [UInt8] = [], background: BackgroundResponse? = nil,
            inputItems: [JSONValue], history: History, costBytes: Int
        ) {
            self.object = object
            self.background = background
            self.inputItems = inputItems
            self.history = history
            self.costBytes = costBytes
        }
    }

    package let maximumEntries: Int
    package let maximumBytes: Int
    package private(set) var byteCount = 0
    private var entries: [String: Entry] = [:]
    /// Ids in order of arrival; those before `oldest` are gone already.
    private var order: [String] = []
    private var oldest = 0

    package init(maximumEntries: Int = 10_000, maximumBytes: Int = 64 << 20) {
        self.maximumEntries = maximumEntries
        self.maximumBytes = maximumBytes
    }

    package var count: Int { entries.count }

    package subscript(id: String) -> Entry? { entries[id] }

    /// Keeps `entry`, and lets go of the oldest as far as the bounds demand.
    package mutating func insert(_ entry: Entry, id: String) {
        remove(id)
        entries[id] = entry
        order.append(id)
        byteCount += entry.costBytes
        while entries.count > maximumEntries || (byteCount > maximumBytes && entries.count > 1) {
            remove(order[oldest])
            oldest += 1
        }
        if oldest > maximumEntries {
            order.removeFirst(oldest)
            oldest = 0
        }
    }

    /// Forgets it; false when it was not there.
    @discardableResult
    package mutating func remove(_ id: String) -> Bool {
        guard let entry = entries.removeValue(forKey: id) else { return false }
        byteCount -= entry.costBytes
        return true
    }

    /// Puts what a background response has become in its place: `history` with its calls, the true cost.
    package mutating func update(_ id: String, _ change: (inout Entry) -> Void) {
        guard var entry = entries[id] else { return }
        byteCount -= entry.costBytes
        change(&entry)
        byteCount += entry.costBytes
        entries[id] = entry
    }
}
