/// What is due when, soonest first: a binary heap.
package struct TimerHeap<Payload> {
    package struct Entry {
        package let at: UInt64
        package let payload: Payload
    }

    private var heap: [Entry] = []

    package init() {}

    package var count: Int { heap.count }
    package var soonest: UInt64? { heap.first?.at }

    package mutating func add(_ payload: Payload, at: UInt64) {
        heap.append(Entry(at: at, payload: payload))
        var child = heap.count - 1
        while child > 0 {
            let parent = (child - 1) / 2
            guard heap[child].at < heap[parent].at else { return }
            heap.swapAt(child, parent)
            child = parent
        }
    }

    /// Takes the soonest entry if it is due at `now`.
    package mutating func popDue(now: UInt64) -> Entry? {
        guard let first = heap.first, first.at <= now else { return nil }
        let last = heap.removeLast()
        guard !heap.isEmpty else { return first }
        heap[0] = last
        var parent = 0
        while true {
            var child = 2 * parent + 1
            guard child < heap.count else { return first }
            if child + 1 < heap.count, heap[child + 1].at < heap[child].at { child += 1 }
            guard heap[child].at < heap[parent].at else { return first }
            heap.swapAt(child, parent)
            parent = child
        }
    }
}
