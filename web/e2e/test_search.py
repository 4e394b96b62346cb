"""Finding a conversation again by what was said in it."""

import json
import re
import time

from axe_playwright_python.sync_playwright import Axe
from conftest import Effort
from playwright.sync_api import expect

# Writes conversations as an earlier page has, of the database's first version: without texts beside the sessions.
FILL = """(count) => new Promise((resolve, reject) => {
    const open = indexedDB.open('millrace', 1);
    open.onupgradeneeded = () => {
        open.result.createObjectStore('sessions');
        open.result.createObjectStore('conversations', { keyPath: 'id' });
    };
    open.onerror = () => reject(open.error);
    open.onsuccess = () => {
        const all = open.result.transaction(['sessions', 'conversations'], 'readwrite');
        const words = 'water wheel stone river grain flour miller race sluice bridge willow evening'.split(' ');
        for (let n = 0; n < count; n++) {
            const text = Array.from({ length: 400 }, (_, k) => words[(n * 7 + k * 5 + k % 3) % words.length]).join(' ');
            const turns = Array.from({ length: 8 }, (_, t) => ({
                id: `m${t}`, input: `Question ${t} of chat ${n}`, delivery: 'accepted', created: 1,
                answer: { id: `r${t}`, status: 'completed', integrity: 'verified', items: [{ index: 0, parts: [{
                    kind: 'text', part: 0,
                    text: n === 250 && t === 3 ? `## Wood\\n\\n${text}. The *heartwood* of **larch** lasts. ${text}` : text,
                }] }] },
            }));
            all.objectStore('sessions').put(
                { version: 1, generation: 0, seq: 0, turns, unknown_turns: 8, saved: n }, `c_${n}`);
            all.objectStore('conversations').put({ id: `c_${n}`, title: `Chat ${n}`, created: n, updated: n });
        }
        all.oncomplete = () => { open.result.close(); resolve(); };
        all.onabort = () => reject(all.error);
    };
})"""


def test_five_hundred_conversations_are_searched_by_their_text(chat_of, server):
    chat = chat_of(server, open=False)
    page = chat.page
    page.goto(server.base + "favicon.svg")
    page.evaluate(FILL, 500)
    chat.open()
    rows, field = page.locator(".sidebar li"), page.get_by_role("searchbox")
    expect(rows).to_have_count(500)
    field.focus()
    effort = Effort(page)
    began, worked = time.time(), effort()
    page.keyboard.type("heartwood")
    expect(rows).to_have_count(1)
    took, worked = time.time() - began, effort() - worked
    print(json.dumps({"nine letters in 500 conversations, s": round(took, 2), "of which the page worked": round(worked, 2)}))
    assert worked < 2.5
    expect(rows.locator(".title")).to_have_text("Chat 250")
    snippet = rows.locator(".snippet")
    expect(snippet).to_have_text(re.compile(r"^….* The heartwood of larch lasts\..*…$"))
    expect(snippet.locator("mark")).to_have_text(["heartwood"])
    # Every key stroke once the texts are there.
    slowest = 0
    for text in ("w", "wa", "wat", "water", "water r", "water ri", "water river", "heartwood"):
        worked = effort()
        page.evaluate("""async (text) => {
            const field = document.querySelector('[type=search]');
            field.value = text;
            field.dispatchEvent(new Event('input'));
            await new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
        }""", text)
        slowest = max(slowest, effort() - worked)
    print(json.dumps({"most work for a key stroke, ms": round(slowest * 1_000)}))
    assert slowest < 0.75
    # The chat opens at the place.
    rows.locator(".chat-link").click()
    expect(page.locator(".turn")).to_have_count(8)
    expect(page.locator("[data-turn=m3]")).to_be_in_viewport()
    expect(page.locator("[data-turn=m3] .asked")).to_be_in_viewport()
    expect(page.get_by_role("button", name="Jump to the latest")).to_be_visible()
    field.focus()
    page.keyboard.press("Escape")
    expect(field).to_have_value("")
    expect(rows).to_have_count(500)


def test_what_was_just_said_is_found_and_marked(chat):
    page = chat.page
    chat.ask("Tell me about alder [sim:markdown rate=0]")
    chat.stored()
    page.get_by_role("button", name="New chat").click()
    chat.ask("Birch, please [sim:hello]")
    chat.stored()
    rows, field = page.locator(".sidebar li"), page.get_by_role("searchbox")
    field.fill("ALDER")
    expect(rows).to_have_count(1)
    expect(rows.locator(".title mark")).to_have_text("alder")
    expect(rows.locator(".snippet")).to_have_count(0)
    # Who does not see the list hears how long it is.
    expect(page.locator(".sidebar").get_by_role("status")).to_have_text("1 chat found")
    # By a word that only the answer has.
    words = page.locator(".sidebar")
    answers = [turn["answer"]["items"][0]["parts"][0]["text"] for session in chat.sessions() for turn in session["turns"]]
    only = next(word for word in re.findall(r"[a-z]{6,}", max(answers, key=len)) if word not in min(answers, key=len))
    field.fill(only)
    expect(rows).to_have_count(1)
    expect(rows.locator(".title")).to_contain_text("alder")
    expect(rows.locator(".snippet mark").first).to_have_text(re.compile(only, re.IGNORECASE))
    serious = [each["id"] for each in Axe().run(page).response["violations"] if each["impact"] in ("serious", "critical")]
    assert serious == []
    chat.shot("search")
    field.fill("<img src=x onerror=alert(1)>")
    expect(words.get_by_role("status")).to_have_text("Nothing found")
    # A conversation that is deleted takes its words along.
    field.fill("alder")
    rows.locator(".more").click()
    page.get_by_role("button", name="Delete").click()
    page.get_by_role("button", name="Really delete?").click()
    expect(rows).to_have_count(0)
    texts = """() => new Promise((resolve) => {
        const open = indexedDB.open('millrace');
        open.onsuccess = () => {
            const all = open.result.transaction('texts').objectStore('texts').getAll();
            all.onsuccess = () => { open.result.close(); resolve(JSON.stringify(all.result)); };
        };
    })"""
    # The row goes at once, what is stored a moment later.
    chat.eventually(lambda: "alder" not in page.evaluate(texts))
    assert "Birch" in page.evaluate(texts)
