#!/usr/bin/env python3
"""Checks the direction of dependencies between the modules of Package.swift.

Reads the declared dependencies from `swift package dump-package` and the real ones from the `import` lines.
"""

import json
import pathlib
import re
import subprocess
import sys

# From the bottom to the top. A module may depend on modules of lower layers only.
LAYERS = [
    {"GatewayCore", "CommandLineOptions"},
    {"Configuration", "Telemetry", "EventLoop", "TokenSigning"},
    {"WebSocketServer", "Upstream"},
    {"Gateway", "Simulator", "LoadClient"},
    {"millrace", "millrace-sim", "millrace-load", "millrace-bench"},
]

# Which Swift modules may see a C library. One each, but for OpenSSL: the load client speaks TLS with it.
C_IMPORTERS = {
    "CLibuv": {"EventLoop"},
    "CLibwebsockets": {"WebSocketServer"},
    "CLibcurl": {"Upstream"},
    "CLibyaml": {"Configuration"},
    "COpenSSL": {"TokenSigning", "LoadClient"},
    "CEpoll": {"LoadClient"},
    "CInterposed": {"WebSocketServer"},
}

# What a module may import besides modules of the package. The core imports nothing at all.
SYSTEM_MODULES = {"Glibc", "Synchronization"}

IMPORT = re.compile(
    r"^\s*(?:@\w+(?:\([^)]*\))?\s+)*(?:(?:public|package|internal|fileprivate|private)\s+)?import\s+"
    r"(?:(?:struct|class|enum|protocol|func|var|let|typealias)\s+)?(\w+)"
)


def imported_modules(text):
    """The modules that a Swift file imports."""
    return {match.group(1) for match in map(IMPORT.match, text.splitlines()) if match}


def violations(declared, imports, layers=LAYERS, c_importers=C_IMPORTERS):
    """What is wrong, as lines.

    `declared` maps each module, C modules included, to the names it declares to depend on; `imports` maps each
    Swift module to the names it imports.
    """
    rank = {name: number for number, layer in enumerate(layers) for name in layer}
    found = []
    for module in sorted(declared):
        if module not in rank and module not in c_importers:
            found.append(f"{module} stands in no layer: add it to .ci/check_layers.py")
    for module in sorted(set(rank) & set(declared)):
        used = imports.get(module, set())
        for name in sorted(set(declared[module]) | (used & set(declared))):
            if name in c_importers:
                if module not in c_importers[name]:
                    owners = ", ".join(sorted(c_importers[name]))
                    found.append(f"{module} may not depend on {name}: that is for {owners}")
            elif name not in rank:
                found.append(f"{module} depends on {name}, which stands in no layer")
            elif rank[name] >= rank[module]:
                found.append(f"{module} depends on {name}, which is not below it")
        for name in sorted(used):
            if module == "GatewayCore":
                found.append(f"GatewayCore imports {name}: the core imports nothing")
            elif name in declared:
                if name not in declared[module]:
                    found.append(f"{module} imports {name} without declaring it in Package.swift")
            elif name not in SYSTEM_MODULES:
                found.append(f"{module} imports {name}, which is neither ours nor the system's")
        for name in sorted(set(declared[module]) - used):
            found.append(f"{module} declares {name} and does not import it")
    return found


def read_package(root):
    """The declared and the imported modules of the targets that are no tests."""
    dump = subprocess.run(
        ["swift", "package", "dump-package"], cwd=root, capture_output=True, text=True, check=False
    )
    if dump.returncode != 0:
        sys.exit(dump.stderr)
    declared, imports = {}, {}
    for target in json.loads(dump.stdout)["targets"]:
        if target["type"] == "test":
            continue
        name = target["name"]
        declared[name] = [
            next(iter(value))
            for dependency in target["dependencies"]
            for value in dependency.values()
        ]
        folder = pathlib.Path(root, target.get("path") or f"Sources/{name}")
        imports[name] = set()
        for file in sorted(folder.rglob("*.swift")):
            imports[name] |= imported_modules(file.read_text())
    return declared, imports


def main():
    root = pathlib.Path(__file__).resolve().parent.parent
    declared, imports = read_package(root)
    found = violations(declared, imports)
    for line in found:
        print(f"layers: {line}", file=sys.stderr)
    if found:
        return 1
    print(f"layers: {len(declared)} modules, all in order")
    return 0


if __name__ == "__main__":
    sys.exit(main())
