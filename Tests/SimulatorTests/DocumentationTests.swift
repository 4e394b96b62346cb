import CommandLineOptions
import Glibc
import Testing

@testable import Simulator

@Suite("docs/simulator.md")
struct DocumentationTests {
    private func text() throws -> String {
        let here = #filePath.split(separator: "/").dropLast(3).joined(separator: "/")
        let file = try #require(fopen("/\(here)/docs/simulator.md", "r"))
        defer { fclose(file) }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = fread(&buffer, 1, buffer.count, file)
            guard count > 0 else { break }
            bytes += buffer[..<count]
        }
        return bytes.text
    }

    /// The rows `| `name` | summary |` of the file.
    private func rows() throws -> [String] {
        try text().split(separator: "\n").filter { $0.hasPrefix("| `") }.map(String.init)
    }

    @Test("lists every scenario with what it does")
    func scenarios() throws {
        let rows = try rows()
        for scenario in Scenario.allCases {
            #expect(rows.contains("| `\(scenario.model)` | \(scenario.summary) |"))
        }
        let listed = rows.filter { $0.hasPrefix("| `sim-") }
        #expect(listed.count == Scenario.allCases.count)
    }

    @Test("lists every fault with what it does", arguments: Fault.Kind.allCases)
    func faults(_ kind: Fault.Kind) throws {
        #expect(try rows().contains("| `\(kind.rawValue)` | \(kind.summary) |"))
    }

    @Test("names every setting of a fault", arguments: FaultSettings.names)
    func settings(_ name: String) throws {
        #expect(try text().contains("`\(name)=") || name == "fault")
    }

    @Test("lists every option of the command line")
    func options() throws {
        let rows = try rows()
        for option in SimulatorProgram.program.command.options {
            let row = rows.first { $0.hasPrefix("| `--\(option.name) \(option.placeholder)` |") }
            #expect(row?.hasSuffix("| \(option.defaultText ?? "–") |") == true, "\(option.name)")
        }
    }
}
