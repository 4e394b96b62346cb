#!/usr/bin/env python3
"""Measures what one could pick instead of the gateway, on the same work in the same run.

bench/peers.py [--rounds N] [--only NAME]... [--json FILE] [--markdown FILE]

A run of all of them writes the table of README.md and docs/benchmarks.md.

Each peer alone on one core, simulator and load client on the other. The same load client drives all that
speak WebSockets; nginx only proxies the stream, and a client of its own reads it. Needs bench/peers/install.sh.
"""

import sys

from harness import (
    ROOT, Load, Server, arguments, circumstances, figure, fill, gateway, interleaved, machine, median_of, publish,
    sse_load, table)

PEERS = ROOT / "bench" / "peers"
BUILT = ROOT / ".build" / "peers"
PYTHON = BUILT / "python" / "bin" / "python"


def peer(*command):
    return lambda upstream: Server(command, environment={"UPSTREAM": f"{upstream.url}/v1"})


# Name, how it starts, what it is.
SERVERS = {
    "millrace": (gateway, "Millrace, one shard"),
    "nginx": (peer(PEERS / "nginx.sh"), "nginx, proxying the SSE (no WebSocket)"),
    "go": (peer("env", "GOMAXPROCS=1", BUILT / "go-relay"), "Go, net/http + gorilla/websocket"),
    "node": (peer("node", PEERS / "relay.js"), "Node + ws"),
    "aiohttp": (peer(PYTHON, PEERS / "aiohttp_relay.py"), "aiohttp + uvloop"),
    "fastapi": (peer(PYTHON, PEERS / "fastapi_relay.py"), "FastAPI + uvicorn + openai SDK"),
}
DOCUMENTS = ["README.md", "docs/benchmarks.md"]
# Streams, deltas, deltas a second of each (0: flat out), seconds.
WORK = {"paced": (200, 200, 50, 8), "flat": (64, 2000, 0, 5)}


def over_websockets(server, streams, deltas, rate, seconds):
    metrics = Load(server, {
        "sessions": streams, "ramp_s": 2 if rate else 1, "warmup_s": 4 if rate else 1,
        "duration_s": seconds, "drain_s": 240, "messages.spread_ms": 4000 if rate else 0,
        "request.timestamps": "true" if rate else "false", "limits.response_timeout_s": 300,
        "request.input": f"deltas={deltas} rate={rate} bytes=20",
        "request.expect_deltas": deltas}).metrics()
    return {"deltas_per_s": metrics["rate.deltas_per_s"],
            "cpu_us_per_delta": metrics["server.cpu_us_per_delta"],
            "cpu_share": metrics["server.cpu_share"],
            "p50_us": metrics.get("latency.delivery.p50_us", 0),
            "p99_us": metrics.get("latency.delivery.p99_us", 0)}


def case(name, work):
    drive = sse_load if name == "nginx" else over_websockets

    def measure(upstream):
        with SERVERS[name][0](upstream) as server:
            return drive(server, *WORK[work])
    return measure


def main():
    options = arguments(__doc__, SERVERS)
    chosen = options.only or list(SERVERS)
    began = machine()
    cases = {f"{name} {work}": case(name, work) for work in WORK for name in chosen}
    records = interleaved(cases, options.rounds)
    medians = {key: median_of(rounds) for key, rounds in records.items()}
    floor = {work: medians.get(f"nginx {work}", {}).get("cpu_us_per_delta") for work in WORK}
    rows = []
    for name in chosen:
        row = [SERVERS[name][1]]
        for work in WORK:
            record = medians[f"{name} {work}"]
            cost = record.get("cpu_us_per_delta")
            row += [figure(cost), figure(cost / floor[work] if cost and floor[work] else None)]
            if work == "paced":
                row += [figure(record.get("p50_us")), figure(record.get("p99_us"))]
            row.append(figure(record.get("deltas_per_s")))
        rows.append(row)
    text = table(["server", "paced: CPU µs per delta", "× nginx", "p50 µs", "p99 µs", "deltas per s",
                  "flat out: CPU µs per delta", "× nginx", "deltas per s"], rows)
    code = publish(options, text, began, records, medians)
    if code == 0 and chosen == list(SERVERS):
        text += f"\n\nMedians of {options.rounds} rounds: {circumstances(began, machine())}"
        for document in DOCUMENTS:
            fill(document, "peers", text)
    return code


if __name__ == "__main__":
    sys.exit(main())
