#!/usr/bin/env python3
"""Looks for constructs that this project does without, each for a reason that was measured or met."""

import pathlib
import re
import subprocess
import sys

# A pattern, why it is not wanted, and files in which it is.
RULES = [
    (r"\btry!", "traps: handle the error", ()),
    (r"\bas!", "traps: use as?", ()),
    (r"\bfatalError\(", "a peer must not be able to stop the process: precondition for our own mistakes", ()),
    (r"\bnonisolated\(unsafe\)", "only in the C tables", ("WebSocketServer/LibwebsocketsCallbacks.swift",)),
    (r"@preconcurrency", "hides what the compiler would say", ()),
    (r"\bTask(?:\.detached)?\s*(?:\(|\{)", "work does not leave its loop", ()),
    (r"\bJSONDecoder\b|\bJSONSerialization\b", "JSON is read by GatewayCore's reader", ()),
    (r"\blws_send_pipe_choked\b", "two system calls a delta: lws_partial_buffered is enough", ()),
    (r"\blws_service\b", "the loop is libuv's: the library's own costs 470 µs a message", ()),
    (r"\binfo\.extensions\b", "deflate stalls and corrupts under libuv", ()),
    (r"\bfd_limit_per_thread\b", "halves throughput and hides the real limit", ()),
    (r"LWS_SERVER_OPTION_ALLOW_LISTEN_SHARE", "does nothing on Debian's build: the listener is ours", ()),
    (r"\blws_close_reason\b", "the frame is sent seconds late or never: WebSocket.close writes its own", ()),
    (r"\blws_write\(", "one place writes to a kind of socket",
     ("WebSocketServer/WebSocket.swift", "WebSocketServer/HTTPExchange.swift", "CLibwebsockets/shim.h")),
    (r"CURL_HTTP_VERSION_2_PRIOR_KNOWLEDGE", "fails when a connection is used again", ()),
    (r"\bcurl_share_", "nothing of curl's is shared between threads: a worker shares TLS sessions with itself only",
     ("Upstream/TLSSessions.swift", "Upstream/UpstreamError.swift", "CLibcurl/shim.h")),
    (r"-Ounchecked|-enforce-exclusivity=unchecked|(?<!cSettings: \[\.)\bunsafeFlags\b",
     "checks stay on in releases", ()),
    (r"\b(?:usleep|nanosleep)\(|\b(?:Task|Thread)\.sleep\b|(?<![\w.])sleep\(", "wait for a condition, not for time", ()),
    (r"^\s*import Foundation\b", "large, and slow where it matters: Glibc and the core do", ()),
]
# Tests may trap, and compare through Foundation; they may not wait for time to pass.
TEST_RULES = [rule for rule in RULES if "usleep" in rule[0]]

COMMENT_OR_STRING = re.compile(r'"""(?:.|\n)*?"""|"(?:\\.|[^"\\\n])*"|//[^\n]*|/\*(?:.|\n)*?\*/')
UNFINISHED = re.compile(r"\b(?:TODO|FIXME|XXX)\b(?!\(#\d+\))")


def blanked(text):
    """The text with comments and strings emptied, lines kept."""

    def empty(match):
        return '""' + "\n" * match.group().count("\n") if match.group().startswith('"') else "\n" * match.group().count("\n")

    return COMMENT_OR_STRING.sub(empty, text)


def explains_sleep(lines, written, number):
    """Whether a test that sleeps asks for a condition in a loop, or says in the same line why it must."""
    near = lines[max(0, number - 5):number]
    return "//" in written[number - 1] or any(re.match(r"\s*(?:for|while|repeat)\b", line) for line in near)


def findings(path, text):
    """Pairs of a line number and what is wrong there."""
    lines = blanked(text).splitlines()
    written = text.splitlines()
    is_test = path.startswith("Tests/")
    found = []
    for pattern, reason, exceptions in TEST_RULES if is_test else RULES:
        if any(path.endswith(name) for name in exceptions):
            continue
        for number, line in enumerate(lines, 1):
            if is_test and explains_sleep(lines, written, number):
                continue
            for match in re.finditer(pattern, line):
                found.append((number, f"{match.group().strip()}: {reason}"))
    for number, line in enumerate(lines, 1):
        if "@unchecked Sendable" in line and not is_test:
            beside = "\n".join(written[max(0, number - 8):number + 2])
            if "//" not in beside:
                found.append((number, "@unchecked Sendable: say beside it which thread or lock makes it true"))
    for number, line in enumerate(written, 1):
        if UNFINISHED.search(line):
            found.append((number, "unfinished: name the issue, as in (#12)"))
    return sorted(found)


def main():
    root = pathlib.Path(__file__).resolve().parent.parent
    files = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", "Sources", "Tests", "Package.swift"],
        cwd=root, capture_output=True, text=True, check=True,
    ).stdout.split()
    bad = 0
    read = 0
    for name in files:
        file = root / name
        if file.suffix not in (".swift", ".h") or not file.exists():
            continue
        read += 1
        for number, reason in findings(name, file.read_text()):
            print(f"{name}:{number}: {reason}", file=sys.stderr)
            bad += 1
    if bad:
        return 1
    print(f"forbidden constructs: none in {read} files")
    return 0


if __name__ == "__main__":
    sys.exit(main())
