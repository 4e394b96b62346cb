"""A reader that stops reading costs no more than its cursor; upstream waits for the best reader."""

import json
import threading
import time

import pytest

from harness import PATIENCE, Gateway, RawSocket, Simulator, read_all, sha256, stalled, text_of, wait_until

DELTAS, BYTES = 100_000, 100


@pytest.fixture(scope="module")
def big_gateway(sim):
    process = Gateway(
        sim, shards=2, replay__high_watermark_bytes=262144, replay__session_bytes=33554432,
        limits__response_bytes=33554432)
    yield process
    assert process.stop() == 0


@pytest.mark.parametrize("far", [False, True], ids=["one connection", "with far readers"])
def test_upstream_is_paused_while_nobody_reads_and_everything_arrives(big_gateway, sim, far):
    before = sim.stats()["bytes"]
    paused = big_gateway.metrics()["gateway_upstream_paused_total"]
    raw = stalled(big_gateway)
    others = []
    if far:
        ready = next(raw.read_objects())
        others = [
            stalled(big_gateway, resume={"token": ready["resume_token"], "after": 0})
            for _ in range(6)
        ]
    raw.send_json({
        "type": "message", "id": "m1",
        "input": f"[sim:paced deltas={DELTAS} rate=0 bytes={BYTES}]"})
    wait_until(
        lambda: big_gateway.metrics()["gateway_upstream_paused_total"] > paused, "the pause")
    # The kernel's buffers fill, then nothing moves.
    steady = [-1]

    def is_steady():
        steady.append(big_gateway.metrics()["gateway_upstream_received_bytes_total"])
        return len(steady) > 12 and len(set(steady[-10:])) == 1

    wait_until(is_steady, "a standstill")
    held = sim.stats()["bytes"] - before
    events = read_all(raw)
    sent = sim.stats()["bytes"] - before
    assert held < 0.9 * sent, "upstream was held back"
    assert events[-1]["status"] == "completed"
    assert events[-1]["text_bytes"] == DELTAS * BYTES
    assert events[-1]["text_sha256"] == sha256(text_of(events))
    for other in others:
        theirs = read_all(other)
        assert theirs[-1] == events[-1]
        assert sha256(text_of(theirs)) == events[-1]["text_sha256"]
        other.close()
    raw.close()


def test_a_stalled_reader_costs_no_memory_and_holds_nobody_up(big_gateway):
    """Twenty stalled readers of one session beside one that reads."""
    with big_gateway.connect() as client:
        stalled_ones = [
            stalled(big_gateway, resume={"token": client.token, "after": 0}) for _ in range(20)
        ]
        client.ask("warm", "[sim:hello]")
        began = big_gateway.resident_kib()
        client.ask("m1", f"[sim:paced deltas=40000 rate=0 bytes={BYTES}]", timeout=30)
        grown = big_gateway.resident_kib() - began
        # The log itself is 4 MB and may have spare room; twenty copies of it would be 80 MB.
        assert grown < 30_000, f"{grown} KiB"
        # Others on both shards are served meanwhile.
        for number in range(4):
            with big_gateway.connect() as other:
                other.ask(f"x{number}", "[sim:hello]")
        merged = read_all_from(stalled_ones[0], client.events[-1]["seq"])
        assert sha256(text_of(merged, client.events[-1]["response"])) == client.events[-1]["text_sha256"]
        assert any("from" in event for event in merged), "a reader that is behind gets merged deltas"
        for raw in stalled_ones:
            raw.close()


def read_all_from(raw, last):
    events, position = [], 0
    for frame in raw.read_objects():
        if frame["type"] == "snapshot":
            raise AssertionError("nothing was to be compacted")
        if "seq" in frame and frame["type"] not in ("ready", "state"):
            assert frame.get("from", frame["seq"]) == position + 1
            position = frame["seq"]
            events.append(frame)
            if position == last:
                return events
    raise AssertionError("the connection ended too early")


@pytest.mark.parametrize("shards", [1, 2])
def test_a_reader_that_was_passed_over_is_not_forgotten(start_gateway, shards):
    """Its events were compacted and a drain has begun while it read nothing: it gets all of it, and then leaves."""
    gateway = start_gateway(shards=shards, replay__retention_s=0, drain__spread_ms=0, drain__timeout_ms=60000)
    with gateway.connect() as client:
        slow = stalled(gateway, resume={"token": client.token, "after": 0})
        client.ask("m1", f"[sim:paced deltas=20000 rate=0 bytes={BYTES}]", timeout=60)
        complete = client.events[-1]
        frames = slow.read_objects()
        assert next(frames)["recovered"]
        gateway.terminate()
        seen = list(frames)
        [snapshot] = [frame for frame in seen if frame["type"] == "snapshot"]
        assert snapshot["through"] == complete["seq"]
        assert [response["response"] for response in snapshot["responses"]] == [complete["response"]]
        assert "going_away" in [frame["type"] for frame in seen]
        assert slow.close_code == 1012
        slow.close()
    assert gateway.wait() == 0


def test_a_client_that_asks_without_reading_is_closed(start_gateway):
    gateway = start_gateway(
        limits__frames_per_s=100000, limits__frames_burst=100000)
    raw = stalled(gateway)
    ping = json.dumps({"type": "ping", "id": "x" * 64})
    try:
        # Each is answered with a pong that is not read: the answers are bounded.
        for _ in range(400):
            raw.send_frame(1, "\n".join([ping] * 2000).encode())
    except OSError:
        pass  # It has been closed meanwhile.
    wait_until(lambda: gateway.metrics()["gateway_connections"] == 0)
    assert gateway.metrics()["gateway_closes_total{code=4410}"] == 1
    assert gateway.resident_kib() < 60_000
    raw.close()


def test_pings_of_a_far_reader_give_it_no_credit(big_gateway):
    """Answers of its own connection are no deliveries: what is on its way stays bounded."""
    with big_gateway.connect() as client:
        readers = [big_gateway.connect(resume=client.token) for _ in range(8)]
        for reader in readers:
            for number in range(10):
                reader.send({"type": "ping", "id": str(number)})
            reader.sync()
        client.ask("m1", "[sim:hello]")
        for reader in readers:
            reader.complete("m1", status="completed")
            reader.close()


def test_memory_is_looked_for_once_a_second_at_most_where_nothing_can_go(start_gateway):
    """Deserted sessions that still run cannot end: looking through them at each event would stall the shard."""
    gateway = start_gateway(
        shards=1, replay__process_bytes=1048576, replay__session_bytes=1048576,
        replay__high_watermark_bytes=1000000)
    began = time.monotonic()
    for _ in range(3):
        with gateway.connect() as client:
            client.message("m1", "[sim:paced deltas=700 rate=500 bytes=1000]")
            client.expect("delta")
    wait_until(
        lambda: gateway.metrics()["gateway_replay_log_bytes"] > 1_500_000, "logs above the limit")
    reliefs = gateway.metrics()["gateway_memory_reliefs_total"]
    assert 1 <= reliefs <= 2 + time.monotonic() - began


def test_answers_that_nobody_reads_end_the_connection(start_gateway):
    """Wherever the session is: with two shards, it is elsewhere for half of these."""
    gateway = start_gateway(shards=2, limits__frames_per_s=100_000, limits__frames_burst=100_000)
    with gateway.connect() as client:
        client.ask("m1", "[sim:hello]")
        client.sync()
        began = gateway.resident_kib()
        repeated = "\n".join([json.dumps({"type": "message", "id": "m1", "input": "[sim:hello]"})] * 2000)
        for closed in range(1, 9):
            with stalled(gateway, resume={"token": client.token, "after": 0}) as raw:
                for _ in range(10):
                    raw.send_frame(1, repeated.encode())
                wait_until(
                    lambda: gateway.metrics()["gateway_closes_total{code=4410}"] == closed,
                    "the end of a connection whose client does not read")
        assert gateway.resident_kib() - began < 16 << 10
