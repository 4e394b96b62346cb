"""The page stays quick: counters decide, clocks only guard against the absurd."""

import json
import time

import pytest
from conftest import REAL
from playwright.sync_api import expect

WATCH = """() => {
    window.long = [];
    new PerformanceObserver((list) => list.getEntries().forEach((e) => window.long.push(e.duration)))
        .observe({ type: 'longtask' });
    window.frames = [];
    let last = performance.now();
    const frame = (now) => { window.frames.push(now - last); last = now; requestAnimationFrame(frame); };
    requestAnimationFrame(frame);
    window.before = { ...window.millraceWork };
}"""


def test_a_hundred_tokens_a_second_on_a_slow_machine(chat, record_property):
    page = chat.page
    # The message grows to about 37 kB before it is measured, then streams on at 100 deltas a second.
    chat.ask("[sim:hello]")
    devtools = page.context.new_cdp_session(page)
    chat.ask("[sim:long deltas=7500 rate=0]")
    size = len(chat.answer().text_content())
    assert size > 30_000
    devtools.send("Emulation.setCPUThrottlingRate", {"rate": 4})
    page.evaluate(WATCH)
    deltas = 600
    chat.ask(f"[sim:long deltas={deltas} rate=100]", wait=False)
    chat.settled(60_000)
    work = page.evaluate(
        "({ renders: millraceWork.blockRenders - before.blockRenders, read: millraceWork.inlineCharacters - before.inlineCharacters,"
        " long: window.long, frames: window.frames })")
    text = page.evaluate("document.querySelector('.turn:last-child .answer-body').textContent.length")
    frames = sorted(work["frames"])
    report = {
        "block renders per delta": round(work["renders"] / deltas, 2),
        "characters read per character": round(work["read"] / max(1, text), 1),
        "long tasks": len(work["long"]), "long task sum ms": round(sum(work["long"])),
        "frame p50 ms": round(frames[len(frames) // 2], 1), "frame p99 ms": round(frames[int(len(frames) * .99)], 1),
    }
    print(json.dumps(report))
    devtools.send("Emulation.setCPUThrottlingRate", {"rate": 1})
    chat.assert_exact()
    assert report["block renders per delta"] <= 2
    assert report["characters read per character"] < 400
    assert report["long task sum ms"] < 4_000


def test_a_long_answer_costs_no_more_per_delta_at_its_end(chat):
    page = chat.page
    chat.ask("[sim:long deltas=9000 rate=0]", wait=False)
    chat.settled()
    work = page.evaluate("({ ...millraceWork })")
    deltas = 9000
    assert work["blockRenders"] / deltas <= 2
    chat.assert_exact()


def test_two_hundred_messages_open_fast(chat):
    page = chat.page
    paragraph = "The *water* turns the **wheel**; see `mill.swift`.\n\n- one\n- two\n\n```swift\nlet a = 1\n```\n\n"
    turns = [{
        "id": f"m{n}", "input": f"Question {n}", "delivery": "accepted", "created": 1,
        "answer": {"id": f"r{n}", "status": "completed", "integrity": "verified",
                   "items": [{"index": 0, "parts": [{"kind": "text", "part": 0, "text": paragraph * 3}]}]},
    } for n in range(100)]
    file = {"format": "millrace.conversation", "version": 1, "conversation": {"title": "Long"}, "turns": turns}
    page.locator("[data-testid=import]").set_input_files(
        [{"name": "long.json", "mimeType": "application/json", "buffer": json.dumps(file).encode()}])
    expect(page.locator(".turn")).to_have_count(100)
    began = time.time()
    page.reload()
    expect(page.locator(".turn")).to_have_count(100)
    expect(page.locator(".answer-foot").last).to_be_in_viewport()
    took = time.time() - began
    print(json.dumps({"200 messages shown after s": round(took, 2)}))
    chat.shot("long-conversation")
    assert took < 4


@pytest.mark.skipif(not REAL, reason="the stand-in has no metrics")
def test_a_replay_is_drawn_once(chat, server):
    page = chat.page
    ended = server.completed()
    chat.ask("[sim:long deltas=2500 rate=500]", wait=False)
    chat.text_grows()
    server.proxy.refusing = True
    server.proxy.cut()
    # The answer goes on and ends without a reader.
    chat.eventually(lambda: server.completed() > ended)
    before = page.evaluate("({ ...millraceWork })")
    server.proxy.refusing = False
    page.evaluate("window.dispatchEvent(new Event('online'))")
    chat.settled()
    after = page.evaluate("({ ...millraceWork })")
    # More than two thousand deltas came in one batch: each block was drawn once, or twice.
    blocks = page.locator(".answer .md p, .answer .md h3, .answer .md h4").count()
    print(json.dumps({"blocks": blocks, "block renders": after["blockRenders"] - before["blockRenders"]}))
    assert after["blockRenders"] - before["blockRenders"] <= 2 * blocks + 10
    chat.assert_exact()
