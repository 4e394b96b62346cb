"""The server under test, the browser, and pages that complain about every message on their console.

The server is the real gateway with the simulator when E2E_GATEWAY and E2E_SIMULATOR name their binaries, else a stand-in.
A proxy stands in front of either, for faults of the network.
"""

import base64
import contextlib
import hashlib
import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from pathlib import Path

import pytest
from playwright.sync_api import expect, sync_playwright

from proxy import Proxy

WEB = Path(__file__).resolve().parent.parent
GATEWAY = os.environ.get("E2E_GATEWAY")
SIMULATOR = os.environ.get("E2E_SIMULATOR")
REAL = bool(GATEWAY and SIMULATOR)
SHOTS = Path(os.environ.get("E2E_SHOTS", WEB / "e2e" / "shots"))
# What comes is waited for as long as a busy machine may take, and as the longest pause between two attempts to connect.
WAITS_S = 60
expect.set_options(timeout=WAITS_S * 1_000)
ACTION_TIMEOUT_MS = WAITS_S * 1_000


def start(command, pattern, **kwargs):
    # The gateway takes every MILLRACE_* variable for a key of its configuration.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MILLRACE")}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment, **kwargs)
    line = process.stdout.readline()
    match = re.search(pattern, line)
    if match is None:
        process.kill()
        raise RuntimeError(f"{command[0]} said {line!r}")
    return process, match.group(1), int(match.group(2))


ADDRESS = r"(127\.0\.0\.1):(\d+)"


class Server:
    """Gateway and simulator, or the stand-in, behind a proxy."""

    def __init__(self, fake=False, arguments=(), log=None, model="sim-markdown"):
        self.real = REAL and not fake
        self.arguments = arguments
        self.model = model
        self.log = log
        self.simulator = None
        if self.real:
            self.simulator, _, sim_port = start(
                [SIMULATOR, "--listen", "127.0.0.1:0", "--rate", "100"], ADDRESS, stderr=subprocess.DEVNULL)
            self.upstream = f"http://127.0.0.1:{sim_port}/v1"
        self.gateway, self.port = None, 0
        self.start_gateway()
        self.proxy = Proxy("127.0.0.1", self.port)
        self.base = f"http://127.0.0.1:{self.proxy.port}/"

    def start_gateway(self):
        if self.real:
            command = [GATEWAY, "serve", "--listen", f"127.0.0.1:{self.port}", "--upstream", self.upstream,
                       "--web", str(WEB / "dist"), "--log-level", "warn", *self.arguments]
            if self.model:
                command += ["--model", self.model]
            self.gateway, _, self.port = start(command, ADDRESS, stderr=self.log or subprocess.DEVNULL)
        else:
            command = [sys.executable, str(WEB / "e2e" / "fake_gateway.py"), str(WEB / "dist"), str(self.port)]
            self.gateway, _, self.port = start(command, ADDRESS, stderr=self.log or subprocess.DEVNULL)

    def stop_gateway(self, how=signal.SIGKILL):
        self.gateway.send_signal(how)
        self.gateway.wait(WAITS_S)

    def control(self, **query):
        """Only the stand-in."""
        url = f"http://127.0.0.1:{self.port}/control?" + urllib.parse.urlencode(query)
        with urllib.request.urlopen(url, timeout=WAITS_S) as answer:
            return json.load(answer)

    def metric(self, pattern):
        """Only the real gateway tells."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics", timeout=WAITS_S) as answer:
            found = re.search(rf"^{pattern} (\S+)$", answer.read().decode(), re.M)
        return float(found.group(1)) if found else 0.0

    def completed(self):
        """How many responses have completed."""
        return self.metric(r'gateway_responses_total\{outcome="completed"\}')

    def cancelled(self):
        """How many responses were cancelled; of the stand-in, how many cancels came."""
        return self.metric(r'gateway_responses_total\{outcome="cancelled"\}') if self.real else self.control()["cancels"]

    def reset(self):
        self.proxy.stalled = self.proxy.refusing = False

    def close(self):
        for process in (self.gateway, self.simulator):
            if process is not None and process.poll() is None:
                process.kill()
                process.wait()


@pytest.fixture(scope="session")
def server():
    log = os.environ.get("E2E_LOG")  # Where the gateway's own log goes, for when it is what fails.
    one = Server(log=log and open(log, "w"))
    yield one
    one.close()


@pytest.fixture(scope="session")
def fake():
    """Always the stand-in: for faults that no honest gateway commits."""
    one = Server(fake=True)
    yield one
    one.close()


CHROMIUM = {"executable_path": os.environ.get("CHROMIUM", "/usr/bin/chromium"),
            "args": ["--no-sandbox", "--disable-dev-shm-usage"]}


@pytest.fixture(scope="session")
def browser():
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(**CHROMIUM)
        yield browser
        browser.close()


# A development build of Vue, put in to read its warnings, first says what it is.
NETWORK_NOISE = re.compile(r"development build of Vue|WebSocket connection to|net::ERR_|Failed to load resource")


NOTE = """([note, selector, words]) => {
    window.notes ??= new Set();
    const look = () => {
        const says = (each) => `${each.textContent} ${each.getAttribute('aria-label') ?? ''}`.includes(words);
        if ([...document.querySelectorAll(selector)].some(says)) window.notes.add(note);
    };
    new MutationObserver(look).observe(
        document.documentElement, { subtree: true, childList: true, characterData: true, attributes: true });
    look();
}"""


# Counts how often there is no bar any more.
BAR_STAYS = """() => {
    window.gone = 0;
    new MutationObserver(() => document.querySelector('.bar') ?? window.gone++)
        .observe(document.querySelector('.dock'), { childList: true, subtree: true });
}"""


# The session of the conversation in the address, if it has the turn that is shown last.
STORED = """() => new Promise((resolve, reject) => {
    const shown = [...document.querySelectorAll('.turn')].at(-1)?.dataset.turn;
    const open = indexedDB.open('millrace');
    open.onerror = () => reject(open.error);
    open.onsuccess = () => {
        const objects = open.result.transaction('sessions').objectStore('sessions');
        const one = objects.get(location.hash.replace('#/c/', ''));
        one.onsuccess = () => {
            open.result.close();
            resolve(shown && one.result?.turns.at(-1)?.id === shown ? one.result : null);
        };
    };
})"""


class Chat:
    """One page, and what a person does with it."""

    def __init__(self, page, base):
        self.page = page
        self.base = base
        self.field = page.locator("#composer")

    def open(self, path=""):
        self.page.goto(self.base + path)
        expect(self.field).to_be_visible()
        if "#/c/" in path:
            # The field is there before the turns are: they come from the database.
            expect(self.page.locator(".turn")).not_to_have_count(0)
        return self

    def ready(self):
        expect(self.page.locator("[data-testid=connection]")).to_have_attribute("data-phase", "ready")
        return self

    def ask(self, text, wait=True):
        count = self.page.locator(".turn").count()
        self.field.fill(text)
        self.field.press("Enter")
        expect(self.page.locator(".turn")).to_have_count(count + 1)
        if wait:
            self.settled()
        return self.page.locator(".turn").last

    def settled(self):
        expect(self.page.locator(".turn").last).to_have_attribute(
            "data-status", re.compile("completed|failed|cancelled|incomplete|interrupted"))
        expect(self.page.locator(".turn[data-status=in_progress], .turn[data-status=queued]")).to_have_count(0)

    def answer(self):
        return self.page.locator(".answer").last

    def pick_large(self, name, size):
        """Through the picker, but made by the page: it is large for a pipe."""
        self.page.evaluate("""([name, size]) => {
            const data = new DataTransfer();
            data.items.add(new File([new Uint8Array(size)], name));
            const picker = document.querySelector('[data-testid=picker]');
            picker.files = data.files;
            picker.dispatchEvent(new Event('change', { bubbles: true }));
        }""", [name, size])

    def attached(self, count):
        """What will go along with the message is read; while it is, an entry of its own says so."""
        expect(self.page.locator(".composer .attachments li:not(:has(progress))")).to_have_count(count)
        expect(self.page.locator(".composer .attachments progress")).to_have_count(0)

    def eventually(self, condition, seconds=WAITS_S):
        deadline = time.time() + seconds
        while not condition():
            assert time.time() < deadline, "it never came true"
            # The page's events are handled while this waits.
            self.page.wait_for_timeout(20)

    @contextlib.contextmanager
    def seeing(self, selector, words):
        """What goes away by itself may be gone before anybody looks: here the page writes down that it was there."""
        note = f"{selector} {words} {time.time()}"
        self.page.evaluate(NOTE, [note, selector, words])
        yield
        self.eventually(lambda: self.page.evaluate("(note) => window.notes.has(note)", note))

    def text_grows(self, characters=200):
        deadline = time.time() + WAITS_S
        while len(self.answer().inner_text()) < characters:
            assert time.time() < deadline, "no text came"
            time.sleep(0.05)

    def sessions(self):
        return self.objects("sessions")

    def objects(self, store):
        return self.page.evaluate("""(store) => new Promise((resolve, reject) => {
            const open = indexedDB.open('millrace');
            open.onerror = () => reject(open.error);
            open.onsuccess = () => {
                const all = open.result.transaction(store).objectStore(store).getAll();
                all.onsuccess = () => { open.result.close(); resolve(all.result); };
            };
        })""", store)

    def conversations(self):
        return self.objects("conversations")

    def stored(self):
        """The stored session that this page shows, once the last answer that it shows has ended."""
        deadline = time.time() + WAITS_S
        while True:
            session = self.page.evaluate(STORED)
            if session and (session["turns"][-1].get("answer") or {}).get("complete"):
                return session
            assert time.time() < deadline, "the session was not stored"
            time.sleep(0.1)

    def assert_exact(self):
        """The text that the page has is the one that the gateway computed its checksum of."""
        answer = self.stored()["turns"][-1]["answer"]
        text = "".join(p["text"] for i in answer["items"] for p in i["parts"] if p["kind"] == "text" and not p.get("late"))
        data = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").encode()
        assert hashlib.sha256(data).hexdigest() == answer["complete"]["text_sha256"]
        assert answer["integrity"] == "verified"
        return text

    def shot(self, name):
        SHOTS.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=str(SHOTS / f"{name}.png"))


class Effort:
    """Seconds that the page's main thread has worked: its own clock, which stands while others have the processor."""

    def __init__(self, page):
        self.devtools = page.context.new_cdp_session(page)
        self.devtools.send("Performance.enable", {"timeDomain": "threadTicks"})

    def __call__(self):
        metrics = self.devtools.send("Performance.getMetrics")["metrics"]
        return next(each["value"] for each in metrics if each["name"] == "TaskDuration")


class Tasks:
    """Each task of the page's main thread within the block, and the echo of each key, in seconds of the thread's own clock.

    A machine that others use makes a task last longer, but not work longer.
    """

    LONG_S = 0.05  # From here on it is called long.
    CATEGORIES = ["disabled-by-default-devtools.timeline", "blink.user_timing"]
    # From when the key was pressed until the frame with its letter is drawn.
    ECHOES = """() => {
        if (window.echoes) return;
        window.echoes = true;
        document.addEventListener('input', ({ timeStamp }) => requestAnimationFrame(() => setTimeout(
            () => performance.measure('echo', { start: Math.min(timeStamp, window.pressed ?? timeStamp) }))));
        document.addEventListener('keydown', ({ timeStamp }) => window.pressed = timeStamp, true);
    }"""

    def __init__(self, page):
        self.page, self.browser = page, page.context.browser

    def __enter__(self):
        self.page.evaluate(self.ECHOES)
        self.browser.start_tracing(page=self.page, categories=self.CATEGORIES)
        self.page.evaluate("performance.mark('tasks begin') && undefined")
        return self

    def __exit__(self, *problem):
        self.page.evaluate("performance.mark('tasks end') && undefined")
        events = json.loads(self.browser.stop_tracing())["traceEvents"]
        named = lambda name: [each for each in events if each["name"] == name]
        [begin], [end] = named("tasks begin"), named("tasks end")
        thread = lambda each: (each["pid"], each["tid"]) == (begin["pid"], begin["tid"])
        tasks = [each for each in named("RunTask") if thread(each) and each["ph"] == "X" and "tdur" in each]

        def between(begun, ended):
            """Also those in whose midst it begins or ends."""
            return [each["tdur"] / 1e6 for each in tasks if each["ts"] < ended and each["ts"] + each["dur"] > begun]

        self.all = between(begin["ts"], end["ts"])
        echoes = [each for each in named("echo") if thread(each)]
        begun = {each["id2"]["local"]: each["ts"] for each in echoes if each["ph"] == "b"}
        self.echoes = [sum(between(begun[each["id2"]["local"]], each["ts"])) for each in echoes if each["ph"] == "e"]

    @property
    def longest(self):
        return max(self.all)

    @property
    def long(self):
        return [each for each in self.all if each > self.LONG_S]


# As somebody sets it who lets no page store anything.
KEEPS_NOTHING = {"profile": {"default_content_setting_values": {"cookies": 2}}}


@pytest.fixture
def context_of(browser, tmp_path):
    opened = []

    def make(keeps_nothing=False, **options):
        options.setdefault("viewport", {"width": 1200, "height": 800})
        if keeps_nothing:
            preferences = tmp_path / f"profile{len(opened)}" / "Default" / "Preferences"
            preferences.parent.mkdir(parents=True)
            preferences.write_text(json.dumps(KEEPS_NOTHING))
            context = browser.browser_type.launch_persistent_context(preferences.parent.parent, **CHROMIUM, **options)
        else:
            context = browser.new_context(**options)
        context.set_default_timeout(ACTION_TIMEOUT_MS)
        context.grant_permissions(["clipboard-read", "clipboard-write"])
        opened.append(context)
        return context

    yield make
    for context in opened:
        context.close()


@pytest.fixture
def chat_of(context_of):
    """Opens a chat; at the end of the test every console message and page error it caused is a failure."""
    problems = []

    def make(server, context=None, open=True, path="", **options):
        assert server.gateway.poll() is None, f"the gateway has ended: {server.gateway.returncode}"
        server.reset()
        page = (context or context_of(**options)).new_page()
        page.on("console", lambda message: problems.append(f"{message.type}: {message.text}")
                if not NETWORK_NOISE.search(message.text) else None)
        page.on("pageerror", lambda error: problems.append(f"error: {error}"))
        page.add_init_script(
            "window.violations = []; document.addEventListener('securitypolicyviolation', "
            "e => { window.violations.push(e.violatedDirective + ' ' + e.blockedURI); "
            "console.error('CSP ' + e.violatedDirective + ' ' + e.blockedURI); });")
        chat = Chat(page, server.base)
        return chat.open(path) if open else chat

    yield make
    assert problems == []


@pytest.fixture
def chat(chat_of, server):
    return chat_of(server)


PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAgAAAAICAIAAABLbSncAAAAEklEQVR4nGPgyVuCFTEMLQkAZXw+AThuIskAAAAASUVORK5CYII=")
