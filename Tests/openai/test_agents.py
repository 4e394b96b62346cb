"""openai-agents: a tool and a handoff, over HTTP and over its WebSocket model."""

import asyncio

import pytest
from agents import Agent, Runner, function_tool, set_tracing_disabled
from agents.models.openai_responses import OpenAIResponsesModel, OpenAIResponsesWSModel

set_tracing_disabled(True)
calls = []


@function_tool
def get_weather(city: str) -> str:
    """The weather of a city."""
    calls.append(city)
    return "sunny and 21 degrees"


@pytest.mark.parametrize("kind", [OpenAIResponsesModel, OpenAIResponsesWSModel])
def test_tool(gateway, kind):
    calls.clear()

    async def run():
        async with gateway.async_client() as client:
            model = kind(model="gpt-5.5", openai_client=client)
            agent = Agent(
                name="Meteorologist", instructions="Help.", model=model, tools=[get_weather])
            result = Runner.run_streamed(agent, "What is the weather?")
            names = [event.name async for event in result.stream_events()
                     if event.type == "run_item_stream_event"]
            if hasattr(model, "close"):
                await model.close()
            return names, result

    names, result = asyncio.run(run())
    assert len(calls) == 1
    assert names[:2] == ["tool_called", "tool_output"]
    assert names[-1] == "message_output_created"
    assert result.final_output


@pytest.mark.parametrize("kind", [OpenAIResponsesModel, OpenAIResponsesWSModel])
def test_handoff(gateway, kind):
    async def run():
        async with gateway.async_client() as client:
            model = kind(model="gpt-5.5", openai_client=client)
            specialist = Agent(name="Specialist", instructions="Answer.", model=model)
            agent = Agent(
                name="Reception", instructions="Hand over.", model=model,
                handoffs=[specialist])
            result = Runner.run_streamed(agent, "Please transfer me")
            names = [event.name async for event in result.stream_events()
                     if event.type == "run_item_stream_event"]
            if hasattr(model, "close"):
                await model.close()
            return names, result

    names, result = asyncio.run(run())
    assert "handoff_occured" in names
    assert result.last_agent.name == "Specialist"
    assert result.final_output
