"""`options.models` as official clients meet it: a list, and models that do not exist."""

import openai
import pytest

from conftest import Gateway

LIST = ["sim-hello", "maker/model:1", "sim-echo"]


@pytest.fixture(scope="module")
def choosing(simulator):
    gateway = Gateway(simulator, f"options.models=[{', '.join(LIST)}]")
    yield gateway
    gateway.stop()


@pytest.fixture
def client(choosing):
    with choosing.client() as client:
        yield client


def test_the_list_is_what_is_offered(client):
    listed = list(client.models.list())
    assert [model.id for model in listed] == LIST
    assert all(model.object == "model" and model.created == 0 for model in listed)
    assert client.models.retrieve("maker/model:1").id == "maker/model:1"
    with pytest.raises(openai.NotFoundError) as refused:
        client.models.retrieve("sim-markdown")
    assert refused.value.code == "model_not_found"


@pytest.mark.parametrize("stream", [False, True])
def test_another_model_does_not_exist(client, stats, stream):
    before = stats()["requests"]
    with pytest.raises(openai.BadRequestError) as refused:
        client.responses.create(model="gpt-99", input="Hi", stream=stream)
    error = refused.value
    assert (error.code, error.param, error.type) == (
        "model_not_found", "model", "invalid_request_error")
    assert "gpt-99" in error.message
    with pytest.raises(openai.BadRequestError):
        client.responses.create(model=None, input="Hi")
    for path in ("/responses/input_tokens", "/responses/compact"):
        with pytest.raises(openai.BadRequestError) as refused:
            client.post(path, cast_to=object, body={"model": "gpt-99", "input": "Hi"})
        assert refused.value.code == "model_not_found"
    assert stats()["requests"] == before
    assert client.responses.create(model="sim-echo", input="Hi").status == "completed"
    assert client.post(
        "/responses/input_tokens", cast_to=object, body={"model": "sim-hello", "input": "Hi"})


def test_without_a_name_the_first_is_asked(client):
    response = client.responses.create(input="Hi")
    assert response.model.startswith("sim-hello")


def test_over_a_websocket(client):
    with client.responses.connect() as connection:
        connection.recv()
        for frame in ({"model": "gpt-99", "stream_id": "a"}, {"model": "gpt-99", "generate": False}):
            connection.send({"type": "response.create", "input": "Hi", **frame})
            event = connection.recv()
            assert event.type == "error" and event.status == 400
            assert (event.error.code, event.error.param) == ("model_not_found", "model")
            assert getattr(event, "stream_id", None) == frame.get("stream_id")
        connection.send({"type": "response.create", "model": "sim-echo", "input": "Hi"})
        for event in connection:
            if event.type == "response.completed":
                break
        assert event.response.output_text


def test_a_key_is_asked_for_first(choosing):
    with choosing.client(key="sk-wrong") as client, pytest.raises(openai.AuthenticationError):
        client.models.list()
