"""The guarantee: every event exactly once and in order, wherever a client comes back."""

import base64
import hashlib
import hmac
import json
import time

import pytest

from harness import (
    PATIENCE, Client, Closed, Gateway, RawSocket, check_truth, sha256, text_of, wait_until)

#: One key of 32 bytes and more, for gateways that must agree on tokens.
KEY_A = "a:" + base64.urlsafe_b64encode(b"A" * 32).decode().rstrip("=")
KEY_B = "b:" + base64.urlsafe_b64encode(b"B" * 32).decode().rstrip("=")


def shard_of(client):
    return int(client.ready["session"][6:8], 16)


def connect_to_shard(gateway, shard, **options):
    """A connection on a given shard: the kernel spreads them, so some are tried."""
    for _ in range(64):
        client = gateway.connect(**options)
        if shard_of(client) == shard:
            return client
        client.close()
    raise AssertionError(f"no connection came to shard {shard}")


def covered(events):
    """(first, last) of each event, and the checks that every client makes."""
    return [(event.get("from", event["seq"]), event["seq"]) for event in events]


def assert_continues(full, after, resumed):
    """`resumed` says what `full` (unmerged) says after position `after`."""
    expected = after + 1
    for event in resumed:
        first, last = event.get("from", event["seq"]), event["seq"]
        assert first == expected
        originals = full[first - 1 : last]
        if first == last:
            assert event == originals[0]
        else:
            piece = "text" if event["type"] == "delta" else "delta"
            assert event[piece] == "".join(each[piece] for each in originals)
            same = {k: v for k, v in event.items() if k not in ("from", "seq", piece)}
            for original in originals:
                assert same == {k: v for k, v in original.items() if k not in ("seq", piece)}
        expected = last + 1
    assert expected == len(full) + 1


SCENARIOS = {
    "text": "[sim:hello]", "reasoning": "[sim:reasoning]", "tools": "[sim:mcp]",
    "unicode": "[sim:unicode]", "web search": "[sim:web-search]",
}


@pytest.fixture(scope="module")
def exact_gateway(sim):
    """Never merges."""
    process = Gateway(
        sim, shards=2, delivery__merge_after_events=100000, limits__frames_per_s=10000,
        limits__frames_burst=10000)
    yield process
    assert process.stop() == 0


@pytest.fixture(scope="module")
def merging_gateway(sim):
    """Merges early, into small frames."""
    process = Gateway(
        sim, shards=2, delivery__merge_after_events=12, delivery__frame_bytes=1024,
        limits__frames_per_s=10000, limits__frames_burst=10000)
    yield process
    assert process.stop() == 0


def positions_to_try(last):
    return sorted({*range(0, last + 1, max(1, last // 150)), last - 1, last})


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_resume_at_every_event(exact_gateway, scenario):
    with exact_gateway.connect() as client:
        client.ask("m1", SCENARIOS[scenario])
        full = client.events
        assert [e["seq"] for e in full] == list(range(1, len(full) + 1))
        for after in positions_to_try(len(full)):
            with exact_gateway.connect(resume=client.token, after=after) as again:
                assert again.ready["recovered"] is True
                assert again.ready["session"] == client.ready["session"]
                assert again.ready["epoch"] == client.ready["epoch"]
                assert again.ready["seq"] == len(full)
                while again.sequence < len(full):
                    again.receive()
                again.sync()
                assert again.events == full[after:]


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_resume_in_the_middle_of_what_is_merged(merging_gateway, scenario):
    # Slowly enough that this reader is never behind, on a machine that is busy as well.
    for rate in (300, 150, 75, 40, 20):
        client = merging_gateway.connect()
        client.ask("m1", SCENARIOS[scenario].replace("]", f" rate={rate}]"), timeout=120)
        full = client.events
        if [e["seq"] for e in full] == list(range(1, len(full) + 1)):
            break
        client.close()
    with client:
        assert [e["seq"] for e in full] == list(range(1, len(full) + 1)), "merged at every rate"
        for after in positions_to_try(len(full)):
            with merging_gateway.connect(resume=client.token, after=after) as again:
                while again.sequence < len(full):
                    again.receive()
                assert_continues(full, after, again.events)
                if after == 0 and len(full) > 40:
                    assert any("from" in event for event in again.events)


def test_resume_while_it_streams(gateway):
    """Cut again and again mid-stream; what came in all parts is the whole."""
    client = gateway.connect()
    client.message("m1", "[sim:paced deltas=300 rate=300 bytes=12]")
    events, ends = [], []
    generation = 0
    while True:
        try:
            for _ in range(25):
                frame = client.receive()
                if frame["type"] == "complete":
                    ends.append(frame)
                    break
        finally:
            events += client.events
        if ends:
            break
        position, token = client.sequence, client.token
        generation += 1
        client.reset() if generation % 2 else client.close()
        client = gateway.connect(resume=token, after=position)
        assert client.ready["recovered"] is True
    assert generation > 3
    positions = covered(events)
    assert positions[0][0] == 1
    assert all(b[0] == a[1] + 1 for a, b in zip(positions, positions[1:]))
    text = text_of(events)
    assert ends[0]["text_sha256"] == sha256(text) and ends[0]["status"] == "completed"
    client.close()


def test_the_query_resumes_as_hello_does(gateway):
    with gateway.connect() as client:
        client.ask("m1", "[sim:hello]")
        query = f"?resume={client.token}&after=3"
        with gateway.connect(hello=False, query=query, after=3) as again:
            again.await_ready()
            assert again.ready["recovered"] is True
            while again.sequence < client.sequence:
                again.receive()
            assert again.events == client.events[3:]


@pytest.mark.parametrize("after", ["-5", "x", "1e3", "", "99999999999999999999"])
def test_a_position_in_the_query_must_be_a_whole_number(gateway, after):
    with gateway.connect() as client:
        client.ask("m1", "[sim:hello]")
        with RawSocket(gateway, handshake=False) as raw:
            head = raw.handshake(gateway.port, f"/v1/chat?resume={client.token}&after={after}")
            assert int(head.split()[1]) == 400
    gateway.connect().close()


# MARK: Tokens that are not honoured


def refused(gateway, token, after=0, **options):
    """The reason of a resume that is not honoured; the connection goes on with a fresh session."""
    with gateway.connect(resume=token, after=after, **options) as client:
        assert client.ready["recovered"] is False
        assert client.ready["seq"] == 0
        client.ask("fresh", "[sim:hello]")
        assert client.events[0]["seq"] == 1
        return client.ready["reason"], client.ready["session"]


def test_tampered_tokens(gateway):
    with gateway.connect() as client:
        token = client.token
        claims, signature = token.split(".")
        raw = bytearray(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))
        for position in range(2, len(raw)):
            changed = bytearray(raw)
            changed[position] ^= 1
            forged = base64.urlsafe_b64encode(changed).decode().rstrip("=") + "." + signature
            with gateway.connect(resume=forged) as other:
                assert other.ready["recovered"] is False, position
                assert other.ready["reason"] in (
                    "token_signature", "token_key_unknown", "token_malformed"), position
                assert other.ready["session"] != client.ready["session"]
        last = "A" if signature[0] != "A" else "B"
        assert refused(gateway, claims + "." + last + signature[1:])[0] == "token_signature"


@pytest.mark.parametrize(
    "token", ["", ".", "x", "a.b", "é", "A" * 4096, "." * 100, "\u0000"],
    ids=["empty", "dot", "x", "a.b", "umlaut", "long", "dots", "nul"])
def test_nonsense_tokens(gateway, token):
    assert refused(gateway, token)[0] == "token_malformed"


def test_a_position_in_the_future(gateway):
    with gateway.connect() as client:
        client.ask("m1", "[sim:hello]")
        reason, session = refused(gateway, client.token, after=client.sequence + 1)
        assert reason == "position_in_future" and session != client.ready["session"]


def test_a_foreign_key(start_gateway):
    one = start_gateway(resume__token_keys=KEY_A)
    two = start_gateway(resume__token_keys=KEY_B)
    with one.connect() as client:
        assert refused(two, client.token)[0] == "token_key_unknown"
    same_name = start_gateway(resume__token_keys="a:" + KEY_B.split(":")[1])
    with one.connect() as client:
        assert refused(same_name, client.token)[0] == "token_signature"


def test_an_expired_token(start_gateway):
    """Signed as the gateway signs, by a clock that was a day behind."""
    gateway = start_gateway(resume__token_keys=KEY_A)
    with gateway.connect() as client:
        claims = client.token.split(".")[0]
        # The expiry is the last field.
        raw = base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4))
        for late, reason in ((0, None), (2 * 86400, "token_expired")):
            expiry = int.from_bytes(raw[-8:], "big") - late
            body = base64.urlsafe_b64encode(raw[:-8] + expiry.to_bytes(8, "big")).rstrip(b"=")
            signature = hmac.new(b"A" * 32, body, hashlib.sha256).digest()
            token = (body + b"." + base64.urlsafe_b64encode(signature).rstrip(b"=")).decode()
            if reason:
                assert refused(gateway, token)[0] == reason
            else:
                assert token == client.token


def test_keys_rotate(start_gateway):
    old = start_gateway(resume__token_keys=KEY_A)
    with old.connect() as client:
        token = client.token
    new = start_gateway(resume__token_keys=f"{KEY_B},{KEY_A}")
    assert refused(new, token)[0] == "epoch_mismatch"


def test_a_restart_is_another_epoch(start, sim):
    """The log is gone; the conversation goes on from what upstream knows."""
    first = start(Gateway, sim, resume__token_keys=KEY_A)
    client = first.connect()
    client.ask("m1", "[sim:hello]")
    client.sync()
    answered = client.events[-1]["upstream_response"]
    token, position = client.token, client.sequence
    first.stop()
    second = start(Gateway, sim, resume__token_keys=KEY_A)
    with second.connect(resume=token, after=position) as again:
        assert again.ready["recovered"] is False
        assert again.ready["reason"] == "epoch_mismatch"
        assert again.ready["seq"] == 0
        assert again.ready["epoch"] != client.ready["epoch"]
        again.ask("m2", "[sim:hello]")
        assert sim.requests()[-1]["previous_response_id"] == answered
        # Another tab with the old token meets the first in the same session.
        with second.connect(resume=token, after=position) as tab:
            assert tab.ready["session"] == again.ready["session"]
            assert tab.ready["recovered"] is False and tab.ready["seq"] == again.sequence
            while tab.sequence < again.sequence:
                tab.receive()
            assert tab.events == again.events


def test_a_session_that_has_ended(start_gateway):
    gateway = start_gateway(
        replay__session_retention_s=1, resume__window_s=1, replay__retention_s=1)
    with gateway.connect() as client:
        client.ask("m1", "[sim:hello]")
        client.sync()
        token, session = client.token, client.ready["session"]
    wait_until(lambda: gateway.metrics()["gateway_sessions"] == 0, "the end of the session")
    metrics = gateway.metrics()
    assert metrics["gateway_replay_log_bytes"] == 0
    with gateway.connect(resume=token, after=2) as again:
        assert again.ready["recovered"] is False
        assert again.ready["reason"] == "session_not_found"
        assert again.ready["session"] != session


def test_resume_outcomes_are_counted(start_gateway):
    gateway = start_gateway()
    with gateway.connect() as client:
        client.ask("m1", "[sim:hello]")
        gateway.connect(resume=client.token).close()
        gateway.connect(resume="x").close()
        gateway.connect(resume=client.token, after=1000).close()
        metrics = gateway.metrics()
        assert metrics["gateway_resumes_total{outcome=recovered}"] == 1
        assert metrics["gateway_resumes_total{outcome=malformed}"] == 1
        assert metrics["gateway_resumes_total{outcome=position_ahead}"] == 1


# MARK: Idempotence


def test_a_repeated_message_starts_nothing(gateway, sim):
    before = sim.stats()["responses_created"]
    with gateway.connect() as client:
        client.message("m1", "[sim:hello]")
        client.message("m1", "[sim:hello]")
        attached = client.expect("state", state="attached")
        assert (attached["message"], attached["seq"]) == ("m1", 1)
        end = client.complete("m1") if not client.events or client.events[-1]["type"] != "complete" else client.events[-1]
        client.message("m1", "[sim:hello]")
        assert client.expect("state", state="attached")["status"] == "completed"
        # From another connection, after a reconnect.
        with gateway.connect(resume=client.token, after=client.sequence) as again:
            again.message("m1", "[sim:hello]")
            attached = again.expect("state", state="attached")
            assert attached["response"] == end["response"]
            again.message("m1", "something else")
            error = again.expect("error")
            assert (error["code"], error["message_id"]) == ("message_id_conflict", "m1")
            again.sync()
            assert not again.events
    assert sim.stats()["responses_created"] == before + 1


def test_a_message_resent_after_a_cut_is_the_same_message(gateway, sim):
    before = sim.stats()["responses_created"]
    client = gateway.connect()
    token = client.token
    client.message("m1", "[sim:paced deltas=50 rate=200]")
    client.expect("response")
    client.reset()
    with gateway.connect(resume=token) as again:
        again.message("m1", "[sim:paced deltas=50 rate=200]")
        again.complete("m1", status="completed")
        again.sync()
        assert len([e for e in again.events if e["type"] == "message"]) == 1
    assert sim.stats()["responses_created"] == before + 1


# MARK: Several connections


@pytest.mark.parametrize("readers", [8])
def test_connections_of_a_session_on_both_shards_see_the_same(gateway, readers):
    with gateway.connect() as client:
        others = [gateway.connect(resume=client.token) for _ in range(readers)]
        client.message("m1", "[sim:paced deltas=200 rate=400]")
        client.complete("m1", status="completed")
        for other in others:
            assert other.ready["recovered"] is True
            assert other.ready["session"] == client.ready["session"]
            other.complete("m1", status="completed")
            assert_continues_or_equal(client.events, other.events)
            # Any of them may go on with the conversation.
        others[0].ask("m2", "[sim:hello]")
        client.complete("m2")
        for other in others:
            other.close()


def assert_continues_or_equal(one, two):
    assert text_of(one) == text_of(two)
    assert covered(one)[-1][1] == covered(two)[-1][1]
    assert one[-1] == two[-1]


def test_sessions_are_on_both_shards(gateway):
    for shard in (0, 1):
        client = connect_to_shard(gateway, shard)
        assert shard_of(client) == shard
        client.close()


@pytest.mark.parametrize("home", [0, 1])
def test_a_session_is_driven_from_the_other_shard(gateway, home):
    """Of many connections some are elsewhere: each sends, cancels, repeats, resumes."""
    owner = connect_to_shard(gateway, home)
    for number in range(12):
        with gateway.connect(resume=owner.token, after=owner.sequence) as far:
            far.ask(f"a{number}", "[sim:hello]")
            far.message(f"b{number}", "[sim:paced deltas=10000 rate=100]")
            far.expect("delta")
            far.cancel()
            end = far.complete(f"b{number}", status="cancelled")
            assert end["reason"] == "client"
            far.message(f"a{number}", "[sim:hello]")
            assert far.expect("state", state="attached")["status"] == "completed"
            far.send_raw('{"type":"message","id":"c","input":"x","options":{"stream":1}}')
            assert far.expect("error")["code"] == "option_not_allowed"
        owner.complete(f"b{number}", status="cancelled")
    owner.close()


def test_a_connection_that_leaves_while_it_attaches(gateway):
    with gateway.connect() as client:
        client.ask("m1", "[sim:hello]")
        for _ in range(40):
            raw = RawSocket(gateway)
            raw.send_json({"type": "hello", "resume": {"token": client.token, "after": 0}})
            raw.close()
        client.ask("m2", "[sim:hello]")
    wait_until(lambda: gateway.metrics()["gateway_connections"] == 0)


# MARK: Being away


def test_a_response_goes_on_while_nobody_is_there(gateway):
    client = gateway.connect()
    token = client.token
    client.message("m1", "[sim:paced deltas=100 rate=200]")
    client.expect("delta")
    client.reset()
    wait_until(lambda: gateway.metrics()["gateway_responses_in_flight"] == 0, "the end")
    with gateway.connect(resume=token) as again:
        again.complete("m1", status="completed")


def test_an_abandoned_response_is_cancelled(start_gateway, sim):
    gateway = start_gateway(resume__window_s=1)
    before = sim.stats()["cancelled_by_client"]
    client = gateway.connect()
    token = client.token
    client.message("m1", "[sim:paced deltas=100000 rate=50]")
    client.expect("delta")
    client.close()
    sim.wait_for_stats(lambda s: s["cancelled_by_client"] == before + 1, "the closed stream")
    with gateway.connect(resume=token) as again:
        end = again.complete("m1", status="cancelled")
        assert end["reason"] == "abandoned"
        assert end["text_bytes"] > 0
    assert gateway.metrics()["gateway_cancels_total{source=abandoned}"] == 1


def test_somebody_who_comes_back_in_time_keeps_the_response(start_gateway):
    gateway = start_gateway(resume__window_s=3)
    client = gateway.connect()
    client.message("m1", "[sim:paced deltas=400 rate=80]")  # Longer than the window.
    client.expect("delta")
    client.close()
    again = gateway.connect(resume=client.token, after=client.sequence)
    end = again.expect("complete")
    assert end["status"] == "completed"
    again.close()


def test_an_abandoned_response_may_continue(start_gateway, sim):
    gateway = start_gateway(resume__window_s=0, resume__on_abandon="continue")
    client = gateway.connect()
    token = client.token
    client.message("m1", "[sim:paced deltas=200 rate=200]")
    client.expect("delta")
    client.close()
    wait_until(lambda: gateway.metrics()["gateway_responses_total{outcome=completed}"] == 1)
    with gateway.connect(resume=token) as again:
        again.complete("m1", status="completed")


# MARK: Compaction


def test_what_was_compacted_comes_as_a_snapshot(start_gateway):
    gateway = start_gateway(shards=2, replay__retention_s=0)
    with gateway.connect() as client:
        client.ask("m1", "[sim:hello]")
        client.ask("m2", "[sim:mcp]")
        client.sync()
        for _ in range(6):  # On both shards.
            with gateway.connect(resume=client.token, after=2) as again:
                assert again.ready["recovered"] is True
                snapshot = again.expect("snapshot")
                assert snapshot["through"] == client.sequence
                assert snapshot["truncated"] is False
                first, second = snapshot["responses"]
                assert (first["message"], first["input"]) == ("m1", "[sim:hello]")
                items = [e for e in client.events if e["type"] == "item"]
                assert [i["item"] for i in first["items"] + second["items"]] == [
                    i["item"] for i in items]
                ends = [e for e in client.events if e["type"] == "complete"]
                assert [first["complete"], second["complete"]] == ends
                assert first["partial"] == [] and second["partial"] == []
                again.message("m1", "[sim:hello]")
                assert again.expect("state", state="attached")["status"] == "completed"
        # Nothing is missing for who was there.
        with gateway.connect(resume=client.token, after=client.sequence) as again:
            again.sync()
            assert [f["type"] for f in again.frames] == ["ready", "pong"]
    metrics = gateway.metrics()
    assert metrics["gateway_snapshots_total"] == 6


def test_a_snapshot_while_another_response_runs(start_gateway):
    gateway = start_gateway(replay__retention_s=0)
    with gateway.connect() as client:
        client.ask("m1", "[sim:hello]")
        client.message("m2", "[sim:paced deltas=400 rate=200]")
        client.expect("delta")
        with gateway.connect(resume=client.token, after=0) as again:
            snapshot = again.expect("snapshot")
            running = snapshot["responses"][-1]
            assert running["status"] == "in_progress" and running["partial"]
            end = again.complete("m2", status="completed")
            assert end["text_sha256"] == sha256(running["partial"][0]["text"] + again.text())
        client.complete("m2", status="completed")


def test_the_log_is_bounded(start_gateway):
    gateway = start_gateway(
        replay__session_bytes=65536, replay__high_watermark_bytes=32768,
        replay__low_watermark_bytes=1024, replay__echo_bytes=1024)
    with gateway.connect() as client:
        for number in range(12):
            client.message(f"m{number}", "[sim:paced deltas=400 rate=0 bytes=20]")
            # A reader that is behind when its events are compacted gets a snapshot too.
            ended = False
            while not ended:
                frame = client.receive()
                ended = frame["type"] == "complete" or (
                    frame["type"] == "snapshot"
                    and frame["responses"][-1]["message"] == f"m{number}"
                    and "complete" in frame["responses"][-1])
        assert gateway.metrics()["gateway_replay_log_bytes"] < 4 * 65536
        with gateway.connect(resume=client.token, after=0) as again:
            snapshot = again.expect("snapshot")
            assert snapshot["truncated"] is True
            assert snapshot["responses"][-1]["message"] == "m11"


# MARK: Token refresh


def test_a_token_is_refreshed_before_it_expires(start_gateway):
    """The shortest lifetime is a minute, so this takes half of one; heartbeats are far slower."""
    gateway = start_gateway(
        resume__token_ttl_s=60, resume__window_s=10, server__heartbeat_s=3600)
    with gateway.connect() as client:
        first = client.token
        assert client.ready["expires_in_s"] == 60
        fresh = client.expect("token", timeout=40)
        assert fresh["resume_token"] != first
        with gateway.connect(resume=fresh["resume_token"]) as again:
            assert again.ready["recovered"] is True


def test_an_answer_brings_a_token_that_names_it(gateway):
    with gateway.connect() as client:
        first = client.token
        client.ask("m1", "[sim:hello]")
        client.sync()
        assert client.token != first
