"""The plain requests of the gateway's port."""

import asyncio
import http.client
import json
import pathlib
import socket
import time
import urllib.parse

import aiohttp
import pytest

from harness import PATIENCE, ROOT, Gateway, schemas, sha256, text_of, wait_until


@pytest.fixture(scope="module")
def web(tmp_path_factory):
    folder = tmp_path_factory.mktemp("web")
    (folder / "index.html").write_text("<!doctype html><title>Millrace</title>")
    (folder / "assets").mkdir()
    (folder / "assets/app.js").write_text("export const n = 1;\n")
    (folder / "assets/style.css").write_text("body { margin: 0 }\n")
    (folder / "assets/logo.svg").write_text("<svg/>")
    (folder / "assets/data.json").write_text("{}")
    (folder / "assets/big.js").write_text("x" * 3_000_000)
    (folder / "assets/with space.txt").write_text("space")
    (folder / "assets/this&that;other.txt").write_text("marks")
    (folder / "assets/c++ and.txt").write_text("plus")
    (folder / "empty.txt").write_text("")
    (folder / ".secret").write_text("secret")
    (folder.parent / "outside.txt").write_text("outside")
    return folder


@pytest.fixture(scope="module")
def site(sim, web):
    process = Gateway(sim, "--web", str(web), shards=2)
    yield process
    assert process.stop() == 0


def test_health_and_readiness(gateway):
    assert gateway.get("/healthz")[::2] == (200, b"ok\n")
    status, _, body = gateway.get("/readyz")
    assert status == 200 and body.startswith(b"ready\nupstream primary breaker=closed ")


def test_metrics_are_what_prometheus_reads(gateway):
    with gateway.connect() as client:
        client.ask("m1", "[sim:hello]")
        status, headers, _ = gateway.get("/metrics")
        assert headers["content-type"].startswith("text/plain; version=0.0.4")
        metrics = gateway.metrics()
        assert metrics["gateway_connections"] >= 1
        assert metrics["gateway_first_text_seconds_count"] >= 1
        assert metrics["gateway_responses_total{outcome=completed}"] >= 1
        for name in metrics:
            assert name.startswith(("gateway_", "process_")), name


def test_metrics_count_what_happens(start_gateway):
    gateway = start_gateway(shards=2)
    with gateway.connect() as client:
        client.ask("m1", "[sim:paced deltas=10 rate=0]")
        client.message("m1", "other")
        client.expect("error", code="message_id_conflict")
        client.message("m1", "[sim:paced deltas=10 rate=0]")
        client.expect("state", state="attached")
        client.cancel(response="r_unknown")
        client.expect("error", code="response_not_found")
    metrics = wait_until(
        lambda: (m := gateway.metrics())["gateway_connections"] == 0
        and m["gateway_upstream_transfers"] == 0 and m)
    assert metrics["gateway_connections_total"] == 1
    assert metrics["gateway_sessions"] == 1
    assert metrics["gateway_deltas_total"] == 10
    assert metrics["gateway_messages_total{result=accepted}"] == 1
    assert metrics["gateway_messages_total{result=attached}"] == 1
    assert metrics["gateway_messages_total{result=conflict}"] == 1
    assert metrics["gateway_errors_total{code=message_id_conflict}"] == 1
    assert metrics["gateway_errors_total{code=response_not_found}"] == 1
    assert metrics["gateway_upstream_requests_total{result=finished}"] == 1
    assert metrics["gateway_closes_total{code=1000}"] == 1
    assert metrics["gateway_token_usage_total{kind=output}"] > 0


def test_metrics_can_be_off(start_gateway):
    assert start_gateway(metrics__enabled="false").get("/metrics")[0] == 404


@pytest.mark.parametrize("path,type", [
    ("/", "text/html; charset=utf-8"), ("/index.html", "text/html; charset=utf-8"),
    ("/assets/app.js", "text/javascript; charset=utf-8"),
    ("/assets/style.css", "text/css; charset=utf-8"), ("/assets/logo.svg", "image/svg+xml"),
    ("/assets/data.json", "application/json"), ("/assets/big.js", "text/javascript; charset=utf-8"),
    ("/assets/with%20space.txt", "text/plain; charset=utf-8"),
    ("/assets/c++%20and.txt", "text/plain; charset=utf-8"),
    ("/assets/c%2B%2B%20and.txt", "text/plain; charset=utf-8"),
    ("/assets/this&that;other.txt", "text/plain; charset=utf-8"),
    ("/empty.txt", "text/plain; charset=utf-8")])
def test_files(site, web, path, type):
    status, headers, body = site.get(path)
    assert status == 200
    name = "index.html" if path == "/" else urllib.parse.unquote(path[1:])
    assert body == (web / name).read_bytes()
    assert headers["content-type"] == type
    assert headers["x-content-type-options"] == "nosniff"
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy or "default-src 'self'" in policy
    assert "unsafe" not in policy and "connect-src 'self'" in policy
    assert headers["referrer-policy"] and headers["cache-control"] == "no-cache"
    again = site.get(path, if_none_match=headers["etag"])
    assert again[0] == 304 and again[2] == b"" and "content-length" not in again[1]
    assert site.get(path, if_none_match='"other"')[0] == 200
    assert site.get(path, if_none_match='"other", ' + headers["etag"])[0] == 304
    assert site.get(path, if_none_match='"other",\t' + headers["etag"] + "\t")[0] == 304
    assert site.get(path, if_none_match="W/" + headers["etag"])[0] == 304


@pytest.mark.parametrize("path", [
    "/../outside.txt", "/assets/../../outside.txt", "/%2e%2e/outside.txt",
    "/..%2foutside.txt", "/assets/%2e%2e/%2e%2e/outside.txt", "/.secret", "/assets", "/assets/",
    "/nothing", "//etc/passwd", "/index.html%00.js"])
def test_nothing_else_is_served(site, path):
    with socket.create_connection(("127.0.0.1", site.port)) as raw:
        raw.settimeout(10)
        raw.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        answer = b""
        while True:
            try:
                piece = raw.recv(65536)
            except ConnectionResetError:
                break
            if not piece:
                break
            answer += piece
            if b"\r\n\r\n" in answer and b"}\n" in answer:
                break
    assert answer == b"" or answer.split()[1] in (b"404", b"400", b"403"), answer[:200]
    assert b"outside" not in answer and b"secret" not in answer
    assert site.is_running


@pytest.mark.parametrize("connection", ["close", "Close", "close, te", "te ,\tclose", "te,close"])
def test_a_connection_ends_when_its_client_says_so(site, connection):
    with socket.create_connection(("127.0.0.1", site.port), timeout=PATIENCE) as raw:
        raw.sendall(
            f"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: {connection}\r\n\r\n".encode())
        answer = raw.makefile("rb").read()
    assert answer.startswith(b"HTTP/1.1 200 ") and b"\r\nconnection: close\r\n" in answer


def test_head_and_other_methods(site):
    async def run():
        async with aiohttp.ClientSession(site.url) as session:
            # One kept-alive connection for all of them.
            for _ in range(3):
                async with session.head("/") as answer:
                    assert answer.status == 200 and await answer.read() == b""
                    assert int(answer.headers["content-length"]) > 0
                async with session.get("/assets/big.js") as answer:
                    assert len(await answer.read()) == 3_000_000
                for method in ("POST", "PUT", "DELETE", "OPTIONS", "PATCH"):
                    async with session.request(method, "/", data=b"x") as answer:
                        assert answer.status == 405 and answer.headers["allow"] == "GET, HEAD"

    asyncio.run(run())


def test_no_files_without_a_directory(gateway):
    status, headers, body = gateway.get("/")
    assert status == 404 and json.loads(body)["error"]["code"] == "not_found"


def test_a_browser_like_client(gateway):
    """aiohttp offers permessage-deflate and sends its own pings."""
    async def run():
        async with aiohttp.ClientSession() as session:
            origin = f"http://127.0.0.1:{gateway.port}"
            async with session.ws_connect(
                gateway.chat, protocols=["millrace.v1"], heartbeat=0.2, compress=15, origin=origin,
                max_msg_size=0,
            ) as socket:
                assert socket.protocol == "millrace.v1" and not socket.compress
                await socket.send_json({"type": "hello"})
                await socket.send_json(
                    {"type": "message", "id": "m1", "input": "[sim:paced deltas=200 rate=200]"})
                events = []
                async for frame in socket:
                    assert frame.type == aiohttp.WSMsgType.TEXT
                    for line in frame.data.split("\n"):
                        event = json.loads(line)
                        schemas.check_server(event)
                        events.append(event)
                    if events[-1]["type"] in ("complete", "token"):
                        break
                end = next(e for e in events if e["type"] == "complete")
                assert end["status"] == "completed"
                assert end["text_sha256"] == sha256(text_of(events))

    asyncio.run(run())


def test_requests_in_pieces_and_in_a_row(gateway):
    with socket.create_connection(("127.0.0.1", gateway.port)) as raw:
        raw.settimeout(10)
        request = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
        for byte in request:
            raw.sendall(bytes([byte]))
        assert raw.recv(4096).startswith(b"HTTP/1.1 200")
        raw.sendall(request * 3)
        answer = b""
        while answer.count(b"HTTP/1.1 200") < 3:
            piece = raw.recv(4096)
            assert piece, answer
            answer += piece


HEALTH = "GET /healthz HTTP/1.1\r\nHost: x\r\n"
POST = "POST /v1/responses HTTP/1.1\r\nHost: x\r\n"


@pytest.mark.parametrize("head,status", [
    # The request line.
    ("BREW /pot HTTP/1.1\r\nHost: x\r\n", 501), ("get /healthz HTTP/1.1\r\nHost: x\r\n", 501),
    ("CONNECT x:443 HTTP/1.1\r\nHost: x\r\n", 501), ("TRACE / HTTP/1.1\r\nHost: x\r\n", 501),
    ("GE@T / HTTP/1.1\r\nHost: x\r\n", 400), ("GET\r\n", 400), ("GET /healthz\r\n", 400),
    ("GET  /healthz HTTP/1.1\r\nHost: x\r\n", 400), (" GET / HTTP/1.1\r\nHost: x\r\n", 400),
    ("GET /healthz HTTP/9.9\r\nHost: x\r\n", 505), ("PRI * HTTP/2.0\r\n", 505),
    ("GET /healthz HTTP/1.2\r\nHost: x\r\n", 200), ("GET /healthz HTTP/1.0\r\n", 200),
    ("GET http://x/healthz HTTP/1.1\r\nHost: y\r\n", 200), ("GET * HTTP/1.1\r\nHost: x\r\n", 400),
    ("GET /healthz#a HTTP/1.1\r\nHost: x\r\n", 400), ("GET /%zz HTTP/1.1\r\nHost: x\r\n", 400),
    ("GET /heal\x01thz HTTP/1.1\r\nHost: x\r\n", 400), ("\x16\x03\x01\x02\0\x01\0\x01\xfc", 400),
    ("GET /" + "a" * 20000, 414),
    # Headers.
    ("GET /healthz HTTP/1.1\r\n", 400), (HEALTH + "Host: y\r\n", 400), (HEALTH + "a : b\r\n", 400),
    (HEALTH + "a: b\r\n c\r\n", 400), (HEALTH + "a: b\rc: d\r\n", 400), (HEALTH + "a\r\n", 400),
    (HEALTH + "a(b): c\r\n", 400), (HEALTH + "a: b\x07\r\n", 400), (HEALTH + "a: b\0\r\n", 400),
    (HEALTH + "a:\r\n", 200), (HEALTH + "a: b\tc\xff\r\n", 200), (HEALTH + "X: 1\r\nIf: 2\r\n", 200),
    (HEALTH + "Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AA\r\n", 200),
    ("\r\n" + HEALTH, 200), (HEALTH.replace("\r\n", "\n"), 200), (HEALTH + "a: b\r\n" * 3000, 431),
    # Bodies.
    (POST + "content-length: -5\r\n", 400), (POST + "content-length : 5\r\n", 400),
    (POST + "content-length: 99999999999999999999\r\n", 413), (POST + "transfer-encoding: gzip\r\n", 400),
    (HEALTH + "transfer-encoding: chunked\r\n", 413), (HEALTH + "content-length: 99999\r\n", 413),
    (POST + "content-length: 5\r\ntransfer-encoding: chunked\r\n", 400),
    (POST + "transfer-encoding: xchunked\r\n", 400), (POST + "transfer-encoding: gzip, chunked\r\n", 501)])
def test_what_a_request_may_be(gateway, head, status):
    """What the specifications ask of a server; most of it keeps requests from being smuggled past a proxy."""
    with socket.create_connection(("127.0.0.1", gateway.port)) as raw:
        raw.settimeout(PATIENCE)
        raw.sendall((head + "\r\n").encode("latin-1"))
        with raw.makefile("rb") as answer:
            assert answer.readline().startswith(f"HTTP/1.1 {status} ".encode())
    assert gateway.get("/healthz")[0] == 200


@pytest.mark.parametrize("request_bytes", [
    b"\x00\xff\x00garbage\r\n\r\n", b"\r\n" * 100_000, b"G" * 100, b"GET / HTTP/1.1\r\r\r\r",
    b"GET /healthz HTTP/1.1\r\nHost: x\r\ncontent-length: 5\r\n\r\nhello",
    b"POST / HTTP/1.1\r\nHost: x\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: x\r\ntransfer-encoding: chunked\r\n\r\nhello\r\n"])
def test_broken_requests_do_no_harm(gateway, request_bytes):
    with socket.create_connection(("127.0.0.1", gateway.port)) as raw:
        raw.settimeout(1)
        try:
            raw.sendall(request_bytes)
            raw.recv(4096)
        except (TimeoutError, OSError):
            pass
    assert gateway.get("/healthz")[0] == 200


# MARK: Patience


def seconds_until_closed(site, sent):
    with socket.create_connection(("127.0.0.1", site.port)) as peer:
        peer.settimeout(60)
        began = time.monotonic()
        peer.sendall(sent)
        while peer.recv(65536):
            pass
        return time.monotonic() - began


@pytest.mark.parametrize("sent", [b"GET /he", b"GET /healthz HTTP/1.1\r\nHost: x\r\n"])
def test_a_head_that_does_not_come_is_given_up(start_gateway, sent):
    gateway = start_gateway(server__request_timeout_s=1, server__keepalive_timeout_s=3600)
    assert seconds_until_closed(gateway, sent) < 9  # The library would wait 10 by itself.


def descriptors(process):
    return len(list(pathlib.Path(f"/proc/{process.pid}/fd").iterdir()))


def narrow(site, path):
    """A client that has asked, and has little room for the answer."""
    peer = socket.socket()
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16384)
    peer.settimeout(PATIENCE)
    peer.connect(("127.0.0.1", site.port))
    peer.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
    return peer


def test_an_answer_that_nobody_reads_is_given_up(start_gateway, web):
    gateway = start_gateway(server__web_directory=web, server__request_timeout_s=1)
    before = descriptors(gateway)
    with narrow(gateway, "/assets/big.js"):
        wait_until(lambda: descriptors(gateway) > before, "the connection")
        wait_until(lambda: descriptors(gateway) == before, "its end")


def test_an_answer_that_is_read_slowly_comes_whole(start_gateway, web):
    gateway = start_gateway(server__web_directory=web, server__request_timeout_s=1)
    with narrow(gateway, "/assets/big.js") as peer:
        length, began = 0, time.monotonic()
        while piece := peer.recv(65536):
            length += len(piece)
            # Three seconds for the first half, three times what a pause may take.
            due = began + min(length, 1_500_000) / 500_000
            wait_until(lambda: time.monotonic() > due)
        assert length > 3_000_000


@pytest.mark.parametrize("path,size,chunks,status", [
    ("/v1/responses", 8 << 20, False, 413), ("/v1/responses", 2 << 20, True, 413),
    ("/v1/files", 8 << 20, False, 415), ("/assets/app.js", 1 << 20, False, 405)])
def test_who_writes_all_before_it_reads_has_its_answer(start_gateway, path, size, chunks, status):
    """As Python's own client does: a reset would come before the answer is read."""
    gateway = start_gateway(dialect__body_bytes=1 << 20)
    for _ in range(5):
        client = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=PATIENCE)
        body = iter([b"x" * 65536] * (size // 65536)) if chunks else b"x" * size
        client.request("POST", path, body, encode_chunked=chunks)
        answer = client.getresponse()
        assert answer.status == status and answer.getheader("connection") == "close"
        assert json.loads(answer.read())["error"]
        client.close()


def test_a_connection_that_asks_nothing_more_is_closed(start_gateway):
    gateway = start_gateway(server__request_timeout_s=3600, server__keepalive_timeout_s=1)
    whole = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
    assert seconds_until_closed(gateway, whole) < 60
