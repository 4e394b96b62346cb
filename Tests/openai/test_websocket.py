"""openai-python's WebSocket mode, unmodified, and what the gateway adds to it."""

import asyncio
import json

import pytest
from openai.lib.responses_websocket import (
    AsyncResponsesWebSocketSession,
    ResponsesWebSocketError,
    ResponsesWebSocketLimits,
)
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect as raw_connect

from conftest import KEY, Gateway


LIMITS = ResponsesWebSocketLimits(
    max_lanes=8, max_events_per_lane=512, max_events=2048, max_bytes_per_lane=1 << 24,
    max_bytes=1 << 25, max_response_bytes=None)


def create(text, model="sim-hello", **more):
    return {"type": "response.create", "model": model, "input": text, **more}


def until_end(connection, lane=None):
    events = []
    for event in connection:
        if event.type.startswith("gateway."):
            continue
        if getattr(event, "stream_id", None) != lane:
            continue
        events.append(event)
        if event.type in ("response.completed", "response.failed", "response.incomplete"):
            return events
        assert event.type != "error", event


def test_typed_events(client):
    with client.responses.connect() as connection:
        first = connection.recv()
        assert first.type == "gateway.session" and first.resume_token
        connection.send(create("Hi", stream=True))
        events = until_end(connection)
        assert [event.sequence_number for event in events] == list(range(len(events)))
        again = create(
            "And now?", "sim-echo", previous_response_id=events[-1].response.id)
        connection.send(again)
        assert "Hi" in until_end(connection)[-1].response.output_text


def test_two_lanes(gateway):
    async def run():
        async with gateway.async_client() as client:
            async with client.responses.connect() as connection:
                async with AsyncResponsesWebSocketSession(
                    connection, limits=LIMITS) as session:
                    lanes = [session.lane("a"), session.lane("b.2")]
                    for number, lane in enumerate(lanes):
                        await lane.send(
                            create(f"deltas={20 + number} rate=100 bytes=4", "sim-paced"))
                    return await asyncio.gather(
                        *(lane.get_final_response() for lane in lanes))

    first, second = asyncio.run(run())
    assert len(second.output_text) - len(first.output_text) == 4
    assert first.id != second.id


def test_a_lane_is_first_in_first_out(client):
    with client.responses.connect() as connection:
        for number in (1, 2):
            connection.send(create(f"deltas={number} rate=100", "sim-paced", stream_id="x"))
        first, second = until_end(connection, "x"), until_end(connection, "x")
        assert len(second) == len(first) + 1
        assert {event.response.id for event in first if hasattr(event, "response")} == {
            first[0].response.id}


def test_error_frames(client):
    with client.responses.connect() as connection:
        connection.recv()

        def error(frame):
            connection.send(frame)
            event = connection.recv()
            assert event.type == "error"
            return event

        refused = error(create("Hi", stream_id="a", temperature=9))
        assert refused.status == 400 and refused.stream_id == "a"
        assert refused.error.param == "temperature"
        lost = error(create("Hi", previous_response_id="resp_none"))
        assert lost.error.code == "previous_response_not_found"
        assert error(create("Hi", stream_id="no good")).error.code == "invalid_stream_id"
        assert error(create("Hi", background=True)).error.param == "background"
        limited = error(create("[sim:fault=status status=429 retry_after=3]"))
        assert limited.status == 429 and limited.error.headers["retry-after"] == "3"
        assert error({"type": "response.inject"}).error.code == "injecting_not_supported"
        connection.send(
            {"type": "response.steer", "previous_response_id": "resp_1", "input": "Stop"})
        assert connection.recv().error.code == "steering_not_supported"
        for number in range(31):
            connection.send(create("Hi", stream_id=f"lane{number}"))
        connection.send(create("Hi", stream_id="one.too.many"))
        for event in connection:
            if event.type == "error":
                break
        assert event.error.code == "websocket_stream_limit_reached"


def test_session_helper_raises_on_error(gateway):
    async def run():
        async with gateway.async_client() as client:
            async with client.responses.connect() as connection:
                async with AsyncResponsesWebSocketSession(
                    connection, limits=LIMITS) as session:
                    lane = session.lane("a")
                    await lane.send(create("Hi", temperature=9))
                    with pytest.raises(ResponsesWebSocketError):
                        await lane.get_final_response()
                    await lane.send(create("Hi"))
                    return await lane.get_final_response()

    assert asyncio.run(run()).status == "completed"


def test_cancel_with_receipt(client):
    with client.responses.connect() as connection:
        connection.send(create("deltas=3000 rate=50", "sim-paced", stream_id="a", store=False))
        for event in connection:
            if event.type == "response.output_text.delta":
                break
        connection.send({"type": "response.cancel", "stream_id": "a"})
        last = until_end(connection, "a")[-1]
        assert last.response.status == "cancelled"
        receipt = connection.recv()
        assert receipt.type == "gateway.cancelled" and receipt.response_id == last.response.id
        assert receipt.upstream_closed_us >= 0
        connection.send({"type": "response.cancel", "response_id": "resp_none"})
        assert connection.recv().error.code == "response_not_found"


def test_turns_that_upstream_does_not_keep(client):
    with client.responses.connect() as connection:
        connection.send(create("First words", generate=False))
        prepared = until_end(connection)[-1].response
        assert prepared.status == "completed" and prepared.output == []
        connection.send(
            create("Second words", "sim-echo", store=False, previous_response_id=prepared.id))
        second = until_end(connection)[-1].response
        assert "First words" in second.output_text and "Second words" in second.output_text
        connection.send(
            create("Third words", "sim-echo", store=False, previous_response_id=second.id))
        third = until_end(connection)[-1].response
        assert "First words" in third.output_text and "Third words" in third.output_text


@pytest.mark.parametrize("attempt", range(4))
def test_reconnect_with_resume(gateway, cutter, attempt):
    """The SDK's own hook: it sends nothing again, and gets every event exactly once."""
    state = {"seq": 0, "token": None, "reconnected": 0}
    # Per connection: what is still in the client's buffer after a cut is read without another connection.
    cuts = {0: 20, 1: 60}

    def on_reconnecting(event):
        state["reconnected"] += 1
        return {"extra_query": {"resume": state["token"], "after": str(state["seq"])}}

    with gateway.client(base_url=cutter.url + "/v1") as client:
        with client.responses.connect(
            on_reconnecting=on_reconnecting, initial_delay=0.05) as connection:
            connection.send(
                create("deltas=300 rate=60", "sim-paced", stream_id="a", store=False))
            connection.send(create("deltas=250 rate=60", "sim-paced", store=False))
            numbers, ends, text = {"a": [], None: []}, 0, {"a": "", None: ""}
            for event in connection:
                if event.type == "gateway.session":
                    state["token"] = event.resume_token
                    assert event.recovered == (state["reconnected"] > 0)
                    continue
                assert event.gateway_seq == state["seq"] + 1
                state["seq"] = event.gateway_seq
                lane = getattr(event, "stream_id", None)
                numbers[lane].append(event.sequence_number)
                if event.type == "response.output_text.delta":
                    text[lane] += event.delta
                if state["seq"] >= cuts.get(state["reconnected"], float("inf")):
                    del cuts[state["reconnected"]]
                    cutter.cut()
                if event.type == "response.completed":
                    assert text[lane] == event.response.output_text
                    ends += 1
                    if ends == 2:
                        break
    assert state["reconnected"] == 2
    for seen in numbers.values():
        assert seen == list(range(len(seen)))


def test_handshake(gateway):
    url = gateway.url.replace("http", "ws") + "/v1/responses"
    with pytest.raises(InvalidStatus) as refused:
        raw_connect(url, additional_headers={"authorization": "Bearer sk-nobody"})
    answer = refused.value.response
    assert answer.status_code == 401
    assert json.loads(answer.body)["status"] == 401
    headers = {
        "authorization": "Bearer " + KEY, "openai-beta": "responses_websockets=2026-02-06"}
    with raw_connect(url, additional_headers=headers) as socket:
        assert json.loads(socket.recv())["type"] == "gateway.session"
        socket.send("{")
        assert json.loads(socket.recv())["status"] == 400
    with raw_connect(url + "?resume=nonsense&after=3", additional_headers=headers) as socket:
        session = json.loads(socket.recv())
        assert not session["recovered"] and session["reason"] == "token_malformed"


def test_lifetime(simulator):
    gateway = Gateway(simulator, "dialect.connection_lifetime_s=1", "server.heartbeat_s=1")
    try:
        with gateway.client() as client, client.responses.connect() as connection:
            types = [(event.type, getattr(event, "error", None)) for event in connection]
        assert types[-1][0] == "error"
        assert types[-1][1].code == "websocket_connection_limit_reached"
    finally:
        gateway.stop()


def test_a_lifetime_ends_with_what_runs(simulator):
    """Whichever shard has the session: its connection ends with the response, not with the next ping."""
    gateway = Gateway(simulator, "dialect.connection_lifetime_s=1", "server.heartbeat_s=3600")
    url = gateway.url.replace("http", "ws") + "/v1/responses"
    headers = {"Authorization": "Bearer " + KEY}
    token, after = None, 0
    try:
        for _ in range(6):  # Of two shards: one of these connections is on the other one.
            query = f"?resume={token}&after={after}" if token else ""
            with raw_connect(url + query, additional_headers=headers) as socket:
                types = []
                create = {"type": "response.create", "model": "sim-hello",
                          "input": "[sim:paced deltas=60 rate=30]"}
                with pytest.raises(ConnectionClosed) as closed:
                    while True:
                        event = json.loads(socket.recv(timeout=30))
                        types.append(event["type"])
                        token = event.get("resume_token", token)
                        after = event.get("gateway_seq", after)
                        if event["type"] == "gateway.session":
                            assert event["recovered"] is bool(query)
                            socket.send(json.dumps(create))
            assert closed.value.rcvd.code == 1001
            assert types[-1] == "response.completed" and "error" in types
    finally:
        gateway.stop()
