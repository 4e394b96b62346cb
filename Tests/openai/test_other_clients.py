"""Other makers' clients of the Responses API, unmodified: pydantic-ai and llm."""

import asyncio

import llm
import pytest
from llm.default_plugins import openai_models
from pydantic import BaseModel
from pydantic_ai import Agent
from pydantic_ai.models.openai import OpenAIResponsesModel
from pydantic_ai.providers.openai import OpenAIProvider

from conftest import KEY


class Weather(BaseModel):
    city: str
    degrees: int


def model(gateway, name):
    return OpenAIResponsesModel(
        name, provider=OpenAIProvider(base_url=gateway.url + "/v1", api_key=KEY))


def test_pydantic_ai_streams_text(gateway):
    async def run():
        agent = Agent(model(gateway, "sim-markdown"))
        pieces = []
        async with agent.run_stream("Hi") as result:
            async for piece in result.stream_text(delta=True):
                pieces.append(piece)
            return pieces, await result.get_output(), result.usage

    pieces, text, usage = asyncio.run(run())
    assert len(pieces) > 1 and "".join(pieces) == text
    assert (usage() if callable(usage) else usage).output_tokens > 0


def test_pydantic_ai_calls_a_tool(gateway):
    called = []
    agent = Agent(model(gateway, "gpt-5.5"))

    @agent.tool_plain
    def get_weather(city: str) -> str:
        """The weather of a city."""
        called.append(city)
        return "sunny and 21 degrees"

    assert agent.run_sync("What is the weather?").output
    assert len(called) == 1


def test_pydantic_ai_gives_structured_output(gateway):
    from pydantic_ai import NativeOutput

    agent = Agent(model(gateway, "sim-structured"), output_type=NativeOutput(Weather))
    assert isinstance(agent.run_sync("The weather?").output, Weather)


@pytest.fixture
def find_model(gateway, monkeypatch, tmp_path):
    monkeypatch.setenv("LLM_USER_PATH", str(tmp_path))
    (tmp_path / "extra-openai-models.yaml").write_text(
        "".join(
            f"- model_id: {name}\n  model_name: {name}\n  api_base: {gateway.url}/v1\n"
            "  api_key_name: millrace\n  responses: true\n  supports_tools: true\n  supports_schema: true\n"
            for name in ("sim-hello", "sim-structured", "gpt-x")))

    def find(name):
        known = llm.get_model(name)
        assert isinstance(known, openai_models.Responses)
        return known

    return find


def test_llm_streams_text(find_model):
    answer = find_model("sim-hello").prompt("Hi", stream=True, key=KEY)
    pieces = list(answer)
    assert "".join(pieces) == answer.text() and answer.text()


def test_llm_calls_a_tool(find_model):
    called = []

    def get_weather(city: str) -> str:
        """The weather of a city."""
        called.append(city)
        return "sunny and 21 degrees"

    assert find_model("gpt-x").chain("What is the weather?", tools=[get_weather], key=KEY).text()
    assert len(called) == 1
