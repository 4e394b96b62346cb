"""openai-python over HTTP, unmodified."""

import json
import threading
import time

import httpx
import openai
import pytest

from conftest import KEY, OTHER_KEY, UPSTREAM_KEY


def until(condition, seconds=30):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := condition():
            return found
        time.sleep(0.02)
    raise AssertionError("it did not become so")


def test_stream(client):
    events = list(client.responses.create(model="sim-markdown", input="Hi", stream=True))
    assert [event.sequence_number for event in events] == list(range(len(events)))
    assert events[0].type == "response.created"
    assert events[-1].type == "response.completed"
    text = "".join(e.delta for e in events if e.type == "response.output_text.delta")
    assert text == events[-1].response.output_text
    assert all(getattr(event, "obfuscation", None) is None for event in events)


def test_stream_helper(client):
    with client.responses.stream(model="sim-reasoning", input="Hi") as stream:
        seen = [event.type for event in stream]
        final = stream.get_final_response()
    assert final.status == "completed" and final.output_text
    assert "response.output_text.delta" in seen


def test_whole(client):
    raw = client.responses.with_raw_response.create(model="sim-hello", input="Hi")
    response = raw.parse()
    assert response.status == "completed" and response.output_text and response.usage.total_tokens
    assert raw.headers["x-request-id"].startswith("req_")
    assert raw.headers["x-ratelimit-remaining-requests"]


def test_wire(gateway):
    """What the parsers of both SDKs agree on: docs/openai-compatibility.md."""
    with httpx.stream(
        "POST", gateway.url + "/v1/responses", headers={"authorization": "Bearer " + KEY},
        json={"model": "sim-paced", "input": "deltas=6 rate=2", "stream": True}, timeout=30,
    ) as answer:
        assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
        body = answer.read()
    assert b"\r" not in body and b"\nid:" not in body and b"\nretry:" not in body
    assert b": waiting\n\n" in body
    for block in body.decode().removesuffix("\n\n").split("\n\n"):
        if block.startswith(":"):
            continue
        event, data = block.split("\n")
        assert event == "event: " + json.loads(data.removeprefix("data: "))["type"]


def test_resume_from_any_connection(gateway, client):
    stream = client.responses.create(
        model="sim-paced", input="deltas=60 rate=60", stream=True, store=False)
    first = []
    for event in stream:
        first.append(event)
        if len(first) == 10:
            break
    stream.close()
    identifier = first[0].response.id
    # Connections fall on either shard: each attempt is one that may be elsewhere.
    for _ in range(6):
        with gateway.client() as other:
            rest = list(
                other.responses.retrieve(identifier, stream=True, starting_after=9))
            assert [event.sequence_number for event in rest] == list(
                range(10, 10 + len(rest)))
            assert rest[-1].type == "response.completed"
            text = "".join(
                e.delta for e in first + rest if e.type == "response.output_text.delta")
            assert text == rest[-1].response.output_text


def test_stream_helper_resumes(client):
    with client.responses.create(
        model="sim-paced", input="deltas=40 rate=100", stream=True) as stream:
        identifier = next(iter(stream)).response.id
    with client.responses.stream(response_id=identifier, starting_after=5) as stream:
        numbers = [event.sequence_number for event in stream]
        assert stream.get_final_response().status == "completed"
    assert numbers == list(range(6, 6 + len(numbers)))


def test_snapshot_while_running(client):
    stream = client.responses.create(
        model="sim-paced", input="deltas=80 rate=20", stream=True, store=False)
    identifier = next(iter(stream)).response.id
    assert client.responses.retrieve(identifier).status == "in_progress"
    assert list(stream)[-1].type == "response.completed"
    assert client.responses.retrieve(identifier).output_text


def test_cancel(client, stats):
    before = stats()["cancellations"] or []
    stream = client.responses.create(
        model="sim-paced", input="deltas=2000 rate=50", stream=True, store=False)
    events = iter(stream)
    identifier = next(events).response.id
    for _ in range(8):
        next(events)
    cancelled = client.responses.cancel(identifier)
    assert cancelled.status == "cancelled"
    last = list(events)[-1]
    assert last.type == "response.incomplete" and last.response.status == "cancelled"
    assert last.response.incomplete_details.reason == "cancelled"
    assert client.responses.retrieve(identifier).status == "cancelled"
    until(lambda: len(stats()["cancellations"]) > len(before))


def test_background(client, stats):
    response = client.responses.create(
        model="sim-paced", input="deltas=30 rate=60", background=True)
    assert response.status in ("queued", "in_progress")
    done = until(
        lambda: (r := client.responses.retrieve(response.id)).status == "completed" and r)
    assert done.output_text
    events = list(client.responses.retrieve(response.id, stream=True))
    assert events[0].sequence_number == 0 and events[-1].type == "response.completed"


def test_background_cancel_reaches_upstream(client, simulator):
    response = client.responses.create(
        model="sim-paced", input="deltas=2000 rate=50", background=True)
    assert client.responses.cancel(response.id).status == "cancelled"

    def upstream_status():
        answer = httpx.get(
            f"{simulator.url}/v1/responses/{response.id}",
            headers={"authorization": "Bearer " + UPSTREAM_KEY})
        return answer.json()["status"] == "cancelled"

    until(upstream_status)


def test_abandoned_response_is_cancelled(client, stats):
    stream = client.responses.create(
        model="sim-paced", input="deltas=3000 rate=50", stream=True, store=False)
    identifier = next(iter(stream)).response.id
    stream.close()
    assert client.responses.retrieve(identifier).status == "in_progress"
    until(lambda: client.responses.retrieve(identifier).status == "cancelled")


def test_delete(client):
    response = client.responses.create(model="sim-hello", input="Hi")
    client.responses.delete(response.id)
    with pytest.raises(openai.NotFoundError):
        client.responses.retrieve(response.id)
    private = client.responses.create(model="sim-hello", input="Hi", store=False)
    client.responses.delete(private.id)
    with pytest.raises(openai.NotFoundError):
        client.responses.retrieve(private.id)


def test_passed_to_upstream(client):
    response = client.responses.create(model="sim-hello", input="Is this kept?")
    items = client.responses.input_items.list(response.id)
    assert items.data[0].content[0].text == "Is this kept?"
    assert client.responses.input_tokens.count(model="gpt-5.5", input="Hi there").input_tokens > 0
    assert any(model.id == "gpt-5.5" for model in client.models.list())
    follow = client.responses.create(
        model="sim-echo", input="And this?", previous_response_id=response.id)
    assert "Is this kept?" in follow.output_text


def test_errors(client):
    with pytest.raises(openai.NotFoundError):
        client.responses.retrieve("resp_0000")
    with pytest.raises(openai.BadRequestError) as refused:
        client.responses.create(model="sim-hello", input="Hi", temperature=9)
    assert refused.value.param == "temperature"
    with pytest.raises(openai.BadRequestError) as refused:
        client.responses.create(model="sim-hello", input="Hi", previous_response_id="resp_1")
    assert refused.value.code == "previous_response_not_found"
    with pytest.raises(openai.RateLimitError) as limited:
        client.responses.create(
            model="sim-hello", input="[sim:fault=status status=429 retry_after=3]", stream=True)
    assert limited.value.response.headers["retry-after"] == "3"
    assert limited.value.response.headers["x-request-id"]
    with pytest.raises(openai.InternalServerError) as cut:
        client.responses.create(model="sim-hello", input="[sim:fault=cut after=5]")
    assert cut.value.code == "upstream_truncated"


def test_a_cut_stream_ends_as_failed(client):
    events = list(
        client.responses.create(
            model="sim-hello", input="[sim:fault=cut after=6]", stream=True))
    assert events[-1].type == "response.failed"
    assert events[-1].response.error.code == "upstream_truncated"
    assert [event.sequence_number for event in events] == list(range(7))


def test_keys(gateway, stats):
    with pytest.raises(openai.AuthenticationError):
        gateway.client("sk-nobody").responses.create(model="sim-hello", input="Hi")
    response = gateway.client().responses.create(model="sim-hello", input="Hi", store=False)
    with pytest.raises(openai.NotFoundError):
        gateway.client(OTHER_KEY).responses.retrieve(response.id)
    # Upstream never saw a key of the gateway's clients: the simulator accepts its own only.
    assert "sk-alice" not in json.dumps(stats())
    with pytest.raises(openai.InternalServerError) as refused:
        gateway.client().responses.create(
            model="sim-hello", input="[sim:fault=status status=401]")
    assert UPSTREAM_KEY not in str(refused.value.body)


def test_body_limit(gateway):
    answer = httpx.post(
        gateway.url + "/v1/responses", headers={"authorization": "Bearer " + KEY},
        content=b"{" + b" " * (17 << 20))
    assert answer.status_code == 413 and answer.json()["error"]["code"]
    answer = httpx.post(
        gateway.url + "/v1/responses", headers={"authorization": "Bearer " + KEY},
        content=b"{\"model\":")
    assert answer.status_code == 400
    assert answer.json()["error"]["type"] == "invalid_request_error"


def test_many_at_once(gateway):
    failures = []

    def one():
        try:
            with gateway.client() as client:
                events = list(
                    client.responses.create(model="sim-markdown", input="Hi", stream=True))
                assert events[-1].type == "response.completed"
                assert [e.sequence_number for e in events] == list(range(len(events)))
        except Exception as failure:
            failures.append(failure)

    threads = [threading.Thread(target=one) for _ in range(24)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
