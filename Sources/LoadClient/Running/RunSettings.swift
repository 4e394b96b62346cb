/// How to run a scenario: what concerns this machine and this call, not the load itself.
package struct RunSettings {
    package enum Progress {
        case none
        case lines
        /// One line, drawn again and again, in so many columns.
        case terminal(columns: Int)
    }

    package var auth: String?
    package var isVerifyingTLS = true
    package var authorityFile: String?
    package var serverPID: Int32?
    package var progress = Progress.none

    package init() {}
}
