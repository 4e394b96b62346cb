"""WebSocket frames that no SDK sends, limits of the gateway, and its end."""

import json
import signal
import threading

import httpx
import openai
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.frames import Frame, Opcode
from websockets.sync.client import connect

from conftest import KEY, Gateway
from test_http import until

AUTHORIZATION = {"authorization": "Bearer " + KEY}


def open_socket(gateway, query=""):
    socket = connect(
        gateway.url.replace("http", "ws") + "/v1/responses" + query,
        additional_headers=AUTHORIZATION, max_size=None)
    session = json.loads(socket.recv())
    assert session["type"] == "gateway.session"
    return socket, session


def create(**members):
    return json.dumps({"type": "response.create", "model": "sim-hello", "input": "Hi", **members})


def end_of(socket):
    while True:
        event = json.loads(socket.recv(timeout=20))
        if event["type"] in ("response.completed", "response.failed", "response.incomplete"):
            return event


@pytest.mark.parametrize("frame, code", [
    ("{", None), ("", None), ("[]", "invalid_value"), ("null", "invalid_value"),
    ('"x"', "invalid_value"), ("1e400", "invalid_value"),
    ('{"type":17}', "invalid_value"), ('{"type":"x"}', "invalid_value"), ("{}", "invalid_value"),
    ('{"type":"response.create","stream":"yes"}', "invalid_type"),
    ('{"type":"response.create","generate":1}', "invalid_type"),
    ('{"type":"response.create","stream_id":7}', "invalid_stream_id"),
    ('{"type":"response.create","stream_id":""}', "invalid_stream_id"),
    ('{"type":"response.create","stream_id":"' + "a" * 257 + '"}', "invalid_stream_id"),
    ('{"type":"response.cancel","stream_id":{}}', "invalid_stream_id"),
    ('{"type":"response.cancel","response_id":"none"}', "response_not_found"),
    ('{"type":"response.create","input":' + "[" * 10_000 + "]" * 10_000 + "}", None),
], ids=lambda value: str(value)[:40])
def test_faulty_frames(gateway, frame, code):
    """Each gets one `error`, and the connection goes on."""
    socket, _ = open_socket(gateway)
    with socket:
        socket.send(frame)
        error = json.loads(socket.recv(timeout=10))
        assert error["type"] == "error" and error["status"] in (400, 404)
        assert error["error"]["code"] == code and error["error"]["message"]
        socket.send(create())
        assert end_of(socket)["type"] == "response.completed"


def test_a_huge_number_goes_on_as_it_is(gateway):
    socket, _ = open_socket(gateway)
    with socket:
        socket.send('{"type":"response.create","model":"sim-hello","input":"Hi","top_p":0.'
                    + "9" * 400 + "}")
        assert end_of(socket)["type"] == "response.completed"


@pytest.mark.parametrize("data, code", [
    (Frame(Opcode.BINARY, b"{}"), 1003), (Frame(Opcode.TEXT, b"\xff\xfe"), 1007),
])
def test_what_is_no_text_closes(gateway, data, code):
    socket, _ = open_socket(gateway)
    with socket, pytest.raises(ConnectionClosed) as closed:
        with socket.send_context():
            socket.protocol.send_frame(data)
        while True:
            socket.recv(timeout=10)
    assert closed.value.rcvd.code == code


@pytest.mark.parametrize("difference", [-1, 0, 1])
def test_message_bytes(simulator, difference):
    limit = 65_536
    gateway = Gateway(
        simulator, f"limits.message_bytes={limit}", f"limits.frame_bytes={limit}",
        f"limits.input_bytes={limit}", f"limits.options_bytes={limit}")
    try:
        socket, _ = open_socket(gateway)
        frame = create(input="")
        frame = create(input="x" * (limit + difference - len(frame)))
        assert len(frame) == limit + difference
        with socket:
            socket.send(frame)
            if difference <= 0:
                assert end_of(socket)["type"] == "response.completed"
            else:
                with pytest.raises(ConnectionClosed) as closed:
                    socket.recv(timeout=10)
                assert closed.value.rcvd.code == 1009
    finally:
        gateway.stop()


@pytest.mark.parametrize("setting, status", [
    ("server.connections=2", 503), ("server.connections_per_address=2", 429),
])
def test_connection_limits(simulator, setting, status):
    """Requests and WebSockets count together: one below the limit, at it, above it."""
    gateway = Gateway(simulator, setting)
    try:
        with gateway.client() as client:
            first, _ = open_socket(gateway)
            assert client.models.list()
            second, _ = open_socket(gateway)
            with pytest.raises(openai.APIStatusError) as refused:
                client.models.list()
            assert refused.value.status_code == status
            assert refused.value.response.headers["retry-after"]
            assert refused.value.type and refused.value.code
            with pytest.raises(InvalidStatus) as refused:
                open_socket(gateway)
            assert refused.value.response.status_code == status
            first.close()
            until(lambda: httpx.get(
                gateway.url + "/v1/models", headers=AUTHORIZATION).status_code == 200)
            second.close()
    finally:
        gateway.stop()


def test_waiting_limit(simulator):
    gateway = Gateway(simulator, "dialect.waiting=2", "dialect.responses_per_connection=1")
    try:
        socket, _ = open_socket(gateway)
        with socket:
            for number in range(4):
                socket.send(create(model="sim-paced", input="deltas=20 rate=40"))
            kinds = []
            while kinds.count("response.completed") < 3:
                event = json.loads(socket.recv(timeout=20))
                kinds.append(event["type"])
                if event["type"] == "error":
                    assert event["status"] == 429
                    assert event["error"]["code"] == "rate_limit_exceeded"
            assert kinds.count("error") == 1
    finally:
        gateway.stop()


def test_session_limit(simulator):
    gateway = Gateway(simulator, "limits.sessions=2", "server.shards=1")
    try:
        sockets = [open_socket(gateway)[0] for _ in range(2)]
        with gateway.client() as client:
            with pytest.raises(openai.InternalServerError) as refused:
                client.responses.create(model="sim-hello", input="Hi")
            assert refused.value.status_code == 503
            sockets.pop().close()
            until(lambda: httpx.post(
                gateway.url + "/v1/responses", headers=AUTHORIZATION,
                json={"model": "sim-hello", "input": "Hi"}).status_code == 200)
    finally:
        gateway.stop()


def test_every_endpoint_from_the_other_shard(gateway, client):
    """Connections fall on either shard; the response lives on one of them."""
    seen = set()
    for _ in range(8):
        response = client.responses.create(
            model="sim-paced", input="deltas=400 rate=100", background=True)
        with gateway.client() as other:
            assert other.responses.retrieve(response.id).status in ("queued", "in_progress")
            with other.responses.retrieve(response.id, stream=True) as stream:
                assert next(iter(stream)).sequence_number == 0
            assert other.responses.input_items.list(response.id).data
            assert other.responses.cancel(response.id).status == "cancelled"
            last = list(other.responses.retrieve(response.id, stream=True))[-1]
            assert last.type == "response.incomplete"
            other.responses.delete(response.id)
            with pytest.raises(openai.NotFoundError):
                other.responses.retrieve(response.id)
        seen.add(response.id)
    assert len(seen) == 8


def test_an_error_of_upstream_reaches_a_resumed_connection(gateway):
    """Upstream's error bodies have line ends; frames of another shard travel one a line."""
    for _ in range(6):
        socket, session = open_socket(gateway)
        socket.close()
        socket, again = open_socket(gateway, f"?resume={session['resume_token']}&after=0")
        with socket:
            assert again["recovered"]
            socket.send(create(stream_id="a", temperature=9))
            error = json.loads(socket.recv(timeout=10))
            assert error["type"] == "error" and error["stream_id"] == "a"
            assert error["error"]["param"] == "temperature"


def test_a_slow_reader_holds_upstream_back(simulator, stats):
    """A client that reads nothing: upstream is paused, memory stays, and the end comes all the same."""
    gateway = Gateway(
        simulator, "replay.high_watermark_bytes=65536", "replay.low_watermark_bytes=16384")

    def resident():
        status = open(f"/proc/{gateway.server.process.pid}/status").read()
        return int(status.split("VmRSS:")[1].split()[0])

    def paused():
        text = httpx.get(gateway.url + "/metrics").text
        return any(line.startswith("gateway_upstream_paused_total ") and not line.endswith(" 0")
                   for line in text.splitlines())

    try:
        with httpx.Client(timeout=30) as client:
            before = resident()
            with client.stream(
                "POST", gateway.url + "/v1/responses", headers=AUTHORIZATION,
                json={"model": "sim-paced", "input": "deltas=3000 rate=0 bytes=400",
                      "stream": True},
            ) as answer:
                lines = answer.iter_lines()
                next(lines)
                until(paused)
                assert resident() - before < 24 << 10
                assert [line for line in lines if line.startswith("event:")][-1] == (
                    "event: response.completed")
    finally:
        gateway.stop()


def test_a_long_answer_is_read_again_slowly(client, gateway):
    """More than the sockets' buffers hold, kept by the reader's own shard or by the other one."""
    response = client.responses.create(
        model="sim-paced", input="deltas=3000 rate=0 bytes=400", store=False)
    for _ in range(6):
        with httpx.Client(timeout=20) as other, other.stream(
            "GET", f"{gateway.url}/v1/responses/{response.id}?stream=true", headers=AUTHORIZATION
        ) as answer:
            lines = answer.iter_lines()
            next(lines)
            threading.Event().wait(0.3)  # Long enough for all buffers to be full.
            assert [line for line in lines if line.startswith("event:")][-1] == (
                "event: response.completed")


@pytest.mark.parametrize("settings, deltas, end", [
    ((), 60, "response.completed"), (("drain.timeout_ms=300",), 3000, "response.incomplete"),
])
def test_drain(simulator, settings, deltas, end):
    """Running streams get their true end, on both shards and from the other one."""
    gateway = Gateway(simulator, "drain.spread_ms=50", *settings)
    question = {"model": "sim-paced", "input": f"deltas={deltas} rate=60"}
    ends = []
    client = gateway.client()

    def read(stream):
        ends.append(list(stream)[-1].type)

    streams = [client.responses.create(**question, stream=True) for _ in range(4)]
    names = [next(iter(stream)).response.id for stream in streams]
    others = [gateway.client() for _ in names]
    streams += [other.responses.retrieve(name, stream=True) for other, name in zip(others, names)]
    socket, _ = open_socket(gateway)
    socket.send(create(**question))
    json.loads(socket.recv())
    threads = [threading.Thread(target=read, args=(stream,)) for stream in streams]
    for thread in threads:
        thread.start()
    gateway.server.process.send_signal(signal.SIGTERM)
    frames = []
    with pytest.raises(ConnectionClosed) as closed:
        while True:
            frames.append(json.loads(socket.recv(timeout=20)))
    for thread in threads:
        thread.join(20)
    assert ends == [end] * len(streams)
    kinds = [frame["type"] for frame in frames]
    assert "gateway.going_away" in kinds and kinds.count(end) == 1
    assert closed.value.rcvd.code == 1012
    assert gateway.server.process.wait(20) == 0
