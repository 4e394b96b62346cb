"""What a client may send, and what it is told when it sends something else: docs/protocol.md, 1 to 4."""

import json
import socket
import time
import urllib.error
import urllib.request

import pytest
from websockets.exceptions import ConnectionClosed

from harness import PATIENCE, Closed, RawSocket, check_truth, schemas, wait_until

# MARK: Greeting


def test_hello_is_answered_with_ready_before_anything_else(gateway):
    with gateway.connect() as client:
        ready = client.frames[0]
        assert ready["type"] == "ready"
        assert ready["recovered"] is False and "reason" not in ready
        assert ready["seq"] == 0
        assert ready["heartbeat_s"] == 25
        assert ready["limits"]["message_bytes"] == 8388608
        assert client.socket.subprotocol == "millrace.v1"
        assert "Sec-WebSocket-Extensions" not in client.socket.response.headers


def test_the_first_frame_must_be_a_hello(gateway):
    with gateway.connect(hello=False) as client:
        client.message("m1")
        assert client.expect("error")["code"] == "hello_required"
        assert client.expect_close() == 4400


def test_a_ping_is_answered_before_hello(gateway):
    with gateway.connect(hello=False) as client:
        client.send({"type": "ping", "id": "a"})
        assert client.expect("pong") == {"type": "pong", "id": "a"}


def test_a_second_hello_is_refused(gateway):
    with gateway.connect() as client:
        client.send({"type": "hello"})
        assert client.expect("error")["code"] == "hello_repeated"
        client.sync()


def test_without_hello_the_connection_ends(start_gateway):
    gateway = start_gateway(limits__hello_timeout_ms=150)
    with gateway.connect(hello=False) as client:
        assert client.expect_close() == 4408
    assert gateway.metrics()["gateway_closes_total{code=4408}"] == 1


def test_hello_may_come_with_commands_in_one_frame(gateway):
    with gateway.connect(hello=False) as client:
        client.send(
            {"type": "hello"}, {"type": "message", "id": "m1", "input": "[sim:hello]"},
            {"type": "ping", "id": "p"})
        client.await_ready()
        check_truth(client, client.complete("m1"))


# MARK: Faulty frames

FAULTY = [
    ("no JSON", "nonsense", "invalid_json"),
    ("an unfinished object", '{"type":"ping"', "invalid_json"),
    ("two values", '{"type":"ping"} true', "invalid_json"),
    ("a lone surrogate escape cut short", '{"type":"ping","id":"\\ud8"}', "invalid_json"),
    ("an array", "[]", "invalid_frame"),
    ("a number", "12", "invalid_frame"),
    ("null", "null", "invalid_frame"),
    ("no type", "{}", "invalid_frame"),
    ("a type of the wrong type", '{"type":7}', "invalid_frame"),
    ("an unknown type", '{"type":"frobnicate"}', "unknown_type"),
    ("deep nesting", '{"type":"ping","x":' + "[" * 5000 + "]" * 5000 + "}", "invalid_json"),
    ("deep nesting, unclosed", "[" * 100_000, "invalid_json"),
    ("a message without id", '{"type":"message","input":"x"}', "invalid_message_id"),
    ("a message with an odd id", '{"type":"message","id":"a b","input":"x"}', "invalid_message_id"),
    ("a message with an empty id", '{"type":"message","id":"","input":"x"}', "invalid_message_id"),
    ("a message with a long id", json.dumps({"type": "message", "id": "x" * 65, "input": "x"}),
     "invalid_message_id"),
    ("a message without input", '{"type":"message","id":"x"}', "invalid_frame"),
    ("a message with a number as input", '{"type":"message","id":"x","input":1}', "invalid_frame"),
    ("an id that is a huge number", '{"type":"message","id":1e999999,"input":"x"}', "invalid_frame"),
    ("options that are a list", '{"type":"message","id":"x","input":"y","options":[]}',
     "invalid_frame"),
    ("an option that is not allowed",
     '{"type":"message","id":"x","input":"y","options":{"background":true}}', "option_not_allowed"),
    ("a reserved option",
     '{"type":"message","id":"x","input":"y","options":{"previous_response_id":"r"}}',
     "option_not_allowed"),
    ("a reserved option in escapes",
     '{"type":"message","id":"x","input":"y","options":{"str\\u0065am":false}}',
     "option_not_allowed"),
    ("a cancel of a number", '{"type":"cancel","response":3}', "invalid_frame"),
    ("a cancel of nothing known", '{"type":"cancel","response":"r_nothing"}', "response_not_found"),
    ("a ping with a long id", json.dumps({"type": "ping", "id": "x" * 65}), "invalid_frame"),
    ("tool output", '{"type":"tool_output","call_id":"c","output":"o"}', "tool_output_unsupported"),
]


@pytest.mark.parametrize("text,code", [f[1:] for f in FAULTY], ids=[f[0] for f in FAULTY])
def test_a_faulty_frame_is_answered_and_changes_nothing(gateway, text, code):
    with gateway.connect() as client:
        client.send_raw(text)
        error = client.expect("error")
        assert error["code"] == code
        assert error["retryable"] is False
        client.sync()
        assert client.sequence == 0


def test_a_frame_with_huge_numbers_is_understood_where_they_do_not_matter(gateway):
    with gateway.connect() as client:
        client.send_raw('{"type":"ping","id":"n","x":1e400,"y":' + "9" * 4000 + "}")
        client.expect("pong", id="n")


@pytest.mark.parametrize("after", ["-1", "1.5", "1e99", '"3"', "9" * 400])
def test_a_position_must_be_a_whole_number(gateway, after):
    with gateway.connect(hello=False) as client:
        client.send_raw('{"type":"hello","resume":{"token":"t","after":' + after + "}}")
        assert client.expect("error")["code"] == "invalid_frame"
        client.send({"type": "hello"})
        client.await_ready()


def test_too_many_faulty_frames_end_the_connection(start_gateway):
    gateway = start_gateway(limits__errors_per_connection=3)
    with gateway.connect() as client:
        for _ in range(3):
            client.send_raw("nonsense")
            client.expect("error")
        client.sync()
        client.send_raw("nonsense")
        assert client.expect_close() == 4400
        assert client.frames[-1]["code"] == "invalid_json"
    metrics = gateway.metrics()
    assert metrics["gateway_errors_total{code=invalid_json}"] == 4
    assert metrics["gateway_errors_total{code=too_many_errors}"] == 1


def test_errors_about_a_message_name_it(gateway):
    with gateway.connect() as client:
        client.send({"type": "message", "id": "m9", "input": "x", "options": {"stream": False}})
        assert client.expect("error")["message_id"] == "m9"


# MARK: Frames


def test_several_objects_in_a_frame(gateway):
    with gateway.connect() as client:
        client.send_raw('{"type":"ping","id":"1"}\n\n{"type":"ping","id":"2"}\r\n{"type":"ping","id":"3"}\n')
        for expected in "123":
            assert client.expect("pong")["id"] == expected


def test_a_pretty_printed_object(gateway):
    with gateway.connect() as client:
        client.send_raw(json.dumps({"type": "ping", "id": "p"}, indent=2))
        client.expect("pong", id="p")


def test_one_faulty_object_does_not_spoil_its_neighbours(gateway):
    with gateway.connect() as client:
        client.send_raw('{"type":"ping","id":"1"}\n{"type":"what"}\n{"type":"ping","id":"2"}')
        client.expect("pong", id="1")
        client.expect("error", code="unknown_type")
        client.expect("pong", id="2")


def test_a_fragmented_message_is_put_together(gateway):
    with gateway.connect() as client:
        text = json.dumps({"type": "ping", "id": "ähm"}, ensure_ascii=False).encode()
        client.socket.send([text[i : i + 1] for i in range(len(text))], text=True)
        client.expect("pong", id="ähm")


def test_binary_frames_end_the_connection(gateway):
    with gateway.connect() as client:
        client.socket.send(b'{"type":"ping"}')
        assert client.expect_close() == 1003


def test_invalid_utf8_ends_the_connection(gateway):
    with RawSocket(gateway) as raw:
        raw.send_frame(1, b'{"type":"ping","id":"\xff"}')
        frame = raw.read_frame()
        assert frame is None or (frame[0] == 8 and frame[1][:2] == (1007).to_bytes(2, "big"))


def test_messages_above_the_limit_end_the_connection(start_gateway):
    gateway = start_gateway(
        limits__message_bytes=4096, limits__frame_bytes=4096, limits__input_bytes=4096,
        limits__options_bytes=4096)
    with gateway.connect() as client:
        client.send_raw(json.dumps({"type": "ping", "x": "y" * 4000}))
        client.expect("pong")
        client.send_raw(json.dumps({"type": "ping", "x": "y" * 4096}))
        assert client.expect_close() == 1009


def test_a_message_too_big_by_fragments_ends_the_connection(start_gateway):
    gateway = start_gateway(
        limits__message_bytes=4096, limits__frame_bytes=4096, limits__input_bytes=4096,
        limits__options_bytes=4096)
    with RawSocket(gateway) as raw:
        raw.send_json({"type": "hello"})
        raw.send_frame(1, b"x" * 1000, fin=False)
        for _ in range(4):
            raw.send_frame(0, b"x" * 1000, fin=False)
        for _ in raw.read_objects():
            pass
        assert raw.close_code == 1009


def test_a_fragment_above_the_limit_ends_the_connection(start_gateway):
    gateway = start_gateway(limits__frame_bytes=4096)
    with RawSocket(gateway) as raw:
        raw.send_json({"type": "hello"})
        raw.send_frame(1, b"x" * 5000, fin=False)
        for _ in raw.read_objects():
            pass
        assert raw.close_code == 1009


def test_an_input_above_the_limit_is_refused(start_gateway):
    gateway = start_gateway(limits__input_bytes=100, limits__options_bytes=100)
    with gateway.connect() as client:
        client.message("m1", "x" * 99)
        error = client.expect("error")
        assert (error["code"], error["message_id"]) == ("input_too_large", "m1")
        client.message("m2", "x", instructions="y" * 200)
        assert client.expect("error")["code"] == "input_too_large"
        client.ask("m3", "[sim:hello]" + "x" * 50)


def test_ping_and_pong_of_the_websocket(gateway):
    with gateway.connect() as client:
        assert client.socket.ping().wait(PATIENCE)
    with RawSocket(gateway) as raw:
        raw.send_frame(9, b"payload")
        assert raw.read_frame() == (10, b"payload")


def test_pong_without_id(gateway):
    with gateway.connect() as client:
        client.send({"type": "ping"})
        assert client.expect("pong") == {"type": "pong"}


# MARK: Rate


def ping_until_refused(client):
    """The first refusal: one ping at a time, as a client that reads nothing meanwhile may be closed before."""
    for number in range(100):
        client.send({"type": "ping", "id": str(number)})
        if (frame := client.receive())["type"] == "error":
            return frame
        assert frame == {"type": "pong", "id": str(number)}
    raise AssertionError("no ping was refused")


def test_frames_above_the_rate_are_refused_then_the_connection_ends(start_gateway):
    gateway = start_gateway(limits__frames_per_s=1, limits__frames_burst=5)
    with gateway.connect() as client:
        error = ping_until_refused(client)
        assert error["code"] == "rate_limited"
        assert error["retryable"] is True and error["retry_after_ms"] > 0
        with pytest.raises((Closed, ConnectionClosed)):
            for number in range(1000):
                client.send({"type": "ping", "id": str(number)})
            client.sync()
        assert client.expect_close() == 4429


def test_each_object_of_a_frame_counts(start_gateway):
    gateway = start_gateway(limits__frames_per_s=1, limits__frames_burst=5)
    with gateway.connect() as client:
        # The hello was one; the rest of the burst is admitted, and refused as often again.
        client.send(*({"type": "message", "id": f"m{number}", "input": "[sim:hello]"} for number in range(6)))
        assert {client.expect("message")["id"] for _ in range(4)} == {"m0", "m1", "m2", "m3"}
        refused = [client.expect("error", code="rate_limited") for _ in range(2)]
        assert [error["message_id"] for error in refused] == ["m4", "m5"]
        client.send(*({"type": "cancel"} for _ in range(100_000)))
        assert client.expect_close() == 4429


def test_after_the_pause_that_was_asked_for_frames_are_taken_again(start_gateway):
    gateway = start_gateway(limits__frames_per_s=1, limits__frames_burst=2)
    with gateway.connect() as client:
        pause = ping_until_refused(client)["retry_after_ms"]
        began = time.monotonic()
        wait_until(lambda: time.monotonic() >= began + (pause + 60) / 1000)
        client.send({"type": "ping", "id": "later"})
        client.expect("pong", id="later")


# MARK: Handshake


def handshake_status(gateway, path="/v1/chat", headers=(), **_):
    with RawSocket(gateway, handshake=False) as raw:
        head = raw.handshake(gateway.port, path, headers)
        return int(head.split()[1]), head.decode("latin-1").lower(), raw


def test_subprotocols(gateway):
    status, head, _ = handshake_status(gateway, headers=["Sec-WebSocket-Protocol: millrace.v1"])
    assert status == 101 and "sec-websocket-protocol: millrace.v1" in head
    status, head, _ = handshake_status(
        gateway, headers=["Sec-WebSocket-Protocol: other, millrace.v1"])
    assert status == 101 and "sec-websocket-protocol: millrace.v1" in head
    status, head, _ = handshake_status(gateway)
    assert status == 101 and "sec-websocket-protocol" not in head
    assert handshake_status(gateway, headers=["Sec-WebSocket-Protocol: millrace.v2"])[0] == 400


def test_extensions_are_not_taken(gateway):
    status, head, _ = handshake_status(
        gateway, headers=["Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits"])
    assert status == 101 and "sec-websocket-extensions" not in head


def test_only_chat_is_a_websocket(gateway):
    assert handshake_status(gateway, "/v1/other")[0] == 404
    assert handshake_status(gateway, "/debug/echo")[0] == 404
    assert gateway.get("/v1/chat")[0] == 426


def test_same_origin_by_default(gateway):
    same = f"Origin: http://127.0.0.1:{gateway.port}"
    assert handshake_status(gateway, headers=[same])[0] == 101
    for origin in ("http://evil.example", "null", "http://127.0.0.1", f"http://127.0.0.1:{gateway.port}.evil.example"):
        status, head, _ = handshake_status(gateway, headers=[f"Origin: {origin}"])
        assert status == 403, origin


def test_origins_that_are_listed(start_gateway):
    gateway = start_gateway(server__origins="https://chat.example.com")
    assert handshake_status(gateway, headers=["Origin: https://chat.example.com"])[0] == 101
    assert handshake_status(gateway, headers=["Origin: https://other.example.com"])[0] == 403
    open_to_all = start_gateway(server__origins="*")
    assert handshake_status(open_to_all, headers=["Origin: https://any.example"])[0] == 101


def test_a_refused_handshake_says_why(gateway):
    with RawSocket(gateway, handshake=False) as raw:
        head = raw.handshake(gateway.port, "/v1/chat", ["Origin: http://evil.example"])
        length = int(head.lower().split(b"content-length:")[1].split()[0])
        body = json.loads(raw._take(length))
        assert body["error"]["code"] == "origin_not_allowed"


@pytest.mark.parametrize("without,status,code", [
    ("Sec-WebSocket-Key", 400, "invalid_handshake"), ("Connection", 400, "invalid_handshake"),
    ("Sec-WebSocket-Version", 426, "unsupported_version"),
])
@pytest.mark.parametrize("path", ["/v1/chat", "/v1/responses"])
def test_a_handshake_that_is_none_is_answered(gateway, path, without, status, code):
    assert refusal_of_handshake(gateway, path, {without: None}) == (status, code)


@pytest.mark.parametrize("key", ["", "short", "dGhlIHNhbXBsZSBub25jZQ", "dGhlIHNhbXBsZSBub25j*Q=="])
def test_a_key_that_is_none_is_refused(gateway, key):
    fields = {"Sec-WebSocket-Key": key}
    assert refusal_of_handshake(gateway, "/v1/chat", fields) == (400, "invalid_handshake")


def test_a_handshake_begins_with_get(gateway):
    fields = {}
    assert refusal_of_handshake(gateway, "/v1/chat", fields, "POST") == (405, "method_not_allowed")


def test_a_handshake_begins_with_http_1_1(gateway):
    refusal = refusal_of_handshake(gateway, "/v1/chat", {}, version="1.0")
    assert refusal == (400, "invalid_handshake")


def refusal_of_handshake(gateway, path, fields, method="GET", version="1.1"):
    fields = {
        "Host": f"127.0.0.1:{gateway.port}", "Upgrade": "websocket", "Connection": "Upgrade",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version": "13", **fields}
    lines = [f"{name}: {value}" for name, value in fields.items() if value is not None]
    with RawSocket(gateway, handshake=False) as raw:
        raw.socket.sendall("\r\n".join([f"{method} {path} HTTP/{version}", *lines, "", ""]).encode())
        head = raw.read_head()
        assert head, "closed without an answer"
        body = json.loads(raw._take(int(head.lower().split(b"content-length:")[1].split()[0])))
        return int(head.split()[1]), body["error"]["code"]


# MARK: Keys

KEYS = "alice:alice-secret-0000000001,bob:bob-secret-000000000002"


def test_keys(start_gateway):
    gateway = start_gateway(auth__keys=KEYS)
    with gateway.connect(hello=False) as client:
        client.send({"type": "hello"})
        assert client.expect("error")["code"] == "unauthorized"
        assert client.expect_close() == 4401
    with gateway.connect(hello=False) as client:
        client.send({"type": "hello", "auth": "wrong"})
        assert client.expect("error")["code"] == "unauthorized"
        assert client.expect_close() == 4401
    with gateway.connect(auth="alice-secret-0000000001") as client:
        client.ask("m1", "[sim:hello]")
    for scheme in ("Bearer", "bearer"):  # of any case: RFC 9110, section 11.1
        header = {"Authorization": f"{scheme} bob-secret-000000000002"}
        with gateway.connect(headers=header) as client:
            client.ask("m1", "[sim:hello]")


def test_a_wrong_key_in_the_hello_counts_more_than_a_good_header(start_gateway):
    gateway = start_gateway(auth__keys=KEYS)
    header = {"Authorization": "Bearer bob-secret-000000000002"}
    with gateway.connect(hello=False, headers=header) as client:
        client.send({"type": "hello", "auth": "wrong"})
        assert client.expect("error")["code"] == "unauthorized"
        assert client.expect_close() == 4401


def test_a_token_belongs_to_its_key(start_gateway):
    gateway = start_gateway(auth__keys=KEYS)
    with gateway.connect(auth="alice-secret-0000000001") as alice:
        alice.ask("m1", "[sim:hello]")
        with gateway.connect(auth="bob-secret-000000000002", resume=alice.token) as bob:
            assert bob.ready["recovered"] is False
            assert bob.ready["reason"] == "token_subject"
            assert bob.ready["session"] != alice.ready["session"]
            bob.sync()
            assert not bob.events
        with gateway.connect(auth="alice-secret-0000000001", resume=alice.token) as again:
            assert again.ready["recovered"] is True


def test_secrets_and_texts_are_not_logged(start_gateway):
    gateway = start_gateway("--log-level", "debug", auth__keys=KEYS)
    with gateway.connect(auth="alice-secret-0000000001") as client:
        client.ask("m1", "[sim:echo] the-secret-prompt")
        token = client.token
    gateway.stop()
    log = gateway.errors()
    assert "response ended" in log
    for secret in ("alice-secret", "the-secret-prompt", token):
        assert secret not in log


# MARK: Limits


def test_connections_in_all(start_gateway):
    gateway = start_gateway(server__connections=2, shards=2)
    with gateway.connect(), gateway.connect() as second:
        assert handshake_status(gateway)[0] == 503
        second.close()
        wait_until(lambda: handshake_status(gateway)[0] == 101, "room for another connection")


def test_connections_of_an_address(start_gateway):
    gateway = start_gateway(
        server__connections_per_address=1, server__trusted_proxies="127.0.0.1/32")
    ours = ["X-Forwarded-For: 203.0.113.7"]
    with RawSocket(gateway, headers=ours):
        assert handshake_status(gateway, headers=ours)[0] == 429
        assert handshake_status(gateway, headers=["X-Forwarded-For: 203.0.113.8"])[0] == 101
        # What a client writes itself stands before what the proxy adds.
        forged = ["X-Forwarded-For: 198.51.100.1, 203.0.113.7"]
        assert handshake_status(gateway, headers=forged)[0] == 429
    wait_until(lambda: handshake_status(gateway, headers=ours)[0] == 101)


def test_a_handshake_that_fails_late_gives_its_place_back(start_gateway):
    gateway = start_gateway(server__connections=1)
    for _ in range(3):
        with RawSocket(gateway, handshake=False) as raw:
            raw.socket.sendall(
                b"GET /v1/chat HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n"
                b"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\r\n")
            raw.read_head()
    with gateway.connect() as client:
        client.sync()


def test_sessions(start_gateway):
    gateway = start_gateway(limits__sessions=1)
    with gateway.connect() as first:
        with gateway.connect(hello=False) as second:
            second.send({"type": "hello"})
            error = second.expect("error")
            assert error["code"] == "overloaded" and error["retry_after_ms"] > 0
            assert second.expect_close() == 1013
        first.sync()
    # The deserted session makes room.
    wait_until(lambda: gateway.metrics()["gateway_connections"] == 0)
    with gateway.connect() as third:
        third.sync()
        assert gateway.metrics()["gateway_sessions"] == 1


def test_the_session_that_was_left_first_makes_room(start_gateway):
    """By when it was left last: a visit in between counts."""
    gateway = start_gateway(limits__sessions=2)

    def leave(client):
        client.close()
        wait_until(lambda: gateway.metrics()["gateway_connections"] == 0, "the closed connection")
        return client.token

    first = leave(gateway.connect())
    second = leave(gateway.connect())
    for _ in range(100):
        with gateway.connect(resume=first) as again:
            assert again.ready["recovered"] is True
        leave(again)
    with gateway.connect():
        with gateway.connect(resume=first) as again:
            assert again.ready["recovered"] is True
            leave_out = gateway.connect(resume=second, hello=False)
            leave_out.send({"type": "hello", "resume": {"token": second, "after": 0}})
            assert leave_out.expect("error")["code"] == "overloaded"


def test_a_refused_request_leaves_no_session(start_gateway):
    """Of the OpenAI dialect, over HTTP: its session began with it."""
    gateway = start_gateway(options__models="sim-hello", model=None)
    for _ in range(5):
        request = urllib.request.Request(
            gateway.url + "/v1/responses", b'{"model":"other","input":"Hi"}',
            {"content-type": "application/json"})
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(request, timeout=PATIENCE)
        assert refused.value.code == 400
    wait_until(lambda: gateway.metrics()["gateway_sessions"] == 0, "the end of the sessions")


def test_running_responses_of_a_connection_and_a_session(start_gateway):
    gateway = start_gateway(
        limits__responses_per_connection=1, limits__responses_per_session=2)
    with gateway.connect() as one:
        one.message("a", "[sim:paced deltas=10000 rate=50]")
        one.expect("delta")
        one.message("b")
        error = one.expect("error")
        assert (error["code"], error["message_id"]) == ("too_many_responses", "b")
        assert error["retryable"] is True
        with gateway.connect(resume=one.token) as two:
            two.message("c", "[sim:paced deltas=10000 rate=50]")
            two.expect("response", message="c")
            with gateway.connect(resume=one.token) as three:
                three.message("d")
                assert three.expect("error")["message_id"] == "d"
            two.cancel(message="a")
            two.cancel(message="c")
            two.complete("c")
        one.complete("c")
        # The refused id is free.
        one.ask("b", "[sim:hello]")


# MARK: Heartbeats


def test_a_peer_that_never_answers_pings_is_closed(start_gateway):
    gateway = start_gateway(server__heartbeat_s=1)
    with RawSocket(gateway) as raw:
        raw.send_json({"type": "hello"})
        seen = []
        while (frame := raw.read_frame()) is not None:
            seen.append(frame)
            if frame[0] == 8:
                break
        assert 9 in [opcode for opcode, _ in seen], "pings were sent"
        assert seen[-1][0] == 8 and seen[-1][1][:2] == (4409).to_bytes(2, "big")
    wait_until(lambda: gateway.metrics()["gateway_connections"] == 0)


def test_a_peer_that_answers_pings_stays(start_gateway):
    gateway = start_gateway(server__heartbeat_s=1)
    with gateway.connect() as client:
        assert client.ready["heartbeat_s"] == 1
        began = time.monotonic()
        wait_until(lambda: time.monotonic() > began + 3.2)
        client.sync()


def test_a_peer_that_vanishes_without_a_word_is_noticed(start_gateway):
    gateway = start_gateway(server__heartbeat_s=1)
    raw = RawSocket(gateway, receive_buffer=4096)
    raw.send_json({"type": "hello"}, {"type": "message", "id": "m", "input": "[sim:paced deltas=1000000 rate=0 bytes=100]"})
    # Nothing is ever read: neither pings nor the close frame can arrive.
    wait_until(lambda: gateway.metrics()["gateway_connections"] == 0, "the end of the connection")
    raw.close()


# MARK: Schemas


def test_schemas_tell_right_from_wrong():
    ready = {
        "type": "ready", "session": "s_000000" + "a" * 16, "epoch": "e_aa", "seq": 0,
        "resume_token": "", "expires_in_s": 1, "recovered": False, "heartbeat_s": 1,
        "limits": {
            "message_bytes": 1, "frames_per_s": 1, "responses_per_connection": 1,
            "responses_per_session": 1}}
    assert schemas.accepts_server(ready)
    assert schemas.accepts_server(ready | {"a_new_field": 1})
    assert not schemas.accepts_server(ready | {"seq": -1})
    assert not schemas.accepts_server({k: v for k, v in ready.items() if k != "recovered"})
    assert not schemas.accepts_server({"type": "what"})
    complete = {
        "type": "complete", "seq": 3, "response": "r_a", "message": "m", "status": "failed",
        "timing": {"total_ms": 1}, "text_sha256": "0" * 64, "text_bytes": 0}
    assert not schemas.accepts_server(complete)
    assert schemas.accepts_server(
        complete | {"error": {"code": "x", "message": "", "retryable": True}})
    assert not schemas.accepts_server(complete | {"status": "cancelled"})
    assert schemas.accepts_client({"type": "cancel"})
    assert not schemas.accepts_client({"type": "message", "id": "a b", "input": "x"})
    assert not schemas.accepts_client({"type": "hello", "resume": {}})
