package import EventLoop
internal import Glibc
package import WebSocketServer

/// A running simulator on a loop; belongs to the loop's thread.
package final class Simulator {
    /// The port it listens on.
    package let port: UInt16
    private let core: SimulatorCore
    private let server: WebSocketServer

    /// Why a simulator could not start.
    package enum Failure: Error, CustomStringConvertible {
        case replay(ReplayLibrary.Failure)
        case fault(String)
        case server(ServerError)

        package var description: String {
            switch self {
            case .replay(let failure): failure.description
            case .fault(let text): "--fault: \(text)"
            case .server(let error): error.description
            }
        }
    }

    /// Listens from now on.
    package init(loop: EventLoop, options: SimulatorOptions) throws(Failure) {
        do {
            core = try SimulatorCore(loop: loop, options: options)
        } catch {
            throw .replay(error)
        }
        do throws(APIError) {
            if let text = options.fault { _ = try Fault(commandLine: text) }
        } catch {
            throw .fault(error.message)
        }
        var serverOptions = ServerOptions()
        serverOptions.maximumBodyBytes = 64 << 20
        do throws(ServerError) {
            server = try WebSocketServer(loop: loop, options: serverOptions, handler: core)
        } catch {
            throw .server(error)
        }
        do throws(ServerError) {
            port = try server.listen(host: options.host, port: options.port)
        } catch {
            server.destroy()
            throw .server(error)
        }
    }

    /// Stops and cuts every connection.
    ///
    /// `finishStopping` follows after the loop's `run` has returned.
    package func stop() { server.destroy() }

    /// Frees what could not be freed while the loop ran.
    package func finishStopping() { server.finishDestroying() }
}
