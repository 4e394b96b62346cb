"""Every recorded stream through both protocols, compared with the recording event by event."""

import csv
import hashlib
import json
import re

import httpx
import pytest
from websockets.sync.client import connect

from conftest import CORPUS, KEY

INDEX = CORPUS / "INDEX.tsv"
ROWS = list(csv.DictReader(INDEX.open(), delimiter="\t")) if INDEX.exists() else []

pytestmark = pytest.mark.skipif(not ROWS, reason="no recorded streams beside the package")


def recorded(name):
    """The `data` of each event as text, in order."""
    text = (CORPUS / name).read_bytes().decode().replace("\r\n", "\n").removeprefix("\ufeff")
    events = []
    for block in text.split("\n\n"):
        data = [line[5:].removeprefix(" ") for line in block.split("\n")
                if line.startswith("data:")]
        if data and data[0].startswith("{"):
            events.append("\n".join(data))
    return events


def normal(data, number):
    """An event as the gateway is to give it: numbered by it, without `obfuscation`, else untouched."""
    data = re.sub(r',\s*"obfuscation"\s*:\s*"[^"]*"', "", data)
    data = re.sub(r'"obfuscation"\s*:\s*"[^"]*"\s*,', "", data)
    if '"sequence_number"' not in data:
        return data[:-1] + f',"sequence_number":{number}}}'
    return re.sub(r'("sequence_number"\s*:\s*)\d+', rf"\g<1>{number}", data, count=1)


def request(row):
    name = row["file"].removesuffix(".sse").removesuffix(".txt")
    return {"model": "recorded", "input": f"[sim:replay={name} rate=0]", "stream": True,
            "store": False}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["file"])
def test_events(gateway, row):
    answer = httpx.post(
        gateway.url + "/v1/responses", headers={"authorization": "Bearer " + KEY},
        json=request(row), timeout=60)
    given = [line[6:] for line in answer.text.split("\n") if line.startswith("data: ")]
    expected = [normal(data, number) for number, data in enumerate(recorded(row["file"]))]
    assert len(given) == len(expected)
    for ours, theirs in zip(given, expected):
        assert ours == theirs


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["file"])
def test_websocket(gateway, row):
    url = gateway.url.replace("http", "ws") + "/v1/responses"
    expected = [normal(data, number) for number, data in enumerate(recorded(row["file"]))]
    with connect(
        url, additional_headers={"authorization": "Bearer " + KEY}, max_size=None) as socket:
        socket.recv()
        socket.send(json.dumps({"type": "response.create", "stream_id": "a", **request(row)}))
        for number, theirs in enumerate(expected):
            head = f'{{"stream_id":"a","gateway_seq":{number + 1},'
            ours = socket.recv()
            assert ours.startswith(head)
            assert "{" + ours.removeprefix(head) == theirs


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["file"])
def test_native(gateway, row):
    url = gateway.url.replace("http", "ws") + "/v1/chat"
    items, text, calls = [], {}, set()
    with connect(url, max_size=None) as socket:
        socket.send(json.dumps({"type": "hello", "auth": KEY}))
        body = request(row)
        socket.send(json.dumps(
            {"type": "message", "id": "m1", "input": body["input"],
             "options": {"model": body["model"]}}))
        end = None
        while end is None:
            for line in socket.recv().split("\n"):
                event = json.loads(line)
                if event["type"] == "delta" and event["kind"] == "text":
                    text.setdefault(event["index"], []).append(event["text"])
                elif event["type"] == "item":
                    items.append(event["item"])
                elif event["type"] == "tool":
                    calls.add(event["index"])
                elif event["type"] == "complete":
                    end = event
    joined = "".join("".join(text[index]) for index in sorted(text))
    joined = joined.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    assert hashlib.sha256(joined.encode()).hexdigest() == row["text_sha256"] == end["text_sha256"]
    assert "response." + end["status"] == row["terminal"]
    assert len(calls) == int(row["tool_calls"])
    done = [json.loads(data) for data in recorded(row["file"])]
    finished = [event["item"] for event in done if event["type"] == "response.output_item.done"]
    for item in finished:
        assert item in items
