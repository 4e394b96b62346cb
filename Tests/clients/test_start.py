"""Start-up: what goes wrong is said, with an exit code."""

import os
import pathlib
import pty
import resource
import socket
import subprocess
import types
import urllib.request

import pytest

from harness import BINARIES, PATIENCE, Client, Gateway, Process, wait_until


def failing(*arguments, env=None):
    process = Process("millrace", "serve", *arguments, env=env, expect_start=False)
    code = process.wait()
    assert process.first_line == ""
    return code, process.errors()


def test_the_first_line_says_where_it_listens(gateway):
    assert gateway.first_line == f"millrace listening on http://127.0.0.1:{gateway.port}\n"


def test_closed_standard_streams(sim):
    """As some supervisors start their daemons; whatever is opened next must not get their numbers."""
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    command = [
        str(BINARIES / "millrace"), "serve", "--listen", f"127.0.0.1:{port}",
        "--upstream", sim.url + "/v1", "--shards", "1"]
    process = subprocess.Popen(
        ["sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh", *command],
        env={"SWIFT_BACKTRACE": "enable=no"})

    def is_there():
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=PATIENCE):
                return True
        except OSError:
            return process.poll() is not None

    wait_until(is_there, "an answer")
    process.terminate()
    assert process.wait(PATIENCE) == 0


def test_nobody_reads_the_log(sim):
    reader, writer = os.pipe()
    os.close(reader)
    process = subprocess.Popen(
        [BINARIES / "millrace", "serve", "--listen", "127.0.0.1:0", "--upstream", sim.url + "/v1"],
        env={"SWIFT_BACKTRACE": "enable=no"}, stdout=subprocess.PIPE, stderr=writer, text=True)
    os.close(writer)
    assert process.stdout.readline().startswith("millrace listening on ")
    process.terminate()
    assert process.wait(PATIENCE) == 0


def test_a_terminal_that_nobody_reads(sim):
    """A connection that is away, a window that is scrolled back: it takes a page, and then nothing."""
    reader, terminal = pty.openpty()
    process = subprocess.Popen(
        [BINARIES / "millrace", "serve", "--listen", "127.0.0.1:0", "--upstream", sim.url + "/v1",
         "--shards", "1", "--model", "sim-hello", "--log-format", "json"],
        env={"SWIFT_BACKTRACE": "enable=no"}, stdout=subprocess.PIPE, stderr=terminal, text=True)
    os.close(terminal)
    try:
        address = process.stdout.readline().split("http://")[1].strip()
        with Client(types.SimpleNamespace(chat=f"ws://{address}/v1/chat")) as client:
            for number in range(60):
                client.ask(f"m{number}")
        process.terminate()
        assert process.wait(PATIENCE) == 0
    finally:
        os.close(reader)  # Ends a write that waits.
        process.kill()
        process.wait()


def test_a_log_file_that_may_not_grow(sim, tmp_path):
    """The kernel sends a signal then, which ends a process that does not say otherwise."""
    with open(tmp_path / "log", "w") as log:
        process = subprocess.Popen(
            [BINARIES / "millrace", "serve", "--listen", "127.0.0.1:0",
             "--upstream", sim.url + "/v1", "--log-level", "debug"],
            env={"SWIFT_BACKTRACE": "enable=no"}, stdout=subprocess.PIPE, stderr=log, text=True,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100)))
    assert process.stdout.readline().startswith("millrace listening on ")
    process.terminate()
    assert process.wait(PATIENCE) == 0
    assert (tmp_path / "log").stat().st_size == 100


@pytest.mark.parametrize("shards", ["1", "2"])
def test_a_port_in_use(gateway, shards):
    code, errors = failing("--listen", f"127.0.0.1:{gateway.port}", "--shards", shards)
    assert code == 1
    assert f"127.0.0.1:{gateway.port}" in errors and "in use" in errors


def test_an_address_that_is_not_ours():
    code, errors = failing("--listen", "192.0.2.1:0")
    assert code == 1 and "192.0.2.1" in errors


def test_a_wrong_key_in_the_file(tmp_path):
    file = tmp_path / "millrace.yaml"
    file.write_text("server:\n  listen: 127.0.0.1:0\n  shrads: 2\n")
    code, errors = failing("--config", str(file))
    assert code == 3
    assert f"{file}:3" in errors and "shrads" in errors and "shards" in errors


def test_a_wrong_value_in_the_file(tmp_path):
    file = tmp_path / "millrace.yaml"
    file.write_text("limits:\n  frames_per_s: many\n")
    code, errors = failing("--config", str(file))
    assert code == 3 and f"{file}:2" in errors and "limits.frames_per_s" in errors


def test_a_missing_file():
    code, errors = failing("--config", "/nonexistent.yaml")
    assert code == 3 and "/nonexistent.yaml" in errors


def test_a_missing_web_directory(tmp_path):
    code, errors = failing("--listen", "127.0.0.1:0", "--web", str(tmp_path / "nothing"))
    assert code == 1 and "server.web_directory" in errors
    code, errors = failing("--listen", "127.0.0.1:0", "--web", str(tmp_path))
    assert code == 1 and "index.html" in errors


def test_an_unknown_option():
    code, errors = failing("--frobnicate")
    assert code == 2 and "--frobnicate" in errors


def test_the_echo_is_for_loopback_only():
    code, errors = failing("--listen", "0.0.0.0:0", "--debug-echo")
    assert code == 3 and "debug_echo" in errors


def test_a_missing_certificate_file(tmp_path):
    code, errors = failing(
        "--listen", "127.0.0.1:0", "--upstream", "https://127.0.0.1:1/v1",
        "--set", f"upstream.ca_file={tmp_path}/nothing.pem")
    assert code == 1 and "nothing.pem" in errors


@pytest.mark.parametrize("shards", ["7", "16"])
def test_too_few_open_files(shards):
    code, errors = failing(
        "--listen", "127.0.0.1:0", "--shards", shards, "--set", "server.open_files=64")
    assert code == 1 and "server.open_files" in errors and f"{shards} shards" in errors


def test_without_token_keys_it_warns(start_gateway):
    gateway = start_gateway()
    assert any("resume.token_keys" in str(line) for line in gateway.logged("configuration"))


def test_ipv6(start, sim):
    process = start(
        Process, "millrace", "serve", "--listen", "[::1]:0", "--upstream", sim.url + "/v1",
        "--shards", "2")
    assert process.first_line.startswith("millrace listening on http://[::1]:")


def test_the_table_of_descriptors_is_grown_at_start(start_gateway):
    """With threads the kernel waits for all CPUs at each doubling: no connection is to meet that."""
    wanted = min(5000, resource.getrlimit(resource.RLIMIT_NOFILE)[1])
    gateway = start_gateway(server__open_files=wanted)
    status = pathlib.Path(f"/proc/{gateway.pid}/status").read_text()
    size = next(line for line in status.splitlines() if line.startswith("FDSize:"))
    assert int(size.split()[1]) >= wanted
