"""A process that stands still for a while: stopped, paused with its container, moved with its machine."""

import os
import signal
import time

from harness import Simulator


def test_what_came_meanwhile_counts(start_gateway, start):
    """The bytes that upstream has sent in time wait in the socket, and are no silence."""
    gateway = start_gateway(
        upstream=start(Simulator, rate="20"), upstream__silence_timeout_ms=1000,
        upstream__keepalive_silence_ms=1000)
    with gateway.connect() as client:
        client.message("m1", "[sim:long deltas=150]")
        for _ in range(15):  # Until no other timer is due before the deadline of silence.
            client.expect("delta")
        os.kill(gateway.pid, signal.SIGSTOP)
        time.sleep(4)
        os.kill(gateway.pid, signal.SIGCONT)
        client.complete("m1", status="completed")


def test_who_was_not_asked_is_not_given_up(start_gateway):
    """Nobody was pinged while the gateway stood still, so nobody has failed to answer."""
    gateway = start_gateway(server__heartbeat_s=1)
    with gateway.connect() as client:
        os.kill(gateway.pid, signal.SIGSTOP)
        time.sleep(4)
        os.kill(gateway.pid, signal.SIGCONT)
        for _ in range(5):  # Turns of the loop, in which all that is due is done.
            assert gateway.get("/healthz")[0] == 200
        assert gateway.metrics()["gateway_connections"] == 1
        client.ask("m1", "hello")
