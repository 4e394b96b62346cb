"""What upstream is asked: the conversation, options, images."""

import base64
import json

import pytest

from harness import wait_until


@pytest.fixture(scope="module")
def recorder(sim):
    return sim


def bodies(sim, count):
    return sim.requests()[-count:]


def test_a_message_continues_by_the_response_before(gateway, sim):
    with gateway.connect() as client:
        first = client.ask("m1", "[sim:echo] one")
        second = client.ask("m2", "[sim:echo] two")
        assert "turns: 2" in client.text(second["response"])
        one, two = bodies(sim, 2)
        assert "previous_response_id" not in one
        assert two["previous_response_id"] == first["upstream_response"]
        assert one["input"] == "[sim:echo] one" and two["input"] == "[sim:echo] two"
        assert one["stream"] is True and one["store"] is True
        assert one["stream_options"] == {"include_obfuscation": False}
        # A cancelled answer is no place to go on from.
        client.message("m3", "[sim:paced deltas=100000 rate=100]")
        client.expect("delta")
        client.cancel()
        client.complete("m3", status="cancelled")
        client.ask("m4", "[sim:hello]")
        assert bodies(sim, 1)[0]["previous_response_id"] == second["upstream_response"]


def test_the_conversation_goes_on_after_a_reconnect(gateway, sim):
    with gateway.connect() as client:
        first = client.ask("m1", "[sim:hello]")
    with gateway.connect(resume=client.token, after=client.sequence) as again:
        again.ask("m2", "[sim:hello]")
    assert bodies(sim, 1)[0]["previous_response_id"] == first["upstream_response"]


def test_the_gateway_keeps_the_conversation(start_gateway, sim):
    gateway = start_gateway(conversation__state="gateway")
    with gateway.connect() as client:
        client.ask("m1", "[sim:hello] one")
        item = [e for e in client.events if e["type"] == "item"][0]["item"]
        client.ask("m2", [{"role": "user", "content": "[sim:echo] two"}])
        one, two = bodies(sim, 2)
        assert one["input"] == "[sim:hello] one"
        assert one["store"] is False and "previous_response_id" not in two
        assert two["input"] == [
            {"role": "user", "content": "[sim:hello] one"}, item,
            {"role": "user", "content": "[sim:echo] two"}]
        # What was said before a stop is part of it.
        client.message("m3", "[sim:paced deltas=100000 rate=100]")
        client.expect("delta")
        client.cancel()
        end = client.complete("m3", status="cancelled")
        partial = client.text(end["response"])
        client.ask("m4", "[sim:hello]")
        assert bodies(sim, 1)[0]["input"][-2] == {"role": "assistant", "content": partial}


def test_a_kept_conversation_is_bounded(start_gateway):
    gateway = start_gateway(conversation__state="gateway", conversation__bytes=1024)
    with gateway.connect() as client:
        client.ask("m1", "[sim:hello]" + "x" * 500)
        client.message("m2", "y" * 600)
        error = client.expect("error")
        assert (error["code"], error["message_id"]) == ("conversation_too_large", "m2")


def test_every_message_stands_alone(start_gateway, sim):
    gateway = start_gateway(conversation__state="none")
    with gateway.connect() as client:
        client.ask("m1", "[sim:hello]")
        client.ask("m2", "[sim:hello]")
        assert "previous_response_id" not in bodies(sim, 1)[0]


def test_options_are_passed_on_as_written(gateway, sim):
    with gateway.connect() as client:
        client.send_raw(
            '{"type":"message","id":"m1","input":"[sim:hello]","options":{"model":"sim-hello",'
            '"temperature":0.70,"instructions":"s\\u00e9 kind","metadata":{"a":"b"},'
            '"max_output_tokens":200,"reasoning":{"effort":"low"}}}')
        client.complete("m1", status="completed")
        body = bodies(sim, 1)[0]
        assert body["model"] == "sim-hello" and body["temperature"] == 0.7
        assert body["instructions"] == "sé kind" and body["metadata"] == {"a": "b"}
        assert body["max_output_tokens"] == 200 and body["reasoning"] == {"effort": "low"}


def test_options_as_configured(start_gateway, sim):
    gateway = start_gateway(
        options__allow="[temperature]", options__defaults="{top_p: 0.5, temperature: 0.1}",
        options__instructions="Be brief.")
    with gateway.connect() as client:
        client.ask("m1", "[sim:hello]", temperature=0.9)
        body = bodies(sim, 1)[0]
        assert (body["temperature"], body["top_p"]) == (0.9, 0.5)
        assert body["instructions"] == "Be brief." and body["model"] == "sim-markdown"
        client.message("m2", "x", model="other")
        assert client.expect("error")["code"] == "option_not_allowed"


def test_models_that_are_offered(start_gateway, sim):
    gateway = start_gateway(options__models="[sim-hello, sim-echo]", model="sim-echo")
    with gateway.connect() as client:
        assert client.ready["options"]["models"] == ["sim-hello", "sim-echo"]
        assert client.ready["options"]["model"] == "sim-echo"
        client.message("m1", "x", model="sim-markdown")
        error = client.expect("error")
        assert (error["code"], error["message_id"]) == ("model_not_allowed", "m1")
        assert "sim-markdown" in error["message"] and "options.models" in error["message"]
        client.ask("m2", "x", model="sim-hello")
        assert bodies(sim, 1)[0]["model"] == "sim-hello"
        client.ask("m3", "x")
        assert bodies(sim, 1)[0]["model"] == "sim-echo"


def test_the_model_is_what_upstream_says(gateway):
    with gateway.connect() as client:
        client.ask("m1", "[sim:hello]", model="sim-hello")
        models = [e["model"] for e in client.events if e["type"] == "response"]
        assert models[0] == "sim-hello" and models[-1].startswith("sim-hello")


def test_images_pass_as_data_urls(gateway, sim):
    image = "data:image/png;base64," + base64.b64encode(bytes(300_000)).decode()
    with gateway.connect() as client:
        content = [
            {"type": "input_text", "text": "[sim:echo] what is it?"},
            {"type": "input_image", "image_url": image}]
        end = client.ask("m1", [{"role": "user", "content": content}])
        assert "images: 1" in client.text(end["response"]) or "1" in client.text(end["response"])
        event = client.events[0]
        assert "input" not in event and event["input_bytes"] > 400_000
    assert sim.stats()["last_requests"][-2]["body_bytes"] > 400_000 or any(
        r["body_bytes"] > 400_000 for r in sim.stats()["last_requests"])


def test_function_calls_are_relayed(gateway):
    tool = {
        "type": "function", "name": "get_weather", "parameters": {
            "type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}}
    with gateway.connect() as client:
        end = client.ask("m1", "[sim:function] weather?", tools=[tool])
        tools = [e for e in client.events if e["type"] == "tool"]
        assert tools[0]["name"] == "get_weather" and tools[-1]["status"] == "completed"
        assert json.loads(tools[-1]["arguments"]) == json.loads(
            "".join(e["delta"] for e in tools if "delta" in e))
        output = {"type": "function_call_output", "call_id": tools[-1]["call_id"], "output": "sunny"}
        client.ask("m2", [output])


@pytest.mark.parametrize("state", ["upstream", "gateway"])
@pytest.mark.parametrize("scenario", ["function", "parallel", "custom-tool"])
def test_text_after_an_open_call(start_gateway, state, scenario):
    """Upstream refuses a call without an output: one that the client leaves open is closed for it."""
    gateway = start_gateway(conversation__state=state)
    with gateway.connect() as client:
        client.ask("m1", f"[sim:{scenario}] go")
        assert any(e["type"] == "tool" for e in client.events)
        assert client.ask("m2", "[sim:hello] never mind")["status"] == "completed"
        assert client.ask("m3", "[sim:hello] go on")["status"] == "completed"


SCENARIOS = [
    "markdown", "hello", "reasoning", "reasoning-raw", "parallel", "custom-tool", "structured",
    "refusal", "unicode", "web-search", "file-search", "code", "image", "mcp", "empty",
]


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_every_scenario_of_the_simulator(gateway, scenario):
    tools = [
        {"type": "function", "name": name, "parameters": {"type": "object", "properties": {}}}
        for name in ("get_weather", "get_time")]
    options = {"model": "sim-" + scenario}
    if scenario == "parallel":
        options["tools"] = tools
    if scenario == "custom-tool":
        options["tools"] = [{"type": "custom", "name": "run"}]
    if scenario == "structured":
        options["text"] = {"format": {
            "type": "json_schema", "name": "a", "schema": {
                "type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"],
                "additionalProperties": False}}}
    with gateway.connect() as client:
        client.ask("m1", "go", **options)
        texts = "".join(
            part.get("text", "") for e in client.events if e["type"] == "item"
            for part in e["item"].get("content") or [] if part.get("type") == "output_text")
        assert client.text() == texts
        calls = {e["index"] for e in client.events if e["type"] == "tool"}
        for index in calls:
            finals = [
                e for e in client.events
                if e["type"] == "tool" and e["index"] == index
                and e["status"] in ("completed", "failed", "incomplete")]
            assert len(finals) == 1


def test_answers_that_end_otherwise(gateway):
    with gateway.connect() as client:
        end = client.ask("m1", "[sim:incomplete]", status="incomplete")
        assert end["reason"] == "max_output_tokens"
        end = client.ask("m2", "[sim:failed]", status="failed")
        assert end["error"]["code"] == "upstream_failed"
        assert end["error"]["upstream_code"] == "server_error" and end["error"]["retryable"] is True
        end = client.ask("m3", "[sim:quota]", status="failed")
        assert end["error"]["upstream_code"] == "insufficient_quota"
        assert end["error"]["retryable"] is False
