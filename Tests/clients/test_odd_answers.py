"""What upstreams and the proxies before them answer, and the simulator does not."""

import gzip
import json
import socket
import threading
import urllib.error
import urllib.request

import pytest

from harness import PATIENCE, Gateway, wait_until

WHOLE = (
    b'{"id":"resp_1","object":"response","status":"completed","model":"m","output":[]}')
ERROR = b'{"error":{"message":"slow down","type":"requests","code":"rate_limit_exceeded"}}'


class Upstream:
    """A server of raw bytes: each request gets `answer` once the gate is open, and the connection ends."""

    def __init__(self, first=None):
        self.answer = b""
        self.first = first
        self.gate = threading.Event()
        self.gate.set()
        self.heads = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}/v1"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with connection:
                self._serve(connection)

    def _serve(self, connection):
        with connection.makefile("rb") as reader:
            head, length = b"", 0
            while (line := reader.readline()) not in (b"\r\n", b""):
                head += line
                name, _, value = line.partition(b":")
                if name.lower() == b"content-length":
                    length = int(value)
            reader.read(length)
            self.heads.append(head.decode())
            self.gate.wait(PATIENCE)
            connection.sendall(self.first if self.first and len(self.heads) == 1 else self.answer)

    def stop(self):
        self._listener.close()


@pytest.fixture(scope="module")
def upstream():
    server = Upstream()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def odd(upstream):
    process = Gateway(upstream.url, upstream__attempts=1)
    yield process
    assert process.stop() == 0


def answer(status, body, **headers):
    fields = {"content-type": "application/json", "content-length": len(body)}
    fields |= {name.replace("_", "-"): value for name, value in headers.items()}
    lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return f"HTTP/1.1 {status} X\r\n{lines}\r\n".encode() + body


def error_of(gateway, upstream, bytes):
    upstream.answer = bytes
    with gateway.connect() as client:
        return client.ask("m1", status="failed")["error"]


def refusal_of_the_dialect(gateway):
    request = urllib.request.Request(
        gateway.url + "/v1/responses", headers={"content-type": "application/json"},
        data=b'{"model":"m","input":"Hello","stream":true}')
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(request, timeout=PATIENCE)
    with refused.value as told:
        return told.code, json.load(told)["error"]


def test_nothing_compressed_is_asked_for(odd, upstream):
    error_of(odd, upstream, answer(400, ERROR))
    assert "\r\naccept-encoding: identity\r\n" in upstream.heads[-1].lower()


def test_a_compressed_refusal_is_one_all_the_same(odd, upstream):
    error = error_of(
        odd, upstream,
        answer(429, gzip.compress(ERROR), content_encoding="gzip", retry_after="0"))
    assert error["code"] == "upstream_http_status"
    assert (error["upstream_status"], error["retryable"]) == (429, True)
    assert error["retry_after_ms"] == 0
    assert error["message"].endswith("answered 429")


@pytest.mark.parametrize("date,then", [
    ("Sunday, 06-Nov-94 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:38 GMT"),
    ("Sun Nov  6 08:49:37 1994", "Sun Nov  6 08:49:38 1994"),
    ("Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:38 GMT"),
])
def test_dates_of_the_old_forms_say_when_to_come_back(start, upstream, date, then):
    # What it asks for holds for all: so each has a gateway of its own.
    gateway = start(Gateway, upstream.url, upstream__attempts=1)
    error = error_of(gateway, upstream, answer(429, ERROR, date=date, retry_after=then))
    assert error["retry_after_ms"] == 1000


@pytest.mark.parametrize("body,message,code", [
    (ERROR, "slow down", "rate_limit_exceeded"),
    (b'{"error":{"message":"no such thing","code":404}}', "no such thing", "404"),
    (b'{"error":"no such thing"}', "no such thing", None),
])
def test_an_error_with_a_status_of_success_says_why(odd, upstream, body, message, code):
    error = error_of(odd, upstream, answer(200, body))
    assert (error["code"], error["message"]) == ("upstream_failed", message)
    assert error.get("upstream_code") == code
    upstream.answer = answer(200, body)
    status, told = refusal_of_the_dialect(odd)
    assert (status, told["message"]) == (502, message)


def test_a_status_that_is_none_is_not_passed_on(odd, upstream):
    error = error_of(odd, upstream, answer(777, b"{}"))
    assert error["upstream_status"] == 777
    assert refusal_of_the_dialect(odd)[0] == 502


def test_nobody_waits_in_vain_for_an_upstream_that_is_away(start, upstream):
    gateway = start(
        Gateway, upstream.url, upstream__queue_timeout_ms=1000, upstream__retry_after_max_ms=1500)
    error = error_of(gateway, upstream, answer(429, ERROR, retry_after="3600"))
    assert (error["upstream_status"], error["retry_after_ms"]) == (429, 3_600_000)
    asked = len(upstream.heads)
    error = error_of(gateway, upstream, answer(200, b"{}"))
    assert error["code"] == "upstream_unavailable" and error["retryable"]
    assert 1000 < error["retry_after_ms"] <= 1500
    assert len(upstream.heads) == asked
    # And it is asked again when that is over, and no later.
    wait_until(lambda: error_of(gateway, upstream, answer(200, ERROR))["code"] == "upstream_failed",
               timeout=20)


def test_what_is_passed_on_is_told_the_pause_too(start, upstream):
    gateway = start(
        Gateway, upstream.url, upstream__attempts=1, upstream__queue_timeout_ms=1000,
        upstream__retry_after_max_ms=50_000)
    error_of(gateway, upstream, answer(429, ERROR, retry_after="3600"))
    status, headers, body = gateway.get("/v1/models")
    error = json.loads(body)["error"]
    assert (status, error["code"]) == (503, "upstream_unavailable"), error
    assert 0 < int(headers["retry-after"]) <= 50


@pytest.mark.parametrize("pause", [1, 60])
def test_who_waits_already_when_a_pause_begins(start, pause):
    """Goes on at its end, though nobody else comes; or hears at once that its time will not do."""
    crowded = Upstream(first=answer(429, ERROR, retry_after=str(pause)))
    crowded.answer = answer(200, WHOLE)
    crowded.gate.clear()
    gateway = start(
        Gateway, crowded.url, upstream__attempts=1, upstream__concurrency=1,
        upstream__queue_timeout_ms=50_000, conversation__state="none")
    with gateway.connect() as client:
        client.message("m1")
        wait_until(lambda: crowded.heads, "the first request")
        client.message("m2")
        client.message("m3")
        wait_until(lambda: gateway.metrics()["gateway_upstream_queue"] == 2, "two that wait")
        crowded.gate.set()
        client.complete("m1", status="failed")
        for each in ("m2", "m3"):
            end = client.complete(each, status="completed" if pause == 1 else "failed")
            if pause == 60:
                assert end["error"]["code"] == "upstream_unavailable"
                assert 0 < end["error"]["retry_after_ms"] <= 60_000
    assert len(crowded.heads) == (3 if pause == 1 else 1)
    crowded.stop()
