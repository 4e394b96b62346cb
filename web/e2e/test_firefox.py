"""Smokes in Firefox, by WebDriver BiDi over a plain WebSocket: it needs no driver. Skipped where there is no Firefox."""

import contextlib
import json
import re
import shutil
import subprocess
import time

import pytest
from websockets.sync.client import connect

FIREFOX = shutil.which("firefox-esr") or shutil.which("firefox")


class Firefox:
    def __init__(self, profile):
        self.process = subprocess.Popen(
            [FIREFOX, "--headless", "--no-remote", "--profile", str(profile), "--remote-debugging-port=0"],
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        address = None
        for line in self.process.stderr:
            if match := re.search(r"WebDriver BiDi listening on (ws://\S+)", line):
                address = match.group(1)
                break
        assert address, "Firefox did not start"
        self.stack = contextlib.ExitStack()
        self.socket = self.stack.enter_context(connect(f"{address}/session", max_size=None))
        self.number = 0
        self.call("session.new", capabilities={})
        self.tab = self.call("browsingContext.getTree")["contexts"][0]["context"]

    def call(self, method, **params):
        self.number += 1
        self.socket.send(json.dumps({"id": self.number, "method": method, "params": params}))
        while True:
            answer = json.loads(self.socket.recv(timeout=60))
            if answer.get("id") == self.number:
                assert answer["type"] == "success", answer
                return answer["result"]

    def open(self, url):
        self.call("browsingContext.navigate", context=self.tab, url=url, wait="complete")

    def evaluate(self, expression):
        result = self.call("script.evaluate", expression=f"JSON.stringify({expression})",
                           target={"context": self.tab}, awaitPromise=False)["result"]
        return json.loads(result["value"]) if "value" in result else None

    def wait(self, expression, seconds=60):
        deadline = time.time() + seconds
        while not (value := self.evaluate(expression)):
            assert time.time() < deadline, expression
            time.sleep(0.1)
        return value

    def type(self, text):
        keys = [{"type": kind, "value": character} for character in text for kind in ("keyDown", "keyUp")]
        self.call("input.performActions", context=self.tab,
                  actions=[{"type": "key", "id": "keyboard", "actions": keys}])

    def close(self):
        self.stack.close()
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()


@pytest.mark.skipif(FIREFOX is None, reason="no Firefox is installed")
def test_firefox_streams_survives_a_cut_and_stops(server, tmp_path):
    server.reset()
    firefox = Firefox(tmp_path)
    try:
        firefox.open(server.base)
        firefox.wait("document.querySelector('[data-phase=ready]') !== null")
        firefox.evaluate("document.getElementById('composer').focus()")
        firefox.type("A story [sim:long deltas=400 rate=100]\ue007")
        firefox.wait("(document.querySelector('.answer')?.innerText.length ?? 0) > 200")
        assert server.proxy.cut() >= 1
        firefox.wait("document.querySelector('.turn[data-status=completed] .verified') !== null")
        firefox.type("Another [sim:long deltas=4000 rate=100]\ue007")
        firefox.wait("(document.querySelectorAll('.answer')[1]?.innerText.length ?? 0) > 200")
        firefox.type("\ue00c")
        firefox.wait("document.querySelector('.turn[data-status=cancelled]') !== null")
    finally:
        firefox.close()


@pytest.mark.skipif(FIREFOX is None, reason="no Firefox is installed")
def test_firefox_that_lets_no_page_store_anything_still_chats(server, tmp_path):
    server.reset()
    (tmp_path / "user.js").write_text('user_pref("network.cookie.cookieBehavior", 2);\n')
    firefox = Firefox(tmp_path)
    try:
        firefox.open(server.base)
        firefox.wait("document.querySelector('[data-phase=ready]') !== null")
        firefox.evaluate("document.getElementById('composer').focus()")
        firefox.type("Hello [sim:hello]\ue007")
        firefox.wait("document.querySelector('.turn[data-status=completed] .verified') !== null")
        firefox.wait("document.querySelector('.toast')?.textContent.includes('could not save')")
    finally:
        firefox.close()
