"""What both benchmarks share: processes pinned to cores, the process clock, medians, tables."""

import json
import os
import platform
import signal
import socket
import statistics
import subprocess
import tempfile
import time
import urllib.request
from pathlib import Path
from urllib.parse import urlsplit

ROOT = Path(__file__).resolve().parent.parent
# BENCH_PROGRAMS measures another build, to compare two.
PROGRAMS = Path(os.environ.get("BENCH_PROGRAMS", ROOT / ".build" / "release"))

# The server alone on the first core; whoever writes to it and reads from it on the second.
SERVER_CORES = "0"
OTHER_CORES = "1" if (os.cpu_count() or 1) > 1 else "0"

def take_precedence(nice):
    """Keeps what else runs on a shared machine from being measured: BENCH_NICE=-15, as root.

    Where the kernel groups processes by session, only the group's own nice value counts.
    """
    if os.getpid() != os.getsid(0) and os.getpid() != os.getpgid(0):
        os.setsid()
    os.nice(nice)
    group = Path("/proc/self/autogroup")
    if group.exists():
        group.write_text(str(nice))


if os.environ.get("BENCH_NICE"):
    take_precedence(int(os.environ["BENCH_NICE"]))

# Limits meant for one person's browser, which a load client is not.
OPEN_LIMITS = {
    "MILLRACE_LIMITS_FRAMES_PER_S": "10000",
    "MILLRACE_LIMITS_FRAMES_BURST": "10000",
}


class Server:
    """A program on its own core, known by the first line it prints: `… on http://HOST:PORT`."""

    def __init__(self, command, cores=SERVER_CORES, environment=None):
        self.log = tempfile.TemporaryFile()
        began = time.monotonic()
        self.process = subprocess.Popen(
            ["taskset", "-c", cores, *map(str, command)],
            stdout=subprocess.PIPE, stderr=self.log, text=True,
            env={**os.environ, **(environment or {})})
        line = self.process.stdout.readline()
        self.start_s = time.monotonic() - began
        if " on " not in line:
            self.stop()
            self.log.seek(0)
            raise RuntimeError(f"{command[0]} did not start: {self.log.read().decode()[-2000:]}")
        self.url = line.split(" on ")[1].split()[0]
        self.pid = self.process.pid
        self.await_port()

    def await_port(self):
        """Some say where they listen before they do."""
        address = urlsplit(self.url)
        for _ in range(100):
            try:
                socket.create_connection((address.hostname, address.port), 1).close()
                return
            except ConnectionRefusedError:
                time.sleep(0.05)
        raise RuntimeError(f"nobody listens at {self.url}")

    def cpu_s(self):
        """CPU time of all threads, from the scheduler's own clock."""
        total = 0
        for task in Path(f"/proc/{self.pid}/task").iterdir():
            total += int((task / "schedstat").read_text().split()[0])
        return total / 1e9

    def memory_bytes(self):
        """Memory that is this process's alone."""
        for line in Path(f"/proc/{self.pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Private_Dirty:"):
                return int(line.split()[1]) * 1024
        raise RuntimeError("no Private_Dirty")

    def metric(self, name):
        """The sum of one of the gateway's counters over its labels."""
        with urllib.request.urlopen(f"{self.url}/metrics", timeout=5) as answer:
            lines = answer.read().decode().splitlines()
        return sum(float(line.rsplit(" ", 1)[1]) for line in lines
                   if line.startswith(name + " ") or line.startswith(name + "{"))

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(3)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.process.stdout.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


def simulator():
    return Server([PROGRAMS / "millrace-sim", "--listen", "127.0.0.1:0"], OTHER_CORES)


def gateway(upstream, cores=SERVER_CORES, shards=1, **settings):
    environment = {**OPEN_LIMITS, **{name: str(value) for name, value in settings.items()}}
    return Server(
        [PROGRAMS / "millrace", "serve", "--listen", "127.0.0.1:0", "--shards", shards,
         "--upstream", f"{upstream.url}/v1", "--log-level", "error"], cores, environment)


class Load:
    """One run of `millrace-load`, to be waited for."""

    def __init__(self, server, settings, path="/v1/chat"):
        self.report = tempfile.NamedTemporaryFile(suffix=".json")
        flags = [flag for key, value in settings.items() for flag in ("--set", f"{key}={value}")]
        self.process = subprocess.Popen(
            ["taskset", "-c", OTHER_CORES, PROGRAMS / "millrace-load", "--quiet",
             "--url", server.url.replace("http", "ws") + path, "--json", self.report.name,
             "--server-pid", str(server.pid), *flags],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def metrics(self):
        output, _ = self.process.communicate(timeout=600)
        try:
            report = json.loads(Path(self.report.name).read_text())
        except ValueError:
            raise RuntimeError(output[-2000:]) from None
        if report["metrics"].get("totals.violations"):
            raise RuntimeError("violations:\n" + output[-4000:])
        return report["metrics"]


def load(server, **settings):
    return Load(server, {key.replace("__", "."): value for key, value in settings.items()}).metrics()


def median_of(rounds):
    """One record of medians from the records of several rounds."""
    keys = {key: None for record in rounds for key in record}
    return {key: statistics.median(r[key] for r in rounds if key in r) for key in keys}


def machine():
    model = next((line.split(":")[1].strip() for line in open("/proc/cpuinfo")
                  if line.startswith("model name")), platform.machine())
    return {"cpu": model, "cores": os.cpu_count(), "kernel": platform.release(),
            "load_average": [round(value, 1) for value in os.getloadavg()]}


def figure(value):
    if value is None:
        return "–"
    if value == 0 or abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def table(head, rows):
    lines = ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
    lines += ["| " + " | ".join(str(cell) for cell in row) + " |" for row in rows]
    return "\n".join(lines)
