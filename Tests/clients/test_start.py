"""Start-up: what goes wrong is said, with an exit code."""

import pytest

from harness import BINARIES, Gateway, Process


def failing(*arguments, env=None):
    process = Process("millrace", "serve", *arguments, env=env, expect_start=False)
    code = process.wait()
    assert process.first_line == ""
    return code, process.errors()


def test_the_first_line_says_where_it_listens(gateway):
    assert gateway.first_line == f"millrace listening on http://127.0.0.1:{gateway.port}\n"


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


def test_without_token_keys_it_warns(start_gateway):
    gateway = start_gateway()
    assert any("resume.token_keys" in str(line) for line in gateway.logged("configuration"))


def test_ipv6(start, sim):
    process = start(
        Process, "millrace", "serve", "--listen", "[::1]:0", "--upstream", sim.url + "/v1",
        "--shards", "2")
    assert process.first_line.startswith("millrace listening on http://[::1]:")
