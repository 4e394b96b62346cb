"""Fixtures: simulators and gateways on ports of the system's choice; transcripts on failure."""

import pytest

import harness
from harness import Gateway, Simulator


@pytest.fixture(scope="session")
def sim():
    """A simulator that answers flat out; shared, so tests look at differences of its stats."""
    process = Simulator()
    yield process
    process.stop()


@pytest.fixture(scope="session")
def shared_gateway(sim):
    process = Gateway(sim, shards=2, limits__frames_per_s=10000, limits__frames_burst=10000)
    yield process
    assert process.stop() == 0


@pytest.fixture
def gateway(shared_gateway):
    """A gateway with two shards and the default configuration, shared by all tests."""
    harness.attachments.append(shared_gateway)
    assert shared_gateway.is_running, "an earlier test has ended the gateway"
    return shared_gateway


@pytest.fixture
def start(request):
    """Starts gateways and simulators that end with the test."""
    started = []

    def begin(kind, *arguments, **settings):
        process = kind(*arguments, **settings)
        started.append(process)
        return process

    yield begin
    for process in reversed(started):
        process.stop()


@pytest.fixture
def start_gateway(start, sim):
    def begin(*arguments, upstream=None, **settings):
        return start(Gateway, upstream or sim, *arguments, **settings)

    return begin


@pytest.fixture(autouse=True)
def fresh_attachments():
    harness.attachments.clear()
    yield
    for each in harness.attachments:
        if isinstance(each, harness.Client):
            try:
                each.socket.close_socket() if hasattr(each.socket, "close_socket") else None
            except OSError:
                pass


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    report = (yield).get_result()
    if report.failed:
        for each in harness.attachments:
            title, text = each.describe()
            report.sections.append((title, text))


def pytest_terminal_summary(terminalreporter):
    counts = harness.schemas.seen
    if counts:
        terminalreporter.write_line(
            f"frames held against the schemas: {sum(counts.values())}")
        for name, count in sorted(counts.items()):
            terminalreporter.write_line(f"  {name}: {count}")
