"""How `millrace-load` ends, as a script that starts it sees it."""

import json
import os
import signal
import ssl
import subprocess

import pytest

from harness import BINARIES, PATIENCE, wait_until
from lying_gateway import LyingGateway


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_has_not_passed(gateway, tmp_path, number):
    report = tmp_path / "report.json"
    # A response of an earlier run may still be in flight.
    taken = lambda: gateway.metrics()["gateway_messages_total{result=accepted}"]
    before = taken()
    run = subprocess.Popen(
        [BINARIES / "millrace-load", "--quiet", "--url", f"ws://127.0.0.1:{gateway.port}",
         "--sessions", "2", "--duration", "600", "--json", report], stdout=subprocess.PIPE, text=True)
    wait_until(lambda: taken() > before, "a running response")
    run.send_signal(number)
    text, _ = run.communicate(timeout=PATIENCE)
    assert run.returncode == 128 + number
    assert text.endswith("INTERRUPTED\n") and "PASSED" not in text
    written = json.loads(report.read_text())
    assert (written["passed"], written["outcome"]) == (False, "interrupted")


def test_a_host_that_has_no_name():
    run = subprocess.run(
        [BINARIES / "millrace-load", "--url", "ws://nowhere.invalid"], text=True,
        capture_output=True, timeout=PATIENCE, check=False)
    assert run.returncode == 4
    assert "nowhere.invalid" in run.stderr and "No such file" not in run.stderr


def load(url, *arguments, **environment):
    """A run of one session that says two things: what follows the first answer is still read."""
    settings = {"messages.per_session": "2", "messages.spread_ms": "0", "request.timestamps": "false",
                "drain_s": "1", "limits.response_timeout_s": "1"}
    flags = [flag for key, value in settings.items() for flag in ("--set", f"{key}={value}")]
    return subprocess.run(
        [BINARIES / "millrace-load", "--quiet", "--url", url, "--sessions", "1", "--ramp", "0",
         "--duration", "3", *flags, *arguments],
        text=True, capture_output=True, timeout=PATIENCE, check=False, env=os.environ | environment)


@pytest.mark.parametrize("lie, rule", [
    ("an event twice", "repeated"), ("an event left out", "gap"), ("two events in the wrong order", "gap"),
    ("a text twice", "text_hash"), ("a text left out", "text_hash"), ("a text changed", "text_hash"),
    ("two texts in the wrong order", "text_hash"), ("an item with another text", "text_hash"),
    ("a message twice", "repeated"), ("a second end", "completed_twice"),
    ("text after the end", "after_complete"), ("no end", "unfinished")])
def test_a_gateway_that_lies_is_caught_with_its_words(tmp_path, lie, rule):
    report, page = tmp_path / "report.json", tmp_path / "report.html"
    with LyingGateway(lie) as gateway:
        run = load(f"ws://127.0.0.1:{gateway.port}", "--json", report, "--html", page)
    assert run.returncode == 1, run.stdout
    assert run.stdout.endswith("FAILED\n")
    violations = json.loads(report.read_text())["violations"]
    assert {violation["rule"] for violation in violations} == {rule}
    transcript = "\n".join(violations[0]["transcript"])
    assert '> {"type":"message","id":"m1"' in transcript
    assert '< {"type":"delta","seq":3' in transcript
    assert "resume-secret" not in report.read_text() + page.read_text() + run.stdout
    assert f"{rule}: " in page.read_text() and f"{rule}: " in run.stdout


def test_an_honest_gateway_behind_tls_is_trusted_by_its_certificate_only(tmp_path):
    certificate, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
         "-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost",
         "-keyout", key, "-out", certificate], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with LyingGateway(tls=context) as gateway:
        url = f"wss://localhost:{gateway.port}"
        trusted = load(url, "--ca-file", certificate, MILLRACE_LOAD_AUTH="load-secret")
        assert (trusted.returncode, trusted.stdout.splitlines()[-1]) == (0, "PASSED"), trusted.stdout
        assert load(url, "--insecure").returncode == 0
        untrusted = load(url)
        assert untrusted.returncode == 4
        assert "certificate" in untrusted.stdout
        other_name = load(f"wss://127.0.0.1:{gateway.port}", "--ca-file", certificate)
        assert other_name.returncode == 4


@pytest.mark.parametrize("bound, code", [("== 2", 0), ("<= 2", 0), (">= 2", 0), ("< 2", 1), ("> 2", 1)])
def test_a_threshold_decides_the_exit_code_at_its_very_bound(bound, code):
    with LyingGateway() as gateway:
        run = load(f"ws://127.0.0.1:{gateway.port}", "--set", f"thresholds=[totals.responses {bound}]")
    assert run.returncode == code, run.stdout
    assert f"totals.responses {bound} (2)" in run.stdout


def test_ratios_against_an_earlier_run(tmp_path):
    before = tmp_path / "before.json"
    with LyingGateway() as gateway:
        url = f"ws://127.0.0.1:{gateway.port}"
        assert load(url, "--json", before).returncode == 0
        run = load(url, "--compare", before)
    assert run.returncode == 0
    table = run.stdout[run.stdout.index("compared with"):]
    assert "latency.first_text.p50_us" in table and "× " in table
    (tmp_path / "empty.json").write_text("{}")
    refused = load(url, "--compare", tmp_path / "empty.json")
    assert (refused.returncode, "is no report" in refused.stderr) == (3, True)


def test_a_gateway_that_dies_is_told_and_fails_the_run(start_gateway, tmp_path):
    gateway = start_gateway()
    report = tmp_path / "report.json"
    run = subprocess.Popen(
        [BINARIES / "millrace-load", "--quiet", "--url", f"ws://127.0.0.1:{gateway.port}", "--sessions", "3",
         "--duration", "600", "--set", "limits.reconnects=2", "--json", report],
        stdout=subprocess.PIPE, text=True)
    wait_until(lambda: gateway.metrics()["gateway_responses_in_flight"] > 0, "a running response")
    gateway._process.kill()
    text, _ = run.communicate(timeout=PATIENCE)
    assert run.returncode == 1
    assert text.endswith("FAILED\n")
    assert json.loads(report.read_text())["stopped"] == "lost"
