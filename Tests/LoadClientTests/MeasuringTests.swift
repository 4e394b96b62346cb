import LoadClient
import Testing

@Suite("Measuring")
struct MeasuringTests {
    @Test("a percentile is within one percent of the truth")
    func percentiles() {
        var histogram = Histogram()
        for value in 1...100_000 as ClosedRange<UInt64> { histogram.record(value * 1_000) }
        for share in [0.5, 0.9, 0.99, 0.999] {
            let truth = share * 100_000_000
            let error = abs(Double(histogram.percentile(share)) - truth) / truth
            #expect(error < 0.01, "p\(share)")
        }
        #expect(histogram.minimum == 1_000)
        #expect(histogram.maximum == 100_000_000)
        #expect(histogram.percentile(1) == 100_000_000)
    }

    @Test(
        "small values are exact, and none is too large",
        arguments: [0, 1, 127, 128, 255] as [UInt64])
    func exact(value: UInt64) {
        var histogram = Histogram()
        histogram.record(value)
        #expect(histogram.percentile(0.5) == value)
        histogram.record(.max)
        #expect(histogram.count == 2)
        histogram.reset()
        #expect(histogram.percentile(0.99) == 0)
    }

    @Test("the timeline halves its resolution instead of growing")
    func timeline() {
        var timeline = Timeline()
        for second in 0..<5_000 {
            var sample = Timeline.Sample()
            sample.time = Double(second)
            sample.seconds = 1
            sample.deltas = 3
            timeline.add(sample)
        }
        #expect(timeline.samples.count < Timeline.maximumSamples)
        #expect(timeline.samples.allSatisfy { $0.deltasPerSecond == 3 })
    }

    @Test("timers fire in order")
    func timers() {
        var heap = TimerHeap<Int>()
        var random = SplitMix64(seed: 7)
        for _ in 0..<500 {
            let at = random.next() % 1_000
            heap.add(Int(at), at: at)
        }
        var fired: [Int] = []
        for now in stride(from: 0, through: 1_000, by: 10) as StrideThrough<UInt64> {
            while let timer = heap.popDue(now: now) {
                #expect(timer.at <= now)
                #expect(timer.payload == Int(timer.at))
                fired.append(timer.payload)
            }
        }
        #expect(fired.count == 500)
        #expect(heap.count == 0)
    }

    @Test("a narrow terminal shows what is wrong", arguments: [40, 80])
    func progress(columns: Int) {
        var sample = Timeline.Sample()
        sample.seconds = 1
        sample.deltas = 123_456
        sample.maximum = 1
        let line = ProgressLine(
            stage: "measured", latency: "delivery", sample: sample, errors: 1_234, violations: 10,
            connections: 9_500,
            active: 9_500, timeLeft: "60 s left")
        let text = line.text(columns: columns)
        #expect(text.count < columns)
        #expect(text.hasPrefix("VIOLATIONS 10 · errors 1234 · measured"))
        #expect(columns < 60 || text.contains("60 s left"))
    }

    @Test("numbers as people read them")
    func numbers() {
        #expect(Decimal.fixed(3.14159, places: 2) == "3.14")
        #expect(Decimal.fixed(-0.001, places: 2) == "0.00")
        #expect(Decimal.fixed(1.05, places: 1) == "1.1")
        #expect(Decimal.text(12.500) == "12.5")
        #expect(Decimal.text(100) == "100")
        #expect(Decimal.grouped(1_234_567) == "1,234,567")
        #expect(Decimal.duration(nanoseconds: 85_300) == "85.3 µs")
        #expect(Decimal.bytes(1_536) == "1.5 KiB")
    }

    @Test("steps of an axis are told in the unit that leaves no fraction")
    func wholeBytes() {
        let steps = [0, 512, 1_024, 1_536, 256 << 20, 1 << 30, 1_280 << 20].map { Double($0) }
        #expect(
            steps.map(Decimal.wholeBytes)
                == ["0 B", "512 B", "1 KiB", "1.5 KiB", "256 MiB", "1 GiB", "1280 MiB"])
    }
}
