#!/usr/bin/env python3
"""Measures the gateway's release build whole: one shard alone on one core, simulator and load on the other.

bench/bench.py [--rounds N] [--only NAME]... [--json FILE] [--markdown FILE]

Rounds of all scenarios are interleaved, each with a gateway of its own; the medians are shown.
"""

import statistics
import subprocess
import sys
import time

from harness import (
    Load, arguments, figure, gateway, interleaved, machine, median_of, publish, sse_load, table)

CHAT = {"sessions": 200, "ramp_s": 2, "warmup_s": 2, "duration_s": 10, "drain_s": 6,
        "messages.spread_ms": 4000, "request.input": "deltas=200 rate=50 bytes=20",
        "request.expect_deltas": 200}


def run(server, **changes):
    return Load(server, {**CHAT, **{k.replace("__", "."): v for k, v in changes.items()}}).metrics()


def latencies(metrics, kind, scale=1):
    return {p: metrics.get(f"latency.{kind}.{p}_us", 0) * scale for p in ("p50", "p99")}


def paced(upstream, sessions=200, load=None, **settings):
    with gateway(upstream, **settings) as server:
        metrics = run(server, sessions=sessions, **(load or {}))
    delivery, first = latencies(metrics, "delivery"), latencies(metrics, "first_text")
    added = latencies(metrics, "first_text_added")
    return {"CPU, µs per delta": metrics["server.cpu_us_per_delta"],
            "deltas per s": metrics["rate.deltas_per_s"],
            "deltas per frame": metrics["rate.deltas_per_frame"],
            "delivery p50, µs": delivery["p50"], "delivery p99, µs": delivery["p99"],
            "first text p50, µs": first["p50"], "first text p99, µs": first["p99"],
            "added to first text p50, µs": added["p50"],
            "added to first text p99, µs": added["p99"]}


def paced_openai(upstream):
    return paced(upstream, load={"protocol": "openai"})


def floor(upstream):
    """Delivery with the gateway and without it: what is left of the difference is the gateway's.

    One small client for server-sent events reads at the simulator itself and through the gateway. The
    load client then reads the native protocol there; it does more with a delta, and that counts too.
    """
    work = (200, 200, 50, 10)
    found = {"from the simulator": sse_load(upstream, *work)}
    with gateway(upstream) as server:
        found["through the gateway"] = sse_load(server, *work)
    with gateway(upstream) as server:
        delivery = latencies(run(server), "delivery")
        found["and over a WebSocket"] = {f"{name}_us": value for name, value in delivery.items()}
    record = {f"{place}, {name}, µs": latency[f"{name}_us"]
              for place, latency in found.items() for name in ("p50", "p99")}
    direct, through, native = found.values()
    for name in ("p50_us", "p99_us"):
        record[f"added, {name[:3]}, µs"] = through[name] - direct[name]
        record[f"added over a WebSocket, {name[:3]}, µs"] = native[name] - direct[name]
    return record


def thousand(upstream):
    return paced(upstream, sessions=1000)


def two_shards(upstream):
    """On both cores, which simulator and load then share with it: CPU time, no latency."""
    with gateway(upstream, cores="0,1", shards=2) as server:
        metrics = run(server)
    return {"CPU, µs per delta": metrics["server.cpu_us_per_delta"],
            "deltas per s": metrics["rate.deltas_per_s"]}


def budget(upstream):
    return paced(upstream, MILLRACE_DELIVERY_LATENCY_BUDGET_MS=1)


def flat_out(upstream):
    with gateway(upstream) as server:
        metrics = run(server, sessions=64, ramp_s=1, warmup_s=1, duration_s=6,
                      messages__spread_ms=0, request__input="deltas=2000 rate=0 bytes=20",
                      request__expect_deltas=2000, request__timestamps="false")
    return {"CPU, µs per delta": metrics["server.cpu_us_per_delta"],
            "deltas per s": metrics["rate.deltas_per_s"],
            "one core's worth, deltas per s": 1e6 / metrics["server.cpu_us_per_delta"]}


def fan_out(upstream):
    """What each further reader of a session costs beside the first."""
    cpu = {}
    for readers in (1, 8):
        with gateway(upstream) as server:
            metrics = run(server, sessions=50, readers=readers)
        # `deltas` counts what all readers got.
        cpu[readers] = metrics["server.cpu_us_per_delta"] * readers
    return {"CPU, µs per delta, one reader": cpu[1], "eight readers": cpu[8],
            "each further reader / first": (cpu[8] - cpu[1]) / 7 / cpu[1]}


def beside_idle(upstream, idle=15000):
    with gateway(upstream, MILLRACE_SERVER_CONNECTIONS_PER_ADDRESS=0) as server:
        metrics = run(server, sessions=200 + idle, ramp_s=8, sources=4,
                      messages__share=200 / (200 + idle))
    return {"CPU, µs per delta": metrics["server.cpu_us_per_delta"]}


def idle(upstream, count=5000, seconds=50):
    with gateway(upstream) as server:
        before = server.memory_bytes()
        holding = Load(server, {"sessions": count, "ramp_s": 5, "duration_s": seconds + 5,
                                "request.input": ""})
        while server.metric("gateway_connections") < count:
            time.sleep(0.2)
        time.sleep(2)
        grown = server.memory_bytes() - before
        cpu, began = server.cpu_s(), time.monotonic()
        time.sleep(seconds)
        cpu, passed = server.cpu_s() - cpu, time.monotonic() - began
        holding.metrics()
    return {"memory per connection, KiB": grown / count / 1024,
            "CPU per connection, µs/s": cpu / passed / count * 1e6}


def streams(upstream, count=500, deltas=300):
    """Memory of a connection whose answer is nearly whole, its log included."""
    with gateway(upstream) as server:
        before = server.memory_bytes()
        loading = Load(server, {
            "sessions": count, "ramp_s": 1, "duration_s": 16, "drain_s": 20,
            "messages.per_session": 1, "messages.spread_ms": 0, "request.timestamps": "false",
            "request.input": f"deltas={deltas} rate=20 bytes=20",
            "request.expect_deltas": deltas})
        while server.metric("gateway_deltas_total") < count * deltas * 0.97:
            time.sleep(0.05)
        grown = server.memory_bytes() - before
        loading.metrics()
        after = server.memory_bytes() - before
    return {"memory per stream, KiB": grown / count / 1024,
            "after its end, KiB": after / count / 1024}


def cancel(upstream):
    with gateway(upstream) as server:
        metrics = run(server, messages__think_ms="[0, 200]", cancel__share=0.8,
                      cancel__at_deltas=5, request__expect_deltas=0)
    closed, heard = latencies(metrics, "upstream_closed"), latencies(metrics, "cancel")
    return {"to upstream closed p50, µs": closed["p50"], "p99, µs": closed["p99"],
            "to complete at the client p50, µs": heard["p50"], "client p99, µs": heard["p99"],
            "cancels": metrics["totals.cancels"]}


def resume(upstream):
    """Each answer is dropped once, after 100 deltas, for as long as 1,000 take."""
    with gateway(upstream) as server:
        metrics = run(server, sessions=20, duration_s=11, warmup_s=0,
                      messages__spread_ms=3000, drop__share=1, drop__at_deltas="[100]",
                      drop__away_ms=4000, drop__how="reset",
                      request__input="deltas=1400 rate=250 bytes=20", request__expect_deltas=1400)
    ready, caught = latencies(metrics, "reconnect"), latencies(metrics, "catch_up")
    return {"reconnect to ready p50, µs": ready["p50"], "ready p99, µs": ready["p99"],
            "1,000 deltas caught up p50, µs": caught["p50"], "caught up p99, µs": caught["p99"],
            "lost or repeated": metrics["totals.violations"]}


def system_calls(upstream, seconds=4):
    with gateway(upstream) as server:
        loading = Load(server, {**CHAT, "sessions": 50, "warmup_s": 0, "duration_s": 8})
        time.sleep(6)
        before = server.metric("gateway_deltas_total")
        trace = subprocess.run(
            ["timeout", "-s", "INT", str(seconds), "strace", "-f", "-c", "-p", str(server.pid)],
            capture_output=True, text=True)
        deltas = server.metric("gateway_deltas_total") - before
        loading.metrics()
    calls = {}
    for line in trace.stderr.splitlines():
        words = line.split()
        if len(words) >= 5 and words[0].replace(".", "").isdigit() and words[-1] != "total":
            calls[words[-1]] = int(words[3])
    record = {"calls per delta": sum(calls.values()) / deltas}
    for name, count in sorted(calls.items(), key=lambda item: -item[1])[:6]:
        record[name] = count / deltas
    return record


def start(upstream):
    times = []
    for _ in range(5):
        with gateway(upstream) as server:
            times.append(server.start_s * 1e3)
    return {"to its first line, ms": statistics.median(times)}


def slow_readers(upstream, count=1000):
    grown = {}
    for slow in (0, 1):
        with gateway(upstream) as server:
            before = server.memory_bytes()
            loading = Load(server, {
                "sessions": count // 10, "readers": 11, "ramp_s": 3, "duration_s": 12,
                "slow.share": slow * 0.9, "slow.bytes_per_s": 1024,
                "slow.receive_buffer_bytes": 4096, "drain_s": 1,
                "limits.response_timeout_s": 600, "request.timestamps": "false",
                "request.input": "deltas=4000 rate=200 bytes=20"})
            time.sleep(13)
            grown[slow] = server.memory_bytes() - before
            loading.process.kill()
            loading.process.communicate()
    return {"beyond a quick reader, KiB each": (grown[1] - grown[0]) / (count * 0.99) / 1024}


def beside_slow(upstream, count=1000):
    """The pace of quick readers on one gateway: alone, then beside slow readers that are far behind.

    The slow readers' client reads a thousand sockets ten times a second on the quick one's core: it gives way.
    """
    quick = {"sessions": 100, "duration_s": 8}
    with gateway(upstream, MILLRACE_SERVER_CONNECTIONS_PER_ADDRESS=0) as server:
        alone = latencies(run(server, **quick), "delivery")
        slow = Load(server, {
            "sessions": count // 100, "readers": 100, "ramp_s": 1, "duration_s": 120,
            "slow.share": 1, "slow.bytes_per_s": 1024, "slow.receive_buffer_bytes": 4096,
            "limits.response_timeout_s": 600, "request.timestamps": "false",
            "request.input": "deltas=20000 rate=200 bytes=20"}, gives_way=True)
        try:
            while server.metric("gateway_connections") < count:
                time.sleep(0.1)
            time.sleep(8)
            beside = latencies(run(server, **quick), "delivery")
        finally:
            slow.process.kill()
            slow.process.communicate()
    return {"quick readers' delivery p50 alone, µs": alone["p50"],
            "beside them p50, µs": beside["p50"],
            "quick readers' delivery p99 alone, µs": alone["p99"],
            "beside them p99, µs": beside["p99"],
            "p99 beside / alone": beside["p99"] / alone["p99"]}


# Name, what runs, and whether one round is enough: memory and counts are no matter of luck.
SCENARIOS = {
    "paced": (paced, "200 streams × 50 deltas/s", False),
    "openai": (paced_openai, "the same in OpenAI's WebSocket mode", False),
    "floor": (floor, "200 streams × 50 deltas/s, delivery as server-sent events", False),
    "budget": (budget, "200 streams × 50 deltas/s with a latency budget of 1 ms", False),
    "thousand": (thousand, "1,000 streams × 50 deltas/s", False),
    "flat-out": (flat_out, "64 streams × 2,000 deltas, flat out", False),
    "two-shards": (two_shards, "200 streams × 50 deltas/s, two shards", False),
    "fan-out": (fan_out, "50 sessions × 50 deltas/s, readers", False),
    "beside-idle": (beside_idle, "200 streams × 50 deltas/s beside 15,000 idle connections", False),
    "cancel": (cancel, "200 active streams, cancelled by message", False),
    "resume": (resume, "reset after 100 deltas, 1,000 missed", False),
    "idle": (idle, "5,000 idle connections, heartbeat 25 s", True),
    "streams": (streams, "500 active streams of 300 deltas", True),
    "slow-readers": (slow_readers, "1,000 slow readers (1 KB/s) of fast streams", True),
    "beside-slow": (beside_slow, "100 streams × 50 deltas/s beside 1,000 slow readers (1 KB/s)", False),
    "system-calls": (system_calls, "50 streams × 50 deltas/s under strace -c", True),
    "start": (start, "start", True),
}


def main():
    options = arguments(__doc__, SCENARIOS)
    chosen = options.only or list(SCENARIOS)
    began = machine()
    records = interleaved({name: SCENARIOS[name][0] for name in chosen}, options.rounds,
                          once=[name for name in chosen if SCENARIOS[name][2]])
    medians = {name: median_of(rounds) for name, rounds in records.items()}
    rows = []
    for name in chosen:
        for key, value in medians[name].items():
            values = [record[key] for record in records[name] if key in record]
            spread = f"{figure(min(values))} – {figure(max(values))}" if len(values) > 1 else ""
            rows.append([SCENARIOS[name][1], key, figure(value), spread])
    text = table(["scenario", "figure", "median", "range"], rows)
    return publish(options, text, began, records, medians)


if __name__ == "__main__":
    sys.exit(main())
