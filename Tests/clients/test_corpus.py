"""Recorded upstream streams, however they are cut, give the recorded text, tool calls and end.

Our own recordings always run; the ones of ../shared/corpus where the machine has them.
"""

import csv
import json
import pathlib

import pytest

from harness import CORPUS, FIXTURES, Gateway, Simulator, check_truth

CHUNKINGS = ["0", "7", "random", "1"]


def recordings(folder):
    index = folder / "INDEX.tsv"
    if not index.exists():
        return []
    with index.open() as file:
        return list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))


OWN = [(FIXTURES, row) for row in recordings(FIXTURES)]
SHARED = [(CORPUS, row) for row in recordings(CORPUS)]


@pytest.fixture(scope="module")
def replays():
    """One simulator per folder and chunking, one gateway for each: made when first asked for."""
    started = {}

    def get(folder, chunking):
        key = (folder, chunking)
        if key not in started:
            sim = Simulator("--replay", str(folder), "--chunk", chunking)
            started[key] = sim, Gateway(
                sim, shards=2, limits__frames_per_s=10000, limits__frames_burst=10000)
        return started[key]

    yield get
    for sim, gateway in started.values():
        assert gateway.stop() == 0
        sim.stop()


def replay(replays, folder, row, chunking):
    path = folder / row["file"]
    _, gateway = replays(folder, chunking)
    with gateway.connect() as client:
        end = client.ask(
            "m1", f"[sim:replay={path.stem} rate=0]", status=None, timeout=30)
        check_truth(client, end)
        assert "response." + end["status"] == row["terminal"]
        assert end["text_sha256"] == row["text_sha256"]
        calls = {e["index"] for e in client.events if e["type"] == "tool"}
        assert len(calls) == int(row["tool_calls"])
        finals = [
            e["index"] for e in client.events
            if e["type"] == "tool" and e["status"] in ("completed", "failed", "incomplete")]
        assert sorted(finals) == sorted(calls), "each call ends once"


@pytest.mark.parametrize("chunking", CHUNKINGS)
@pytest.mark.parametrize("folder,row", OWN, ids=[row["file"] for _, row in OWN])
def test_our_own_recordings(replays, folder, row, chunking):
    replay(replays, folder, row, chunking)


@pytest.mark.skipif(not SHARED, reason=f"{CORPUS} is not on this machine")
@pytest.mark.parametrize("chunking", CHUNKINGS)
@pytest.mark.parametrize("folder,row", SHARED or [(None, None)], ids=[r["file"] for _, r in SHARED] or ["absent"])
def test_recorded_streams(replays, folder, row, chunking):
    replay(replays, folder, row, chunking)


def test_one_file_answers_every_request(start):
    folder, row = OWN[0]
    sim = start(Simulator, "--replay", str(folder / row["file"]))
    gateway = start(Gateway, sim)
    with gateway.connect() as client:
        for number in range(2):
            end = client.ask(f"m{number}", "anything", status=None)
            assert end["text_sha256"] == row["text_sha256"]
