"""An upstream that speaks HTTP/2, as the real API does: a proxy on a server that others wrote, before the simulator."""

import csv
import pathlib
import socket
import ssl
import subprocess
import sys
import threading

import h2.config
import h2.connection
import h2.errors
import h2.events
import h2.exceptions
import pytest

from harness import (
    FIXTURES, PATIENCE, ROOT, Gateway, Simulator, read_all, sha256, stalled, text_of, wait_until)

ENDLESS = "[sim:paced deltas=1000000 rate=50]"


def make_certificate(folder):
    """Files of a certificate for localhost and of its key."""
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    if not key.exists():
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
             "-nodes", "-keyout", key, "-out", certificate, "-days", "2", "-subj", "/CN=localhost",
             "-addext", "subjectAltName=DNS:localhost"],
            check=True, capture_output=True)
    return certificate, key


class Proxy:
    """HTTP/2 over TLS in front, HTTP/1.1 to the simulator behind."""

    def __init__(self, folder, sim, maximum_streams=100, port=0):
        self.certificate, key = make_certificate(folder)
        self._process = subprocess.Popen(
            [sys.executable, "-B", ROOT / "Tests/clients/http2_proxy.py", sim.url, self.certificate, key,
             str(port), str(maximum_streams)],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.port = int(self._process.stdout.readline())

    @property
    def url(self):
        return f"https://localhost:{self.port}/v1"

    def go_away(self):
        """GOAWAY, then an end once the streams are over."""
        self._process.terminate()

    def wait(self):
        self._process.wait()

    def stop(self):
        self._process.kill()
        self._process.wait()


class ScriptedServer:
    """Speaks HTTP/2 by hand, with PyPI `h2`; each request is answered by the next of `answers`, the name of a method."""

    EVENTS = (
        b'data: {"type":"response.created","response":{"id":"resp_1","status":"in_progress"}}\n\n'
        b'data: {"type":"response.output_text.delta","output_index":0,"content_index":0,"delta":"Hello"}\n\n')
    END = b'data: {"type":"response.completed","response":{"id":"resp_1","status":"completed"}}\n\n'

    def __init__(self, folder, answers):
        self.certificate, key = make_certificate(folder)
        self.answers = list(answers)
        self.requests = 0
        #: To be set when the client has the text.
        self.text_came = threading.Event()
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(self.certificate, key)
        self._context.set_alpn_protocols(["h2"])
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"https://localhost:{self._listener.getsockname()[1]}/v1"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                accepted, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=[accepted], daemon=True).start()

    def _serve(self, accepted):
        connection = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False))
        connection.initiate_connection()
        try:
            with self._context.wrap_socket(accepted, server_side=True) as peer:
                peer.sendall(connection.data_to_send())
                while piece := peer.recv(65536):
                    for event in connection.receive_data(piece):
                        is_upload = self.answers and self.answers[0].endswith("_early")
                        if isinstance(event, h2.events.RequestReceived if is_upload else h2.events.StreamEnded):
                            self.requests += 1
                            for _ in getattr(self, self.answers.pop(0))(connection, event.stream_id):
                                peer.sendall(connection.data_to_send())
                    peer.sendall(connection.data_to_send())
        except (OSError, h2.exceptions.ProtocolError):
            pass  # The client has left, or was left.

    # Answers: what was said so far goes out at each `yield`.

    def complete(self, connection, stream):
        connection.send_headers(stream, [(":status", "200"), ("content-type", "text/event-stream")])
        yield connection.send_data(stream, self.EVENTS + self.END, end_stream=True)

    def reset_in_the_text(self, connection, stream):
        connection.send_headers(stream, [(":status", "200"), ("content-type", "text/event-stream")])
        yield connection.send_data(stream, self.EVENTS)
        assert self.text_came.wait(PATIENCE)
        yield connection.reset_stream(stream, h2.errors.ErrorCodes.INTERNAL_ERROR)

    def reset(self, connection, stream):
        yield connection.reset_stream(stream, h2.errors.ErrorCodes.INTERNAL_ERROR)

    def refuse(self, connection, stream):
        """RFC 9113, section 8.7: the request was not processed, and may be sent again."""
        yield connection.reset_stream(stream, h2.errors.ErrorCodes.REFUSED_STREAM)

    def go_away(self, connection, stream):
        """RFC 9113, section 6.8: streams above the last one named were not processed."""
        yield connection.close_connection(last_stream_id=max(0, stream - 2))

    # Answers to an upload of which no more than its head has come. Nothing of it is read: the window stays full.

    def refuse_early(self, connection, stream):
        connection.send_headers(stream, [(":status", "413"), ("content-type", "application/json")])
        connection.send_data(stream, b'{"error":{"message":"too much","code":"too_much"}}', end_stream=True)
        yield None

    def refuse_and_reset_early(self, connection, stream):
        """RFC 9113, section 8.1: the client is asked to send no more."""
        yield from self.refuse_early(connection, stream)
        yield connection.reset_stream(stream, h2.errors.ErrorCodes.NO_ERROR)

    def take_early(self, connection, stream):
        connection.send_headers(
            stream, [(":status", "200"), ("content-type", "application/json"), ("content-length", "15")])
        yield connection.send_data(stream, b'{"id":"file-1"}', end_stream=True)

    def take_and_reset_early(self, connection, stream):
        yield from self.take_early(connection, stream)
        yield connection.reset_stream(stream, h2.errors.ErrorCodes.NO_ERROR)

    def stop(self):
        self._listener.close()


@pytest.fixture
def start_server(tmp_path):
    """Starts servers of one certificate that end with the test."""
    started = []

    def begin(kind, *arguments, **options):
        started.append(kind(tmp_path, *arguments, **options))
        return started[-1]

    yield begin
    for server in started:
        server.stop()


@pytest.fixture
def start_scripted(start_server):
    return lambda *answers: start_server(ScriptedServer, answers)


@pytest.fixture
def start_proxy(start_server, sim):
    return lambda to=sim, **options: start_server(Proxy, to, **options)


@pytest.fixture
def start_behind(start):
    """Starts a gateway whose upstream is one of these servers."""

    def begin(server, **settings):
        return start(Gateway, server.url, upstream__ca_file=server.certificate, **settings)

    return begin


def connections(gateway):
    return gateway.metrics()["gateway_upstream_connections_total"]


def test_all_answers_share_one_connection(start_proxy, start_behind):
    gateway = start_behind(start_proxy())
    clients = [gateway.connect() for _ in range(20)]
    for client in clients:
        client.message("m1", "[sim:paced deltas=20 rate=50]")
    for client in clients:
        client.complete("m1", status="completed")
    assert connections(gateway) == 1


def test_a_cancel_closes_its_stream_alone(start_proxy, start_behind, sim):
    gateway = start_behind(start_proxy())
    before = sim.stats()["cancelled_by_client"]
    clients = [gateway.connect() for _ in range(12)]
    for client in clients:
        client.message("m1", ENDLESS)
    for client in clients:
        client.expect("delta")
    for client in clients[:6]:
        client.cancel()
    for client in clients[:6]:
        client.complete("m1", status="cancelled")
    sim.wait_for_stats(lambda s: s["cancelled_by_client"] == before + 6, "six closed streams")
    for client in clients[6:]:
        position = client.sequence
        while client.sequence < position + 5:
            client.expect("delta")
    assert connections(gateway) == 1


def test_a_reader_that_stops_pauses_its_stream_alone(start_proxy, start_behind):
    gateway = start_behind(
        start_proxy(), replay__high_watermark_bytes=262144, replay__session_bytes=33554432,
        limits__response_bytes=33554432)
    raw = stalled(gateway)
    raw.send_json({
        "type": "message", "id": "m1", "input": "[sim:paced deltas=100000 rate=0 bytes=100]"})
    wait_until(lambda: gateway.metrics()["gateway_upstream_paused_total"] > 0, "the pause")
    with gateway.connect() as client:
        for number in range(5):
            client.ask(f"m{number}", "[sim:paced deltas=100 rate=0]")
    assert connections(gateway) == 1
    events = read_all(raw)
    assert events[-1]["status"] == "completed"
    assert events[-1]["text_sha256"] == sha256(text_of(events))
    raw.close()


def test_more_answers_than_the_server_allows_on_a_connection(start_proxy, start_behind):
    gateway = start_behind(start_proxy(maximum_streams=4))
    clients = [gateway.connect() for _ in range(12)]
    # The limit is known from the first answer on.
    clients[0].ask("m0")
    for client in clients:
        client.message("m1", ENDLESS)
    for client in clients:
        client.expect("delta")
    assert connections(gateway) >= 3
    for client in clients:
        client.cancel()
        client.complete("m1", status="cancelled")


def test_a_connection_that_breaks_ends_each_of_its_answers_once(start_proxy, start_behind):
    proxy = start_proxy()
    gateway = start_behind(proxy)
    clients = [gateway.connect() for _ in range(8)]
    for client in clients:
        client.message("m1", ENDLESS)
    for client in clients:
        client.expect("delta")
    proxy.stop()
    for client in clients:
        end = client.complete("m1", status="failed")
        assert end["error"]["code"] in ("upstream_truncated", "upstream_reset")
        assert end["error"]["retryable"] and end["text_bytes"] > 0
    start_proxy(port=proxy.port)
    for client in clients:
        client.ask("m2")


def test_a_server_that_goes_away_finishes_its_answers(start_proxy, start_behind):
    proxy = start_proxy()
    gateway = start_behind(proxy)
    clients = [gateway.connect() for _ in range(8)]
    for client in clients:
        client.message("m1", "[sim:paced deltas=60 rate=50]")
    for client in clients:
        client.expect("delta")
    proxy.go_away()
    for client in clients:
        client.complete("m1", status="completed")
    proxy.wait()
    start_proxy(port=proxy.port)
    for client in clients:
        client.ask("m2")
    assert connections(gateway) == 2


@pytest.mark.parametrize("fault,code,has_text", [
    ("fault=cut after=8", "upstream_truncated", True),
    # The proxy answers with 500.
    ("fault=close", "upstream_http_status", False),
])
def test_one_stream_that_breaks_leaves_the_connection(start_proxy, start_behind, fault, code, has_text):
    gateway = start_behind(start_proxy())
    with gateway.connect() as other, gateway.connect() as client:
        other.message("m1", ENDLESS)
        other.expect("delta")
        end = client.ask("m1", f"[sim:paced deltas=20 rate=100 {fault}]", status="failed")
        assert end["error"]["code"] == code
        assert end["error"]["retryable"]
        assert (end["text_bytes"] > 0) == has_text
        client.ask("m2")
        other.expect("delta")
        assert connections(gateway) == 1


def test_a_stream_that_is_reset_in_its_text_fails_once(start_scripted, start_behind):
    server = start_scripted("reset_in_the_text", "complete")
    gateway = start_behind(server)
    with gateway.connect() as client:
        client.message("m1")
        client.expect("delta")
        server.text_came.set()
        end = client.complete("m1", status="failed")
        assert end["error"]["code"] == "upstream_reset" and end["error"]["retryable"]
        assert client.text(end["response"]) == "Hello"
        client.ask("m2")
        assert server.requests == 2
        assert connections(gateway) == 1


@pytest.mark.parametrize("answer", ["reset", "refuse", "go_away"])
def test_a_stream_that_ends_before_its_answer_is_asked_for_again(start_scripted, start_behind, answer):
    server = start_scripted(answer, "complete", "complete")
    gateway = start_behind(server)
    with gateway.connect() as client:
        end = client.ask("m1")
        assert client.text(end["response"]) == "Hello"
        client.ask("m2")
        assert server.requests == 3


def test_recordings_come_through_whole(start, start_proxy, start_behind):
    sim = start(Simulator, "--replay", str(FIXTURES), "--chunk", "7")
    gateway = start_behind(start_proxy(to=sim))
    with (FIXTURES / "INDEX.tsv").open() as file:
        rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    with gateway.connect() as client:
        for number, row in enumerate(rows):
            name = pathlib.Path(row["file"]).stem
            end = client.ask(f"m{number}", f"[sim:replay={name} rate=0]", status=None)
            assert end["text_sha256"] == row["text_sha256"], name
            assert "response." + end["status"] == row["terminal"], name


@pytest.mark.parametrize("answer,status,words", [
    ("refuse_early", 413, b"too much"),
    ("refuse_and_reset_early", 413, b"too much"),
    ("take_early", 200, b"file-1"),
    ("take_and_reset_early", 200, b"file-1"),
])
@pytest.mark.parametrize("sent", [100, 1 << 20])
def test_an_upload_is_answered_before_its_end(start_scripted, start_behind, answer, status, words, sent):
    server = start_scripted(answer, "complete")
    gateway = start_behind(server, upstream__response_header_timeout_ms=60000)
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=20) as peer:
        peer.sendall(
            b"POST /v1/files HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=x\r\n"
            b"Content-Length: 8388608\r\n\r\n" + b"x" * sent)
        got = b""
        while words not in got or b"chunked" in got and not got.endswith(b"0\r\n\r\n"):
            piece = peer.recv(65536)
            assert piece, got
            got += piece
        assert got.startswith(b"HTTP/1.1 %d " % status), got
    with gateway.connect() as client:
        client.ask("m1")
