"""What the page offers, one test each, against the server under test unless a fault is needed."""

import json
import re

import pytest
from conftest import BAR_STAYS, PNG, REAL, Server
from playwright.sync_api import expect
from states import OCCUPY


def test_reasoning_folds_away_when_the_answer_comes(chat):
    with chat.seeing(".answer .reasoning .fold-head", "Thinking"):
        chat.ask("[sim:reasoning rate=20]")
    head = chat.answer().locator(".reasoning .fold-head").first
    expect(head).to_have_text(re.compile(r"Thought for \d+ s"))
    expect(head).to_have_attribute("aria-expanded", "false")
    head.click()
    expect(chat.answer().locator(".reasoning .fold-body").first).to_be_visible()
    chat.assert_exact()


def test_tool_cards(chat):
    chat.ask("What is the weather? [sim:mcp rate=100]")
    card = chat.answer().locator(".tool").first
    expect(card.locator(".tag")).to_have_text(re.compile("done|failed"))
    card.locator(".fold-head").click()
    expect(card.locator(".fold-body")).to_contain_text("Input")
    chat.ask("[sim:code rate=100]")
    expect(chat.answer().locator(".tool .tool-title")).to_contain_text("Code")
    chat.assert_exact()


@pytest.mark.skipif(not REAL, reason="the stand-in cites in other places")
def test_citations_become_marks_and_sources(chat):
    chat.ask("[sim:web-search rate=100]")
    expect(chat.answer().locator(".tool .tool-title")).to_contain_text("Web search")
    source = chat.answer().locator(".sources a").first
    expect(source).to_have_attribute("href", re.compile("^https?://"))
    expect(source).to_have_attribute("rel", re.compile("noopener"))
    # The simulator cites the link that ends the text, so the mark stands behind it.
    expect(chat.answer().locator(".md p").last).to_have_text(re.compile(r"\(example\.com\)1$"))
    mark = chat.answer().get_by_role("link", name="Source 1: Mill race")
    address = chat.page.url
    mark.click()
    expect(source).to_be_focused()
    assert chat.page.url == address
    chat.ask("[sim:file-search rate=100]")
    expect(chat.answer().get_by_role("link", name="Source 1: handbook.pdf")).to_have_text("1")
    expect(chat.answer().locator(".sources")).to_contain_text("handbook.pdf")
    chat.assert_exact()


def test_marks_come_while_the_text_streams_and_stand_where_they_belong(fake, chat_of):
    chat = chat_of(fake)
    chat.ask("[sim:web-search rate=60 hold=40]", wait=False)
    mark = chat.answer().locator(".md .cite")
    expect(mark.first).to_be_visible()
    # The list is there as soon as there is something to point at.
    expect(chat.answer()).to_have_attribute("aria-busy", "true")
    expect(chat.answer().locator(".sources li").first).to_be_visible()
    fake.control(do="release")
    chat.settled()
    md = chat.answer().locator(".md")
    expect(mark).to_have_text(["1", "2", "2", "1", "3", "2", "3"])
    expect(md.locator("p").first).to_have_text(re.compile("head of the water1 and .* 85 %2, undershot ones far less2\\."))
    expect(md.locator("li").last).to_have_text("A pond stores the night's water3")
    expect(md.locator("tbody td").nth(1)).to_have_text("85 %2")
    expect(md.locator("p").last).to_have_text(re.compile("gives the power3 at"))
    # By keyboard, and there again after a reload.
    mark.nth(4).focus()
    chat.page.keyboard.press("Enter")
    expect(chat.answer().locator(".sources .source").nth(2)).to_be_focused()
    chat.page.reload()
    expect(mark).to_have_text(["1", "2", "2", "1", "3", "2", "3"])


def test_pictures_come_blurred_first_and_then_whole(fake, chat_of):
    chat = chat_of(fake)
    chat.page.evaluate("""() => {
        window.pictures = new Set();
        new MutationObserver(() => document.querySelectorAll('.image').forEach((figure) =>
            window.pictures.add(figure.className + ' ' + figure.querySelector('img').src.length)))
            .observe(document.querySelector('.log'), { childList: true, subtree: true, attributes: true });
    }""")
    chat.ask("[sim:image rate=100 hold=1]", wait=False)
    expect(chat.answer().locator(".image.partial img")).to_be_visible()
    fake.control(do="release")
    chat.settled()
    image = chat.answer().locator(".image img")
    expect(image).to_have_attribute("src", re.compile("^data:image/"))
    expect(chat.answer().get_by_role("link", name="Save image")).to_have_attribute("download", "image.png")
    seen = chat.page.evaluate("[...window.pictures].map((each) => each.replace(/ [0-9]+$/, ''))")
    assert seen == ["image partial", "image"]


@pytest.mark.skipif(not REAL, reason="the stand-in draws real pictures")
def test_a_picture_that_cannot_be_shown_says_so_and_can_be_saved(chat):
    chat.ask("[sim:image rate=100]")  # The simulator's bytes are no picture.
    expect(chat.answer().locator(".image")).to_contain_text("This picture cannot be shown")
    link = chat.answer().get_by_role("link", name="Save image")
    expect(link).to_have_attribute("href", re.compile("^data:image/"))


@pytest.mark.skipif(not REAL, reason="the stand-in always says something")
def test_an_answer_without_a_word_says_so_and_is_announced(chat):
    chat.ask("[sim:empty]")
    expect(chat.answer()).to_contain_text("The model said nothing.")
    expect(chat.page.locator("[data-testid=announcer]")).to_have_text("The answer is complete")


def test_a_very_long_message_is_shown_in_part_until_all_of_it_is_asked_for(chat):
    page = chat.page
    page.locator("#composer").fill("word " * 40_000 + "end [sim:hello]")
    chat.field.press("Enter")
    expect(page.locator(".turn")).to_have_count(1)
    chat.settled()
    bubble = page.locator(".bubble")
    expect(bubble).to_have_text(re.compile("word …$"))
    assert bubble.bounding_box()["height"] < 900
    page.get_by_role("button", name="Show all").click()
    expect(bubble).to_contain_text("end [sim:hello]")
    page.get_by_role("button", name="Show less").click()
    expect(bubble).to_have_text(re.compile("word …$"))
    assert bubble.bounding_box()["height"] < 900


def test_a_message_of_many_lines_folds_and_is_whole_where_it_is_copied_and_edited(chat):
    page = chat.page
    lines = lambda count: "\n".join(["[sim:hello]", *(f"line {n}" for n in range(2, count + 1))])
    chat.ask(lines(20))
    fold, bubble = page.locator(".show-all"), page.locator(".bubble").last
    expect(bubble).to_contain_text("line 20")
    expect(fold).to_have_count(0)
    page.evaluate("(text) => navigator.clipboard.writeText(text)", lines(21))
    chat.field.press("ControlOrMeta+v")
    expect(chat.field).to_have_value(lines(21))
    chat.field.press("Enter")
    expect(page.locator(".turn")).to_have_count(2)
    chat.settled()
    expect(fold).to_have_text("Show all")
    expect(fold).to_have_attribute("aria-expanded", "false")
    expect(bubble).to_have_text(re.compile("line 20 …$"))
    turn = page.locator(".turn").last
    turn.hover()
    with chat.seeing(".asked-foot button", "Copied"):
        turn.locator(".asked-foot").get_by_role("button", name="Copy").click()
    assert page.evaluate("navigator.clipboard.readText()") == lines(21)
    turn.get_by_role("button", name="Edit").click()
    editor = turn.get_by_role("textbox", name="Edit")
    expect(editor).to_have_value(lines(21))
    editor.press("Escape")
    fold.click()
    expect(fold).to_have_text("Show less")
    expect(fold).to_have_attribute("aria-expanded", "true")
    expect(bubble).to_have_text(re.compile("line 21$"))
    fold.click()
    expect(fold).to_have_attribute("aria-expanded", "false")
    expect(bubble).to_have_text(re.compile("line 20 …$"))


def test_a_prompt_of_the_first_page_starts_a_chat_and_the_answer_says_what_it_took(chat):
    prompt = chat.page.locator(".prompts button").first
    words = prompt.inner_text()
    prompt.click()
    expect(chat.page.locator(".bubble")).to_contain_text(words)
    chat.settled()
    usage = chat.answer().locator(".usage")
    for fact in (r"\d+ in", r"\d+ out", r"first text [\d.]+ m?s", r"\d+ tokens/s", "verified"):
        expect(usage).to_contain_text(re.compile(fact))
    expect(chat.page.locator("h1")).to_contain_text(words[:30])


def test_nothing_moves_for_those_who_asked_for_that(fake, chat_of):
    moving = "document.getAnimations().filter((each) => each.effect.getTiming().iterations === Infinity).length"
    for wish, moves in (("no-preference", True), ("reduce", False)):
        chat = chat_of(fake, reduced_motion=wish)
        chat.ask("[sim:hello ttft=600000]", wait=False)
        expect(chat.answer().locator(".activity")).to_be_visible()
        if moves:
            chat.eventually(lambda: chat.page.evaluate(moving) > 0)
        else:
            chat.page.wait_for_timeout(300)  # For what might begin late.
            assert chat.page.evaluate(moving) == 0
        chat.page.keyboard.press("Escape")
        chat.settled()


def test_structured_output_is_a_tree(fake, chat_of):
    chat = chat_of(fake)
    chat.ask("[sim:structured rate=300]")
    tree = chat.answer().locator(".json")
    expect(tree.locator(".json-key").first).to_have_text("title")
    expect(tree.locator(".json-string").first).to_have_text("Water mill")
    expect(tree.locator(".json-number")).to_have_text("4.5")


def test_formulas_are_mathml_and_come_lazily(fake, chat_of):
    chat = chat_of(fake, open=False)
    loaded = []
    chat.page.on("request", lambda request: loaded.append(request.url))
    chat.open()
    chat.ask("[sim:hello]")
    assert not any("katex" in url for url in loaded)
    chat.ask("[sim:markdown rate=500]")
    expect(chat.answer().locator("math")).to_have_count(2)
    assert any("katex" in url for url in loaded)


def test_a_formula_within_a_line_is_never_wider_than_a_small_screen(fake, chat_of):
    chat = chat_of(fake, viewport={"width": 320, "height": 560})
    chat.ask("[sim:say rate=0] The sum \\(" + " + ".join(f"a_{n}" for n in range(1, 40)) + "\\) is even, \\(\\htmlClass{x}{y}\\) is not, and \\(b_1\\) is.")
    place = chat.answer().locator(".math").first
    expect(place.locator("math")).to_have_count(1)
    inside = lambda: place.evaluate("(each) => [each.scrollWidth > each.clientWidth, each.getBoundingClientRect().right]")
    chat.eventually(lambda: inside()[0])
    assert inside()[1] <= 320
    # One that fits stands on the line like a word.
    low = chat.answer().locator(".math").last
    assert low.evaluate("(each) => each.scrollWidth <= each.clientWidth && each.scrollHeight <= each.clientHeight + 1")
    base = chat.answer().locator(".md p").evaluate("""(line) => {
        const mark = document.createElement('span');
        mark.style.cssText = 'display: inline-block; block-size: 0; inline-size: 1px';
        line.append(mark);
        const base = mark.getBoundingClientRect().bottom;
        mark.remove();
        const letter = line.querySelector('.math:last-of-type mi').getBoundingClientRect();
        return [base, letter.top, letter.bottom];
    }""")
    assert base[1] < base[0] <= base[2] + 1, base


def test_a_formula_means_what_it_says(fake, chat_of):
    """Of what KaTeX writes browsers draw MathML Core alone. That no policy is broken is looked at for every test."""
    chat = chat_of(fake)
    chat.ask("[sim:say rate=0] \\[\\mathbb{R} \\ni \\boxed{x \\log x} \\cancel{y} \\fcolorbox{red}{yellow}{$q$}\\]"
             "\\[\\begin{aligned} a &= b \\\\ long &= c \\end{aligned}\\]")
    formula = chat.answer().locator("math").first
    expect(chat.answer().locator("math")).to_have_count(2)
    expect(formula.locator("mi").first).to_have_text("ℝ")
    border = "element => getComputedStyle(element).borderTopWidth"
    assert [formula.locator(".framed").nth(place).evaluate(border) for place in (0, 1)] == ["1px", "1px"]
    assert "gradient" in formula.locator(".updiagonalstrike").evaluate("e => getComputedStyle(e).backgroundImage")
    gaps = chat.answer().locator("mtd").evaluate_all("""(cells) => cells.map((cell) => {
        const place = cell.getBoundingClientRect(), letters = [...cell.querySelectorAll('mi')].map(each => each.getBoundingClientRect());
        return [letters[0].left - place.left, place.right - letters.at(-1).right];
    })""")
    assert gaps[0][0] > gaps[0][1] + 10, "`a` stands beside its sign"

def test_a_formula_that_would_stop_the_page_stays_as_it_was_written(fake, chat_of):
    chat = chat_of(fake)
    cells = ("a&" * 100 + "a\\\\") * 100
    chat.ask("[sim:say rate=0] \\[\\begin{matrix}" + cells + "\\end{matrix}\\] and \\(x^2\\)")
    expect(chat.answer().locator("math")).to_have_count(1)
    expect(chat.answer().locator(".math code")).to_contain_text("matrix")


def test_the_page_itself_never_scrolls_whatever_is_shown(chat):
    page = chat.page
    for n in range(3):
        chat.ask(f"Alder {n} [sim:long deltas=300 rate=0]")
    shifted = lambda: page.evaluate("[document.documentElement.scrollTop, document.documentElement.scrollHeight - innerHeight]")
    assert shifted() == [0, 0]
    chat.ask("Birch [sim:hello]")
    page.get_by_role("searchbox").fill("Birch")
    row = page.locator(".sidebar li .chat-link")
    expect(row).to_contain_text("Birch")
    row.click()
    expect(page.locator(".bubble").last).to_be_in_viewport()
    assert shifted() == [0, 0]


def test_refusals_and_cut_answers_say_so(chat):
    chat.ask("[sim:refusal]")
    expect(chat.answer().locator(".refusal")).to_be_visible()
    chat.ask("[sim:incomplete]")
    expect(chat.answer()).to_contain_text("Cut short: the length limit was reached")


def test_a_seam_is_shown_where_another_upstream_went_on(fake, chat_of):
    chat = chat_of(fake)
    chat.ask("[sim:seam rate=100]")
    expect(chat.answer().get_by_role("note")).to_contain_text("It broke off here")
    expect(chat.answer().locator(".md")).to_have_text(["The wheel turned and", "turned, and the flour ran."])
    with chat.seeing(".answer:last-child .answer-foot button", "Copied"):
        chat.answer().locator(".answer-foot button").first.click()
    assert chat.page.evaluate("navigator.clipboard.readText()") == "The wheel turned and turned, and the flour ran."
    chat.assert_exact()


def test_a_failed_answer_can_be_tried_again(chat):
    chat.ask("[sim:failed]")
    alert = chat.answer().get_by_role("alert")
    expect(alert).to_contain_text("The answer failed")
    alert.get_by_role("button", name="Try again").click()
    # The repeat takes the place of the first.
    expect(chat.page.locator(".turn")).to_have_count(1)
    expect(chat.page.locator(".turn")).to_have_attribute("data-turn", re.compile(r":2$"))
    chat.settled()


def test_edit_regenerate_and_versions(chat):
    chat.ask("first [sim:hello]")
    chat.ask("secnd [sim:echo]")
    turn = chat.page.locator(".turn").last
    turn.hover()
    turn.get_by_role("button", name="Edit").click()
    editor = turn.get_by_role("textbox", name="Edit")
    expect(editor).to_be_focused()
    editor.fill("second [sim:echo]")
    editor.press("Enter")
    expect(chat.page.locator(".bubble").last).to_contain_text("second")
    chat.settled()
    expect(chat.page.locator(".turn").last).to_have_attribute("data-status", "completed")
    expect(chat.page.locator(".versions")).to_contain_text("2 of 2")
    chat.page.get_by_role("button", name="Another answer").last.click()
    expect(chat.page.locator(".versions")).to_contain_text("3 of 3")
    chat.settled()
    for place in ("2 of 3", "1 of 3"):
        chat.page.get_by_role("button", name="Previous version").click()
        expect(chat.page.locator(".versions")).to_contain_text(place)
    expect(chat.page.locator(".bubble").last).to_contain_text("secnd")
    chat.eventually(lambda: any(each["turns"] and each["turns"][-1].get("version") == 0 for each in chat.sessions()))
    chat.page.reload()
    expect(chat.page.locator(".versions")).to_contain_text("1 of 3")
    chat.ask("and on [sim:hello]")
    expect(chat.page.locator(".turn").last).to_have_attribute("data-status", "completed")


def test_another_way_is_not_taken_while_an_answer_runs_or_waits(fake, chat_of):
    chat = chat_of(fake)
    chat.ask("first [sim:hello]")
    chat.page.get_by_role("button", name="Another answer").click()
    expect(chat.page.locator(".versions")).to_contain_text("2 of 2")
    chat.settled()
    back = chat.page.get_by_role("button", name="Previous version")
    expect(back).to_be_enabled()
    chat.ask("second [sim:hello hold=1]", wait=False)
    expect(chat.page.locator(".turn").last).to_have_attribute("data-status", "in_progress")
    expect(back).to_be_disabled()  # It would cancel the answer, and take what waits out of sight.
    fake.control(do="release")
    chat.settled()
    expect(back).to_be_enabled()


def test_copy_message_and_code(chat):
    chat.ask("[sim:markdown rate=0]")
    clipboard = lambda: chat.page.evaluate("navigator.clipboard.readText()")
    with chat.seeing(".answer .code", "Copied"):
        chat.answer().get_by_role("button", name="Copy code").click()
    assert clipboard().lstrip().startswith(("func", "//"))
    with chat.seeing(".answer:last-child .answer-foot button", "Copied"):
        chat.answer().locator(".answer-foot button").first.click()
    assert clipboard().startswith("## About")


def test_copying_works_without_the_clipboards_interface_and_leaves_the_focus(chat):
    """On plain HTTP there is none."""
    chat.ask("[sim:markdown rate=0]")
    chat.page.evaluate("Object.defineProperty(navigator, 'clipboard', { value: undefined })")
    button = chat.answer().locator(".answer-foot button").first
    with chat.seeing(".answer:last-child .answer-foot button", "Copied"):
        button.press("Enter")
    expect(button).to_be_focused()
    chat.field.press("ControlOrMeta+v")
    expect(chat.field).to_have_value(re.compile("^## About"))


def test_attachments_by_picker_paste_and_drop(chat):
    page = chat.page
    page.locator("[data-testid=picker]").set_input_files(
        [{"name": "mill.png", "mimeType": "image/png", "buffer": PNG},
         {"name": "notes.txt", "mimeType": "text/plain", "buffer": b"wheel"}])
    chat.attached(2)
    transfer = """(type) => {
        const bytes = Uint8Array.from(atob('%s'), (c) => c.charCodeAt(0));
        const data = new DataTransfer();
        data.items.add(new File([bytes], type + '.png', { type: 'image/png' }));
        const target = document.getElementById('composer');
        const event = type === 'paste'
            ? new ClipboardEvent('paste', { clipboardData: data, bubbles: true, cancelable: true })
            : new DragEvent('drop', { dataTransfer: data, bubbles: true, cancelable: true });
        target.dispatchEvent(event);
    }""" % __import__("base64").b64encode(PNG).decode()
    page.evaluate(transfer, "paste")
    chat.attached(3)
    page.evaluate(transfer, "drop")
    chat.attached(4)
    # What is copied out of a table comes as words, and as a picture of them that nobody asked for.
    assert page.evaluate("""() => {
        const data = new DataTransfer();
        data.setData('text/plain', 'row');
        data.setData('text/html', '<td>row</td>');
        data.items.add(new File(['x'], 'row.png', { type: 'image/png' }));
        const paste = new ClipboardEvent('paste', { clipboardData: data, bubbles: true, cancelable: true });
        return document.getElementById('composer').dispatchEvent(paste);
    }""")
    page.get_by_role("button", name="Remove notes.txt").click()
    chat.attached(3)
    chat.ask("What is on them? [sim:hello]")
    expect(page.locator(".asked .attachments img")).to_have_count(3)
    expect(page.locator(".turn").last).to_have_attribute("data-status", "completed")
    chat.stored()
    page.reload()
    expect(page.locator(".asked .attachments img")).to_have_count(3)


def test_files_that_are_not_sent_yet_outlast_a_reload_in_their_tab_and_chat(chat, chat_of, server):
    page, files = chat.page, chat.page.locator(".composer .attachments li")
    attach = lambda *names: page.locator("[data-testid=picker]").set_input_files(
        [{"name": name, "mimeType": "text/plain", "buffer": name.encode()} for name in names])
    drafts = lambda: sorted([each["name"] for each in draft] for draft in chat.objects("drafts"))
    attach("old.txt", "bad.txt")
    chat.attached(2)
    page.get_by_role("button", name="Remove bad.txt").click()
    chat.eventually(lambda: drafts() == [["old.txt"]])
    page.reload()
    chat.attached(1)
    attach("new.txt")
    chat.attached(2)
    chat.ask("What is in them? [sim:hello]")
    expect(page.locator(".asked .attachments li")).to_have_text(["old.txt", "new.txt"])
    # What was sent is a draft no more; each chat and each tab has its own.
    chat.eventually(lambda: drafts() == [])
    attach("here.txt")
    chat.attached(1)
    page.get_by_role("button", name="New chat").click()
    chat.attached(0)
    attach("there.txt")
    chat.attached(1)
    chat.eventually(lambda: drafts() == [["here.txt"], ["there.txt"]])
    other = chat_of(server, context=page.context)
    other.ready().attached(0)
    page.locator(".sidebar .chat-link").click()
    expect(files).to_have_text(["here.txt"])
    # A draft that is left behind goes with time, and there are never more than a few.
    page.evaluate("""() => new Promise((resolve) => {
        const open = indexedDB.open('millrace');
        open.onsuccess = () => {
            const all = open.result.transaction('drafts', 'readwrite');
            all.objectStore('drafts').put([{ name: 'last year' }], `${Date.now() - 3e10}.x`);
            for (let n = 1; n < 9; n++) all.objectStore('drafts').put([{ name: `left ${n}` }], `${Date.now() - n * 1e6}.x`);
            all.oncomplete = () => { open.result.close(); resolve(); };
        };
    })""")
    attach("more.txt")
    chat.eventually(lambda: drafts() == [
        ["here.txt", "more.txt"], *([f"left {n}"] for n in range(1, 7)), ["there.txt"]])


def test_files_that_are_not_sent_yet_go_with_their_chat_in_every_tab(chat, chat_of, server):
    page = chat.page
    drafts = lambda: sorted(each["name"] for draft in chat.objects("drafts") for each in draft)
    chat.ask("What is in them? [sim:hello]")
    other = chat_of(server, context=page.context, path=re.sub(r"^[^#]*", "", page.url))
    for tab, name in ((chat, "here.txt"), (other, "there.txt")):
        tab.page.locator("[data-testid=picker]").set_input_files(
            {"name": name, "mimeType": "text/plain", "buffer": b"words"})
        tab.attached(1)
    page.get_by_role("button", name="New chat").click()
    page.locator("[data-testid=picker]").set_input_files(
        {"name": "elsewhere.txt", "mimeType": "text/plain", "buffer": b"words"})
    chat.eventually(lambda: drafts() == ["elsewhere.txt", "here.txt", "there.txt"])
    page.locator(".sidebar .more").click()
    page.get_by_role("button", name="Delete").click()
    page.get_by_role("button", name="Really delete?").click()
    chat.eventually(lambda: drafts() == ["elsewhere.txt"])


def test_what_could_not_be_stored_of_a_chat_goes_with_it(chat):
    page = chat.page
    chat.ask("Alder [sim:hello]")
    kept = chat.stored()
    name = "millrace.unsaved." + re.sub(r"^.*#/c/", "", page.url)
    page.get_by_role("button", name="New chat").click()
    expect(page.locator(".turn")).to_have_count(0)
    left = lambda: page.evaluate("(name) => sessionStorage.getItem(name)", name)
    chat.eventually(lambda: left() is None)
    page.evaluate("([name, text]) => sessionStorage.setItem(name, text)", [name, json.dumps(kept)])
    page.locator(".sidebar .more").click()
    page.get_by_role("button", name="Delete").click()
    page.get_by_role("button", name="Really delete?").click()
    chat.eventually(lambda: left() is None)


def test_a_file_that_is_too_large_is_refused_before_it_is_sent(chat):
    chat.pick_large("film.bin", 9 << 20)
    expect(chat.page.locator(".composer-problem")).to_contain_text("film.bin is too large")
    expect(chat.page.locator(".composer .attachments")).to_have_count(0)


def test_a_text_that_no_message_holds_is_refused_before_the_field_has_it(fake, chat_of):
    chat = chat_of(fake).ready()
    page = chat.page
    chat.field.fill("What does this say? ")
    paste = lambda size: (page.evaluate("(size) => navigator.clipboard.writeText('w'.repeat(size))", size),
                          chat.field.press("ControlOrMeta+v"))
    paste(9 << 20)
    expect(page.locator(".composer-problem")).to_have_text("The text is too large: a message holds at most 8.4 MB.")
    expect(chat.field).to_have_value("What does this say? ")
    paste(10)
    expect(page.locator(".composer-problem")).to_have_count(0)
    expect(chat.field).to_have_value("What does this say? wwwwwwwwww")
    # Beside a file there is room for less, and beside a text for no file.
    chat.pick_large("film.bin", 5 << 20)
    chat.attached(1)
    paste(2 << 20)
    expect(page.locator(".composer-problem")).to_contain_text("The text is too large")
    expect(chat.field).to_have_value("What does this say? wwwwwwwwww")


def test_conversations_search_rename_delete(chat):
    page = chat.page
    for text in ("Alder [sim:hello]", "Birch [sim:hello]"):
        chat.ask(text)
        page.get_by_role("button", name="New chat").click()
        expect(page.locator(".turn")).to_have_count(0)
    rows = page.locator(".sidebar li")
    expect(rows).to_have_count(2)
    page.get_by_role("searchbox").fill("ald")
    expect(rows).to_have_count(1)
    rows.first.locator(".chat-link").click()
    expect(page.locator(".bubble")).to_contain_text("Alder")
    rows.first.locator(".more").click()
    page.get_by_role("button", name="Rename").click()
    page.get_by_role("textbox", name="Rename").fill("Trees")
    page.keyboard.press("Enter")
    page.get_by_role("searchbox").fill("")
    expect(rows.filter(has_text="Trees")).to_have_count(1)
    chat.eventually(lambda: any(each["title"] == "Trees" for each in chat.conversations()))
    page.reload()
    expect(page.locator("h1")).to_have_text("Trees")
    rows.filter(has_text="Trees").locator(".more").click()
    page.get_by_role("button", name="Delete").click()
    page.get_by_role("button", name="Really delete?").click()
    expect(rows).to_have_count(1)
    chat.eventually(lambda: not any("Alder" in json.dumps(each) for each in chat.sessions()))


def test_a_chat_that_is_deleted_in_one_tab_leaves_the_others_and_is_not_stored_again(chat, chat_of, server):
    page = chat.page
    chat.ask("Alder [sim:hello]")
    chat.stored()
    other = chat_of(server, context=page.context, path=re.sub(r"^[^#]*", "", page.url))
    # It runs there and here, and it is written down from time to time.
    other.ask("A story [sim:long deltas=9000 rate=100]", wait=False)
    other.text_grows()
    cancelled = server.cancelled()
    page.locator(".sidebar .more").click()
    page.get_by_role("button", name="Delete").click()
    page.get_by_role("button", name="Really delete?").click()
    for tab in (chat, other):
        expect(tab.page.locator(".turn")).to_have_count(0)
        expect(tab.page.locator(".sidebar li")).to_have_count(0)
        expect(tab.field).to_be_focused()
        assert "#" not in tab.page.url
    expect(other.page.locator(".toast")).to_contain_text("deleted in another tab")
    expect(page.locator(".toast")).to_have_count(0)
    # Nobody reads on, so nobody pays.
    chat.eventually(lambda: server.cancelled() > cancelled)
    assert not any("Alder" in json.dumps(each) for each in [*chat.sessions(), *chat.conversations()])
    # It goes on in a new one, and a page that comes back to the old one finds nothing of it.
    other.ask("Birch [sim:hello]")
    page.go_back()
    expect(page.locator(".turn")).to_have_count(0)
    expect(page.locator(".sidebar li")).to_have_count(1)


def test_a_tab_that_slept_while_its_chat_was_deleted_does_not_bring_it_back(chat, chat_of, server):
    chat.ask("Alder [sim:hello]")
    chat.stored()
    other = chat_of(server, context=chat.page.context, path=re.sub(r"^[^#]*", "", chat.page.url))
    expect(other.page.locator(".turn[data-status=completed]")).to_have_count(1)
    # It hears nothing of the others.
    other.page.evaluate("BroadcastChannel.prototype.postMessage = () => {}")
    chat.page.evaluate("BroadcastChannel.prototype.postMessage = () => {}")
    chat.page.locator(".sidebar .more").click()
    chat.page.get_by_role("button", name="Delete").click()
    chat.page.get_by_role("button", name="Really delete?").click()
    chat.eventually(lambda: not any("Alder" in json.dumps(each) for each in chat.sessions()))
    other.field.fill("Birch [sim:hello]")
    other.field.press("Enter")
    expect(other.page.locator(".toast")).to_contain_text("deleted in another tab")
    expect(other.page.locator(".turn")).to_have_count(0)
    expect(other.page.locator(".sidebar li")).to_have_count(0)
    assert not any("Alder" in json.dumps(each) for each in [*chat.sessions(), *chat.conversations()])


def test_of_what_is_deleted_the_latest_is_remembered(chat):
    """So that a tab which slept does not bring it back; but not for ever, whoever deletes much."""
    chat.ask("Alder [sim:hello]")
    chat.stored()
    session = chat.page.url.rpartition("/")[2]
    chat.page.evaluate("""() => new Promise((resolve, reject) => {
        const open = indexedDB.open('millrace');
        open.onsuccess = () => {
            const transaction = open.result.transaction('sessions', 'readwrite');
            const mark = { version: 1, generation: 0, removals: 1, seq: 0, turns: [], unknown_turns: 0 };
            for (let n = 0; n < 300; n++) {
                transaction.objectStore('sessions').put({ ...mark, saved: 1_000 + (n * 7) % 300 }, `gone${n}`);
            }
            transaction.oncomplete = () => { open.result.close(); resolve(); };
            transaction.onabort = () => reject(transaction.error);
        };
    })""")
    chat.page.get_by_role("button", name="New chat").click()
    chat.ask("Birch [sim:hello]")
    chat.stored()
    row = chat.page.locator(".sidebar li", has_text="Alder")
    row.locator(".more").click()
    row.get_by_role("button", name="Delete").click()
    row.get_by_role("button", name="Really delete?").click()
    chat.eventually(lambda: len(chat.sessions()) < 300)
    sessions = chat.sessions()
    marks = sorted(each["saved"] for each in sessions if each.get("removals"))
    assert len(marks) == 100 and marks[:-1] == list(range(1_201, 1_300)), session
    assert marks[-1] > 1_300
    assert [each["turns"][0]["input"] for each in sessions if each["turns"]] == ["Birch [sim:hello]"]


def test_export_and_import(chat, tmp_path):
    page = chat.page
    chat.ask("Keep this [sim:markdown rate=0]")
    chat.stored()
    files = {}
    for name in ("Markdown", "JSON"):
        page.locator(".sidebar li .more").first.click()
        with page.expect_download() as download:
            page.get_by_role("button", name=f"Export as {name}").click()
        files[name] = tmp_path / download.value.suggested_filename
        download.value.save_as(files[name])
    assert files["Markdown"].read_text().startswith("# Keep this")
    assert "token" not in json.loads(files["JSON"].read_text())
    page.locator("[data-testid=import]").set_input_files(str(files["JSON"]))
    expect(page.locator(".sidebar li")).to_have_count(2)
    expect(page.locator(".answer table")).to_be_visible()
    # An imported conversation goes on, told to a fresh session.
    chat.ask("What did I say? [sim:echo]")
    assert "Keep this" in chat.answer().inner_text()
    page.locator("[data-testid=import]").set_input_files(str(files["Markdown"]))
    expect(page.locator(".sidebar li")).to_have_count(3)
    expect(page.locator(".turn")).to_have_count(1)
    expect(page.locator(".answer table")).to_be_visible()
    page.locator("[data-testid=import]").set_input_files(
        [{"name": "x.json", "mimeType": "application/json", "buffer": b"{}"}])
    expect(page.locator(".toast")).to_contain_text("no exported chat")
    page.get_by_role("button", name="New chat").click()
    expect(page.locator(".toast")).to_have_count(0)


def test_settings_go_along(chat):
    page = chat.page
    page.get_by_role("button", name="Settings").click()
    page.get_by_label("Model").fill("sim-hello")
    page.get_by_label("Theme").select_option("dark")
    page.get_by_role("button", name="Done").click()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    expect(chat.field).to_be_focused()
    chat.ask("hi")
    expect(chat.answer().locator(".usage")).to_contain_text("sim-hello")
    page.reload()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    expect(page.locator(".model")).to_contain_text("sim-hello")


@pytest.mark.skipif(not REAL, reason="the stand-in has no configuration")
def test_settings_offer_what_the_gateway_allows(chat_of):
    own = Server(arguments=("--set", "options.allow=[model, reasoning]"))
    try:
        chat = chat_of(own).ready()
        page = chat.page
        expect(page.locator(".model")).to_contain_text("sim-markdown")
        page.get_by_role("button", name="Settings").click()
        expect(page.get_by_label("Model")).to_have_attribute("placeholder", "sim-markdown")
        expect(page.get_by_label("Reasoning effort")).to_be_visible()
        for name in ("Instructions", "Answer format", "Temperature", "Longest answer"):
            expect(page.get_by_label(name)).to_have_count(0)
        page.get_by_label("Model").fill("sim-hello")
        page.get_by_label("Reasoning effort").select_option("low")
        page.get_by_role("button", name="Done").click()
        chat.ask("hi")
        expect(chat.answer().locator(".usage")).to_contain_text("sim-hello")
        # A model once used is offered in the next conversation, beside the gateway's own.
        page.get_by_role("button", name="New chat").click()
        chat.ready()
        page.get_by_role("button", name="Settings").click()
        expect(page.locator("#s-models option")).to_have_count(2)
        offered = page.locator("#s-models option").evaluate_all("all => all.map((each) => each.value)")
        assert offered == ["sim-markdown", "sim-hello"]
        page.get_by_role("button", name="Done").click()
        page.locator(".sidebar .chat-link").click()

        # The gateway is configured anew and allows nothing: what was chosen before goes along no more.
        own.stop_gateway()
        own.arguments = ("--set", "options.allow=[]")
        own.start_gateway()
        expect(page.locator(".model")).to_contain_text("sim-markdown")
        page.get_by_role("button", name="Settings").click()
        expect(page.get_by_label("Theme")).to_be_visible()
        for name in ("Model", "Reasoning effort", "Instructions"):
            expect(page.get_by_label(name)).to_have_count(0)
        expect(page.get_by_text("Answers", exact=True)).to_be_hidden()
        page.get_by_role("button", name="Done").click()
        chat.ask("hi again")
        expect(page.locator(".turn").last).to_have_attribute("data-status", "completed")
        expect(chat.answer().locator(".usage")).to_contain_text("sim-markdown")
    finally:
        own.close()


@pytest.mark.skipif(not REAL, reason="the stand-in has no configuration")
def test_the_picker_shows_the_gateways_list_and_the_choice_is_sent(chat_of):
    listed = ["sim-echo", "sim-hello", "sim-reasoning"]
    own = Server(arguments=("--set", f"options.models=[{', '.join(listed)}]"), model="sim-hello")
    try:
        chat = chat_of(own).ready()
        page = chat.page
        expect(page.locator(".model")).to_contain_text("sim-hello")
        page.get_by_role("button", name="Settings").click()
        picker = page.get_by_role("combobox", name="Model")
        expect(picker.locator("option")).to_have_count(len(listed))
        assert picker.locator("option").evaluate_all("all => all.map((each) => each.value)") == listed
        expect(picker).to_have_value("sim-hello")
        expect(picker.locator("option:checked")).to_have_text("sim-hello (default)")
        chat.shot("picker")
        picker.select_option("sim-echo")
        page.get_by_role("button", name="Done").click()
        expect(page.locator(".model")).to_contain_text("sim-echo")
        chat.ask("say it again")
        expect(chat.answer()).to_contain_text("say it again")
        expect(chat.answer().locator(".usage")).to_contain_text("sim-echo")
        # Another answer is asked of the model that is chosen now.
        page.get_by_role("button", name="Settings").click()
        picker.select_option("sim-hello")
        page.get_by_role("button", name="Done").click()
        page.get_by_role("button", name="Another answer").click()
        expect(chat.answer().locator(".usage")).to_contain_text("sim-hello")

        # The chosen one is offered no more: the default goes along in its place, and nothing is refused.
        page.get_by_role("button", name="Settings").click()
        picker.select_option("sim-reasoning")
        page.get_by_role("button", name="Done").click()
        own.stop_gateway()
        own.arguments = ("--set", "options.models=[sim-echo, sim-hello]")
        own.model = None
        own.start_gateway()
        expect(page.locator(".model")).to_contain_text("sim-echo")
        chat.ask("and once more")
        expect(page.locator(".turn").last).to_have_attribute("data-status", "completed")
        expect(chat.answer().locator(".usage")).to_contain_text("sim-echo")
    finally:
        own.close()


@pytest.mark.skipif(not REAL, reason="the stand-in has no configuration")
def test_a_model_that_is_not_offered_is_refused_with_a_word_and_can_be_sent_again(chat_of):
    own = Server(arguments=("--set", "options.models=[sim-hello, sim-echo]"), model=None)
    try:
        chat = chat_of(own).ready()
        page = chat.page
        page.get_by_role("button", name="Settings").click()
        page.get_by_role("combobox", name="Model").select_option("sim-echo")
        page.get_by_role("button", name="Done").click()
        # The list shrinks while a message waits that was written for the longer one.
        own.stop_gateway()
        chat.field.fill("to nobody")
        chat.field.press("Enter")
        own.arguments = ("--set", "options.models=[sim-hello]")
        own.start_gateway()
        refusal = page.locator(".delivery.danger")
        expect(refusal).to_contain_text("no longer offers the model")
        expect(refusal.locator("[title]")).to_have_attribute("title", re.compile(r'"sim-echo" .*options\.models'))
        refusal.get_by_role("button", name="Try again").click()
        chat.settled()
        expect(chat.answer().locator(".usage")).to_contain_text("sim-hello")
    finally:
        own.close()


@pytest.mark.skipif(not REAL, reason="the stand-in has no configuration")
def test_a_gateway_without_a_model_of_its_own_says_so(chat_of):
    own = Server(model=None)
    try:
        chat = chat_of(own).ready()
        expect(chat.page.locator(".model")).to_contain_text("Default model")
        chat.page.get_by_role("button", name="Settings").click()
        model = chat.page.get_by_label("Model")
        expect(model).to_have_attribute("placeholder", "Default model")
        assert chat.page.locator("#s-models option").count() == 0
        model.fill("sim-hello")
        chat.page.keyboard.press("Escape")
        chat.ask("hi")
        expect(chat.answer().locator(".usage")).to_contain_text("sim-hello")
    finally:
        own.close()


@pytest.mark.skipif(not REAL, reason="the stand-in has no limit")
def test_why_a_connection_is_refused_is_said(chat_of):
    own = Server(arguments=("--set", "server.connections=1"))
    try:
        first = chat_of(own).ready()
        second = chat_of(own)
        expect(second.page.locator(".bar")).to_contain_text("The gateway runs but refuses this page")
        second.shot("refused")
        first.page.close()
        second.ready()
        expect(second.page.locator(".bar")).to_have_count(0)
    finally:
        own.close()


# A wheel may glide; each frame of a glide moves. Answers with where it ends.
STANDS_STILL = """async () => {
    const scroller = document.querySelector('.scroller');
    for (let frames = 0, top = scroller.scrollTop; frames < 10; frames++) {
        await new Promise((done) => requestAnimationFrame(done));
        if (scroller.scrollTop !== top) [frames, top] = [0, scroller.scrollTop];
    }
    return scroller.scrollTop;
}"""


def test_the_scroll_follows_lets_go_and_comes_back(chat):
    page = chat.page
    chat.ask("A story [sim:long deltas=6000 rate=200]", wait=False)
    distance = lambda: page.evaluate(
        "(() => { const s = document.querySelector('.scroller'); return s.scrollHeight - s.scrollTop - s.clientHeight; })()")
    chat.text_grows(3000)
    chat.eventually(lambda: distance() < 60)
    page.locator(".scroller").hover()
    page.mouse.wheel(0, -600)
    expect(page.get_by_role("button", name="Jump to the latest")).to_be_visible()
    chat.eventually(lambda: distance() > 500)
    place = lambda: page.evaluate("document.querySelector('.scroller').scrollTop")
    top = page.evaluate(STANDS_STILL)
    grown = len(chat.answer().inner_text())
    chat.text_grows(grown + 1000)
    assert abs(place() - top) < 5
    page.get_by_role("button", name="Jump to the latest").click()
    expect(page.get_by_role("button", name="Jump to the latest")).to_have_count(0)
    # It glides to where the end was, and the text has grown meanwhile.
    chat.text_grows(grown + 2000)
    chat.eventually(lambda: distance() < 60)
    page.keyboard.press("Escape")
    chat.settled()
    chat.eventually(lambda: distance() < 60)


def test_what_shrinks_until_it_fits_has_no_latest_to_jump_to(chat):
    page = chat.page
    chat.ask("A story [sim:long deltas=600 rate=2000]")
    turn = page.locator(".turn")
    turn.get_by_role("button", name="Edit").focus()
    page.locator(".scroller").hover()
    page.mouse.wheel(0, -9000)
    expect(page.get_by_role("button", name="Jump to the latest")).to_be_visible()
    turn.get_by_role("button", name="Edit").click()
    turn.get_by_role("textbox", name="Edit").fill("A greeting [sim:hello]")
    page.keyboard.press("Enter")
    expect(page.locator(".answer")).to_contain_text("Hello")
    expect(page.get_by_role("button", name="Jump to the latest")).to_have_count(0)


def test_a_scroll_of_a_chat_that_is_left_does_no_harm(chat):
    page = chat.page
    chat.ask("Alder [sim:hello]")
    page.evaluate("window.left = document.querySelector('.scroller')")
    page.get_by_role("button", name="New chat").click()
    expect(page.locator(".turn")).to_have_count(0)
    page.evaluate("window.left.dispatchEvent(new Event('scroll'))")  # A page error fails the test.


def test_what_is_not_sent_yet_is_kept(chat):
    page = chat.page
    chat.field.fill("a new thought")
    page.reload()
    expect(chat.field).to_have_value("a new thought")
    chat.ask("Alder [sim:hello]")
    chat.field.fill("half a quest")
    page.get_by_role("button", name="New chat").click()
    expect(chat.field).to_have_value("")
    chat.field.fill("another")
    page.locator(".sidebar .chat-link").click()
    expect(chat.field).to_have_value("half a quest")
    chat.field.press("Enter")
    expect(page.locator(".turn")).to_have_count(2)
    page.reload()
    expect(page.locator(".turn")).to_have_count(2)
    expect(chat.field).to_have_value("")


def test_what_a_page_has_not_stored_when_it_ends_is_there_again(chat, server):
    """A page that ends takes its transactions with it: here none is finished from the last message on."""
    page = chat.page
    chat.ask("Alder [sim:hello]")
    chat.stored()
    server.proxy.refusing = True
    server.proxy.cut()
    expect(page.locator("[data-testid=connection]")).not_to_have_attribute("data-phase", "ready")
    page.evaluate(OCCUPY, "sessions")
    chat.ask("Birch [sim:hello]", wait=False)
    chat.ask("Cedar [sim:hello]", wait=False)
    page.locator(".delivery").last.get_by_role("button", name="Cancel").click()
    page.reload()
    expect(page.locator(".bubble")).to_have_text([re.compile("Alder"), re.compile("Birch"), re.compile("Cedar")])
    server.proxy.refusing = False
    chat.ready()
    expect(page.locator(".turn[data-status=completed]")).to_have_count(2)
    expect(page.locator(".turn").last).to_have_attribute("data-status", "withdrawn")
    # What is stored is not kept twice.
    chat.eventually(lambda: page.evaluate("Object.keys(sessionStorage).filter((name) => name.includes('unsaved'))") == [])
    page.locator(".delivery").get_by_role("button", name="Discard").click()
    chat.eventually(lambda: len(chat.stored()["turns"]) == 2)
    page.reload()
    expect(page.locator(".turn[data-status=completed]")).to_have_count(2)


def test_a_new_chat_that_was_not_stored_when_its_page_ended_is_there_again(chat, server):
    page = chat.page
    chat.ready()
    server.proxy.refusing = True
    server.proxy.cut()
    expect(page.locator("[data-testid=connection]")).not_to_have_attribute("data-phase", "ready")
    for name in ("sessions", "conversations"):
        page.evaluate(OCCUPY, name)
    chat.ask("Alder [sim:hello]", wait=False)
    page.reload()
    expect(page.locator(".turn")).to_have_count(1)
    server.proxy.refusing = False
    chat.settled()
    expect(page.locator(".sidebar .chat-link")).to_contain_text("Alder")


def test_enter_belongs_to_the_input_method_while_it_composes(chat):
    chat.field.fill("に")
    chat.page.evaluate("""document.getElementById('composer').dispatchEvent(
        new KeyboardEvent('keydown', { key: 'Enter', isComposing: true, bubbles: true, cancelable: true }))""")
    expect(chat.page.locator(".turn")).to_have_count(0)
    chat.field.press("Shift+Enter")
    expect(chat.page.locator(".turn")).to_have_count(0)
    assert "\n" in chat.field.input_value()


def test_enter_belongs_to_the_input_method_in_every_field(fake, chat_of):
    chat = chat_of(fake)
    page = chat.page
    chat.ask("Alder [sim:hello]")
    compose = lambda field: [field.evaluate("""(field, how) => field.dispatchEvent(
        new KeyboardEvent('keydown', { key: 'Enter', bubbles: true, cancelable: true, ...how }))""", how)
        for how in ({"isComposing": True}, {"keyCode": 229})]
    page.locator(".sidebar .more").click()
    page.get_by_role("button", name="Rename").click()
    field = page.get_by_role("textbox", name="Rename")
    compose(field)
    expect(field).to_be_focused()
    field.press("Escape")
    page.locator(".turn").hover()
    page.locator(".turn").get_by_role("button", name="Edit").click()
    editor = page.locator(".turn").get_by_role("textbox", name="Edit")
    compose(editor)
    expect(editor).to_be_focused()


def test_escape_belongs_to_the_input_method_while_it_composes(fake, chat_of):
    chat = chat_of(fake)
    page = chat.page
    chat.ask("Alder [sim:hello]")
    escape = lambda field: [field.evaluate("""(field, how) => field.dispatchEvent(
        new KeyboardEvent('keydown', { key: 'Escape', bubbles: true, cancelable: true, ...how }))""", how)
        for how in ({"isComposing": True}, {"keyCode": 229})]
    page.locator(".sidebar .more").click()
    page.get_by_role("button", name="Rename").click()
    field = page.get_by_role("textbox", name="Rename")
    escape(field)
    expect(field).to_be_focused()
    field.press("Escape")
    page.get_by_role("searchbox").fill("ald")
    escape(page.get_by_role("searchbox"))
    expect(page.get_by_role("searchbox")).to_have_value("ald")
    page.get_by_role("searchbox").fill("")
    page.locator(".turn").hover()
    page.locator(".turn").get_by_role("button", name="Edit").click()
    editor = page.locator(".turn").get_by_role("textbox", name="Edit")
    escape(editor)
    expect(editor).to_be_focused()
    editor.press("Escape")
    expect(editor).to_have_count(0)
    # Whoever takes back a word goes on waiting for the answer.
    cancels = fake.control()["cancels"]
    chat.ask("[sim:long deltas=3000 rate=100]", wait=False)
    chat.text_grows()
    escape(chat.field)
    chat.field.press("Escape")
    chat.settled()
    assert fake.control()["cancels"] == cancels + 1


def test_a_browser_that_throws_away_what_it_keeps_stores_what_comes_then(fake, chat_of):
    chat = chat_of(fake)
    page = chat.page
    chat.ask("Alder [sim:hello]")
    chat.stored()
    page.context.new_cdp_session(page).send(
        "Storage.clearDataForOrigin", {"origin": fake.base.rstrip("/"), "storageTypes": "indexeddb"})
    kept = lambda: [each["version"] for each in page.evaluate("indexedDB.databases()")]
    assert kept() == []
    chat.ask("Birch [sim:hello]")
    chat.eventually(lambda: kept() != [])  # It is made anew, by the page: who else opens it makes an empty one.
    assert len(chat.stored()["turns"]) == 2
    expect(page.locator(".toast")).to_have_count(0)


def test_why_nothing_comes_is_said(chat):
    chat.ask("[sim:hello ttft=60000]", wait=False)
    expect(chat.answer().locator(".activity")).to_have_text(
        re.compile("Waiting for the model|The model is working on it|Connecting to the model"))
    chat.page.keyboard.press("Escape")
    chat.settled()


def test_retries_count_down_and_recover(chat, server):
    chat.ready()
    bar = chat.page.locator(".bar")
    server.proxy.refusing = True
    server.proxy.cut()
    expect(bar).to_contain_text(re.compile(r"Reconnecting in \d+ s"))
    # Nobody hears the seconds go by.
    chat.page.evaluate("""() => {
        window.heard = new Set();
        new MutationObserver(() => {
            const bar = document.querySelector('.bar')?.cloneNode(true);
            bar?.querySelectorAll('[aria-hidden=true], button').forEach((each) => each.remove());
            if (bar) window.heard.add(bar.textContent);
        }).observe(document.querySelector('.dock'), { childList: true, subtree: true, characterData: true });
    }""")
    # From here on the bar stays, whether an attempt runs or the next is waited for: nothing jumps.
    chat.page.evaluate(BAR_STAYS)
    # The button attempts at once. It is clicked while the way is still barred: else the page might mend itself first.
    before = server.proxy.refused
    chat.page.get_by_role("button", name="Reconnect now").click()
    chat.eventually(lambda: server.proxy.refused > before)
    chat.eventually(lambda: server.proxy.refused > before + 1)
    assert chat.page.evaluate("window.gone") == 0
    heard = chat.page.evaluate("[...window.heard]")
    assert 1 <= len(heard) <= 2 and not any(re.search(r"\d", each) for each in heard), heard
    server.proxy.refusing = False
    chat.ready()
    expect(bar).to_have_count(0)
    chat.ask("[sim:hello]")
    chat.assert_exact()


def test_a_gateway_that_wants_a_key_asks_for_it(fake, chat_of):
    fake.control(do="set", name="key", value='"open sesame"')
    try:
        chat = chat_of(fake)
        field, connect = chat.page.get_by_label("Access key"), chat.page.get_by_role("button", name="Connect", exact=True)
        field.fill("open barley")
        chat.page.evaluate(BAR_STAYS)
        chat.page.evaluate("""() => {
            window.said = [];
            const bar = document.querySelector('[role=status] label');
            new MutationObserver(() => window.said.push(bar.textContent.trim()))
                .observe(bar, { childList: true, subtree: true, characterData: true });
        }""")
        field.press("Enter")
        expect(chat.page.locator(".bar")).to_contain_text("This key was not accepted")
        assert chat.page.evaluate("window.said") == ["This key was not accepted."]  # Not before it was tried.
        expect(field).to_be_focused()
        assert chat.page.evaluate("window.gone") == 0
        field.fill("open sesame")
        expect(connect).to_be_enabled()
        field.press("Enter")
        chat.ready()
        expect(chat.page.locator(".bar")).to_have_count(0)
        expect(chat.field).to_be_focused()
    finally:
        fake.control(do="set", name="key", value="null")


# Writes down all that stands above the field.
LISTEN = """() => {
    window.said = new Set();
    new MutationObserver(() => window.said.add(document.querySelector('.dock').textContent))
        .observe(document.querySelector('.dock'), { childList: true, subtree: true, characterData: true });
}"""


def test_a_key_is_called_wrong_when_the_gateway_refuses_it_and_for_nothing_else(fake, chat_of, context_of):
    fake.control(do="set", name="key", value='"open sesame"')
    try:
        context = context_of()
        chat = chat_of(fake, context)
        page, field, bar = chat.page, chat.page.get_by_label("Access key"), chat.page.locator(".bar")
        page.evaluate(LISTEN)
        wrong = lambda: any("not accepted" in each for each in page.evaluate("[...window.said]"))
        # The network goes while the key is tried: that is said instead, and the key is tried again.
        expect(field).to_have_attribute("aria-invalid", "false")
        field.fill("open sesame")
        fake.proxy.refusing = True
        field.press("Enter")
        expect(bar).to_contain_text("The gateway does not answer")
        expect(field).to_have_count(0)
        fake.proxy.refusing = False
        chat.ready()
        assert not wrong()
        # It lasts as long as the tab: a reload does not ask, another tab does.
        page.reload()
        chat.ready()
        other = chat_of(fake, context)
        expect(other.page.locator(".bar")).to_contain_text("This gateway asks for a key.")
        # A key that was good and is no more was not given just now: it is asked for another.
        fake.control(do="set", name="key", value='"open barley"')
        page.evaluate(LISTEN)
        fake.proxy.cut()
        expect(bar).to_contain_text("This gateway asks for a key.")
        assert not wrong()
        for _ in range(2):
            field.fill("open sesame")
            field.press("Enter")
            expect(bar).to_contain_text("This key was not accepted.")
            expect(field).to_have_attribute("aria-invalid", "true")
        field.fill("open barley")
        field.press("Enter")
        chat.ready()
    finally:
        fake.proxy.refusing = False
        fake.control(do="set", name="key", value="null")


@pytest.mark.skipif(not REAL, reason="the stand-in's key is tested above")
def test_the_gateways_own_key(chat_of):
    own = Server(arguments=("--set", "auth.keys=[miller:open-sesame-1234567]"))
    try:
        chat = chat_of(own)
        field = chat.page.get_by_label("Access key")
        field.fill("open-barley-12345678")
        field.press("Enter")
        expect(chat.page.locator(".bar")).to_contain_text("This key was not accepted.")
        field.fill("open-sesame-1234567")
        field.press("Enter")
        chat.ready()
        chat.ask("[sim:hello]")
        chat.assert_exact()
    finally:
        own.close()


def test_a_warning_stays_until_it_is_closed_or_the_next_message_and_a_notice_goes_by_itself(fake, chat_of):
    chat = chat_of(fake, open=False)
    page = chat.page
    page.clock.install()
    chat.open().ready()
    warning, notice = page.locator(".toast.warning"), page.locator(".toast:not(.warning)")
    fail = lambda: page.locator("[data-testid=import]").set_input_files(
        [{"name": "x.json", "mimeType": "application/json", "buffer": b"{}"}])
    fail()
    expect(warning).to_contain_text("no exported chat")
    warning.get_by_role("button", name="Close").click()
    expect(warning).to_have_count(0)
    page.mouse.move(0, 0)  # Where the next ones come and move.
    # The notice is pointed at from its first moment on, else it might be gone before anybody looks.
    page.evaluate("""() => new MutationObserver((_, observer) => {
        const notice = document.querySelector('.toast:not(.warning)');
        if (notice === null) return;
        observer.disconnect();
        notice.dispatchEvent(new PointerEvent('pointerenter'));
    }).observe(document.querySelector('.toasts'), { childList: true, subtree: true })""")
    chat.ask("[sim:long deltas=60 hold=5]", wait=False)
    chat.text_grows(10)
    fake.proxy.refusing = True
    fake.proxy.cut()
    expect(page.locator("[data-testid=connection]")).to_have_attribute("data-phase", "waiting")
    fake.control(do="release")
    chat.eventually(lambda: fake.control()["characters"] > 100)
    fake.proxy.refusing = False
    expect(notice).to_contain_text("Nothing was lost")
    fail()
    expect(warning).to_have_count(1)
    page.clock.fast_forward(60_000)
    expect(warning).to_have_count(1)
    expect(notice).to_have_count(1)
    notice.dispatch_event("pointerleave")
    page.clock.fast_forward(5_000)
    expect(notice).to_have_count(0)
    chat.settled()
    expect(warning).to_have_count(1)
    chat.ask("and on [sim:hello]")
    expect(warning).to_have_count(0)


@pytest.mark.parametrize("kept", ["null", "7", '{"locale":"tlh","theme":"neon"}'])
def test_preferences_that_another_version_has_kept_do_no_harm(fake, chat_of, kept):
    chat = chat_of(fake, open=False)
    chat.page.add_init_script(f"localStorage.setItem('millrace.preferences', {json.dumps(kept)})")
    chat.open().ready()
    assert chat.page.evaluate("[document.documentElement.lang, document.documentElement.dataset.theme]") == ["en", "system"]


def test_a_browser_without_a_channel_between_tabs_has_one_tab(fake, chat_of):
    chat = chat_of(fake, open=False)
    chat.page.add_init_script(
        "window.BroadcastChannel = class { constructor() { throw new DOMException('no', 'SecurityError'); } }")
    chat.open().ready()
    chat.ask("Alder [sim:hello]")
    expect(chat.page.locator(".sidebar li")).to_have_count(1)


def test_a_database_that_does_not_open_holds_nothing_up_for_long(fake, chat_of):
    """As Safari's and a full or broken disk's now and then: it answers nothing at all."""
    chat = chat_of(fake, open=False)
    chat.page.add_init_script("IDBFactory.prototype.open = () => ({})")
    chat.open()
    chat.ask("Alder [sim:hello]")
    expect(chat.page.locator(".toast")).to_contain_text("could not save the chat")


def test_that_nothing_is_saved_stays_true_with_the_next_message(fake, chat_of, context_of):
    chat = chat_of(fake, context_of(keeps_nothing=True))
    for _ in range(2):
        chat.ask("[sim:hello]")
        expect(chat.page.locator(".toast")).to_contain_text("could not save")
    chat.page.locator(".toast").get_by_role("button", name="Close").click()
    expect(chat.page.locator(".toast")).to_have_count(0)


def test_a_wrong_checksum_is_shown(fake, chat_of):
    fake.control(do="set", name="sha", value='"00"')
    try:
        chat = chat_of(fake)
        chat.ask("[sim:hello]")
        expect(chat.answer().get_by_role("alert")).to_contain_text("does not match")
    finally:
        fake.control(do="set", name="sha", value="null")


def test_a_message_that_the_gateway_takes_later_says_so(fake, chat_of):
    chat = chat_of(fake)
    refused = {"code": "rate_limited", "message": "slowly", "retryable": True, "retry_after_ms": 1_000}
    fake.control(do="set", name="refuse_message", value=json.dumps(refused))
    turn = chat.ask("Again? [sim:hello]", wait=False)
    # Nothing runs that it could wait for.
    expect(turn.locator(".delivery")).to_contain_text("The gateway takes no message right now. It will be sent in a moment.")
    expect(turn.locator(".delivery span")).to_have_attribute("title", "slowly")
    fake.control(do="set", name="refuse_message", value="null")
    chat.settled()
    expect(turn.locator(".delivery")).to_have_count(0)


def test_a_refused_message_can_be_sent_again(fake, chat_of):
    refusal = {"code": "option_not_allowed", "message": "The option is not allowed.", "retryable": False}
    fake.control(do="set", name="refuse_message", value=json.dumps(refusal))
    try:
        chat = chat_of(fake)
        chat.field.fill("hello [sim:hello]")
        chat.field.press("Enter")
        expect(chat.page.locator(".delivery")).to_contain_text("The option is not allowed.")
    finally:
        fake.control(do="set", name="refuse_message", value="null")
    chat.page.get_by_role("button", name="Try again").click()
    chat.settled()
    expect(chat.page.locator(".turn[data-status=completed]")).to_have_count(1)


@pytest.mark.parametrize("attack", [
    "<script>window.hit=1</script>", "<img src=x onerror=window.hit=1>", "[x](javascript:window.hit=1)",
])
def test_hostile_answers_stay_text(chat, attack):
    chat.ask(f"{attack} [sim:echo]")
    chat.ask(f"{attack} [sim:markdown rate=0]")
    assert chat.page.evaluate("window.hit") is None
    assert chat.page.locator(".answer script, .answer img[onerror], .answer a[href^=javascript]").count() == 0
