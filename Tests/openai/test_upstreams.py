"""Upstreams that stall, leave, or are several; a scripted one stands for what the simulator does not do."""

import json
import socket
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import openai
import pytest

from conftest import KEY, Gateway
from test_http import until

AUTHORIZATION = {"authorization": "Bearer " + KEY}


class Scripted(BaseHTTPRequestHandler):
    """Answers by path; everything it saw is in `server.seen`, what broke off in `server.broken`."""

    protocol_version = "HTTP/1.1"

    def head(self, status=200, type="application/json", length=None):
        self.send_response(status)
        self.send_header("content-type", type)
        if length is None:
            self.send_header("connection", "close")
        else:
            self.send_header("content-length", str(length))
        self.end_headers()

    def say(self, body, status=200):
        data = json.dumps(body).encode()
        self.head(status, length=len(data))
        self.wfile.write(data)

    def event(self, type, number, **members):
        data = json.dumps({"type": type, "sequence_number": number, **members})
        self.wfile.write(f"event: {type}\ndata: {data}\n\n".encode())
        self.wfile.flush()

    def response(self, status):
        return {"id": self.server.name + "_1", "object": "response", "status": status,
                "model": "m", "output": []}

    def pump(self):
        try:
            while True:
                self.wfile.write(b"x" * 65536)
        except OSError:
            self.server.broken.append(self.path)

    def until_closed(self):
        self.connection.recv(1)
        self.server.broken.append(self.path)

    def do_POST(self):
        if "early" in self.headers.get("content-type", ""):
            return self.answer_early()
        body = b""
        try:
            left = int(self.headers.get("content-length", 0))
            while left > 0:
                piece = self.rfile.read1(min(left, 65536))
                if not piece:
                    self.server.broken.append(self.path)
                    self.close_connection = True
                    return
                body, left = body + piece, left - len(piece)
        finally:
            self.server.seen.append(("POST", self.path, body))
        if self.path != "/v1/responses":
            return self.say({"id": self.server.name, "object": "response", "status": "cancelled"})
        request = json.loads(body)
        self.head(type="text/event-stream")
        if "no object" in request["input"]:
            return self.event("response.completed", 0, response=None)
        if "thinks" in request["input"]:
            self.event("response.created", 0, response=self.response("in_progress"))
            return self.until_closed()
        self.event("response.created", 0, response=self.response("queued"))
        if "bare end" in request["input"]:
            return self.event("response.completed", 1)
        self.event("response.in_progress", 1, response=self.response("in_progress"))
        if "cut" in request["input"]:
            return
        if request.get("background"):
            return self.until_closed()
        self.event("response.completed", 2, response=self.response("completed"))

    def answer_early(self):
        """The answer first; then the body is not read at all, or read to its end in the middle of the answer."""
        self.close_connection = True
        if "whole" not in self.headers["content-type"]:
            self.say({"id": "file-early"})
            return self.server.gate.wait(30)
        self.head(length=20)
        self.wfile.write(b"x" * 10)
        self.wfile.flush()
        left = int(self.headers["content-length"])
        while left > 0 and (piece := self.rfile.read1(min(left, 65536))):
            left -= len(piece)
        self.wfile.write(b"y" * 10)

    def do_GET(self):
        self.server.seen.append(("GET", self.path, b""))
        if self.path.startswith("/v1/models/stall"):
            return self.until_closed()
        if self.path == "/v1/files/half/content":
            self.head(type="application/octet-stream", length=1000)
            self.wfile.write(b"x" * 10)
            self.wfile.flush()
            return self.until_closed()
        if self.path == "/v1/files/endless/content":
            self.head(type="application/octet-stream")
            return self.pump()
        if "stream=true" in self.path:
            self.head(type="text/event-stream")
            self.event("response.output_text.delta", 2, output_index=0, content_index=0,
                       item_id="i", delta="on")
            return self.event("response.completed", 3, response=self.response("completed"))
        if self.server.name in self.path or self.path == "/v1/models":
            return self.say({"id": self.server.name, "object": "list", "data": []})
        self.say({"error": {"message": "no", "type": "invalid_request_error", "code": None,
                            "param": None}}, 404)

    do_DELETE = do_GET

    def log_message(self, *_):
        pass


class Patient(ThreadingHTTPServer):
    request_queue_size = 128  # Some tests connect many times at once.


@pytest.fixture
def scripted():
    servers = []

    def make(name="one", port=0):
        server = Patient(("127.0.0.1", port), Scripted)
        server.daemon_threads = True
        server.name, server.seen, server.broken = name, [], []
        server.gate = threading.Event()
        server.url = "http://127.0.0.1:%d" % server.server_port
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return server

    yield make
    for server in servers:
        server.gate.set()
        server.shutdown()
        server.server_close()


@pytest.fixture
def start():
    gateways = []

    def make(*what):
        gateways.append(Gateway(*what))
        return gateways[-1]

    yield make
    for gateway in gateways:
        gateway.stop()


def test_a_stalled_answer_has_deadlines(scripted, start):
    upstream = scripted()
    gateway = start(
        upstream, "upstream.response_header_timeout_ms=1500", "upstream.silence_timeout_ms=1500")
    with httpx.Client(base_url=gateway.url, headers=AUTHORIZATION, timeout=30) as client:
        answer = client.get("/v1/models/stall")
        assert answer.status_code == 502
        assert answer.json()["error"]["code"] == "upstream_header_timeout"
        with pytest.raises(httpx.RemoteProtocolError):  # Never a short body that looks whole.
            client.get("/v1/files/half/content")
    until(lambda: len(upstream.broken) == 2)


def test_upstream_is_closed_when_the_client_leaves(scripted, start):
    upstream = scripted()
    gateway = start(upstream)
    with httpx.stream(
        "GET", gateway.url + "/v1/files/endless/content", headers=AUTHORIZATION) as answer:
        assert next(answer.iter_bytes())
    until(lambda: "/v1/files/endless/content" in upstream.broken)
    host, port = gateway.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as uploading:
        uploading.sendall(
            (f"POST /v1/files HTTP/1.1\r\nhost: a\r\nauthorization: Bearer {KEY}\r\n"
             "content-type: multipart/form-data; boundary=x\r\ncontent-length: 10000000\r\n\r\n"
             ).encode() + b"x" * 500_000)
    until(lambda: "/v1/files" in upstream.broken)


@pytest.mark.parametrize("length,sent", [(5_000_000, 3), (3000, 3000)])
def test_an_upload_that_is_answered_unread_has_an_end(scripted, start, length, sent):
    gateway = start(scripted(), "upstream.silence_timeout_ms=600000")
    with upload(gateway, length, b"x" * sent, boundary="early") as peer:
        answer = read_until(peer, b"\r\n0\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 200") and b"file-early" in answer


def test_an_upload_goes_on_while_it_is_answered(scripted, start):
    gateway = start(scripted())
    with upload(gateway, 5_000_000, b"", boundary="early-whole") as peer:
        answer = read_until(peer, b"x" * 10)
        peer.sendall(b"x" * 5_000_000)
        answer += read_until(peer, b"\r\n0\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 200")
    assert answer.count(b"x" * 10) == answer.count(b"y" * 10) == 1


def read_until(peer, mark):
    answer = b""
    while mark not in answer:
        piece = peer.recv(65536)
        assert piece, answer
        answer += piece
    return answer


def upload(gateway, length, sent, boundary="x"):
    """A client that promises `length` bytes, sends some, and waits."""
    host, port = gateway.url.removeprefix("http://").split(":")
    peer = socket.create_connection((host, int(port)), timeout=30)
    peer.sendall(
        (f"POST /v1/files HTTP/1.1\r\nhost: a\r\nauthorization: Bearer {KEY}\r\n"
         f"content-type: multipart/form-data; boundary={boundary}\r\n"
         f"content-length: {length}\r\n\r\n").encode() + sent)
    return peer


def test_stalled_uploads_are_their_clients_fault(scripted, start):
    gateway = start(
        scripted(), "upstream.response_header_timeout_ms=2000", "server.request_timeout_s=4")
    peers = [upload(gateway, 5000, b"abc") for _ in range(25)]
    for peer in peers:
        with peer:
            assert peer.recv(1 << 16) == b""  # No word of upstream.
    answer = httpx.get(gateway.url + "/v1/models", headers=AUTHORIZATION)
    assert answer.status_code == 200


def test_an_upstream_that_takes_no_upload_is_late(scripted, start):
    """Bytes that wait for it are the gateway's to send: here it is upstream that is waited for."""
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        upstream = scripted()
        upstream.url = "http://127.0.0.1:%d" % deaf.getsockname()[1]
        gateway = start(
            upstream, "upstream.response_header_timeout_ms=500", "server.request_timeout_s=3600")
        with upload(gateway, 100, b"x" * 100) as peer:  # All of it is there.
            read_until(peer, b"upstream_header_timeout")
        with upload(gateway, 50_000_000, b"") as peer:
            peer.settimeout(0.1)
            until(lambda: blocks(peer))
            peer.settimeout(30)
            read_until(peer, b"upstream_header_timeout")


def blocks(peer):
    """Sends; true when nobody takes it any more, or the answer is there."""
    try:
        peer.send(b"x" * 65536)
        return False
    except OSError:
        return True


def test_a_slow_reader_holds_upstream_back(scripted, start):
    upstream = scripted()
    gateway = start(upstream, "upstream.silence_timeout_ms=1000")

    def resident():
        status = open(f"/proc/{gateway.server.process.pid}/status").read()
        return int(status.split("VmRSS:")[1].split()[0])

    with httpx.stream(
        "GET", gateway.url + "/v1/files/endless/content", headers=AUTHORIZATION) as answer:
        pieces = answer.iter_raw()
        next(pieces)
        before, calm = resident(), time.monotonic() + 3
        until(lambda: time.monotonic() > calm)  # Longer than upstream may be silent.
        assert resident() - before < 8 << 10
        assert upstream.broken == []
        assert sum(len(next(pieces)) for _ in range(100)) > 100_000


def test_a_reader_that_stands_still_is_given_up(scripted, start):
    """Upstream, held back, would wait for it for ever."""
    upstream = scripted()
    gateway = start(upstream, "server.request_timeout_s=1")
    host, port = gateway.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as still:
        still.sendall(
            (f"GET /v1/files/endless/content HTTP/1.1\r\nhost: a\r\n"
             f"authorization: Bearer {KEY}\r\n\r\n").encode())
        until(lambda: "/v1/files/endless/content" in upstream.broken)


def test_a_reader_that_takes_its_time_is_not(scripted, start):
    upstream = scripted()
    gateway = start(upstream, "server.request_timeout_s=1")
    with httpx.stream(
        "GET", gateway.url + "/v1/files/endless/content", headers=AUTHORIZATION) as answer:
        pieces = answer.iter_raw(65536)
        for _ in range(40):  # Twice what a pause may take, and never as long a pause.
            next(pieces)
            time.sleep(0.05)
        assert upstream.broken == []


def test_created_comes_before_the_thinking(scripted, start):
    """A model that thinks for minutes: the id is there at once, to cancel and to resume by."""
    upstream = scripted()
    gateway = start(upstream, "dialect.hold_ms=100")
    with gateway.client() as client:
        stream = client.responses.create(model="m", input="thinks", stream=True)
        event = next(iter(stream))
        assert event.type == "response.created"
        assert client.responses.cancel(event.response.id).status == "cancelled"
        assert list(stream)[-1].type == "response.incomplete"
    until(lambda: "/v1/responses" in upstream.broken)


def test_an_end_without_an_object_is_upstreams_fault(scripted, start):
    gateway = start(scripted())
    with gateway.client() as client:
        with pytest.raises(openai.InternalServerError) as failed:
            client.responses.create(model="m", input="no object")
    assert failed.value.status_code == 502
    assert failed.value.code == "upstream_protocol_error"


def test_what_has_ended_does_not_say_that_it_runs(scripted, start):
    gateway = start(scripted())
    with gateway.client() as client:
        response = client.responses.create(model="m", input="bare end")
        assert response.status == "completed"
        assert client.responses.retrieve(response.id).status == "completed"


def test_a_cut_background_response_is_gone_on_with(scripted, start):
    upstream = scripted()
    gateway = start(upstream)
    with gateway.client() as client:
        events = list(client.responses.create(
            model="m", input="cut", background=True, stream=True))
    assert [event.sequence_number for event in events] == [0, 1, 2, 3]
    assert events[-1].type == "response.completed"
    assert ("GET", "/v1/responses/one_1?stream=true&starting_after=1", b"") in upstream.seen


def test_upstream_is_told_once_of_a_cancel(scripted, start):
    upstream = scripted()
    gateway = start(upstream)
    with gateway.client() as client:
        response = client.responses.create(model="m", input="waits", background=True)
        client.responses.cancel(response.id)
        cancels = lambda: [path for _, path, _ in upstream.seen if path.endswith("/cancel")]
        until(cancels)
        assert client.models.list()  # What was to come has come.
        assert cancels() == ["/v1/responses/one_1/cancel"]


@pytest.fixture
def pair(scripted, start):
    """A gateway whose first upstream is not there (yet), and its second one."""
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    second = scripted("two")

    class First:
        url = f"http://127.0.0.1:{port}"

    gateway = start(
        First, f"fallback.urls={{two: {second.url}/v1}}", "fallback.order=[two]",
        "upstream.retry_delay_ms=10")
    return gateway, second, lambda: scripted("one", port)


def test_the_upstream_that_has_it_is_asked(pair):
    gateway, second, start_first = pair
    with gateway.client() as client:
        response = client.responses.create(model="m", input="Hi")
        assert response.id == "two_1"
        # What anybody can answer is asked of whoever is there.
        client.models.list()
        assert second.seen[-1][1] == "/v1/models"
        first = start_first()
        client.responses.input_items.list(response.id)
        assert second.seen[-1][1].startswith("/v1/responses/two_1/input_items")
        client.responses.delete(response.id)
        assert second.seen[-1][1] == "/v1/responses/two_1"
        follow = client.responses.create(
            model="m", input="And?", previous_response_id="two_1")
        assert follow.id == "two_1" and b"previous_response_id" in second.seen[-1][2]
        assert first.seen == []


def test_an_id_that_nobody_here_knows_is_asked_for_everywhere(pair):
    gateway, second, start_first = pair
    first = start_first()
    with gateway.client() as client:
        assert client.responses.retrieve("resp_two").id == "two"
        assert [path for _, path, _ in first.seen] == ["/v1/responses/resp_two"]
        with pytest.raises(openai.NotFoundError):
            client.responses.retrieve("resp_zzz")
