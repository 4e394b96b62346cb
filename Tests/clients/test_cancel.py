"""Stop is not disconnect: every way to cancel, and that upstream saw it."""

import pytest

from harness import PATIENCE, check_truth, wait_until

ENDLESS = "[sim:paced deltas=1000000 rate=100]"


def is_cancelled(end):
    assert end["status"] == "cancelled"
    assert end["reason"] == "client"
    return True


@pytest.mark.parametrize("way", ["response", "message", "own", "other connection", "resumed"])
def test_cancel_while_it_streams(gateway, sim, way):
    before = sim.stats()["cancelled_by_client"]
    with gateway.connect() as client:
        client.message("m1", ENDLESS)
        started = client.expect("response")
        client.expect("delta")
        if way == "response":
            client.cancel(response=started["response"])
        elif way == "message":
            client.cancel(message="m1")
        elif way == "own":
            client.cancel()
        elif way == "other connection":
            with gateway.connect(resume=client.token) as other:
                other.cancel(response=started["response"])
                other.complete("m1", status="cancelled")
        else:
            token, position = client.token, client.sequence
            client.close()
            client = gateway.connect(resume=token, after=position)
            client.cancel()
        end = client.expect("complete")
        assert is_cancelled(end)
        assert end["upstream_closed_us"] >= 0
        assert end["text_bytes"] > 0, "the partial text stays"
        client.sync()
        assert client.events[-1] is end, "nothing follows"
        sim.wait_for_stats(lambda s: s["cancelled_by_client"] == before + 1, "the closed stream")
        # Again: it does nothing.
        client.cancel(response=started["response"])
        client.cancel(message="m1")
        client.cancel()
        client.sync()
        assert client.events[-1] is end
        client.close()


def test_cancel_without_a_name_concerns_ones_own(gateway):
    with gateway.connect() as one, gateway.connect(resume=one.token) as two:
        one.message("m1", ENDLESS)
        one.expect("delta")
        two.cancel()
        two.sync()
        one.sync()
        assert not [e for e in one.events if e["type"] == "complete"]
        one.message("m2", ENDLESS)
        one.expect("response", message="m2")
        one.cancel()
        ends = {one.expect("complete")["message"] for _ in range(2)}
        assert ends == {"m1", "m2"}


def test_cancel_before_the_message(gateway, sim):
    before = sim.stats()["responses_created"]
    with gateway.connect() as client:
        client.cancel(message="m1")
        client.message("m1", ENDLESS)
        end = client.complete("m1")
        assert is_cancelled(end) and end["text_bytes"] == 0
        client.sync()
    assert sim.stats()["responses_created"] == before


def test_cancel_in_the_same_frame_as_the_message(gateway, sim):
    with gateway.connect() as client:
        client.send({"type": "message", "id": "m1", "input": ENDLESS}, {"type": "cancel"})
        assert is_cancelled(client.complete("m1"))
        client.send(
            {"type": "cancel", "message": "m2"}, {"type": "message", "id": "m2", "input": ENDLESS})
        assert is_cancelled(client.complete("m2"))


def test_cancel_while_upstream_is_silent(gateway, sim):
    before = sim.stats()["cancelled_by_client"]
    with gateway.connect() as client:
        client.message("m1", "[sim:hello ttft=600000]")
        client.expect("state", state="waiting")
        client.cancel(message="m1")
        assert is_cancelled(client.complete("m1"))


def test_cancel_after_the_end_does_nothing(gateway):
    with gateway.connect() as client:
        end = client.ask("m1", "[sim:hello]")
        client.cancel(response=end["response"])
        client.cancel(message="m1")
        client.sync()
        assert client.events[-1] is end


def test_cancel_races_with_the_end(gateway):
    """Wherever the cancel comes, there is one end and it is true."""
    with gateway.connect() as client:
        for number in range(40):
            client.send(
                {"type": "message", "id": f"m{number}", "input": f"[sim:paced deltas={number} rate=0]"})
            for _ in range(number % 5):
                client.receive()
            client.cancel(message=f"m{number}")
            ends = [e for e in client.events if e["type"] == "complete" and e["message"] == f"m{number}"]
            end = ends[0] if ends else client.complete(f"m{number}")
            assert end["status"] in ("completed", "cancelled")
            client.sync()
            check_truth(client, end)


def test_cancel_is_remembered_for_few_messages_only(gateway):
    with gateway.connect() as client:
        client.send(*({"type": "cancel", "message": f"x{number}"} for number in range(65)))
        client.ask("x0", "[sim:hello]")
        client.message("x64", ENDLESS)
        assert is_cancelled(client.complete("x64"))


def test_the_gauges_come_back_to_zero(gateway):
    with gateway.connect() as client:
        client.cancel(message="m1")
        client.message("m1", ENDLESS)
        client.complete("m1", status="cancelled")
        client.message("m2", ENDLESS)
        client.expect("delta")
        client.cancel()
        client.complete("m2", status="cancelled")
    metrics = wait_until(
        lambda: (m := gateway.metrics())["gateway_connections"] == 0
        and m["gateway_upstream_transfers"] == 0 and m)
    assert metrics["gateway_responses_in_flight"] == 0
    assert metrics["gateway_upstream_requests_total{result=cancelled}"] >= 1
