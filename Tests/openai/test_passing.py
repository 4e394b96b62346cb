"""What upstream answers itself: conversations and files, with an upstream that has them."""

import hashlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import openai
import pytest

from conftest import KEY, UPSTREAM_KEY, Gateway

DOWNLOAD = bytes(range(256)) * 8192 * 10  # 20 MiB: more than a document may have.


class Upstream(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    seen = []

    def answer(self, status, body, type="application/json"):
        if isinstance(body, dict):
            body = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-type", type)
        self.send_header("content-length", str(len(body)))
        self.send_header("x-request-id", "req_1")
        self.end_headers()
        self.wfile.write(body)

    def handle_request(self):
        digest, length = hashlib.sha256(), int(self.headers.get("content-length", 0))
        head = self.rfile.read(min(length, 65536))
        digest.update(head)
        left = length - len(head)
        while left > 0:
            piece = self.rfile.read(min(left, 65536))
            digest.update(piece)
            left -= len(piece)
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.seen.append((self.command, self.path, headers, head))
        if self.path.endswith("/content"):
            return self.answer(200, DOWNLOAD, "application/octet-stream")
        if self.path.startswith("/v1/files") and self.command == "POST":
            return self.answer(200, {
                "id": "file-1", "object": "file", "bytes": length, "created_at": 1,
                "filename": "a.bin", "purpose": "user_data", "status": "processed",
                "sha256": digest.hexdigest()})
        if self.path.startswith("/v1/files"):
            return self.answer(200, {"id": "file-1", "object": "file", "deleted": True})
        if self.path.endswith("/missing"):
            return self.answer(404, {"error": {
                "message": "No such conversation", "type": "invalid_request_error",
                "param": None, "code": "not_found"}})
        if self.path.endswith("/nothing"):
            self.send_response(204)
            return self.end_headers()
        if "/items" in self.path:
            return self.answer(200, {
                "object": "list", "data": [], "first_id": None, "last_id": None,
                "has_more": False})
        self.answer(200, {
            "id": "conv_1", "object": "conversation", "created_at": 1,
            "metadata": {"path": self.path}})

    do_GET = do_POST = do_DELETE = handle_request

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def upstream():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Upstream)
    server.url = "http://127.0.0.1:%d" % server.server_port
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()


@pytest.fixture(scope="module")
def passing(upstream):
    gateway = Gateway(upstream)
    yield gateway
    gateway.stop()


def test_conversations(passing):
    with passing.client() as client:
        assert client.conversations.create(metadata={"a": "b"}).id == "conv_1"
        assert client.conversations.retrieve("conv_1").metadata["path"].endswith("/conv_1")
        items = client.conversations.items.list(
            "conv_1", include=["message.output_text.logprobs"], limit=3)
        assert items.data == []
        method, path, headers, _ = Upstream.seen[-1]
        assert method == "GET" and "limit=3" in path and "logprobs" in path
        assert headers["authorization"] == "Bearer " + UPSTREAM_KEY
        client.conversations.delete("conv_1")
        assert Upstream.seen[-1][0] == "DELETE"
        with pytest.raises(openai.NotFoundError) as missing:
            client.conversations.retrieve("missing")
        assert missing.value.code == "not_found"
        assert missing.value.response.headers["x-request-id"] == "req_1"


def test_an_answer_without_content(passing):
    """Its connection serves the next request: nothing of the answer follows its head."""
    headers = {"authorization": "Bearer " + KEY}
    with httpx.Client(base_url=passing.url, headers=headers) as client:
        for _ in range(2):
            answer = client.delete("/v1/conversations/nothing")
            assert answer.status_code == 204 and answer.content == b""
            assert not {"transfer-encoding", "content-length", "content-type"} & set(answer.headers)
            assert client.get("/healthz").text == "ok\n"


def test_empty_arguments_hide_none(passing):
    answer = httpx.get(
        passing.url + "/v1/conversations/conv_1/items?a=1&&limit=2",
        headers={"authorization": "Bearer " + KEY})
    assert answer.status_code == 200
    assert Upstream.seen[-1][1] == "/v1/conversations/conv_1/items?a=1&limit=2"


@pytest.mark.parametrize("name,passed", [
    ("a+b", "a%2Bb"), ("a%2Bb", "a%2Bb"), ("a,b", "a%2Cb"), ("a%26b", "a%26b"), ("a%3Bb", "a%3Bb"),
    ("a&b", "a%26b"), ("a;b", "a%3Bb"), ("a=b", "a%3Db"), ("+a", "%2Ba"), ("a%25b", "a%25b")])
def test_what_is_named_is_asked_for(passing, name, passed):
    answer = httpx.get(
        passing.url + "/v1/conversations/" + name, headers={"authorization": "Bearer " + KEY})
    assert answer.json()["metadata"]["path"] == "/v1/conversations/" + passed


def test_files(passing):
    with passing.client() as client:
        content = bytes(range(256)) * 4096 * 48  # 48 MiB: more than a body may have.
        file = client.files.create(file=("a.bin", content), purpose="user_data")
        _, _, headers, head = Upstream.seen[-1]
        assert file.bytes == int(headers["content-length"]) > len(content)
        assert headers["content-type"].startswith("multipart/form-data; boundary=")
        assert b"Content-Disposition: form-data" in head
        assert KEY not in str(headers)
        assert client.files.content("file-1").read() == DOWNLOAD
        client.files.delete("file-1")
        assert Upstream.seen[-1][0] == "DELETE"


def test_upload_limits(upstream):
    gateway = Gateway(upstream, "dialect.file_bytes=1048576")
    headers = {"authorization": "Bearer " + KEY, "content-type": "multipart/form-data; boundary=x"}
    try:
        answer = httpx.post(gateway.url + "/v1/files", headers=headers, content=b"x" * (1 << 21))
        assert answer.status_code == 413
        answer = httpx.post(
            gateway.url + "/v1/files", headers={**headers, "content-type": "text/plain"},
            content=b"x")
        assert answer.status_code == 415
    finally:
        gateway.stop()


def test_uploads_are_not_held(passing):
    """Many bytes through a gateway whose memory stays where it was."""

    def resident():
        status = open(f"/proc/{passing.server.process.pid}/status").read()
        return int(status.split("VmHWM:")[1].split()[0])

    with passing.client() as client:
        client.files.create(file=("a.bin", b"x" * (1 << 20)), purpose="user_data")
        before = resident()
        for _ in range(2):
            client.files.create(file=("a.bin", b"x" * (48 << 20)), purpose="user_data")
        assert resident() - before < 16 << 10
