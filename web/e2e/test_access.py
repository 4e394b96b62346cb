"""Everyone can use it: assistive technology, keyboards, small screens, other directions and colours."""

import os

import pytest
from axe_playwright_python.sync_playwright import Axe
from conftest import Server
from playwright.sync_api import expect
from states import walk, walk_alone, walk_losses

axe = Axe()


# A target is 24 pixels high, or stands apart: axe looks at that only when asked to.
RULES = {"rules": {"target-size": {"enabled": True}}}


def assert_accessible(chat, state):
    results = axe.run(chat.page, options=RULES)
    assert [
        f"{state}: {violation['id']} ({violation['impact']}): "
        + "; ".join(" ".join(map(str, node["target"])) for node in violation["nodes"][:3])
        for violation in results.response["violations"]
    ] == []


# Each scheme and each size once; for people to look at (`make shots`) each with each.
LOOKS = [("light", "desktop"), ("dark", "phone")]
if os.environ.get("E2E_SHOTS"):
    LOOKS += [("dark", "desktop"), ("light", "phone")]
SIZES = {"desktop": {"viewport": {"width": 1280, "height": 800}},
         "phone": {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}}


# Into fields of smaller words than this the browser of a phone zooms, and stays there.
ZOOMED = """() => [...document.querySelectorAll('input, select, textarea')]
    .filter((each) => each.checkVisibility() && parseFloat(getComputedStyle(each).fontSize) < 16)
    .map((each) => each.outerHTML)"""


@pytest.mark.parametrize("scheme,size", LOOKS)
def test_every_state_is_accessible(chat_of, context_of, scheme, size):
    own, whole = Server(fake=True), Server()
    try:
        chat = chat_of(own, color_scheme=scheme, reduced_motion="reduce", **SIZES[size])
        seen = []

        def look(state):
            seen.append(state)
            chat.shot(f"{len(seen):02}-{state}-{size}-{scheme}")
            assert_accessible(chat, f"{state} {size} {scheme}")
            width, height = chat.page.evaluate(
                "(({ scrollWidth, scrollHeight }) => [scrollWidth, scrollHeight])(document.documentElement)")
            assert width <= SIZES[size]["viewport"]["width"], f"{state} is {width} wide"
            assert height <= SIZES[size]["viewport"]["height"], f"{state} is {height} high"
            if size == "phone":
                assert chat.page.evaluate(ZOOMED) == [], state

        walk(chat, own, look)
        chat = chat_of(whole, color_scheme=scheme, reduced_motion="reduce", **SIZES[size])
        walk_losses(chat, whole, look)
        chat = chat_of(whole, context_of(keeps_nothing=True, color_scheme=scheme, reduced_motion="reduce", **SIZES[size]))
        walk_alone(chat, look)
        print(f"{len(seen)} states")
    finally:
        own.close()
        whole.close()


def test_the_language_goes_with_the_browser_until_one_is_chosen(fake, chat_of, context_of):
    first = context_of(locale="en")
    page = chat_of(fake, first).page
    expect(page.locator("html")).to_have_attribute("lang", "en")
    later = context_of(locale="de", storage_state=first.storage_state())
    page = chat_of(fake, later).page
    expect(page.locator("html")).to_have_attribute("lang", "de")
    page.get_by_role("button", name="Einstellungen").click()
    page.get_by_label("Sprache").select_option("ar")
    expect(page.locator("html")).to_have_attribute("lang", "ar")
    again = context_of(locale="en", storage_state=later.storage_state())
    expect(chat_of(fake, again).page.locator("html")).to_have_attribute("lang", "ar")


@pytest.mark.parametrize("locale,direction,word", [("ar", "rtl", "اسأل"), ("de", "ltr", "Fragen")])
def test_other_languages(fake, chat_of, locale, direction, word):
    chat = chat_of(fake, locale=locale)
    expect(chat.page.locator("html")).to_have_attribute("dir", direction)
    expect(chat.page.locator("html")).to_have_attribute("lang", locale)
    expect(chat.field).to_have_attribute("placeholder", __import__("re").compile(word))
    # What nothing is written in goes the way of the page; what is written goes its own.
    way = "element => getComputedStyle(element).direction"
    for field in (chat.field, chat.page.get_by_role("searchbox")):
        assert field.evaluate(way) == direction
        field.fill("mill")
        assert field.evaluate(way) == "ltr"
        field.fill("")
    chat.ask("[sim:rtl rate=400]")
    chat.ask("[sim:mcp rate=400]")
    box = lambda selector: chat.page.locator(selector).first.bounding_box()
    sidebar, main = box(".sidebar"), box(".chat")
    assert (sidebar["x"] > main["x"]) == (direction == "rtl")
    # A title goes its own way too, but stands where titles stand, and leaves the button beside it alone.
    for selector in ("h1", ".sidebar li .title > span"):
        end = chat.page.locator(selector).first.evaluate("e => getComputedStyle(e).textAlign")
        assert end == {"rtl": "right", "ltr": "left"}[direction]
    title, more = box(".sidebar li .title > span"), box(".sidebar li .more")
    assert more["x"] >= title["x"] + title["width"] or title["x"] >= more["x"] + more["width"]
    # An Arabic list has its marks on its own side, whatever the page's language is.
    assert chat.page.locator(".answer ul").first.evaluate("e => getComputedStyle(e).direction") == "rtl"
    assert_accessible(chat, locale)
    chat.shot(f"locale-{locale}")


# What a finger has to meet, and is less than 40 pixels high; a mark in a line of text may be smaller.
TOO_SMALL = """() => [...document.querySelectorAll('button, a, summary')]
    .filter((each) => each.checkVisibility({ visibilityProperty: true }) && !each.closest('.md, .json, [inert]'))
    .filter((each) => !each.matches('.skip, .remove, .reasoning *') && each.getBoundingClientRect().height < 39.5)
    .map((each) => `${each.className} ${each.ariaLabel ?? each.textContent} ${each.getBoundingClientRect().height}`)"""


def test_a_small_screen(fake, chat_of):
    chat = chat_of(fake, viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    page = chat.page
    wide = "document.documentElement.scrollWidth"
    chat.shot("small-empty")
    for scenario in ("markdown", "mcp", "web-search", "failed"):
        chat.ask(f"A question that is long enough to wrap on a phone [sim:{scenario} rate=600]")
        assert page.evaluate(wide) <= 390
        assert page.evaluate(TOO_SMALL) == []
        chat.shot(f"small-{scenario}")
    assert page.locator("h1").bounding_box()["width"] > 200
    assert_accessible(chat, "small")
    page.get_by_role("button", name="Conversations").click()
    expect(page.locator(".sidebar")).to_be_in_viewport()
    assert page.evaluate(TOO_SMALL) == []
    chat.shot("small-menu")
    assert_accessible(chat, "small menu")
    # It takes the focus, keeps it from what lies below, and gives it back.
    expect(page.locator(".sidebar").get_by_role("button", name="Close")).to_be_focused()
    assert page.locator("main").evaluate("main => main.inert")
    page.keyboard.press("Escape")
    expect(page.locator(".sidebar")).not_to_be_in_viewport()
    expect(page.get_by_role("button", name="Conversations")).to_be_focused()
    page.get_by_role("button", name="Conversations").click()
    page.get_by_role("button", name="Close").click()
    expect(page.locator(".sidebar")).not_to_be_in_viewport()
    page.get_by_role("button", name="Conversations").click()
    page.locator(".current .chat-link").click()
    expect(page.get_by_role("button", name="Conversations")).to_be_focused()


def test_a_very_small_screen(fake, chat_of):
    chat = chat_of(fake, viewport={"width": 320, "height": 480}, has_touch=True, is_mobile=True).ready()
    page = chat.page
    # What is higher than the screen begins at its beginning; only a chat is read from its end.
    expect(page.get_by_role("heading", name="What are you working on?")).to_be_in_viewport(ratio=1)
    chat.ask("One call [sim:mcp]")
    name, tag = page.locator(".tool-title code").bounding_box(), page.locator(".tag").bounding_box()
    assert name["x"] + name["width"] <= tag["x"]
    chat.ask("Another one [sim:markdown rate=0]")
    expect(chat.answer().locator(".answer-foot")).to_be_in_viewport()


def test_what_is_enlarged_four_times_is_within_reach(fake, chat_of):
    chat = chat_of(fake, viewport={"width": 320, "height": 256}).ready()
    page = chat.page
    chat.ask("One question [sim:hello]")
    page.get_by_role("button", name="Conversations").click()
    page.locator(".sidebar li .more").click()
    page.get_by_role("button", name="Rename").click()
    expect(page.get_by_role("textbox", name="Rename")).to_be_focused()
    page.keyboard.press("Escape")
    page.keyboard.press("Escape")
    expect(page.locator(".sidebar")).not_to_be_in_viewport()
    page.locator("[data-testid=picker]").set_input_files(
        [{"name": f"the-plans-of-the-old-mill-{n}.pdf", "mimeType": "application/pdf", "buffer": b"%PDF-1.7"} for n in range(3)])
    chat.attached(3)
    chat.field.fill("What\nis\non\nthem?\n[sim:hello]")
    chat.pick_large("film.bin", 9 << 20)
    expect(page.locator(".composer-problem")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollHeight") <= 256
    page.get_by_role("button", name="Send").click()
    expect(page.locator(".asked .attachments li")).to_have_count(3)


def test_no_keyboard_comes_up_on_a_touch_screen_before_one_writes(fake, chat_of):
    chat = chat_of(fake, viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    page = chat.page
    expect(chat.field).not_to_be_focused()
    chat.ask("A long story [sim:long deltas=3000 rate=150]", wait=False)
    chat.text_grows(100)
    chat.field.blur()
    page.get_by_role("button", name="Stop").tap()
    chat.settled()
    expect(chat.field).not_to_be_focused()
    page.get_by_role("button", name="Settings").tap()
    page.get_by_role("button", name="Done").tap()
    expect(page.locator("dialog")).to_have_count(0)
    expect(chat.field).not_to_be_focused()


def test_by_keyboard_alone(chat):
    page = chat.page
    expect(chat.field).to_be_focused()
    page.keyboard.type("Tell me [sim:long deltas=3000 rate=100]")
    page.keyboard.press("Enter")
    chat.text_grows()
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Stop")).to_be_focused()
    page.keyboard.press("Enter")
    chat.settled()
    expect(chat.field).to_be_focused()
    page.keyboard.press("Shift+Tab")
    expect(page.get_by_role("button", name="Attach")).to_be_focused()
    for _ in range(30):
        page.keyboard.press("Shift+Tab")
        if page.evaluate("document.activeElement.className").endswith("skip"):
            break
    expect(page.get_by_role("button", name="Skip to the message field")).to_be_focused()
    page.keyboard.press("Enter")
    expect(chat.field).to_be_focused()


def test_the_focus_is_not_lost_with_the_button_that_stops(fake, chat_of):
    chat = chat_of(fake)
    chat.ask("[sim:long deltas=30 hold=5]", wait=False)
    # The answer has begun: a release that came before it would release nothing.
    chat.text_grows(10)
    stop = chat.page.get_by_role("button", name="Stop")
    expect(stop).to_be_visible()
    chat.page.keyboard.press("Tab")
    expect(stop).to_be_focused()
    fake.control(do="release")
    chat.settled()
    expect(chat.field).to_be_focused()


def test_the_focus_returns_to_where_it_came_from(chat):
    page = chat.page
    chat.ask("One question [sim:hello]")
    more = page.locator(".sidebar li .more")
    more.focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Rename")).to_be_focused()
    page.keyboard.press("Escape")
    expect(more).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.keyboard.type("By keyboard")
    page.keyboard.press("Enter")
    expect(page.locator(".sidebar li")).to_contain_text("By keyboard")
    expect(more).to_be_focused()
    expect(more).to_have_attribute("aria-expanded", "false")
    edit = page.get_by_role("button", name="Edit")
    edit.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("textbox", name="Edit")).to_be_focused()
    page.keyboard.press("Escape")
    expect(edit).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.type(", better")
    page.keyboard.press("Enter")
    expect(chat.field).to_be_focused()
    chat.settled()
    expect(page.locator(".bubble")).to_contain_text(", better")
    # What is pressed goes away with the answer it belongs to.
    page.get_by_role("button", name="Another answer").focus()
    page.keyboard.press("Enter")
    expect(page.locator(".versions")).to_contain_text("3 of 3")
    expect(chat.field).to_be_focused()
    chat.settled()
    page.get_by_role("button", name="Previous version").focus()
    for place in ("2 of 3", "1 of 3"):
        page.keyboard.press("Enter")
        expect(page.locator(".versions")).to_contain_text(place)
        expect(page.locator(".versions :focus")).to_have_count(1)
    expect(page.get_by_role("button", name="Next version")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator(".versions")).to_contain_text("2 of 3")
    expect(page.get_by_role("button", name="Next version")).to_be_focused()
    page.get_by_role("button", name="Settings").focus()
    page.keyboard.press("Enter")
    expect(page.locator("dialog :focus")).to_have_count(1)
    page.keyboard.press("Escape")
    expect(chat.field).to_be_focused()
    # Deleting what is shown leads to a new chat, ready to write in.
    more.focus()
    page.keyboard.press("Enter")
    for _ in range(4):
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.keyboard.press("Enter")
    expect(page.locator(".sidebar li")).to_have_count(0)
    expect(chat.field).to_be_focused()


LISTED = """(count) => new Promise((done) => {
    const open = indexedDB.open('millrace');
    open.onsuccess = () => {
        const transaction = open.result.transaction('conversations', 'readwrite');
        for (let place = 0; place < count; place++) {
            const at = Date.now() - place;
            transaction.objectStore('conversations').put({ id: `c${place}`, title: `Mill ${place}`, created: at, updated: at });
        }
        transaction.oncomplete = () => { open.result.close(); done(); };
    };
})"""


def test_a_menu_of_the_list_is_seen_whole_and_goes_with_the_focus(fake, chat_of):
    chat = chat_of(fake).ready()
    page = chat.page
    page.evaluate(LISTED, 40)
    page.reload()
    rows = page.locator(".sidebar nav li")
    expect(rows).to_have_count(40)
    bottom = page.locator(".sidebar nav").evaluate("element => element.getBoundingClientRect().bottom")
    last = rows.evaluate_all("(rows, bottom) => rows.findLastIndex(row => row.getBoundingClientRect().bottom <= bottom)", bottom)
    more = rows.nth(last).locator(".more")
    more.focus()
    page.keyboard.press("Enter")
    delete = page.get_by_role("button", name="Delete")
    expect(delete).to_be_in_viewport(ratio=1)
    for _ in range(4):
        page.keyboard.press("Tab")
    expect(delete).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.locator(".menu")).to_have_count(0)
    expect(rows.nth(last + 1).locator(".chat-link")).to_be_focused()


def test_what_is_printed_is_dark_on_white_and_whole(fake, chat_of):
    chat = chat_of(fake)
    page = chat.page
    chat.ask("Print this [sim:markdown rate=0]")
    page.get_by_role("button", name="Settings").click()
    page.get_by_role("combobox", name="Theme").select_option("dark")
    page.keyboard.press("Escape")
    page.emulate_media(media="print")
    ink = page.locator(".answer .md p").first.evaluate(
        "element => getComputedStyle(element).color.match(/\\d+/g).slice(0, 3).reduce((sum, part) => sum + Number(part), 0)")
    assert ink < 200
    expect(page.locator(".code button")).to_be_hidden()
    assert page.locator(".code pre").evaluate("element => getComputedStyle(element.firstChild).whiteSpace") == "pre-wrap"


def test_a_screen_reader_hears_beginning_and_end_only(chat):
    page = chat.page
    page.evaluate("""() => {
        window.heard = [];
        new MutationObserver(() => window.heard.push(document.querySelector('[data-testid=announcer]').textContent.trim()))
            .observe(document.querySelector('[data-testid=announcer]'), { childList: true, characterData: true, subtree: true });
    }""")
    with chat.seeing(".answer[aria-busy=true]", ""):
        chat.ask("[sim:long deltas=600 rate=100]")
    expect(page.locator(".answer")).to_have_attribute("aria-busy", "false")
    assert page.evaluate("window.heard") == ["The answer begins", "The answer is complete"]
    expect(page.get_by_role("log")).to_have_attribute("aria-live", "off")


def test_a_screen_reader_hears_what_is_new_and_not_what_failed_once(fake, chat_of):
    chat = chat_of(fake).ready()
    page = chat.page
    # What is to be heard comes into a place that was there before.
    page.evaluate("window.before = new Set(document.querySelectorAll('[role=status]'))")
    fake.control(do="close", code=4400)
    expect(page.locator(".bar")).to_contain_text("Disconnected")
    assert page.evaluate("before.has(document.querySelector('.bar').closest('[role=status]'))")
    page.get_by_role("button", name="Reconnect now").click()
    chat.ready()
    chat.ask("[sim:failed rate=900]")
    expect(page.get_by_role("alert")).to_contain_text("The answer failed")
    page.reload()
    expect(chat.answer()).to_contain_text("The answer failed")
    expect(page.get_by_role("alert")).to_have_count(0)


def test_headings_say_where_a_question_is_and_leave_no_level_out(fake, chat_of):
    chat = chat_of(fake)
    chat.ask("Say it [sim:say rate=0] ## One\n\n#### Two\n\n###### Three\n\n### Four\n\n# Five\n")
    headings = chat.page.locator("main :is(h1, h2, h3, h4, h5, h6)")
    expect(headings.last).to_have_text("Five")
    assert headings.evaluate_all("all => all.map(({ localName, textContent }) => `${localName} ${textContent}`)")[1:] == [
        "h2 You", "h3 One", "h4 Two", "h5 Three", "h4 Four", "h3 Five"]
