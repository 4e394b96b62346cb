"""SIGTERM: no new work, what runs finishes, everybody is told."""

import http.client
import os
import signal

import pytest

from harness import Client, Closed, Gateway, RawSocket, Simulator, wait_until


def far_readers(gateway, client, count=8):
    """Connections of one session, of which some are on another shard than its log."""
    return [gateway.connect(resume=client.token) for _ in range(count)]


def test_a_running_response_finishes(start_gateway):
    gateway = start_gateway(shards=2, drain__timeout_ms=20000, drain__spread_ms=100)
    client = gateway.connect()
    others = far_readers(gateway, client)
    idle = [gateway.connect() for _ in range(6)]
    client.message("m1", "[sim:paced deltas=150 rate=100]")
    client.expect("delta")
    keeps = http.client.HTTPConnection("127.0.0.1", gateway.port)
    keeps.request("GET", "/readyz")
    assert keeps.getresponse().read().startswith(b"ready\n")
    gateway.terminate()
    for each in (client, *others, *idle):
        away = each.expect("going_away")
        assert 0 <= away["reconnect_after_ms"] <= 100
    for each in idle:
        assert each.expect_close() == 1012
    client.message("m2", "Hello")
    refusal = client.expect("error")
    assert (refusal["code"], refusal["message_id"]) == ("draining", "m2")
    assert refusal["retryable"] is True
    try:
        keeps.request("GET", "/readyz")
        assert keeps.getresponse().status == 503
    except (ConnectionError, http.client.HTTPException):
        pass  # On a shard that is done already.
    with pytest.raises(OSError):
        RawSocket(gateway)
    for each in (client, *others):
        end = each.complete("m1", status="completed")
        assert each.expect_close() == 1012
    assert gateway.wait() == 0


@pytest.mark.parametrize("ignored", [False, True])
def test_a_hang_up_drains_unless_it_is_ignored(start, sim, ignored):
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN if ignored else signal.SIG_DFL)
    try:
        gateway = start(Gateway, sim, drain__spread_ms=0)
    finally:
        signal.signal(signal.SIGHUP, before)
    client = gateway.connect()
    client.message("m1", "[sim:paced deltas=30 rate=100]")
    client.expect("delta")
    # A terminal that closes sends two.
    os.kill(gateway.pid, signal.SIGHUP)
    if not ignored:
        client.expect("going_away")
    os.kill(gateway.pid, signal.SIGHUP)
    client.complete("m1", status="completed")
    if not ignored:
        assert client.expect_close() == 1012
        assert gateway.wait() == 0
    assert gateway.is_running is ignored


def test_the_deadline_cancels_with_a_true_end(start_gateway, sim):
    gateway = start_gateway(shards=2, drain__timeout_ms=300, drain__spread_ms=100)
    before = sim.stats()["cancelled_by_client"]
    client = gateway.connect()
    others = far_readers(gateway, client)
    client.message("m1", "[sim:paced deltas=100000 rate=100]")
    client.expect("delta")
    gateway.terminate()
    for each in (client, *others):
        end = each.complete("m1", status="cancelled")
        assert end["reason"] == "draining" and end["text_bytes"] > 0
        assert each.expect_close() == 1012
    assert gateway.wait() == 0
    sim.wait_for_stats(lambda s: s["cancelled_by_client"] == before + 1, "the closed stream")


def test_a_reader_that_does_not_read_holds_nobody_up(start_gateway):
    gateway = start_gateway(shards=2, drain__timeout_ms=300, drain__spread_ms=100)
    raw = RawSocket(gateway, receive_buffer=4096)
    raw.send_json(
        {"type": "hello"},
        {"type": "message", "id": "m1", "input": "[sim:paced deltas=100000 rate=0 bytes=200]"})
    wait_until(lambda: gateway.metrics()["gateway_upstream_paused_total"] > 0)
    gateway.terminate()
    assert gateway.wait() == 0
    raw.close()


def test_the_second_signal_ends_at_once(start_gateway):
    gateway = start_gateway(shards=2, drain__timeout_ms=600000)
    client = gateway.connect()
    client.message("m1", "[sim:paced deltas=100000 rate=100]")
    client.expect("delta")
    gateway.terminate()
    client.expect("going_away")
    gateway.terminate()
    # Which is long before the deadline of the drain.
    assert gateway.wait() == 0
    client.expect_close()


def test_without_clients_it_ends_at_once(start_gateway):
    gateway = start_gateway(shards=2, drain__timeout_ms=600000)
    with gateway.connect() as client:
        client.message("m1", "[sim:paced deltas=100000 rate=100]")
        client.expect("delta")
    wait_until(lambda: gateway.metrics()["gateway_connections"] == 0)
    gateway.terminate()
    # Nobody can come back to the running response.
    assert gateway.wait() == 0


def test_a_client_that_leaves_during_the_drain(start_gateway, sim):
    gateway = start_gateway(shards=2, drain__timeout_ms=60000)
    before = sim.stats()["cancelled_by_client"]
    client = gateway.connect()
    others = far_readers(gateway, client)
    client.message("m1", "[sim:paced deltas=100000 rate=100]")
    client.expect("delta")
    gateway.terminate()
    client.expect("going_away")
    for each in (client, *others):
        each.reset()
    assert gateway.wait() == 0
    sim.wait_for_stats(lambda s: s["cancelled_by_client"] == before + 1, "the closed stream")


def test_a_connection_without_hello_is_told_too(start_gateway):
    gateway = start_gateway(drain__spread_ms=200)
    client = gateway.connect(hello=False)
    client.send({"type": "ping"})
    client.expect("pong")
    gateway.terminate()
    client.expect("going_away")
    assert client.expect_close() == 1012
    assert gateway.wait() == 0


def test_a_far_reader_alone_keeps_its_response(start_gateway):
    """The session's own shard may be without any connection."""
    gateway = start_gateway(shards=2, drain__timeout_ms=20000, drain__spread_ms=100)
    owner = gateway.connect()
    readers = far_readers(gateway, owner)
    owner.message("m1", "[sim:paced deltas=100 rate=100]")
    owner.expect("delta")
    owner.close()
    gateway.terminate()
    for each in readers:
        each.complete("m1", status="completed")
        assert each.expect_close() == 1012
    assert gateway.wait() == 0


def test_heartbeats_go_on_while_it_drains(start_gateway):
    gateway = start_gateway(server__heartbeat_s=1, drain__timeout_ms=60000, drain__spread_ms=0)
    client = gateway.connect()
    client.message("m1", "[sim:paced deltas=100000 rate=100]")
    client.expect("delta")
    gone = RawSocket(gateway)
    gone.send_json({"type": "hello", "resume": {"token": client.token, "after": 0}})
    wait_until(lambda: gateway.metrics()["gateway_connections"] == 2)
    gateway.terminate()
    frames = []
    while (frame := gone.read_frame()) is not None and frame[0] != 8:
        frames.append(frame[0])
    assert frame is not None and frame[1][:2] == (4409).to_bytes(2, "big")
    client.cancel()
    client.complete("m1", status="cancelled")
    assert client.expect_close() == 1012
    assert gateway.wait() == 0
