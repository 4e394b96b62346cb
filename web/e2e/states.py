"""Every state that the page has, one after the other, for whoever wants to look at it: axe, and people."""

import json
import re

from conftest import PNG
from playwright.sync_api import expect

# Keeps one store of the database busy, so that nobody else can read it.
OCCUPY = """(name) => new Promise((begun) => {
    const open = indexedDB.open('millrace');
    open.onsuccess = () => {
        const objects = open.result.transaction(name, 'readwrite').objectStore(name);
        window.occupied = true;
        const again = () => { if (window.occupied) objects.get('').onsuccess = again; else open.result.close(); };
        again();
        begun();
    };
})"""

MODELS = {"allow": ["model", "instructions", "reasoning", "text", "temperature", "max_output_tokens"],
          "models": ["gpt-5.5", "gpt-5.5-mini", "gpt-oss-120b"], "model": "gpt-5.5"}


def walk(chat, server, look):
    """Leads a page that has just opened through its states; `look(name)` is called in each."""
    page, small = chat.page, chat.page.viewport_size["width"] < 800
    turn, bar = page.locator(".turn").last, page.locator(".bar")

    def sidebar():
        if small:
            page.get_by_role("button", name="Conversations").click()
        expect(page.locator(".sidebar")).to_be_in_viewport()

    def leave_sidebar():
        if small:
            page.keyboard.press("Escape")
            expect(page.locator(".sidebar")).not_to_be_in_viewport()

    def fresh():
        sidebar()
        page.get_by_role("button", name="New chat").click()
        expect(page.locator(".turn")).to_have_count(0)
        chat.ready()

    def say(**frame):
        server.control(do="send", frame=json.dumps(frame))

    def stop():
        page.keyboard.press("Escape")
        chat.settled()

    def discard():
        page.get_by_role("button", name="Discard").click()
        expect(page.locator(".delivery")).to_have_count(0)

    def unfold():
        closed = chat.answer().locator(".fold-head[aria-expanded=false]")
        if closed.count():
            closed.first.click()

    chat.ready()
    look("empty")

    # While nothing comes, and while something does.
    chat.ask("How does a water mill turn a falling stream into work? [sim:hello ttft=600000]", wait=False)
    # Only of an answer that has begun can be said why nothing comes.
    expect(turn).to_have_attribute("data-status", "in_progress")
    message = turn.get_attribute("data-turn")
    for state, more in [("waiting", {"since_ms": 2000}), ("queued", {"until_ms": 20000}),
                        ("retrying", {"retry_in_ms": 4000, "attempt": 2}), ("upstream_silent", {}), ("paused", {})]:
        say(type="state", state=state, message=message, **more)
        words = {"waiting": "working", "queued": "free place", "retrying": "attempt 2", "upstream_silent": "quiet",
                 "paused": "Paused"}[state]
        expect(chat.answer().locator(".activity")).to_contain_text(words)
        look(f"state-{state}")
    chat.ask("And how much of it is lost?", wait=False)
    expect(page.locator(".delivery")).to_contain_text("Waits for the running answer")
    look("queue")
    page.locator(".delivery").get_by_role("button", name="Cancel").click()
    expect(page.get_by_role("button", name="Discard")).to_be_visible()
    look("withdrawn")
    discard()
    stop()
    fresh()
    chat.ask("Tell me the story of the long race [sim:long deltas=3000 rate=150]", wait=False)
    chat.text_grows(700)
    look("streaming")
    say(type="going_away", reconnect_after_ms=600000)
    expect(bar).to_contain_text("The gateway restarts")
    look("draining")
    stop()
    look("stopped")
    page.locator(".scroller").evaluate("element => element.scrollTop = 0")
    fresh()

    # What answers hold.
    for scenario, hold, steady in [("reasoning", 8, ".reasoning.active .md"), ("mcp", 2, ".tool.active .fold-body"),
                                   ("structured", 25, ".json-key")]:
        chat.ask(f"What does the miller do at dawn? [sim:{scenario} hold={hold}]", wait=False)
        page.locator(".answer").last.locator(steady).first.wait_for()
        look(f"{scenario}-streaming")
        stop()
    for scenario in ("markdown", "reasoning", "mcp", "code", "web-search", "file-search", "structured", "image", "seam",
                     "refusal", "incomplete", "failed", "rtl"):
        chat.ask(f"What does the miller do at dawn? [sim:{scenario} rate=900]")
        unfold()
        if scenario == "markdown":
            expect(chat.answer().locator("math")).to_have_count(2)
        look(scenario)
    page.locator(".scroller").evaluate("element => { element.dispatchEvent(new Event('wheel')); element.scrollTop = 300; }")
    expect(page.get_by_role("button", name="Jump to the latest")).to_be_visible()
    look("scrolled")
    page.get_by_role("button", name="Jump to the latest").click()

    # What may be done with a turn.
    fresh()
    chat.ask("A question that could be asked better [sim:hello]")
    turn.hover()
    turn.get_by_role("button", name="Edit").click()
    look("edit")
    turn.get_by_role("textbox", name="Edit").fill("The same question, asked better [sim:hello]")
    page.keyboard.press("Enter")
    expect(page.locator(".versions")).to_be_visible()
    chat.settled()
    look("versions")

    # What goes along with a message.
    page.locator("[data-testid=picker]").set_input_files(
        [{"name": "mill.png", "mimeType": "image/png", "buffer": PNG},
         {"name": "the-plans-of-the-old-mill-by-the-river.pdf", "mimeType": "application/pdf", "buffer": b"%PDF-1.7"}])
    chat.attached(2)
    chat.field.fill("What is on them?\nThe first one is a picture, the second the plans of a mill. [sim:hello]")
    look("attachments")
    chat.pick_large("film.bin", 9 << 20)
    expect(page.locator(".composer-problem")).to_be_visible()
    look("attachment-too-large")
    page.evaluate("""() => { const data = new DataTransfer(); data.items.add(new File(['x'], 'x.png'));
        document.dispatchEvent(new DragEvent('dragenter', { dataTransfer: data, bubbles: true, cancelable: true })); }""")
    expect(page.locator(".drop")).to_be_visible()
    look("dropping")
    page.evaluate("""() => { const data = new DataTransfer(); data.items.add(new File(['x'], 'x.png'));
        document.dispatchEvent(new DragEvent('dragleave', { dataTransfer: data, bubbles: true, cancelable: true })); }""")
    chat.field.press("Enter")
    expect(page.locator(".asked .attachments li")).to_have_count(2)
    chat.settled()
    look("attached")

    # Messages that did not get through, and answers that are in doubt.
    fresh()
    refusal = {"code": "model_not_allowed", "retryable": False, "message":
               "`options.model` \"gpt-4\" is not offered here: one of ready.options.models is (options.models)"}
    server.control(do="set", name="refuse_message", value=json.dumps(refusal))
    chat.field.fill("A message that the gateway does not take")
    chat.field.press("Enter")
    expect(page.locator(".delivery.danger")).to_be_visible()
    look("refused-message")
    server.control(do="set", name="refuse_message", value="null")
    discard()
    server.control(do="set", name="sha", value='"00"')
    chat.ask("Is this what was said? [sim:hello]")
    look("mismatch")
    server.control(do="set", name="sha", value="null")
    chat.ask("What is lost when the session is? [sim:long deltas=3000 rate=150]", wait=False)
    chat.text_grows(150)
    server.control(do="forget")
    expect(turn).to_have_attribute("data-status", "interrupted")
    expect(page.locator(".toast")).to_be_visible()
    look("interrupted")

    # The list, the settings.
    sidebar()
    look("list")
    page.locator(".sidebar li .more").first.click()
    look("menu")
    page.get_by_role("button", name="Delete").click()
    look("delete-sure")
    page.locator(".sidebar li .more").first.click()
    page.locator(".sidebar li .more").first.click()
    page.get_by_role("button", name="Rename").click()
    look("rename")
    page.keyboard.press("Escape")
    page.get_by_role("searchbox").fill("wheel water")
    expect(page.locator(".snippet").first).to_be_visible()
    look("search")
    page.get_by_role("searchbox").fill("sawmill")
    expect(page.locator(".sidebar .none")).to_have_text("Nothing found")
    look("search-nothing")
    page.get_by_role("searchbox").fill("")
    page.locator("[data-testid=import]").set_input_files(
        [{"name": "x.json", "mimeType": "application/json", "buffer": b"{}"}])
    expect(page.locator(".toast.warning").last).to_be_visible()
    look("import-failed")
    leave_sidebar()
    page.get_by_role("button", name="Settings").click()
    look("settings")
    page.keyboard.press("Escape")
    server.control(do="set", name="options", value=json.dumps(MODELS))
    fresh()
    page.get_by_role("button", name="Settings").click()
    expect(page.get_by_role("combobox", name="Model")).to_have_value("gpt-5.5")
    look("settings-list")
    page.keyboard.press("Escape")
    server.control(do="set", name="options", value="null")

    # The connection.
    chat.ask("What remains when the network goes? [sim:long deltas=3000 rate=100]", wait=False)
    chat.text_grows(300)
    page.context.set_offline(True)
    server.proxy.cut()
    expect(bar).to_contain_text("You are offline")
    chat.field.fill("And what do I write meanwhile?")
    chat.field.press("Enter")
    look("offline")
    page.locator(".delivery").get_by_role("button", name="Cancel").click()
    discard()
    with chat.seeing(".toast", "Nothing was lost"):
        page.context.set_offline(False)
        chat.ready()
    look("resumed")
    stop()
    server.proxy.refusing = True
    server.proxy.cut()
    expect(bar).to_contain_text(re.compile(r"Reconnecting in \d+ s"))
    look("retry")
    fresh_id = page.evaluate("location.hash")
    server.proxy.refusing = False
    # In one step: the page may mend itself at any moment, and then has no button to wait for.
    page.get_by_role("button", name="Reconnect now").evaluate_all("buttons => buttons.forEach(button => button.click())")
    chat.ready()
    server.control(do="set", name="key", value='"open sesame"')
    page.reload()
    expect(page.get_by_label("Access key")).to_be_visible()
    look("access-key")
    server.control(do="set", name="key", value="null")
    page.reload()
    chat.ready()
    server.control(do="close", code=4400)
    expect(bar).to_contain_text("Disconnected")
    look("closed")

    # While the store is read.
    other = page.context.new_page()
    other.goto(server.base + "favicon.svg")
    other.evaluate(OCCUPY, "sessions")
    assert page.evaluate("location.hash") == fresh_id
    page.reload()
    expect(page.locator(".skeleton")).to_be_visible()
    look("loading")
    other.evaluate("window.occupied = false")
    expect(page.locator(".skeleton")).to_have_count(0)
    other.close()

    # A gateway that was not there when the page came: an old page, kept open, or one from elsewhere.
    fresh()
    server.proxy.refusing = True
    server.proxy.cut()
    expect(bar).to_contain_text("The gateway does not answer")
    expect(bar).to_contain_text(re.compile(r"Reconnecting in \d+ s"))
    look("nobody-there")
    server.proxy.refusing = False


def walk_alone(chat, look):
    """A browser that keeps nothing for any page: the chat goes on, and says so once."""
    page = chat.page
    chat.ready()
    chat.ask("How much grain does a mill grind in a day? [sim:hello]")
    expect(page.locator(".toast")).to_contain_text("could not save")
    look("not-saved")
    page.locator(".toast").get_by_role("button", name="Close").click()
    chat.ask("And in a dry summer? [sim:long deltas=300 rate=200]")
    expect(page.locator(".toast")).to_have_count(0)


def walk_losses(chat, server, look):
    """Another tab goes on, and then the gateway is killed with a message on its way, and started again."""
    page = chat.page
    toast, note = page.locator(".toast"), page.locator(".delivery.danger")
    chat.ready()
    chat.ask("How much grain does a mill grind in a day? [sim:hello]")
    chat.stored()
    other = page.context.new_page()
    other.goto(page.url)
    other.locator(".turn").last.hover()
    with chat.seeing(".toast", "in another tab"):
        other.get_by_role("button", name="Another answer").click()
        expect(other.locator(".versions")).to_be_visible()
    expect(page.locator(".versions")).to_be_visible()
    chat.settled()
    look("superseded")
    other.close()
    expect(toast).to_have_count(0)

    chat.ready()
    server.proxy.stalled = True
    chat.field.fill("What did the miller write in his book? [sim:hello]")
    chat.field.press("Enter")
    expect(page.locator(".turn").last).to_have_attribute("data-status", "sent")
    look("sending")
    server.stop_gateway()
    server.start_gateway()
    server.proxy.stalled = False
    server.proxy.cut()
    expect(note).to_contain_text("before the gateway confirmed")
    chat.ready()
    look("unconfirmed")
    note.get_by_role("button", name="Try again").click()
    chat.settled()
    expect(note).to_have_count(0)
