"""How `millrace-load` ends, as a script that starts it sees it."""

import json
import signal
import subprocess

import pytest

from harness import BINARIES, PATIENCE, wait_until


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_has_not_passed(gateway, tmp_path, number):
    report = tmp_path / "report.json"
    run = subprocess.Popen(
        [BINARIES / "millrace-load", "--quiet", "--url", f"ws://127.0.0.1:{gateway.port}",
         "--sessions", "2", "--duration", "600", "--json", report], stdout=subprocess.PIPE, text=True)
    wait_until(lambda: gateway.metrics()["gateway_responses_in_flight"] > 0, "a running response")
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
