"""The processes under test, and a client that keeps a transcript of what went over the wire."""

from __future__ import annotations

import base64
import collections
import hashlib
import json
import os
import pathlib
import queue
import signal
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.request

import jsonschema_rs
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

ROOT = pathlib.Path(__file__).resolve().parents[2]
BINARIES = pathlib.Path(os.environ.get("MILLRACE_BIN", ROOT / ".build/release"))
WRAPPER = os.environ.get("MILLRACE_WRAPPER", "").split()
CORPUS = ROOT.parent / "shared/corpus"
FIXTURES = ROOT / "Tests/Fixtures"
#: How long a condition may take before it counts as never.
PATIENCE = float(os.environ.get("MILLRACE_PATIENCE", "30"))

#: Transcripts and processes of the running test; what is attached when it fails.
attachments: list = []


def wait_until(condition, what="the condition", timeout=None):
    """Returns the first true value of `condition`."""
    deadline = time.monotonic() + (timeout or PATIENCE)
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < deadline, f"{what} did not come true"
        time.sleep(0.01)


class Schemas:
    """Every frame that a test sends or receives is held against docs/schema."""

    def __init__(self):
        folder = ROOT / "docs/schema"
        self.seen = collections.Counter()
        self._client = self._validator(folder / "client.schema.json")
        self._server = self._validator(folder / "server.schema.json")

    @staticmethod
    def _validator(path):
        return jsonschema_rs.Draft202012Validator(json.loads(path.read_text()))

    def check_server(self, frame):
        self.seen["server " + str(frame.get("type"))] += 1
        self._server.validate(frame)

    def check_client(self, frame):
        self.seen["client " + str(frame.get("type"))] += 1
        self._client.validate(frame)

    def accepts_client(self, frame):
        return self._client.is_valid(frame)

    def accepts_server(self, frame):
        return self._server.is_valid(frame)


schemas = Schemas()


class Process:
    """A program of the package whose first line of output says where it listens."""

    def __init__(self, name, *arguments, env=None, expect_start=True):
        self.name = name
        command = [*(WRAPPER if name == "millrace" else []), str(BINARIES / name), *arguments]
        environment = {
            key: value for key, value in os.environ.items()
            if not key.startswith(("MILLRACE_", "OPENAI_"))
        }
        environment["SWIFT_BACKTRACE"] = "enable=no"
        self.log: list[str] = []
        self._process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env=environment | (env or {}))
        self._reader = threading.Thread(target=self._read_log, daemon=True)
        self._reader.start()
        self.first_line = self._process.stdout.readline()
        self.port = 0
        if expect_start:
            assert self.first_line, f"{name} did not start: {self.wait()} {self.errors()}"
            self.port = int(self.first_line.rsplit(":", 1)[1].strip().rstrip("/"))
        attachments.append(self)

    def _read_log(self):
        for line in self._process.stderr:
            self.log.append(line.rstrip("\n"))

    @property
    def pid(self):
        return self._process.pid

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def errors(self):
        self._reader.join(PATIENCE)
        return "\n".join(self.log)

    def logged(self, body):
        """The log lines with that body, as objects."""
        lines = (json.loads(line) for line in list(self.log) if line.startswith("{"))
        return [line for line in lines if line["body"] == body]

    def terminate(self):
        self._process.send_signal(signal.SIGTERM)

    def wait(self, timeout=None):
        return self._process.wait(timeout or PATIENCE)

    @property
    def is_running(self):
        return self._process.poll() is None

    def stop(self):
        if self.is_running:
            self._process.terminate()
            time.sleep(0)
            self._process.terminate()  # The second signal ends a gateway at once.
        try:
            return self.wait()
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            return None

    def resident_kib(self):
        status = pathlib.Path(f"/proc/{self.pid}/status").read_text()
        return int(next(line for line in status.splitlines() if "VmRSS" in line).split()[1])

    def describe(self):
        return f"{self.name} {self.pid}", "\n".join(self.log[-40:])


class Simulator(Process):
    def __init__(self, *arguments, rate="0", seed="1"):
        super().__init__(
            "millrace-sim", "--listen", "127.0.0.1:0", "--rate", rate, "--seed", seed, *arguments)

    def stats(self):
        with urllib.request.urlopen(self.url + "/stats", timeout=PATIENCE) as answer:
            return json.load(answer)

    def reset(self):
        request = urllib.request.Request(self.url + "/stats/reset", data=b"", method="POST")
        urllib.request.urlopen(request, timeout=PATIENCE).read()

    def requests(self):
        """The bodies of the requests for responses, oldest first."""
        return [
            each.get("body") for each in self.stats()["last_requests"]
            if each["path"] == "/v1/responses"
        ]

    def wait_for_stats(self, condition, what):
        return wait_until(lambda: condition(self.stats()), f"the simulator's stats: {what}")


class Gateway(Process):
    def __init__(
        self, upstream, *arguments, shards=1, env=None, model="sim-markdown", **settings
    ):
        if model:
            arguments += ("--model", model)
        if isinstance(upstream, Process):
            upstream = upstream.url + "/v1"
        # Many tests break upstream on purpose, with one gateway: it is not to be left alone for that.
        settings.setdefault("breaker__enabled", "false")
        # Nor is anybody to wait for the pauses between attempts.
        settings.setdefault("upstream__retry_delay_ms", 1)
        for key, value in settings.items():
            section, name = key.split("__")
            arguments += ("--set", f"{section}.{name}={value}")
        super().__init__(
            "millrace", "serve", "--listen", "127.0.0.1:0", "--upstream", upstream,
            "--shards", str(shards), *arguments, env=env)

    @property
    def chat(self):
        return f"ws://127.0.0.1:{self.port}/v1/chat"

    def get(self, path, **headers):
        """Status, headers (lower case), body."""
        request = urllib.request.Request(
            self.url + path, headers={name.replace("_", "-"): v for name, v in headers.items()})
        try:
            answer = urllib.request.urlopen(request, timeout=PATIENCE)
        except urllib.error.HTTPError as error:
            answer = error
        with answer:
            fields = {name.lower(): value for name, value in answer.headers.items()}
            return answer.status, fields, answer.read()

    def metrics(self):
        """Samples by name and labels: `metrics()["gateway_connections"]`, summed over shards."""
        from prometheus_client.parser import text_string_to_metric_families

        status, _, body = self.get("/metrics")
        assert status == 200
        samples = collections.defaultdict(float)
        for family in text_string_to_metric_families(body.decode()):
            for sample in family.samples:
                labels = ",".join(f"{k}={v}" for k, v in sorted(sample.labels.items()))
                samples[sample.name + ("{" + labels + "}" if labels else "")] += sample.value
        return samples

    def connect(self, hello=True, **options):
        return Client(self, hello=hello, **options)


class Closed(Exception):
    """The gateway closed the connection while a frame was waited for."""

    def __init__(self, code, reason):
        super().__init__(f"closed with {code} {reason}")
        self.code = code


class Client:
    """A client of the native protocol: PyPI `websockets`, and what every client must do."""

    def __init__(
        self, gateway, hello=True, resume=None, after=None, auth=None, query="", headers=None,
        origin=None, subprotocols=("millrace.v1",), check=True, **options,
    ):
        self.lines: list[str] = []
        self.frames: list[dict] = []
        self.pending: collections.deque = collections.deque()
        self.token = None
        self.ready = None
        self.sequence = after or 0
        self.events: list[dict] = []
        self.check = check
        attachments.append(self)
        options.setdefault("compression", None)
        options.setdefault("max_size", None)
        options.setdefault("ping_interval", None)
        options.setdefault("close_timeout", 2)
        options.setdefault("max_queue", None)  # Pings are answered whatever the test reads.
        self.socket = connect(
            gateway.chat + query, additional_headers=headers, origin=origin,
            subprotocols=subprotocols, proxy=None, **options)
        if hello:
            greeting = {"type": "hello"}
            if auth is not None:
                greeting["auth"] = auth
            if resume is not None:
                greeting["resume"] = {"token": resume, "after": self.sequence}
            self.send(greeting)
            self.await_ready()

    def await_ready(self):
        self.ready = self.expect("ready")
        return self.ready

    def describe(self):
        return f"client {id(self):x}", "\n".join(self.lines[-60:])

    # Sending

    def send(self, *objects, check=True):
        for each in objects:
            if check:
                schemas.check_client(each)
        self.send_raw("\n".join(json.dumps(each) for each in objects))

    def send_raw(self, text):
        self.lines.append("→ " + (text if isinstance(text, str) else repr(text))[:400])
        self.socket.send(text)

    def message(self, id, input="Hello", **options):
        frame = {"type": "message", "id": id, "input": input}
        if options:
            frame["options"] = options
        self.send(frame)

    def cancel(self, **target):
        self.send({"type": "cancel", **target})

    # Receiving

    def receive(self, timeout=None):
        """The next object; several may share a frame."""
        while not self.pending:
            try:
                text = self.socket.recv(timeout or PATIENCE)
            except ConnectionClosed as closed:
                self.lines.append(f"← {closed}")
                code = closed.rcvd.code if closed.rcvd else 1006
                raise Closed(code, closed.rcvd.reason if closed.rcvd else "") from None
            for line in text.split("\n"):
                self.lines.append("← " + line[:400])
                frame = json.loads(line)
                if self.check:
                    schemas.check_server(frame)
                self.pending.append(frame)
        frame = self.pending.popleft()
        self.frames.append(frame)
        self.note(frame)
        return frame

    def note(self, frame):
        """Tokens and positions; a gap or a repetition is a fault."""
        if frame["type"] in ("ready", "token"):
            self.token = frame["resume_token"] or self.token
        if frame["type"] == "ready" and not frame["recovered"]:
            self.sequence = 0
        elif frame["type"] == "snapshot":
            self.sequence = frame["through"]
        elif "seq" in frame and frame["type"] not in ("ready", "state"):
            first = frame.get("from", frame["seq"])
            assert first == self.sequence + 1, f"event {first} after {self.sequence}"
            self.sequence = frame["seq"]
            self.events.append(frame)

    def expect(self, type, timeout=None, **fields):
        """The next frame of that type with those fields; others are passed over."""
        deadline = time.monotonic() + (timeout or PATIENCE)
        while True:
            left = deadline - time.monotonic()
            assert left > 0, f"no {type} {fields} came"
            try:
                frame = self.receive(left)
            except TimeoutError:
                raise AssertionError(f"no {type} {fields} came") from None
            if frame["type"] == type and all(frame.get(k) == v for k, v in fields.items()):
                return frame

    def complete(self, message, timeout=None, status=None):
        """The end of a message's response, which must tell the truth."""
        end = self.expect("complete", timeout, message=message)
        check_truth(self, end)
        assert status in (None, end["status"]), end
        return end

    def ask(self, id, input="Hello", timeout=None, status="completed", **options):
        """One message and its end."""
        self.message(id, input, **options)
        return self.complete(id, timeout, status)

    def sync(self):
        """After it, everything the gateway had to say before has been received."""
        mark = f"sync-{len(self.lines)}"
        self.send({"type": "ping", "id": mark})
        self.expect("pong", id=mark)

    def expect_close(self, timeout=None):
        """The code that the gateway closes with."""
        deadline = time.monotonic() + (timeout or PATIENCE)
        try:
            while True:
                self.receive(max(deadline - time.monotonic(), 0.001))
        except Closed as closed:
            return closed.code
        except TimeoutError:
            raise AssertionError("the connection was not closed") from None

    # Reading back

    def text(self, response=None, kind="text"):
        return text_of(self.events, response, kind)

    def close(self):
        self.socket.close()

    def reset(self):
        """As a network does it: no close frame, the kernel sends RST."""
        raw = self.socket.socket
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        raw.shutdown(socket.SHUT_RD)
        raw.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        try:
            self.close()
        except OSError:
            pass


def text_of(events, response=None, kind="text"):
    """The joined text, in order of `index`, then of arrival; pieces are UTF-16."""
    pieces = collections.defaultdict(list)
    for event in events:
        if event["type"] == "delta" and event["kind"] == kind:
            if response in (None, event["response"]):
                pieces[event["index"]].append(event["text"])
    joined = "".join("".join(pieces[index]) for index in sorted(pieces))
    return joined.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def sha256(text):
    return hashlib.sha256(text.encode()).hexdigest()


def check_truth(client, complete):
    """What `complete` says of the text is so, and it is the only end and the last event."""
    if not any(e["type"] == "message" and e["id"] == complete["message"] for e in client.events):
        return  # The client came later, or had a snapshot.
    text = client.text(complete["response"])
    assert complete["text_sha256"] == sha256(text)
    assert complete["text_bytes"] == len(text.encode())
    ends = [e for e in client.events if e["type"] == "complete"]
    assert [e["response"] for e in ends].count(complete["response"]) == 1
    own = [e for e in client.events if e.get("response") == complete["response"]]
    assert own[-1] is complete


class RawSocket:
    """A WebSocket spoken by hand: for what no library lets a client do."""

    def __init__(self, gateway, path="/v1/chat", handshake=True, receive_buffer=None, headers=()):
        self.socket = socket.socket()
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(PATIENCE)
        self.socket.connect(("127.0.0.1", gateway.port))
        self.buffer = b""
        if handshake:
            head = self.handshake(gateway.port, path, headers)
            assert head.startswith(b"HTTP/1.1 101"), head

    def handshake(self, port, path, headers=()):
        key = base64.b64encode(os.urandom(16)).decode()
        lines = [
            f"GET {path} HTTP/1.1", f"Host: 127.0.0.1:{port}", "Upgrade: websocket",
            "Connection: Upgrade", f"Sec-WebSocket-Key: {key}", "Sec-WebSocket-Version: 13",
            *headers, "", "",
        ]
        self.socket.sendall("\r\n".join(lines).encode())
        return self.read_head()

    def read_head(self):
        while b"\r\n\r\n" not in self.buffer:
            piece = self.socket.recv(65536)
            if not piece:
                break
            self.buffer += piece
        head, _, self.buffer = self.buffer.partition(b"\r\n\r\n")
        return head

    def send_frame(self, opcode, payload, fin=True, mask=True):
        head = bytes([(0x80 if fin else 0) | opcode])
        bit = 0x80 if mask else 0
        if len(payload) < 126:
            head += bytes([bit | len(payload)])
        elif len(payload) < 65536:
            head += bytes([bit | 126]) + len(payload).to_bytes(2, "big")
        else:
            head += bytes([bit | 127]) + len(payload).to_bytes(8, "big")
        key = os.urandom(4)
        if mask:
            head += key
            stretched = (key * (len(payload) // 4 + 1))[: len(payload)]
            payload = (
                int.from_bytes(payload, "big") ^ int.from_bytes(stretched, "big")
            ).to_bytes(len(payload), "big")
        self.socket.sendall(head + payload)

    def send_json(self, *objects):
        self.send_frame(1, "\n".join(json.dumps(each) for each in objects).encode())

    def read_frame(self):
        """Opcode and payload; None at the end of the connection."""
        head = self._take(2)
        if head is None:
            return None
        length = head[1] & 0x7F
        if length == 126:
            length = int.from_bytes(self._take(2), "big")
        elif length == 127:
            length = int.from_bytes(self._take(8), "big")
        return head[0] & 15, self._take(length)

    def _take(self, count):
        while len(self.buffer) < count:
            try:
                piece = self.socket.recv(1 << 20)
            except ConnectionResetError:
                return None
            if not piece:
                return None
            self.buffer += piece
        taken, self.buffer = self.buffer[:count], self.buffer[count:]
        return taken

    def read_objects(self):
        """Objects of all text frames, as they come, up to the end of the connection."""
        while (frame := self.read_frame()) is not None:
            opcode, payload = frame
            if opcode == 1:
                for line in payload.split(b"\n"):
                    yield json.loads(line)
            elif opcode == 8:
                self.close_code = int.from_bytes(payload[:2], "big") if payload else 1005
                return

    def close(self):
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def stalled(gateway, **hello):
    """A client that reads nothing until it is told to, with little room in its kernel."""
    raw = RawSocket(gateway, receive_buffer=8192)
    raw.send_json({"type": "hello", **hello})
    return raw


def read_all(raw):
    """Every event up to the end of the response, with the checks of a client; for one that was `stalled`."""
    events, position = [], 0
    for frame in raw.read_objects():
        if "seq" in frame and frame["type"] not in ("ready", "state"):
            assert frame.get("from", frame["seq"]) == position + 1
            position = frame["seq"]
            events.append(frame)
            if frame["type"] == "complete":
                return events
    raise AssertionError("the connection ended before the response")
