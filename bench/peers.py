#!/usr/bin/env python3
"""Measures what one could pick instead of the gateway, on the same work in the same run.

bench/peers.py [--rounds N] [--only NAME]... [--json FILE] [--markdown FILE]

Each peer alone on one core, simulator and load client on the other. The same load client drives all that
speak WebSockets; nginx only proxies the stream, and a client of its own reads it. Needs bench/peers/install.sh.
"""

import argparse
import json
import subprocess
import sys
from urllib.parse import urlsplit

from harness import OTHER_CORES, ROOT, Load, Server, figure, gateway, machine, median_of, simulator, table

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
# Streams, deltas, deltas a second of each (0: flat out), seconds.
WORK = {"paced": (200, 200, 50, 8), "flat": (64, 2000, 0, 5)}


def over_http(server, streams, deltas, rate, seconds):
    address = urlsplit(server.url)
    done = subprocess.run(
        ["taskset", "-c", OTHER_CORES, BUILT / "sse-load", address.hostname, str(address.port),
         str(streams), str(deltas), str(rate), "2", str(seconds), str(server.pid)],
        capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(done.stdout + done.stderr)
    return json.loads(done.stdout)


def over_websockets(server, streams, deltas, rate, seconds):
    metrics = Load(server, {
        "sessions": streams, "ramp_s": 2 if rate else 1, "warmup_s": 4 if rate else 1,
        "duration_s": seconds, "drain_s": 60, "messages.spread_ms": 4000 if rate else 0,
        "request.timestamps": "true" if rate else "false", "limits.response_timeout_s": 300,
        "request.input": f"deltas={deltas} rate={rate} bytes=20",
        "request.expect_deltas": deltas}).metrics()
    return {"deltas_per_s": metrics["rate.deltas_per_s"],
            "cpu_us_per_delta": metrics["server.cpu_us_per_delta"],
            "cpu_share": metrics["server.cpu_share"],
            "p50_us": metrics.get("latency.delivery.p50_us", 0),
            "p99_us": metrics.get("latency.delivery.p99_us", 0)}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", action="append", choices=SERVERS)
    parser.add_argument("--json")
    parser.add_argument("--markdown")
    arguments = parser.parse_args()
    chosen = arguments.only or list(SERVERS)
    began = machine()
    rounds = {(name, work): [] for name in chosen for work in WORK}
    with simulator() as upstream:
        for number in range(arguments.rounds):
            for work, numbers in WORK.items():
                for name in chosen:
                    print(f"round {number + 1}: {work}, {name}", file=sys.stderr, flush=True)
                    measure = over_http if name == "nginx" else over_websockets
                    try:
                        with SERVERS[name][0](upstream) as server:
                            rounds[name, work].append(measure(server, *numbers))
                    except RuntimeError as error:
                        print(f"{name} failed: {error}", file=sys.stderr)
    medians = {key: median_of(records) for key, records in rounds.items()}
    floor = {work: medians.get(("nginx", work), {}).get("cpu_us_per_delta") for work in WORK}
    rows = []
    for name in chosen:
        row = [SERVERS[name][1]]
        for work in WORK:
            record = medians[name, work]
            cost = record.get("cpu_us_per_delta")
            row += [figure(cost), figure(cost / floor[work] if cost and floor[work] else None)]
            if work == "paced":
                row += [figure(record.get("p50_us")), figure(record.get("p99_us"))]
            row.append(figure(record.get("deltas_per_s")))
        rows.append(row)
    text = table(["server", "paced: CPU µs per delta", "× nginx", "p50 µs", "p99 µs", "deltas per s",
                  "flat out: CPU µs per delta", "× nginx", "deltas per s"], rows)
    ended = machine()
    text += (f"\n\n{began['cpu']}, {began['cores']} cores, Linux {began['kernel']}; load average "
             f"{began['load_average']} before, {ended['load_average']} after.\n")
    print(text)
    if arguments.markdown:
        open(arguments.markdown, "w").write(text)
    if arguments.json:
        with open(arguments.json, "w") as file:
            json.dump({"machine": began, "load_average_after": ended["load_average"],
                       "medians": {f"{name} {work}": m for (name, work), m in medians.items()},
                       "rounds": {f"{name} {work}": r for (name, work), r in rounds.items()}},
                      file, indent=2)
    return 0 if all(rounds.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
