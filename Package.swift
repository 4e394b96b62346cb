// swift-tools-version: 6.2

import PackageDescription

/// One set of rules for every target: Swift 6 isolation checked by the compiler, and no warning left.
let strict: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .treatAllWarnings(as: .error),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InternalImportsByDefault"),
]

/// Targets without C: the compiler also proves that they hold no unsafe construct unseen.
let pure: [SwiftSetting] = strict + [.strictMemorySafety()]

func library(
    _ name: String, _ dependencies: [Target.Dependency], settings: [SwiftSetting] = strict
) -> Target {
    .target(name: name, dependencies: dependencies, swiftSettings: settings)
}

func executable(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .executableTarget(name: name, dependencies: dependencies, swiftSettings: strict)
}

func tests(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .testTarget(
        name: "\(name)Tests", dependencies: [.target(name: name)] + dependencies,
        swiftSettings: strict)
}

let package = Package(
    name: "millrace",
    products: [
        .executable(name: "millrace", targets: ["millrace"]),
        .executable(name: "millrace-sim", targets: ["millrace-sim"]),
        .executable(name: "millrace-load", targets: ["millrace-load"]),
        .executable(name: "millrace-bench", targets: ["millrace-bench"]),
    ],
    targets: [
        // C libraries: a module map and typed shims each, imported by one Swift module only.
        .systemLibrary(name: "CLibuv", pkgConfig: "libuv"),
        .systemLibrary(name: "CLibwebsockets", pkgConfig: "libwebsockets"),
        .systemLibrary(name: "CLibcurl", pkgConfig: "libcurl"),
        .systemLibrary(name: "COpenSSL", pkgConfig: "openssl"),
        .systemLibrary(name: "CLibyaml", pkgConfig: "yaml-0.1"),
        .systemLibrary(name: "CEpoll"),
        // The one target with C of our own: functions that stand before those of the C library.
        // Its debug information is of the version that Debian 12's valgrind reads.
        .target(name: "CInterposed", cSettings: [.unsafeFlags(["-gdwarf-4"])]),

        // The core decides and imports nothing.
        library("GatewayCore", [], settings: pure),

        // Thin shells, one per concern.
        library("CommandLineOptions", [], settings: pure),
        library("Configuration", ["CLibyaml", "CommandLineOptions", "GatewayCore"]),
        library("Telemetry", []),
        library("EventLoop", ["CLibuv", "GatewayCore"]),
        library("TokenSigning", ["COpenSSL", "GatewayCore"]),
        library(
            "WebSocketServer", ["CLibwebsockets", "CInterposed", "EventLoop", "GatewayCore"]),
        library("Upstream", ["CLibcurl", "EventLoop", "GatewayCore"]),

        // The three programs: each is one library and a `main` of a few lines.
        library(
            "Gateway",
            [
                "GatewayCore", "CommandLineOptions", "Configuration", "Telemetry", "EventLoop",
                "TokenSigning", "WebSocketServer", "Upstream",
            ]),
        library(
            "Simulator", ["GatewayCore", "CommandLineOptions", "EventLoop", "WebSocketServer"]),
        // Shares no protocol code with the gateway: a common fault would pass its checks.
        library("LoadClient", ["CommandLineOptions", "Configuration", "CEpoll", "COpenSSL"]),
        executable("millrace", ["CommandLineOptions", "Gateway"]),
        executable("millrace-sim", ["Simulator"]),
        executable("millrace-load", ["LoadClient"]),
        // The operations whose instructions `make bench-check` counts.
        executable("millrace-bench", ["GatewayCore", "TokenSigning"]),

        tests("GatewayCore", []),
        tests("CommandLineOptions", []),
        tests("Configuration", ["CommandLineOptions"]),
        tests("Telemetry", []),
        tests("EventLoop", ["GatewayCore"]),
        tests("TokenSigning", ["GatewayCore"]),
        tests("WebSocketServer", ["EventLoop", "GatewayCore"]),
        tests("Upstream", ["EventLoop", "GatewayCore"]),
        tests(
            "Gateway",
            [
                "GatewayCore", "Configuration", "EventLoop", "LoadClient", "Simulator", "Telemetry",
                "TokenSigning", "WebSocketServer",
            ]),
        tests("Simulator", ["CommandLineOptions", "EventLoop", "GatewayCore"]),
        tests("LoadClient", []),
    ]
)
