"""One simulator and one gateway of two shards for all tests."""

import json
import os
import pathlib
import socket
import subprocess
import threading
import urllib.request

import pytest
from openai import AsyncOpenAI, OpenAI

ROOT = pathlib.Path(__file__).resolve().parents[2]
BIN = pathlib.Path(os.environ.get("MILLRACE_BIN", ROOT / ".build/release"))
CORPUS = ROOT.parent / "shared/corpus"
KEY = "sk-alice-0123456789abcdef"
OTHER_KEY = "sk-bob-0123456789abcdef"
UPSTREAM_KEY = "sk-upstream-0123456789abcdef"


class Server:
    """A program that says on its first line where it listens."""

    def __init__(self, *command, **environment):
        self.process = subprocess.Popen(
            [str(part) for part in command],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env={"PATH": os.environ.get("PATH", ""), **environment},
        )
        for line in self.process.stdout:
            if "listening on" in line:
                self.url = line.split("listening on ")[1].strip()
                break
        else:
            raise RuntimeError(f"{command[0]} did not start")
        threading.Thread(target=self.process.stdout.read, daemon=True).start()

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise


class Gateway:
    def __init__(self, simulator, *settings):  # Anything with a `url` is an upstream.
        options = []
        for setting in settings:
            options += ["--set", setting]
        self.server = Server(
            BIN / "millrace", "serve", "--listen", "127.0.0.1:0",
            "--upstream", simulator.url + "/v1",
            "--set", "server.shards=2",
            "--set", f"auth.keys=[alice:{KEY}, bob:{OTHER_KEY}]",
            *options, OPENAI_API_KEY=UPSTREAM_KEY,
        )
        self.url = self.server.url
        self.simulator = simulator

    def client(self, key=KEY, **options):
        return OpenAI(
            **{"base_url": self.url + "/v1", "api_key": key, "max_retries": 0, **options})

    def async_client(self, **options):
        return AsyncOpenAI(
            base_url=self.url + "/v1", api_key=KEY, **{"max_retries": 0, **options})

    def stop(self):
        self.server.stop()


@pytest.fixture(scope="session")
def simulator():
    options = ["--replay", CORPUS] if CORPUS.is_dir() else []
    server = Server(
        BIN / "millrace-sim", "--listen", "127.0.0.1:0", "--api-key", UPSTREAM_KEY,
        "--rate", "200", *options)
    yield server
    server.stop()


@pytest.fixture(scope="session")
def gateway(simulator):
    gateway = Gateway(simulator, "dialect.abandon_ms=5000", "dialect.heartbeat_ms=200")
    yield gateway
    gateway.stop()


@pytest.fixture
def client(gateway):
    with gateway.client() as client:
        yield client


@pytest.fixture
def stats(simulator):
    def read():
        with urllib.request.urlopen(simulator.url + "/stats") as answer:
            return json.load(answer)

    return read


class Cutter:
    """A way to the gateway that can be cut: what a phone in a tunnel sees."""

    def __init__(self, url):
        host, port = url.removeprefix("http://").split(":")
        self.target = (host, int(port))
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = "http://127.0.0.1:%d" % self.listener.getsockname()[1]
        self.pairs = []
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                near, _ = self.listener.accept()
            except OSError:
                return
            far = socket.create_connection(self.target)
            self.pairs.append((near, far))
            for source, sink in ((near, far), (far, near)):
                threading.Thread(target=self.pump, args=(source, sink), daemon=True).start()

    @staticmethod
    def pump(source, sink):
        try:
            while data := source.recv(65536):
                sink.sendall(data)
        except OSError:
            pass
        for end in (source, sink):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def cut(self):
        pairs, self.pairs = self.pairs, []
        for pair in pairs:
            for end in pair:
                try:
                    end.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass

    def close(self):
        self.cut()
        self.listener.close()


@pytest.fixture
def cutter(gateway):
    cutter = Cutter(gateway.url)
    yield cutter
    cutter.close()
