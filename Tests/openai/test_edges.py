"""Requests that no SDK sends, on bare sockets: what HTTP allows, and what it does not."""

import gzip
import http.client
import json
import os
import select
import socket

import httpx
import openai
import pytest

from conftest import KEY, OTHER_KEY, Gateway
from test_http import until

AUTHORIZATION = {"authorization": "Bearer " + KEY}
BODY = json.dumps({"model": "sim-hello", "input": "Hi"})


class Peer:
    """A connection that sends what it is told to."""

    def __init__(self, gateway):
        host, port = gateway.url.removeprefix("http://").split(":")
        self.socket = socket.create_connection((host, int(port)), timeout=10)
        self.reader = self.socket.makefile("rb")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.reader.close()
        self.socket.close()

    def send(self, text):
        self.socket.sendall(text if isinstance(text, bytes) else text.encode())

    def head(self):
        """The status and the fields of the next answer."""
        line = self.reader.readline().decode()
        fields = {}
        while (field := self.reader.readline().decode()) not in ("\r\n", ""):
            name, value = field.split(":", 1)
            fields[name.lower()] = value.strip()
        return int(line.split(" ")[1]) if line else None, fields

    def answer(self):
        status, fields = self.head()
        if "content-length" in fields:
            return status, fields, self.reader.read(int(fields["content-length"]))
        body = b""
        if fields.get("transfer-encoding") == "chunked":
            while size := int(self.reader.readline(), 16):
                body += self.reader.read(size)
                self.reader.readline()
            self.reader.readline()
        return status, fields, body


@pytest.fixture
def peer(gateway):
    with Peer(gateway) as peer:
        yield peer


def request(method, path, body="", **fields):
    fields = {name.replace("_", "-"): value for name, value in fields.items()}
    head = {"host": "gateway", **AUTHORIZATION, **fields}
    if body or method == "POST":
        head.setdefault("content-length", len(body))
    lines = "".join(f"{name}: {value}\r\n" for name, value in head.items())
    text = f"{method} {path} HTTP/1.1\r\n{lines}\r\n"
    return text.encode() + (body.encode() if isinstance(body, str) else body)


def test_one_connection_for_every_kind_of_answer(peer):
    def ask(*what, **fields):
        peer.send(request(*what, **fields))
        status, _, body = peer.answer()
        return status, body

    assert ask("POST", "/v1/responses", BODY)[0] == 200
    status, body = ask(
        "POST", "/v1/responses", json.dumps({"model": "sim-hello", "input": "Hi", "stream": True}))
    assert status == 200 and b"response.completed" in body
    assert ask("POST", "/v1/responses", "{")[0] == 400
    assert ask("GET", "/v1/responses/resp_none")[0] == 404
    status, body = ask("GET", "/v1/models")
    assert status == 200 and json.loads(body)["data"]
    assert ask("GET", "/v1/nothing")[0] == 404
    assert ask("POST", "/v1/responses", BODY, authorization="Bearer sk-no")[0] == 401
    assert ask("PUT", "/v1/responses", BODY)[0] == 405
    assert ask("GET", "/v1/responses/resp_none/input_items")[0] == 404
    assert ask("POST", "/v1/responses/resp_none/cancel")[0] == 404


def test_methods(peer):
    for method, path, allowed in (
        ("HEAD", "/v1/models", "GET"), ("OPTIONS", "/v1/responses", "POST"),
        ("DELETE", "/v1/models", "GET"), ("GET", "/v1/responses", "POST"),
    ):
        peer.send(request(method, path))
        status, fields = peer.head()
        assert (status, fields["allow"]) == (405, allowed)
        body = b"" if method == "HEAD" else peer.reader.read(int(fields["content-length"]))
        assert method == "HEAD" or json.loads(body)["error"]["code"] == "method_not_allowed"


def test_other_urls_are_unknown(gateway):
    """Those of the service that are not spoken here too, in its own words."""
    with gateway.client() as client:
        for ask in (
            lambda: client.chat.completions.create(model="m", messages=[]),
            lambda: client.embeddings.create(model="m", input="a"),
            lambda: client.vector_stores.list(),
        ):
            with pytest.raises(openai.NotFoundError) as unknown:
                ask()
            assert unknown.value.code == "unknown_url"
            assert unknown.value.type == "invalid_request_error"
    with gateway.client(key="sk-nobody-0123456789abcdef") as stranger:
        with pytest.raises(openai.AuthenticationError):
            stranger.embeddings.create(model="m", input="a")


def test_expect_continue(peer):
    head = request("POST", "/v1/responses", content_length=len(BODY), expect="100-continue")
    peer.send(head)
    assert peer.head()[0] == 100
    peer.send(BODY)
    assert peer.answer()[0] == 200


def test_expect_means_nothing_in_http_1_0(peer):
    asked = request("POST", "/v1/responses", BODY, expect="100-continue")
    peer.send(asked.replace(b"HTTP/1.1", b"HTTP/1.0"))
    assert peer.answer()[0] == 200


def chunked(path, pieces, **fields):
    """A request whose body comes in chunks, as a stream of no known length does."""
    head = request("GET", path, transfer_encoding="chunked", **fields).decode()
    body = "".join(f"{len(piece):x}\r\n{piece}\r\n" for piece in [*pieces, ""])
    return head.replace("GET", "POST", 1) + body


def test_a_body_in_chunks(peer):
    peer.send(chunked("/v1/responses", [BODY[:10], BODY[10:]]))
    status, fields, body = peer.answer()
    assert status == 200 and fields["connection"] == "close"
    assert json.loads(body)["status"] == "completed"


def test_a_generator_is_a_body(gateway):
    """As httpx, fetch and other clients send what they do not know the length of."""
    def pieces():
        yield BODY.encode()[:7]
        yield BODY.encode()[7:]

    answer = httpx.post(
        gateway.url + "/v1/responses", content=pieces(),
        headers={**AUTHORIZATION, "content-type": "application/json"})
    assert answer.status_code == 200 and answer.json()["status"] == "completed"


def test_a_file_in_chunks_is_refused(peer):
    peer.send(chunked("/v1/files", ["x"], content_type="multipart/form-data; boundary=x"))
    status, _, body = peer.answer()
    assert status == 411 and json.loads(body)["error"]["code"] == "length_required"


def test_a_compressed_body_is_refused(peer):
    peer.send(
        request("POST", "/v1/responses", gzip.compress(BODY.encode()), content_encoding="gzip"))
    status, _, body = peer.answer()
    assert status == 415 and json.loads(body)["error"]["param"] is None


@pytest.mark.parametrize("length", ["-5", "+5", "5x", "5, 5", "0x5", ""])
def test_lengths_that_are_none(peer, length):
    peer.send(request("POST", "/v1/responses", content_length=length) + b"{\"a\":")
    status, fields, body = peer.answer()
    assert status == 400 and fields["connection"] == "close"
    assert json.loads(body)["error"]["code"] == "invalid_content_length"


@pytest.mark.parametrize("second", [5, 7])
def test_a_length_that_is_there_twice_is_none(peer, second):
    twice = request("POST", "/v1/responses", "abcde").replace(
        b"host:", b"content-length: %d\r\nhost:" % second)
    peer.send(twice)
    assert peer.answer()[0] == 400


def test_a_length_beyond_all_limits(peer):
    peer.send(request("POST", "/v1/responses", content_length="99999999999999999999"))
    status, _, body = peer.answer()
    assert status == 413 and b"9223372036854775807" not in body


def test_a_key_is_asked_for_before_the_body(peer):
    peer.send(request(
        "POST", "/v1/responses", content_length=1 << 20, authorization="Bearer sk-no"))
    assert peer.answer()[0] == 401


def test_only_the_dialect_takes_bodies(peer):
    peer.send(request("POST", "/healthz", content_length=1 << 20))
    assert peer.answer()[0] == 405


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_body_where_none_means_anything_is_read_past(peer, method):
    """What answers later than at once, and what answers at once."""
    for path, status in (("/v1/responses/resp_none", 404), ("/v1/models", 200), ("/healthz", 200)):
        if method == "HEAD" and path != "/healthz":
            status = 405
        peer.send(request(method, path, BODY))
        assert (peer.head() if method == "HEAD" else peer.answer())[0] == status, path


def test_pipelining_never_mixes_answers(peer):
    """Two requests at once: both are answered in order, or the connection ends after the first."""
    peer.send(request("GET", "/v1/responses/resp_a") + request("GET", "/v1/models"))
    assert peer.answer()[0] == 404
    status, _ = peer.head()
    assert status in (200, None)


@pytest.mark.parametrize("first", ["/healthz", "/v1/models"])
def test_a_body_behind_another_request_waits(gateway, first):
    """And nobody else is held up by it."""
    with Peer(gateway) as peer:
        peer.send(request("GET", first) + request("POST", "/v1/responses", BODY))
        assert peer.answer()[0] == 200
        assert peer.answer()[0] == 200
    for _ in range(8):  # On both shards.
        with Peer(gateway) as other:
            other.send(request("GET", "/healthz"))
            assert other.answer()[0] == 200


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("ends", [False, True])
def test_a_peer_that_does_not_wait_costs_nothing(gateway, client, method, ends):
    """What it sends ahead waits for the answer's end; where it ends its side, it has left."""
    def seconds():
        with open(f"/proc/{gateway.server.process.pid}/stat") as file:
            user, system = file.read().rsplit(")", 1)[1].split()[11:13]
        return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")

    body = {"model": "gpt-5.5", "input": "[sim:paced deltas=60 rate=20]", "stream": True}
    path = "/v1/responses"
    if method == "GET":
        path += "/" + client.responses.create(**{**body, "background": True, "stream": False}).id
        path += "?stream=true"
    with Peer(gateway) as peer:
        peer.send(request(method, path, json.dumps(body) if method == "POST" else ""))
        assert peer.head()[0] == 200
        if ends:
            peer.socket.shutdown(socket.SHUT_WR)
        else:
            peer.send(request("GET", "/healthz"))
        before = seconds()
        rest = peer.reader.read() if ends else b""
        if not ends:
            while b"HTTP/1.1 200" not in rest:
                rest += peer.reader.readline()
        assert (b"response.completed" in rest) is not ends
        assert seconds() - before < 0.5


def test_slow_bodies_end(simulator):
    gateway = Gateway(simulator, "server.request_timeout_s=1", "server.body_timeout_s=2")
    try:
        with Peer(gateway) as peer:
            peer.send(request("POST", "/v1/responses", content_length=100))
            assert peer.socket.recv(1 << 16).startswith(b"HTTP/1.1 408") or not peer.socket.recv(1)
        with Peer(gateway) as peer:
            peer.send(request("POST", "/v1/responses", content_length=100))
            peer.socket.settimeout(0.3)
            for _ in range(20):  # A piece within each pause, and never the end.
                peer.send(b" ")
                try:
                    answer = peer.socket.recv(1 << 16)
                    break
                except TimeoutError:
                    continue
            assert answer.startswith(b"HTTP/1.1 408")
    finally:
        gateway.stop()


def test_bodies_share_a_limit(simulator):
    gateway = Gateway(simulator, "dialect.body_bytes=65536", "dialect.bodies_bytes=131072")
    try:
        # Half of the limit is each shard's: one body of that size fits at a time.
        peers = [Peer(gateway) for _ in range(24)]
        for peer in peers:
            peer.send(request("POST", "/v1/responses", content_length=65536))
        waiting = list(peers)

        def at_most_two_wait():
            for answered in select.select([peer.socket for peer in waiting], [], [], 0)[0]:
                head = answered.recv(1 << 16)
                assert head.startswith(b"HTTP/1.1 503") and b"retry-after" in head
                waiting[:] = [peer for peer in waiting if peer.socket is not answered]
            return len(waiting) <= 2

        until(at_most_two_wait)
        for peer in peers:
            peer.close()
        with gateway.client(max_retries=4) as client:
            assert client.responses.create(model="sim-hello", input="Hi").status == "completed"
    finally:
        gateway.stop()


def test_many_parameters_cost_little(peer):
    names = ",".join(f'"p{number}":1' for number in range(100_000))
    peer.socket.settimeout(30)
    peer.send(request("POST", "/v1/responses", '{"model":"sim-hello","input":"Hi",' + names + "}"))
    assert peer.answer()[0] in (200, 400)


def test_paths_name_what_they_seem_to(peer):
    for path in (
        "/v1/responses/..%2fmodels", "/v1/responses/%2e%2e/models", "/v1/models/..%2f..%2fhealthz",
        "/v1/files/a%00b", "/v1/responses/a%0d%0ax:y", "/v1/conversations//items",
    ):
        with_key = request("GET", path)
        with Peer.__new__(Peer) as other:
            other.socket = socket.create_connection(peer.socket.getpeername(), timeout=10)
            other.reader = other.socket.makefile("rb")
            other.send(with_key)
            assert other.head()[0] == 404


def test_many_arguments(peer):
    """As many as the head holds, all of them upstream's to judge."""
    query = "&".join(f"a{number}=1" for number in range(400))
    peer.send(request("GET", "/v1/models?" + query))
    assert peer.answer()[0] == 200


@pytest.mark.parametrize("method,path,fields,word", [
    ("POST", "/v1/conversations", {"content_type": "application/json;\tcharset=utf-8"},
     "content-type"),
    ("GET", "/v1/conversations/conv_1", {"openai_beta": "a\tb"}, "openai-beta"),
    ("GET", "/v1/conversations/conv_1/items?after=" + "%20" * 1400, {}, "4096")])
def test_what_cannot_be_passed_on_is_no_overload(peer, method, path, fields, word):
    """Another try is as bad: an SDK would repeat what is answered with 503."""
    peer.send(request(method, path, **fields))
    status, answered, body = peer.answer()
    error = json.loads(body)["error"]
    assert (status, error["code"], error["type"]) == (400, "invalid_value", "invalid_request_error")
    assert word in error["message"] and "retry-after" not in answered


def test_no_room_for_a_transfer_says_so(simulator):
    gateway = Gateway(simulator, "server.shards=1", "upstream.connections=1")
    try:
        with gateway.client() as client:
            with client.responses.create(
                    model="sim-paced", input="deltas=2000 rate=50", stream=True) as stream:
                assert next(iter(stream)).type == "response.created"
                with pytest.raises(openai.APIStatusError) as refused:
                    client.models.list()
            assert refused.value.status_code == 503 and refused.value.code == "server_is_overloaded"
            assert "upstream.connections" in refused.value.message
            assert refused.value.response.headers["retry-after"] == "1"
    finally:
        gateway.stop()


def test_a_passed_request_is_told_upstreams_pause(simulator):
    gateway = Gateway(
        simulator, "server.shards=1", "upstream.attempts=1", "upstream.queue_timeout_ms=100")
    try:
        with gateway.client() as client:
            with pytest.raises(openai.RateLimitError):
                client.responses.create(
                    model="sim-hello", input="[sim:fault=status status=429 retry_after=40]")
            with pytest.raises(openai.APIStatusError) as refused:
                client.models.list()
            assert refused.value.status_code == 503 and refused.value.code == "upstream_unavailable"
            assert 30 <= int(refused.value.response.headers["retry-after"]) <= 40
    finally:
        gateway.stop()


def test_ids_of_other_makers(gateway, peer):
    """Ids are opaque: LiteLLM's end in `=`, models have slashes."""
    peer.send(request("GET", "/v1/responses/resp_bGl0ZWxsbTpjdXN0b20=="))
    status, _, body = peer.answer()
    assert status == 404 and json.loads(body)["error"]["code"] != "unknown_url"
    peer.send(request("GET", "/v1/models/meta-llama/Llama-3"))
    status, _, body = peer.answer()
    assert status == 404 and json.loads(body)["error"]["code"] != "unknown_url"


def test_a_response_belongs_to_its_key(gateway):
    with gateway.client() as mine, gateway.client(OTHER_KEY) as theirs:
        response = mine.responses.create(model="sim-hello", input="A secret")  # Kept by upstream.
        import openai

        for attempt in (
            lambda: theirs.responses.retrieve(response.id),
            lambda: theirs.responses.cancel(response.id),
            lambda: theirs.responses.delete(response.id),
            lambda: list(theirs.responses.retrieve(response.id, stream=True)),
            lambda: theirs.responses.input_items.list(response.id),
        ):
            with pytest.raises(openai.NotFoundError):
                attempt()
        for stream in (False, True):
            with pytest.raises(openai.BadRequestError) as refused:
                theirs.responses.create(
                    model="sim-echo", input="Repeat", previous_response_id=response.id,
                    stream=stream)
            assert refused.value.code == "previous_response_not_found"
        with theirs.responses.connect() as connection:
            connection.recv()
            connection.send({
                "type": "response.create", "model": "sim-echo", "input": "Repeat",
                "previous_response_id": response.id})
            assert connection.recv().error.code == "previous_response_not_found"
        assert mine.responses.retrieve(response.id).id == response.id


def test_http_client_reuses_the_connection(gateway):
    host, port = gateway.url.removeprefix("http://").split(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=10)
    first = None
    for _ in range(3):
        connection.request("GET", "/v1/models", headers=AUTHORIZATION)
        answer = connection.getresponse()
        assert answer.status == 200 and answer.read()
        first = first or connection.sock
        assert connection.sock is first
