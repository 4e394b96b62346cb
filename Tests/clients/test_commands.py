"""The commands beside `serve`, as an operator types them."""

import re
import subprocess

import pytest

from harness import BINARIES, Gateway


def millrace(*arguments, env=None):
    """Exit code, standard output, standard error."""
    run = subprocess.run(
        [str(BINARIES / "millrace"), *arguments], env=env or {}, text=True,
        stdin=subprocess.DEVNULL, capture_output=True, timeout=30, check=False)
    return run.returncode, run.stdout, run.stderr


@pytest.mark.parametrize("arguments,name", [((), r"[a-z2-7]{8}"), (("--id", "2026-11"), "2026-11")])
def test_a_fresh_key_signs_tokens(start, sim, arguments, name):
    code, key, errors = millrace("token", "new-key", *arguments)
    assert (code, errors) == (0, "")
    assert re.fullmatch(name + r":[A-Za-z0-9_-]{43}\n", key)
    key = key.strip()
    gateway = start(Gateway, sim, resume__token_keys=key)
    with gateway.connect() as client:
        token, session = client.ready["resume_token"], client.ready["session"]
    code, claims, _ = millrace("token", "show", "--set", f"resume.token_keys={key}", token)
    assert code == 0
    assert f"key: {key.split(':')[0]}\n" in claims and f"session: {session}\n" in claims
    _, other, _ = millrace("token", "new-key")
    code, claims, errors = millrace("token", "show", "--set", f"resume.token_keys={other.strip()}", token)
    assert (code, claims) == (1, "") and "not valid" in errors


@pytest.mark.parametrize("arguments", [("token", "new-key"), ("check-config",)])
def test_output_that_nobody_takes(arguments):
    with open("/dev/full", "w") as full:
        run = subprocess.run(
            [str(BINARIES / "millrace"), *arguments], env={}, stdout=full,
            stderr=subprocess.DEVNULL, timeout=30, check=False)
    assert run.returncode == 1


def test_an_id_that_no_key_can_have():
    code, key, errors = millrace("token", "new-key", "--id", "a:b")
    assert (code, key) == (2, "") and "--id" in errors


def test_what_is_in_force_without_secrets():
    code, text, _ = millrace(
        "check-config", "--set", "server.connections=9",
        env={"OPENAI_API_KEY": "sk-do-not-show-this", "OPENAI_BASE_URL": "http://127.0.0.1:9/v1"})
    assert code == 0 and "sk-do-not-show-this" not in text
    assert re.search(r"connections: 9 +# option --set", text)
    assert re.search(r'api_key: "\*+" +# environment variable OPENAI_API_KEY', text)
    assert re.search(r"base_url: \S+ +# environment variable OPENAI_BASE_URL", text)


def test_health_says_whether_it_lives(gateway):
    address = f"127.0.0.1:{gateway.port}"
    code, text, _ = millrace("health", "--address", address)
    assert code == 0 and "200" in text
    code, _, errors = millrace("health", "--address", "127.0.0.1:1")
    assert code == 4 and "127.0.0.1:1" in errors


def test_the_library_closes_by_the_programs_own_close():
    """Without it a descriptor is closed twice, and a stranger's with it (docs/decisions/0009)."""
    _, _, bindings = millrace("--version", env={"LD_BIND_NOW": "1", "LD_DEBUG": "bindings"})
    closes = [
        line for line in bindings.splitlines()
        if re.search(r"binding file \S*libwebsockets\.so", line) and "symbol `close'" in line]
    assert len(closes) == 1, bindings[-2000:]
    assert re.search(r" to \S*/millrace ", closes[0]), closes[0]


@pytest.mark.parametrize("fault", ["nonsense", "cut after=soon", "cut aftr=5", ""])
def test_a_fault_that_the_simulator_does_not_know(fault):
    run = subprocess.run(
        [str(BINARIES / "millrace-sim"), "--listen", "127.0.0.1:0", "--fault", fault], text=True,
        stdin=subprocess.DEVNULL, capture_output=True, timeout=30, check=False)
    assert (run.returncode, run.stdout) == (2, "") and "--fault" in run.stderr
