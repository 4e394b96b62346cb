"""What both benchmarks share: processes pinned to cores, the process clock, interleaved rounds, medians, tables."""

import argparse
import json
import os
import platform
import signal
import socket
import statistics
import subprocess
import sys
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
    """One run of `millrace-load`, to be waited for; one that only makes company gives way to those that measure."""

    def __init__(self, server, settings, gives_way=False):
        self.report = tempfile.NamedTemporaryFile(suffix=".json")
        flags = [flag for key, value in settings.items() for flag in ("--set", f"{key}={value}")]
        self.process = subprocess.Popen(
            [*(["nice", "-n", "19"] if gives_way else []),
             "taskset", "-c", OTHER_CORES, PROGRAMS / "millrace-load", "--quiet",
             "--url", server.url.replace("http", "ws"), "--json", self.report.name,
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


def sse_load(server, streams, deltas, rate, seconds):
    """The same chats over server-sent events, by a client in C that checks little and so adds little."""
    source = ROOT / "bench" / "peers" / "sse_load.c"
    program = ROOT / ".build" / "peers" / "sse-load"
    if not program.exists() or program.stat().st_mtime < source.stat().st_mtime:
        program.parent.mkdir(parents=True, exist_ok=True)
        subprocess.run(["cc", "-O2", "-Wall", "-Wextra", "-o", program, source], check=True)
    address = urlsplit(server.url)
    done = subprocess.run(
        ["taskset", "-c", OTHER_CORES, program, address.hostname, str(address.port),
         str(streams), str(deltas), str(rate), "2", str(seconds), str(server.pid)],
        capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(done.stdout + done.stderr)
    return json.loads(done.stdout)


def arguments(description, choices):
    parser = argparse.ArgumentParser(description=description.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", action="append", choices=choices)
    parser.add_argument("--json")
    parser.add_argument("--markdown")
    return parser.parse_args()


def interleaved(cases, rounds, once=()):
    """All cases, then all again: what disturbs a machine for a while disturbs each alike.

    `cases` maps a name to what measures it with the simulator as its argument, and returns one record. A case
    that fails is told and has no record of that round; those of `once` are measured in the first one only.
    """
    records = {name: [] for name in cases}
    with simulator() as upstream:
        for number in range(rounds):
            for name, measure in cases.items():
                if number > 0 and name in once:
                    continue
                print(f"round {number + 1}: {name}", file=sys.stderr, flush=True)
                try:
                    records[name].append(measure(upstream))
                except RuntimeError as error:
                    print(f"{name} failed: {error}", file=sys.stderr)
    return records


def publish(options, text, began, records, medians):
    """Prints the table with the machine below it, and writes what was asked for; the exit code."""
    ended = machine()
    text += f"\n\n{circumstances(began, ended)}\n"
    print(text)
    if options.markdown:
        Path(options.markdown).write_text(text)
    if options.json:
        Path(options.json).write_text(json.dumps(
            {"machine": began, "load_average_after": ended["load_average"],
             "medians": medians, "rounds": records}, indent=2))
    return 0 if all(records.values()) else 1


def circumstances(began, ended):
    """What stands below a table: the machine, and how much it had to do."""
    return (f"{began['cpu']}, {began['cores']} cores, Linux {began['kernel']}; load average "
            f"{began['load_average']} before, {ended['load_average']} after.")


def fill(document, name, text):
    """Writes `text` into a document of the repository, between its marks `<!-- NAME:begin -->` and `<!-- NAME:end -->`."""
    path = ROOT / document
    begin, end = f"<!-- {name}:begin -->\n", f"<!-- {name}:end -->"
    before, marked = path.read_text().split(begin, 1)
    path.write_text(before + begin + text.rstrip("\n") + "\n" + end + marked.split(end, 1)[1])
    print(f"written: the table of {document}", file=sys.stderr)


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
