/// Orders many timers by deadline at constant cost: a hierarchy of four wheels of 256 slots, one tick a slot.
///
/// Pure: ticks are passed in. An entry that lies further ahead than a wheel reaches waits in a coarser
/// wheel and moves down when its time comes nearer (Varghese and Lauck, "Hashed and Hierarchical Timing
/// Wheels", scheme 6). With ticks of one millisecond the wheels reach 49 days; later deadlines are
/// clamped to that and checked again.
struct TimerWheel<Element> {
    /// Names a scheduled entry until it fires or is removed.
    typealias Key = Int32

    private struct Node {
        var tick: UInt64
        var previous: Int32
        var next: Int32
        var list: Int32
        var element: Element?
    }

    private static var levels: Int { 4 }
    private static var slots: Int { 256 }
    private static var none: Int32 { -1 }

    private var nodes: [Node] = []
    private var free: Int32 = -1
    private var heads = [Int32](repeating: -1, count: 4 * 256)
    /// One bit a slot that holds entries, four words a level.
    private var occupied = [UInt64](repeating: 0, count: 4 * 4)
    /// All entries before this tick have fired.
    private(set) var current: UInt64
    private(set) var count = 0

    init(current: UInt64) { self.current = current }

    /// Adds `element` to fire at `tick`, or with the next advance when `tick` has passed.
    mutating func insert(_ element: Element, at tick: UInt64) -> Key {
        let key: Int32
        if free != Self.none {
            key = free
            free = nodes[Int(key)].next
        } else {
            key = Int32(nodes.count)
            nodes.append(Node(tick: 0, previous: -1, next: -1, list: -1, element: nil))
        }
        nodes[Int(key)].tick = max(tick, current)
        nodes[Int(key)].element = element
        link(key)
        count += 1
        return key
    }

    /// Removes the entry; `key` must be scheduled.
    mutating func remove(_ key: Key) {
        unlink(key)
        release(key)
    }

    private mutating func release(_ key: Key) {
        nodes[Int(key)].element = nil
        nodes[Int(key)].next = free
        free = key
        count -= 1
    }

    /// The earliest tick at which something has to be done, or nil when nothing is scheduled.
    ///
    /// For entries in coarser wheels it is the tick at which they move down, so it is never late.
    var nextTick: UInt64? {
        guard count > 0 else { return nil }
        var best: UInt64?
        for level in 0..<Self.levels {
            let shift = UInt64(level * 8)
            let position = current >> shift
            guard let distance = nextOccupied(level: level, from: Int(position & 255)) else {
                continue
            }
            let tick = max((position + UInt64(distance)) << shift, current)
            best = min(best ?? tick, tick)
        }
        return best
    }

    /// Moves time forward and appends what is due, in order of ticks, to `due`.
    mutating func advance(to tick: UInt64, due: inout [Element]) {
        while let next = nextTick, next <= tick {
            current = next
            for level in (1..<Self.levels).reversed() {
                let shift = UInt64(level * 8)
                // A coarse slot is opened when time enters it; entries past `current` re-link finer.
                cascade(level: level, slot: Int((current >> shift) & 255))
            }
            let list = Int(current & 255)
            while heads[list] != Self.none {
                let key = heads[list]
                unlink(key)
                if let element = nodes[Int(key)].element { due.append(element) }
                release(key)
            }
            current += 1
        }
        current = max(current, tick + 1)
    }

    private mutating func cascade(level: Int, slot: Int) {
        let list = level * Self.slots + slot
        var key = heads[list]
        while key != Self.none {
            let following = nodes[Int(key)].next
            unlink(key)
            link(key)
            key = following
        }
    }

    private mutating func link(_ key: Int32) {
        let tick = max(nodes[Int(key)].tick, current)
        // The finest wheel on which the entry lies less than one turn ahead. Above the finest that is
        // never the slot time is in, so a slot holds entries of one turn only.
        var level = 0
        while level < Self.levels - 1, distance(to: tick, level: level) > 255 { level += 1 }
        // Beyond the last wheel: as far ahead as it goes; it is linked again from there.
        let slot =
            tick >> UInt64(level * 8)
            - (distance(to: tick, level: level) > 255
                ? distance(to: tick, level: level) - 255 : 0)
        let list = level * Self.slots + Int(slot & 255)
        let head = heads[list]
        nodes[Int(key)].previous = Self.none
        nodes[Int(key)].next = head
        nodes[Int(key)].list = Int32(list)
        if head != Self.none { nodes[Int(head)].previous = key }
        heads[list] = key
        occupied[list >> 6] |= 1 << UInt64(list & 63)
    }

    private func distance(to tick: UInt64, level: Int) -> UInt64 {
        let shift = UInt64(level * 8)
        return tick >> shift - current >> shift
    }

    private mutating func unlink(_ key: Int32) {
        let node = nodes[Int(key)]
        if node.previous != Self.none {
            nodes[Int(node.previous)].next = node.next
        } else {
            heads[Int(node.list)] = node.next
            if node.next == Self.none {
                occupied[Int(node.list) >> 6] &= ~(1 << UInt64(node.list & 63))
            }
        }
        if node.next != Self.none { nodes[Int(node.next)].previous = node.previous }
    }

    /// How many slots after `slot` (0 is itself, for the finest wheel and coarse ones alike) the next occupied one is.
    private func nextOccupied(level: Int, from slot: Int) -> Int? {
        let base = level * 4
        // Five words: the first one again at the end, for the slots before `slot` in it.
        for step in 0...4 {
            let word = ((slot >> 6) + step) & 3
            var bits = occupied[base + word]
            if step == 0 { bits &= ~UInt64(0) << UInt64(slot & 63) }
            if step == 4 { bits &= ~(~UInt64(0) << UInt64(slot & 63)) }
            guard bits != 0 else { continue }
            let found = word << 6 + bits.trailingZeroBitCount
            return (found - slot) & 255
        }
        return nil
    }
}
