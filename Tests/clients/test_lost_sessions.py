"""The conversation outlives its session: whoever answered last, and whatever calls were left open."""

import base64
import hashlib
import hmac
import json
import urllib.request

import pytest

from harness import PATIENCE, Gateway, Simulator, wait_until

SECRET = b"L" * 32
#: For gateways that come one after the other.
KEY = "l:" + base64.urlsafe_b64encode(SECRET).decode().rstrip("=")
#: Sessions that end as soon as nobody is there.
SHORT = dict(
    resume__token_keys=KEY, resume__window_s=1, replay__retention_s=1,
    replay__session_retention_s=1)


def is_over(gateway):
    """True once no session is left; its client has gone."""
    return wait_until(lambda: gateway.metrics()["gateway_sessions"] == 0, "the session's end")


@pytest.fixture
def spare(start):
    """Another upstream, with a store of its own."""
    return start(Simulator, seed="2")


@pytest.fixture
def begin(start, sim, spare):
    """Starts gateways with a primary and a spare upstream; the primary may be ill."""
    ill = start(Simulator, "--fault", "status status=503 times=1000000 key=ill")

    def begin(is_ill=False, **settings):
        return start(
            Gateway, ill if is_ill else sim, fallback__urls=f"second={spare.url}/v1",
            fallback__order="second", **({"resume__token_keys": KEY} | settings))

    return begin


def restart(first, begin_again):
    assert first.stop() == 0
    return begin_again()


def first_version(gateway, client):
    """The same token as a gateway made it that could not say which upstream has the response."""
    body, _ = client.token.split(".")
    raw = base64.urlsafe_b64decode(body + "=" * (-len(body) % 4))
    assert raw[0] == 2
    end = raw.rindex(b"\x00\x06second")
    old = base64.urlsafe_b64encode(b"\x01" + raw[1:end]).rstrip(b"=")
    signature = hmac.new(SECRET, old, hashlib.sha256).digest()
    return (old + b"." + base64.urlsafe_b64encode(signature).rstrip(b"=")).decode()


def test_another_upstream_has_the_conversation_after_a_restart(begin, spare):
    first = begin(is_ill=True)
    with first.connect() as client:
        client.ask("m1", "[sim:hello]")
        answered = client.ask("m2", "[sim:hello]")["upstream_response"]
        client.sync()
    second = restart(first, begin)
    with second.connect(resume=client.token, after=client.sequence) as again:
        assert again.ready["reason"] == "epoch_mismatch"
        end = again.ask("m3", "[sim:echo] three")
        assert "turns: 3" in again.text(end["response"])
        assert spare.requests()[-1]["previous_response_id"] == answered
        # The token that came with `ready` said so too.
        again.ask("m4", "[sim:hello]")


def test_another_upstream_has_the_conversation_after_the_session(begin, spare):
    gateway = begin(is_ill=True, **SHORT)
    with gateway.connect() as client:
        client.ask("m1", "[sim:hello]")
        client.sync()
    is_over(gateway)
    with gateway.connect(resume=client.token, after=client.sequence) as again:
        assert again.ready["reason"] == "session_not_found"
        token = again.token
        end = again.ask("m2", "[sim:echo] two")
        assert "turns: 2" in again.text(end["response"])
    is_over(gateway)
    with gateway.connect(resume=token, after=0) as third:
        end = third.ask("m2", "[sim:echo] two")
        assert "turns: 2" in third.text(end["response"])


def test_upstreams_that_share_the_work(start, sim, spare):
    gateway = start(
        Gateway, sim, fallback__urls=f"second={spare.url}/v1", fallback__equals="second", **SHORT)
    lost = []
    for _ in range(8):
        with gateway.connect() as client:
            client.ask("m1", "[sim:hello]")
            client.sync()
            lost.append(client)
    is_over(gateway)
    for client in lost:
        with gateway.connect(resume=client.token, after=client.sequence) as again:
            end = again.ask("m2", "[sim:echo] two")
            assert "turns: 2" in again.text(end["response"])


def test_a_token_that_does_not_name_the_upstream(begin, sim):
    """The upstreams are asked in turn: tokens of an earlier version, or of another configuration."""
    first = begin(is_ill=True)
    with first.connect() as client:
        client.ask("m1", "[sim:hello]")
        client.sync()
    second = restart(first, begin)
    token = first_version(second, client)
    with second.connect(resume=token, after=client.sequence) as again:
        end = again.ask("m2", "[sim:echo] two")
        assert "turns: 2" in again.text(end["response"])
        asked = len(sim.requests())
        again.ask("m3", "[sim:hello]")
        assert len(sim.requests()) == asked, "it is known now which one has it"


def test_an_upstream_that_is_no_longer_there(start, begin, sim):
    """None of the others has the response: the client is told once for each message, without a second try."""
    first = begin(is_ill=True)
    with first.connect() as client:
        client.ask("m1", "[sim:hello]")
        client.sync()
    assert first.stop() == 0
    other = start(Simulator, seed="3")
    second = start(
        Gateway, sim, fallback__urls=f"third={other.url}/v1", fallback__order="third",
        resume__token_keys=KEY)
    with second.connect(resume=client.token, after=client.sequence) as again:
        end = again.ask("m2", "[sim:hello]", status="failed")
        assert end["error"]["upstream_code"] == "previous_response_not_found"
        assert end["error"]["retryable"] is False
        assert len(other.requests()) == 1


@pytest.mark.parametrize("scenario", ["function", "parallel", "custom-tool"])
@pytest.mark.parametrize("loss", ["restart", "end"])
def test_text_after_a_call_that_was_left_open(start_gateway, sim, scenario, loss):
    settings = SHORT if loss == "end" else dict(resume__token_keys=KEY)
    gateway = start_gateway(**settings)
    with gateway.connect() as client:
        client.ask("m1", f"[sim:{scenario}] go")
        client.sync()
        calls = {e["call_id"] for e in client.events if "call_id" in e}
    if loss == "end":
        is_over(gateway)
    else:
        gateway = restart(gateway, lambda: start_gateway(**settings))
    with gateway.connect(resume=client.token, after=client.sequence) as again:
        assert again.ready["recovered"] is False
        again.ask("m2", "[sim:hello] never mind")
        items = sim.requests()[-1]["input"]
        assert {item["call_id"] for item in items if "call_id" in item} == calls
        again.ask("m3", "[sim:hello] go on")


def test_a_call_is_answered_after_the_restart(start_gateway, sim):
    gateway = start_gateway(resume__token_keys=KEY)
    with gateway.connect() as client:
        client.ask("m1", "[sim:function] go")
        client.sync()
        call = next(e["call_id"] for e in client.events if e["type"] == "tool")
    gateway = restart(gateway, lambda: start_gateway(resume__token_keys=KEY))
    with gateway.connect(resume=client.token, after=client.sequence) as again:
        output = {"type": "function_call_output", "call_id": call, "output": "sunny"}
        again.ask("m2", [output])
        assert sim.requests()[-1]["input"] == [output]


def create(gateway, **body):
    """The status and the answer of a request of the OpenAI dialect."""
    request = urllib.request.Request(
        gateway.url + "/v1/responses", json.dumps({"model": "sim-echo"} | body).encode(),
        {"content-type": "application/json"})
    try:
        answer = urllib.request.urlopen(request, timeout=PATIENCE)
    except urllib.error.HTTPError as error:
        answer = error
    with answer:
        return answer.status, json.load(answer)


def test_a_response_of_an_earlier_process_is_gone_on_from(begin, sim):
    """The OpenAI dialect has no token: the upstreams are asked in turn."""
    first = begin(is_ill=True)
    status, one = create(first, input="one")
    assert status == 200
    second = restart(first, begin)
    status, two = create(second, input="two", previous_response_id=one["id"])
    assert status == 200 and "turns: 2" in json.dumps(two["output"])
    status, error = create(second, input="x", previous_response_id="resp_nobody_has")
    assert (status, error["error"]["code"]) == (400, "previous_response_not_found")


def test_a_gateway_with_fewer_shards_goes_on_with_all_conversations(start_gateway, sim):
    first = start_gateway(shards=4, resume__token_keys=KEY)
    clients = {}
    # The kernel spreads connections over the shards; a session is named after its own.
    while len(clients) < 4:
        client = first.connect()
        clients.setdefault(client.ready["session"][6:8], client)
    for client in clients.values():
        client.ask("m1", "[sim:hello]")
        client.sync()
    second = restart(first, lambda: start_gateway(shards=1, resume__token_keys=KEY))
    for client in clients.values():
        with second.connect(resume=client.token, after=client.sequence) as again:
            assert again.ready["reason"] == "epoch_mismatch"
            assert again.ready["session"] == client.ready["session"]
            end = again.ask("m2", "[sim:echo] two")
            assert "turns: 2" in again.text(end["response"])
            # Its own token again, now that the session is here.
            with second.connect(resume=again.token, after=again.sequence) as tab:
                assert tab.ready["recovered"] is True
