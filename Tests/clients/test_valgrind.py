"""A short life of a gateway with two shards, for `valgrind.sh`; its exit code tells of errors and leaks."""

import os

import pytest

from harness import RawSocket, wait_until

pytestmark = pytest.mark.skipif(
    "MILLRACE_WRAPPER" not in os.environ, reason="runs under valgrind.sh only")


def test_a_life(start_gateway, tmp_path):
    (tmp_path / "index.html").write_text("<!doctype html>")
    gateway = start_gateway(
        "--web", str(tmp_path), shards=2, server__open_files=1024, server__connections=200,
        replay__retention_s=1, drain__timeout_ms=20000, drain__spread_ms=100)
    client = gateway.connect()
    client.ask("m1", "[sim:markdown]")
    client.ask("m2", "[sim:mcp]")
    others = [gateway.connect(resume=client.token, after=number) for number in range(8)]
    client.message("m3", "[sim:paced deltas=100000 rate=200]")
    client.expect("delta")
    others[0].cancel(message="m3")
    for each in (client, *others):
        each.complete("m3", status="cancelled")
    for fault in ("status", "reset after=5", "cut after=5", "truncated-json after=5", "refuse"):
        client.ask("f-" + fault.split()[0], f"[sim:paced deltas=20 fault={fault}]", status="failed")
    for text in ("nonsense", "[]", '{"type":"x"}'):
        client.send_raw(text)
        client.expect("error")
    for path in ("/", "/healthz", "/metrics", "/nothing", "/v1/chat"):
        gateway.get(path)
    gateway.connect(resume="nonsense").close()
    with RawSocket(gateway) as raw:  # Leaves without a word.
        raw.send_json({"type": "hello"}, {"type": "message", "id": "m", "input": "x"})
    slow = RawSocket(gateway, receive_buffer=4096)
    slow.send_json({"type": "hello", "resume": {"token": client.token, "after": 0}})
    client.ask("m4", "[sim:paced deltas=5000 rate=0 bytes=100]", timeout=60)
    wait_until(lambda: gateway.connect(resume=client.token).expect("snapshot"))
    slow.close()
    client.message("m5", "[sim:paced deltas=100 rate=100]")
    client.expect("delta")
    gateway.terminate()
    for each in (client, others[1]):
        each.expect("going_away")
        each.complete("m5", status="completed")
        assert each.expect_close() == 1012
    assert gateway.wait(60) == 0, "\n".join(gateway.log[-5:])
