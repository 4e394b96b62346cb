"""RFC 6455 by Autobahn's cases, through PyPI `kosoku`, against /debug/echo."""

import json
import os
import pathlib
import subprocess
import sys

import pytest

import harness
from harness import Gateway

def test_autobahns_cases(sim, tmp_path):
    gateway = Gateway(
        sim, "--debug-echo", limits__message_bytes=67108864, limits__frame_bytes=67108864)
    program = pathlib.Path(sys.executable).parent / "kosoku"
    if not program.exists():
        pytest.skip("kosoku is not installed")
    try:
        run = subprocess.run(
            [program, "-m", "fuzzingclient", "-x", "12.*", "-x", "13.*", "-x", "9.*", "-p", "4",
             "-o", tmp_path, f"ws://127.0.0.1:{gateway.port}/debug/echo"],
            capture_output=True, text=True, timeout=300)
        assert gateway.is_running
    finally:
        gateway.stop()
    index = json.loads(next(tmp_path.rglob("index.json")).read_text())
    [(_, cases)] = index.items()
    print(run.stdout[-2000:])
    behaviours = {name: case["behavior"] for name, case in cases.items()}
    failed = {
        name for name, behaviour in behaviours.items()
        if behaviour not in ("OK", "NON-STRICT", "INFORMATIONAL")}
    assert len(behaviours) > 200
    assert not failed, {name: cases[name] for name in failed}
