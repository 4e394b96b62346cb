"""Streaming, stopping, resuming: what the gateway promises, seen through the page."""

import re
import signal
import time

import pytest
from conftest import BAR_STAYS, REAL, WAITS_S, Server
from playwright.sync_api import expect

LONG = "A long story, please [sim:long deltas={} rate={}]"


def test_an_answer_streams_in_and_is_verified(chat):
    chat.ask("How does a mill work? [sim:markdown rate=400]")
    answer = chat.answer()
    expect(answer.locator("h4, h3").first).to_be_visible()
    expect(answer.locator("table tbody tr")).to_have_count(3)
    expect(answer.locator("figure.code pre")).to_contain_text("func grind")
    expect(answer.locator(".tok-keyword").first).to_be_visible()
    expect(answer.locator(".verified")).to_be_visible()
    chat.assert_exact()
    expect(chat.page.locator("[data-testid=announcer]")).to_have_text("The answer is complete")


def test_an_odd_text_arrives_byte_for_byte(chat):
    chat.ask("[sim:unicode rate=0]")
    chat.assert_exact()


def test_stop_keeps_the_text_and_the_chat_goes_on(chat):
    chat.ask(LONG.format(4000, 100), wait=False)
    chat.text_grows()
    chat.page.get_by_role("button", name="Stop").click()
    expect(chat.page.locator(".turn").last).to_have_attribute("data-status", "cancelled")
    expect(chat.answer()).to_contain_text("Stopped")
    assert len(chat.answer().inner_text()) > 200
    chat.assert_exact()
    expect(chat.field).to_be_focused()
    chat.ask("[sim:hello]")
    expect(chat.page.locator(".turn").last).to_have_attribute("data-status", "completed")


def test_escape_stops(chat):
    chat.ask(LONG.format(4000, 100), wait=False)
    chat.text_grows()
    chat.page.keyboard.press("Escape")
    expect(chat.page.locator(".turn").last).to_have_attribute("data-status", "cancelled")
    expect(chat.field).to_be_focused()


def test_three_cuts_in_one_answer_lose_nothing(chat, server):
    chat.ask(LONG.format(800, 100), wait=False)
    for characters in (150, 500, 900):
        chat.text_grows(characters)
        # What came with the last connection may be enough already: then the next one is cut as soon as it is there.
        chat.eventually(lambda: server.proxy.cut() >= 1)
    chat.settled()
    assert len(chat.assert_exact()) > 1_000


def test_a_reload_goes_on_where_it_was(chat):
    chat.ask(LONG.format(500, 100), wait=False)
    chat.text_grows()
    chat.page.reload()
    expect(chat.page.locator(".turn")).to_have_count(1)
    chat.settled()
    assert len(chat.assert_exact()) > 1_000
    # Once more, after its end: everything is still there.
    chat.page.reload()
    expect(chat.answer().locator(".verified")).to_be_visible()


def test_a_silent_connection_is_found_out(chat, server):
    chat.ask(LONG.format(1200, 100), wait=False)
    chat.text_grows()
    before = server.proxy.accepted
    server.proxy.stalled = True
    expect(chat.page.locator("[data-testid=connection]")).not_to_have_attribute("data-phase", "ready")
    server.proxy.stalled = False
    expect(chat.page.locator("[data-testid=connection]")).to_have_attribute("data-phase", "ready")
    assert server.proxy.accepted > before
    chat.settled()
    chat.assert_exact()


def test_offline_messages_wait_and_are_sent(chat):
    # The emulated network acts on sockets that were opened while the browser watched the network: so reconnect once.
    chat.ask(LONG.format(1000, 100), wait=False)
    chat.text_grows()
    chat.page.context.set_offline(True)
    bar, button = chat.page.locator(".bar"), chat.page.get_by_role("button", name="Reconnect now")
    expect(bar).to_contain_text("You are offline")
    # An attempt that finds no network leaves the bar where it is.
    chat.page.evaluate(BAR_STAYS)
    with chat.seeing("[data-phase=connecting]", ""):
        button.click()
    expect(chat.page.locator("[data-testid=connection]")).to_have_attribute("data-phase", "offline")
    expect(bar).to_contain_text("You are offline")
    assert chat.page.evaluate("window.gone") == 0
    chat.field.fill("and then? [sim:hello]")
    chat.field.press("Enter")
    expect(chat.page.locator(".delivery")).to_contain_text("Will be sent when the connection is back")
    chat.page.context.set_offline(False)
    expect(chat.page.locator(".turn")).to_have_count(2)
    chat.settled()
    expect(chat.page.locator(".turn[data-status=completed]")).to_have_count(2)
    chat.assert_exact()


@pytest.mark.skipif(not REAL, reason="the stand-in has no metrics")
def test_a_frozen_tab_catches_up(chat, server):
    ended = server.completed()
    chat.ask(LONG.format(300, 100), wait=False)
    chat.text_grows()
    devtools = chat.page.context.new_cdp_session(chat.page)
    devtools.send("Page.setWebLifecycleState", {"state": "frozen"})
    # The answer goes on and ends while the page sees nothing of it.
    deadline = time.time() + WAITS_S
    while server.completed() == ended:
        assert time.time() < deadline, "the answer did not end"
        time.sleep(0.05)
    devtools.send("Page.setWebLifecycleState", {"state": "active"})
    chat.settled()
    chat.assert_exact()


def test_two_tabs_stay_in_step(chat, chat_of, server):
    # Long enough to be watched in both, however slow they are; it is stopped when that is done.
    chat.ask(LONG.format(9000, 100), wait=False)
    chat.text_grows()
    address = re.sub(r"^[^#]*", "", chat.page.url)
    chat.eventually(lambda: any(session.get("token") and session["turns"] for session in chat.sessions()))
    other = chat_of(server, context=chat.page.context, path=address)
    expect(other.page.locator(".turn")).to_have_count(1)
    other.text_grows()
    # Both grow at once.
    length = len(other.answer().inner_text())
    other.text_grows(length + 50)
    chat.text_grows(length + 50)
    chat.page.keyboard.press("Escape")
    chat.settled()
    other.settled()
    expect(chat.page.locator(".turn")).to_have_attribute("data-status", "cancelled")
    assert chat.answer().inner_text() == other.answer().inner_text()
    other.ask("from the second tab [sim:hello]")
    expect(chat.page.locator(".turn")).to_have_count(2)
    expect(chat.page.locator(".bubble").last).to_contain_text("from the second tab")
    chat.settled()
    # A stop in one tab ends it in both.
    chat.ask(LONG.format(4000, 100), wait=False)
    expect(other.page.locator(".turn")).to_have_count(3)
    other.text_grows()
    other.page.get_by_role("button", name="Stop").click()
    expect(chat.page.locator(".turn").last).to_have_attribute("data-status", "cancelled")


def test_what_waits_in_a_tab_that_is_closed_outlasts_what_another_one_saves(chat, chat_of, server):
    chat.ask(LONG.format(9000, 100), wait=False)
    chat.text_grows()
    address = re.sub(r"^[^#]*", "", chat.page.url)
    other = chat_of(server, context=chat.page.context, path=address)
    other.text_grows()
    chat.ask("and then [sim:hello]", wait=False)
    kept = lambda: [turn for session in other.sessions() for turn in session["turns"]]
    other.eventually(lambda: [turn["delivery"] for turn in kept()] == ["accepted", "queued"])
    chat.page.close()
    other.page.keyboard.press("Escape")
    other.eventually(lambda: "complete" in kept()[0]["answer"])
    expect(other.page.locator(".turn")).to_have_count(1)
    again = chat_of(server, context=other.page.context, path=address)
    expect(again.page.locator(".turn")).to_have_count(2)
    expect(again.page.locator(".turn").last).to_have_attribute("data-status", "completed")
    expect(other.page.locator(".bubble").last).to_contain_text("and then")
    expect(other.page.locator(".turn").last).to_have_attribute("data-status", "completed")


def test_an_edit_in_one_tab_reaches_the_other(chat, chat_of, server):
    chat.ask("first [sim:hello]")
    chat.stored()
    other = chat_of(server, context=chat.page.context, path=re.sub(r"^[^#]*", "", chat.page.url))
    expect(other.page.locator(".turn[data-status=completed]")).to_have_count(1)
    turn = chat.page.locator(".turn").last
    turn.hover()
    turn.get_by_role("button", name="Edit").click()
    turn.get_by_role("textbox", name="Edit").fill("differently [sim:long deltas=300 rate=100]")
    turn.get_by_role("textbox", name="Edit").press("Enter")
    expect(other.page.locator(".bubble").last).to_contain_text("differently")
    chat.settled()
    other.settled()
    assert chat.answer().inner_text() == other.answer().inner_text()


# As another tab leaves it that asked the same of a session of its own.
TAKE_OVER = """() => new Promise((resolve) => {
    const key = location.hash.replace('#/c/', '');
    const open = indexedDB.open('millrace');
    open.onsuccess = () => {
        const all = open.result.transaction('sessions', 'readwrite'), sessions = all.objectStore('sessions');
        sessions.get(key).onsuccess = ({ target: { result: { session, token, epoch, ...record } } }) => {
            record.generation += 1;
            record.turns[0].answer.items[0].parts[0].text = 'Told **anew**.';
            sessions.put(record, key);
        };
        all.oncomplete = () => {
            open.result.close();
            new BroadcastChannel(`millrace.session.${key}`).postMessage('fresh');
            resolve();
        };
    };
})"""


def test_an_answer_that_another_tab_has_otherwise_takes_the_place_of_this_one(fake, chat_of):
    chat = chat_of(fake)
    chat.ask("first [sim:hello]")
    turn, _ = chat.page.locator(".turn").get_attribute("data-turn"), chat.stored()
    chat.page.evaluate(TAKE_OVER)
    expect(chat.answer().locator("strong")).to_have_text("anew")
    expect(chat.page.locator(".turn")).to_have_attribute("data-turn", turn)
    chat.ask("and on [sim:hello]")


def test_messages_wait_for_the_running_answer(chat):
    chat.ask(LONG.format(2000, 100), wait=False)
    chat.text_grows(100)
    # What is written next takes nobody the way to stop.
    chat.field.fill("next, please [sim:hello]")
    expect(chat.page.get_by_role("button", name="Stop")).to_be_visible()
    expect(chat.page.get_by_role("button", name="Send", exact=True)).to_be_enabled()
    chat.ask("next, please [sim:hello]", wait=False)
    expect(chat.page.locator(".delivery")).to_contain_text("Waits for the running answer")
    chat.settled()
    expect(chat.page.locator(".turn[data-status=completed]")).to_have_count(2)


def test_a_repeated_message_is_not_billed_twice(chat, server):
    chat.ready()
    server.proxy.stalled = True  # It leaves the page and gets nowhere.
    chat.field.fill("once [sim:hello]")
    held = server.proxy.held
    chat.field.press("Enter")
    chat.eventually(lambda: server.proxy.held > held)
    server.proxy.cut()
    server.proxy.stalled = False
    expect(chat.page.locator(".turn")).to_have_count(1)
    chat.settled()
    chat.assert_exact()
    responses = [turn for turn in chat.stored()["turns"] if "answer" in turn]
    assert len(responses) == 1


def test_a_gateway_that_restarts_is_told_the_story_again(chat_of):
    own = Server()
    try:
        chat = chat_of(own)
        chat.ask("The word is willow. [sim:hello]")
        chat.ask(LONG.format(3000, 100), wait=False)
        chat.text_grows()
        own.stop_gateway()
        expect(chat.page.locator(".bar")).to_be_visible()
        own.start_gateway()
        # What was running can never be known to have ended: it says so and offers to try again.
        expect(chat.page.locator(".turn").last).to_have_attribute("data-status", "interrupted")
        expect(chat.page.locator(".toast")).to_contain_text("no longer remembers")
        assert len(chat.answer().inner_text()) > 200
        chat.ask("Which word was it? [sim:echo]")
        expect(chat.page.locator(".toast")).to_have_count(0)
        assert "willow" in chat.answer().inner_text()
    finally:
        own.close()


@pytest.mark.skipif(not REAL, reason="the stand-in does not drain")
def test_a_drain_is_announced_and_survived(chat_of):
    own = Server(arguments=("--set", "drain.timeout_ms=60000"))
    try:
        chat = chat_of(own)
        chat.ask(LONG.format(1000, 100), wait=False)
        chat.text_grows()
        with chat.seeing(".bar", "The gateway restarts"):
            own.gateway.send_signal(signal.SIGTERM)
        chat.settled()
        expect(chat.page.locator(".turn").last).to_have_attribute("data-status", "completed")
        chat.assert_exact()
        assert own.gateway.wait(WAITS_S) == 0
    finally:
        own.close()
