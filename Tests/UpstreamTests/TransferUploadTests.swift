import Testing

@testable import Upstream

@Suite("What waits of an upload")
struct TransferUploadTests {
    private var upload = TransferUpload()

    /// Takes what a room of so many bytes gets.
    private mutating func take(_ roomBytes: Int) -> (TransferUpload.Portion, text: String) {
        var portion = TransferUpload.Portion.end
        let text = [UInt8](unsafeUninitializedCapacity: roomBytes) { room, count in
            portion = upload.take(into: room)
            if case .bytes(let taken) = portion { count = taken }
        }
        return (portion, String(decoding: text, as: UTF8.self))
    }

    @Test("is sent in the order it was fed, in pieces that fit")
    mutating func order() {
        upload.feed("abcde".utf8Span.span)
        #expect(take(2) == (.bytes(count: 2), "ab"))
        upload.feed("f".utf8Span.span)
        #expect(upload.waitingBytes == 4)
        #expect(take(9) == (.bytes(count: 4), "cdef"))
        #expect(upload.waitingBytes == 0)
        #expect(!upload.isStarved)
    }

    @Test("starves libcurl when it is nothing, which goes on with the next bytes")
    mutating func starves() {
        #expect(upload.goesOn() == false, "libcurl has not stopped")
        #expect(take(9) == (.later, ""))
        #expect(upload.isStarved)
        #expect(upload.goesOn() == false, "there is nothing to go on with")
        upload.feed("a".utf8Span.span)
        #expect(upload.goesOn() == true)
        #expect(upload.goesOn() == false, "it goes on already")
        #expect(take(9) == (.bytes(count: 1), "a"))
    }

    @Test("is over when upstream refuses it, with bytes that wait or without")
    mutating func refused() {
        #expect(take(9) == (.later, ""))
        upload.refuse()
        #expect(upload.goesOn() == true, "to hear the end")
        #expect(take(9) == (.end, ""))
        upload.feed("a".utf8Span.span)
        #expect(take(9) == (.end, ""))
        #expect(!upload.isStarved)
    }

    @Test("stays in order where the part that is sent is dropped")
    mutating func drops() {
        let half = 1 << 19
        for letter in ["a", "b", "c", "d", "e"] {
            upload.feed(String(repeating: letter, count: half).utf8Span.span)
        }
        for letter in ["a", "b", "c", "d", "e"] {
            let (portion, text) = take(half)
            #expect(portion == .bytes(count: half))
            #expect(text.allSatisfy { String($0) == letter }, "\(letter)")
        }
        #expect(upload.waitingBytes == 0)
    }
}
