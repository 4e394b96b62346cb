"""Whatever upstream does, a response ends once, and truly."""

import os
import resource
import socket
import ssl
import subprocess
import threading

import pytest

from harness import PATIENCE, Simulator, sha256, wait_until

# marker, expected code, retryable, partial text expected
FAULTS = [
    ("fault=status status=401", "upstream_http_status", False, False),
    ("fault=status status=404", "upstream_http_status", False, False),
    ("fault=status status=429 retry_after=1", "upstream_http_status", True, False),
    ("fault=status status=500", "upstream_http_status", True, False),
    ("fault=status status=503 shape=html", "upstream_http_status", True, False),
    ("fault=status status=500 shape=empty", "upstream_http_status", True, False),
    ("fault=status status=400 shape=detail", "upstream_http_status", False, False),
    ("fault=status status=429 code=insufficient_quota", "upstream_http_status", False, False),
    ("fault=refuse", "upstream_reset", True, False),
    ("fault=close", "upstream_reset", True, False),
    ("fault=http-garbage", "upstream_protocol_error", None, False),
    ("fault=content-type", "upstream_wrong_content_type", False, False),
    ("fault=redirect", "upstream_http_status", False, False),
    ("fault=reset after=8", "upstream_reset", True, True),
    ("fault=cut after=8", "upstream_truncated", True, True),
    ("fault=drop after=8", "upstream_truncated", True, True),
    ("fault=cut-character after=8", "upstream_truncated", True, True),
    ("fault=no-terminal", "upstream_truncated", True, True),
    ("fault=truncated-json after=8", "upstream_protocol_error", None, True),
    ("fault=invalid-utf8 after=8", "upstream_protocol_error", None, True),
    ("fault=error after=8", "upstream_failed", None, True),
    ("fault=error-flat after=8", "upstream_failed", None, True),
    ("fault=error-only after=8", "upstream_failed", None, True),
]


@pytest.fixture(scope="module")
def impatient(sim):
    from harness import Gateway

    process = Gateway(
        sim, shards=2, upstream__silence_timeout_ms=1000, upstream__keepalive_silence_ms=2000,
        upstream__first_event_timeout_ms=1500, upstream__response_header_timeout_ms=1500,
        upstream__total_timeout_ms=20000, upstream__line_bytes=65536, upstream__event_bytes=65536)
    yield process
    assert process.stop() == 0


@pytest.mark.parametrize("marker,code,retryable,partial", FAULTS, ids=[f[0][6:] for f in FAULTS])
def test_faults_end_as_failed(gateway, marker, code, retryable, partial):
    with gateway.connect() as client:
        end = client.ask("m1", f"[sim:paced deltas=40 rate=0 {marker}]", status="failed")
        error = end["error"]
        if code:
            assert error["code"] == code, error
        if retryable is not None:
            assert error["retryable"] is retryable, error
        assert (end["text_bytes"] > 0) is partial
        if "status=" in marker:
            status = int(marker.split("status=")[1].split()[0])
            assert error["upstream_status"] == status
        client.sync()
        assert client.events[-1] is end
        # The session goes on.
        client.ask("m2", "[sim:hello]")


@pytest.mark.parametrize("marker", [
    "fault=keepalive ms=1", "fault=comments ms=1 count=5", "fault=duplicate-terminal",
    "fault=after-terminal", "fault=done-marker", "fault=bom", "fault=crlf",
    "fault=stall ms=50", "fault=delay ms=50", "fault=slow-headers ms=1"])
def test_oddities_do_no_harm(gateway, marker):
    with gateway.connect() as client:
        client.ask("m1", f"[sim:paced deltas=40 rate=0 {marker}]")
        client.sync()
        assert client.events[-1]["type"] == "complete"


def test_a_seam_joins_what_two_upstreams_said(start, start_gateway, sim):
    """Its frames are held against the schemas, like all that the harness sees."""
    broken = start(Simulator, "--fault", "cut after=8")
    gateway = start_gateway(
        upstream=broken, fallback__urls=f"second={sim.url}/v1", fallback__order="second",
        fallback__seams=1)
    with gateway.connect() as client:
        end = client.ask("m1", "[sim:paced deltas=40 rate=0]")
        assert end["seams"] == [1]
        (seam,) = [event for event in client.events if event["type"] == "seam"]
        assert seam["index"] == 1 and seam["reason"] == "upstream_truncated"
        deltas = [event for event in client.events if event["type"] == "delta"]
        before = "".join(event["text"] for event in deltas if event["index"] == 0)
        after = "".join(event["text"] for event in deltas if event["index"] == 1)
        assert before and after
        assert end["text_sha256"] == sha256(before + after)


def test_garbage_between_events(gateway):
    """Lines that are no fields are passed over, as the format has it; what they break is a failure."""
    with gateway.connect() as client:
        for number in range(10):
            end = client.ask(
                f"m{number}", "[sim:paced deltas=40 rate=0 fault=garbage after=8]", status=None)
            assert end["status"] in ("completed", "failed")
            if end["status"] == "completed":
                item = [e for e in client.events if e["type"] == "item"][-1]["item"]
                assert client.text(end["response"]) == item["content"][0]["text"]
            else:
                assert end["error"]["code"] == "upstream_protocol_error"


@pytest.mark.parametrize("marker,code", [
    ("fault=silent", "upstream_header_timeout"),
    ("ttft=60000", "upstream_silence_timeout"),
    ("fault=stall after=8", "upstream_silence_timeout"),
    ("fault=comments after=8 ms=50", "upstream_keepalive_timeout"),
    ("fault=keepalive after=8 ms=50 count=1000", "upstream_keepalive_timeout"),
    ("fault=huge after=8 size=200000", "upstream_protocol_error"),
])
def test_deadlines_and_limits(impatient, sim, marker, code):
    with impatient.connect() as client:
        end = client.ask("m1", f"[sim:paced deltas=40 rate=0 {marker}]", status="failed")
        assert end["error"]["code"] == code
        # Upstream's stream is closed, not left alone.
    wait_until(lambda: impatient.metrics()["gateway_upstream_transfers"] == 0)


def test_the_whole_response_has_a_deadline(start_gateway):
    gateway = start_gateway(upstream__total_timeout_ms=3000, upstream__connect_timeout_ms=3000)
    with gateway.connect() as client:
        end = client.ask("m1", "[sim:paced deltas=100000 rate=100]", status="failed")
        assert end["error"]["code"] == "upstream_total_timeout" and end["text_bytes"] > 0


def test_an_answer_above_the_limit_fails(start_gateway, sim):
    gateway = start_gateway(limits__response_bytes=2000)
    before = sim.stats()["cancelled_by_client"]
    with gateway.connect() as client:
        end = client.ask("m1", "[sim:paced deltas=100000 rate=2000 bytes=50]", status="failed")
        assert end["error"]["code"] == "response_too_large"
        assert 0 < end["text_bytes"] <= 2000
    sim.wait_for_stats(lambda s: s["cancelled_by_client"] == before + 1, "the closed stream")


def test_more_events_than_the_limit_fail(start_gateway):
    gateway = start_gateway(limits__response_events=100)
    with gateway.connect() as client:
        end = client.ask("m1", "[sim:paced deltas=1000 rate=0]", status="failed")
        assert end["error"]["code"] == "response_too_large"


def test_a_refused_connection_is_reported_and_makes_unready(start_gateway):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        gateway = start_gateway(
            upstream=f"http://127.0.0.1:{port}/v1", breaker__enabled="true")
        assert gateway.get("/readyz")[0] == 200
        with gateway.connect() as client:
            # Three attempts each: the fifth that reaches nobody opens the breaker.
            for number, code in enumerate(
                    ["upstream_connect_refused", "upstream_connect_refused", "upstream_unavailable"]):
                end = client.ask(f"m{number}", status="failed")
                assert end["error"]["code"] == code
                assert end["error"]["retryable"] is True
        assert gateway.get("/readyz")[0] == 503
        assert gateway.get("/healthz")[0] == 200


def test_an_unknown_host_is_reported(start_gateway):
    gateway = start_gateway(upstream="http://no-such-host.invalid/v1")
    with gateway.connect() as client:
        end = client.ask("m1", status="failed")
        assert end["error"]["code"] in ("upstream_dns_failed", "upstream_dns_timeout")


def test_a_certificate_that_nobody_signed_is_refused(start_gateway, tmp_path):
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
         "-nodes", "-keyout", key, "-out", certificate, "-days", "2", "-subj", "/CN=localhost"],
        check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    listener = socket.create_server(("127.0.0.1", 0))

    def serve():
        while True:
            try:
                accepted, _ = listener.accept()
            except OSError:
                return
            try:
                context.wrap_socket(accepted, server_side=True).close()
            except OSError:
                accepted.close()

    threading.Thread(target=serve, daemon=True).start()
    gateway = start_gateway(upstream=f"https://127.0.0.1:{listener.getsockname()[1]}/v1")
    with gateway.connect() as client:
        end = client.ask("m1", status="failed")
        assert end["error"]["code"] == "upstream_tls_failed"
    listener.close()


def test_a_wrong_key_is_the_operators_business(start, start_gateway):
    sim = start(Simulator, "--api-key", "sk-right-key-of-the-gateway")
    gateway = start_gateway(upstream=sim, env={"OPENAI_API_KEY": "sk-wrong-key-of-the-gateway"})
    with gateway.connect() as client:
        end = client.ask("m1", status="failed")
        assert end["error"]["upstream_status"] == 401
        assert "sk-wrong" not in str(end) and "credentials" in end["error"]["message"]
    right = start_gateway(upstream=sim, env={"OPENAI_API_KEY": "sk-right-key-of-the-gateway"})
    with right.connect() as client:
        client.ask("m1", "[sim:hello]")


def test_a_gateway_without_descriptors_blames_itself(start_gateway):
    sim = Simulator()  # Nobody has a connection to it that stands already.
    gateway = start_gateway(
        upstream=sim, server__open_files=64, server__connections=40, upstream__attempts=1,
        breaker__enabled="true", breaker__unreachable=1)
    sockets = []
    try:
        with gateway.connect() as client:
            for _ in range(100):
                sockets.append(socket.create_connection(("127.0.0.1", gateway.port)))
            wait_until(lambda: len(os.listdir(f"/proc/{gateway.pid}/fd")) == 64, "no descriptor left")
            error = client.ask("m1", status="failed")["error"]
            assert (error["code"], error["retryable"]) == ("overloaded", True), error
            assert "server.open_files" in error["message"]
            while sockets:
                sockets.pop().close()
            wait_until(lambda: len(os.listdir(f"/proc/{gateway.pid}/fd")) < 40, "descriptors")
            # Upstream is not left alone for it.
            client.ask("m2", "[sim:hello]")
        assert "server.open_files" in str(gateway.logged("upstream request failed"))
    finally:
        for each in sockets:
            each.close()
        sim.stop()


def leave_descriptors(process, count):
    """Lowers the limit of a running process until it can open so many more."""
    used = {int(name) for name in os.listdir(f"/proc/{process.pid}/fd")}
    limit = max(used) + 1 + count - len(set(range(max(used))) - used)
    assert limit > max(used)
    _, most = resource.prlimit(process.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(process.pid, resource.RLIMIT_NOFILE, (limit, most))


@pytest.mark.parametrize("count", [0, 1, 2, 3])
def test_a_name_that_cannot_be_looked_up_for_lack_of_descriptors(start_gateway, count):
    gateway = start_gateway(
        upstream="http://nobody.invalid/v1", upstream__attempts=1, breaker__enabled="true",
        breaker__unreachable=1, breaker__open_ms=60000)
    with gateway.connect() as client:
        leave_descriptors(gateway, count)
        error = client.ask("m1", status="failed")["error"]
        assert (error["code"], error["retryable"]) == ("overloaded", True), error
        assert "server.open_files" in error["message"]
        leave_descriptors(gateway, 100)
        # Upstream was not left alone for it.
        error = client.ask("m2", status="failed")["error"]
        assert error["code"] in ("upstream_dns_failed", "upstream_dns_timeout"), error


def test_waiting_is_told(impatient):
    with impatient.connect() as client:
        client.message("m1", "[sim:paced deltas=20 rate=0 ttft=200]")
        states = []
        while True:
            frame = client.receive()
            if frame["type"] == "state":
                states.append(frame["state"])
            if frame["type"] == "complete":
                break
        assert states[:2] == ["connecting", "waiting"]


def test_upstreams_own_request_id_is_told(gateway):
    with gateway.connect() as client:
        end = client.ask("m1", "[sim:hello fault=status status=500]", status="failed")
        assert end["error"]["request_id"].startswith("req_")


def test_many_at_once_on_two_shards(start_gateway, sim):
    gateway = start_gateway(shards=2)
    clients = [gateway.connect() for _ in range(60)]
    for number, client in enumerate(clients):
        fault = ["", " fault=cut after=5", " fault=reset after=9", " fault=status"][number % 4]
        client.message("m", f"[sim:paced deltas=60 rate=200{fault}]")
    for number, client in enumerate(clients):
        client.complete("m", status="failed" if number % 4 else "completed")
        client.close()
    metrics = wait_until(
        lambda: (m := gateway.metrics())["gateway_connections"] == 0
        and m["gateway_upstream_transfers"] == 0 and m)
    assert metrics["gateway_responses_total{outcome=completed}"] == 15
    assert metrics["gateway_responses_total{outcome=failed}"] == 45
    assert metrics["gateway_responses_in_flight"] == 0
