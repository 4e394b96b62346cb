/// The texts of the answers.
extension Playwright {
    /// The user's words as they fit into a sentence.
    var quoted: String {
        let text = request.plainText.split(whereSeparator: \.isNewline).joined(separator: " ")
        guard !text.isEmpty else { return "nothing in particular" }
        return text.count > 160 ? "“\(text.prefix(160))…”" : "“\(text)”"
    }

    var markdown: String {
        mutating get {
            let openings = ["Good question.", "Gladly.", "Here is a short answer.", "Let us see."]
            let opening = openings[Int(random.next() % UInt64(openings.count))]
            return """
                ## About \(quoted)

                \(opening) You wrote \(quoted), and this is a **simulated** answer from `\(request.model)`: \
                it streams like a real one, with a table, some code and a list.

                | Stage | What happens | Share |
                | :--- | :--- | ---: |
                | Intake | the water is led off the river | \(random.next() % 20 + 5) % |
                | Race | it gathers speed in the channel | \(random.next() % 30 + 25) % |
                | Wheel | it turns the wheel, drop by drop | \(random.next() % 30 + 35) % |

                ```swift
                func grind(_ grain: [String]) -> String {
                    // One delta after the other, none of them twice.
                    grain.joined(separator: " ")
                }
                print(grind(["every", "word", "counts"]))
                ```

                1. Each *delta* carries a few characters.
                2. The final event repeats the whole text.
                3. Joined, the two are equal — byte for byte.

                > The mill cannot grind with the water that is past.

                """
        }
    }

    /// An article of about `deltas` deltas.
    mutating func article(_ deltas: Int) -> String {
        let words = Self.words
        var text = "# The Long Race\n\n"
        var count = 8
        var sentence = 0
        while count < min(max(deltas, 1), 2_000_000) {
            if sentence % 24 == 0 {
                text += "## Chapter \(sentence / 24 + 1)\n\n"
                count += 6
            }
            let length = 6 + Int(random.next() % 12)
            for index in 0..<length {
                let word = words[Int(random.next() % UInt64(words.count))]
                text += index == 0 ? word.capitalizedASCII : " " + word
            }
            text += sentence % 6 == 5 ? ".\n\n" : ". "
            count += length + 2
            sentence += 1
        }
        return text
    }

    private static let words = [
        "water", "wheel", "stone", "river", "grain", "flour", "miller", "race", "sluice", "bridge",
        "willow", "evening", "turns", "carries", "listens", "slowly", "under", "above", "through",
        "the", "a", "and", "with", "bright", "heavy", "quiet", "old", "patient", "falls", "rises",
    ]

    var toolReply: String {
        var text = "The tool answered:\n"
        for output in request.input.newestOutputs {
            text += "\n- `\(output.callID)`: \(output.text)"
        }
        return text + "\n\nThat is all I needed to know.\n"
    }

    /// `turns: N`, the instructions and attachments, then the last inputs, each on its own line.
    var echo: String {
        let said = history.appending(request.input.userTexts)
        var text = "turns: \(said.turnCount)\n"
        if let instructions = request.body["instructions"]?.string {
            text += "instructions: \(instructions)\n"
        }
        if request.input.imageCount > 0 { text += "images: \(request.input.imageCount)\n" }
        if request.input.fileCount > 0 { text += "files: \(request.input.fileCount)\n" }
        for output in request.input.newestOutputs {
            text += "output of \(output.callID): \(output.text)\n"
        }
        let first = said.turnCount - said.lastTexts.count + 1
        for (index, input) in said.lastTexts.enumerated() { text += "\(first + index): \(input)\n" }
        return text
    }

    /// Pieces that a byte-wise reader gets wrong first; two of them cut a grapheme in the middle.
    var unicode: OutputItem {
        mutating get {
            let pieces = [
                "Grüße", ", ", "“quotes”", " \\ \"/\" ", "\n\ttab", " 你好", "，世", "界。",
                " こんにちは", " 안녕", " Здравствуйте", " שלום", " مرحبا", " ไทย", " हिन्दी", " ",
                "👩‍👩‍", "👧‍👦", " 🇳🇴", "🇺🇳", " e", "\u{301}", " \u{1D11E}", " \u{10FFFF}",
                " \u{0}\u{1}\u{1F}\u{7F}", " \u{2028}\u{2029}\u{85}", " \u{FEFF}", " \u{200B}",
                " data: x\n\ndata: [DONE]\n\n", " \u{FFFD}", " end.",
            ]
            return .message([TextRun(.outputText, .pieces(TextPieces(pieces: pieces)))], &random)
        }
    }

    mutating func reasoning(_ kind: TextRun.Kind) -> OutputItem {
        let encrypted = request.includes("reasoning.encrypted_content")
        let id = random.identifier("rs_")
        return OutputItem(
            .reasoning(encrypted: encrypted), id: id,
            runs: [
                TextRun(
                    kind,
                    "**Reading the question**\n\nThe user wrote \(quoted). I should find out what "
                        + "they need before I answer, and keep it short."),
                TextRun(
                    kind,
                    "**Choosing a form**\n\nA table compares, code shows, a list orders. I will use "
                        + "one of each so that every part of a renderer has something to do."),
            ])
    }
}

extension String {
    /// With its first letter in upper case, for ASCII words.
    fileprivate var capitalizedASCII: String { prefix(1).uppercased() + dropFirst() }
}
