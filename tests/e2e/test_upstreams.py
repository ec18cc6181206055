"""A model that comes late, one that moves to another address, and one that never comes."""

from __future__ import annotations

import http.client
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.e2e.model import Answer, serving
from tests.e2e.seen import Expected, check_has_ended, check_is_seen, readyz
from tests.e2e.stack import Stack, total
from tests.support.ports import free_port
from tests.support.processes import Children
from tests.support.waiting import patient, wait_until

UNREACHABLE = Expected("upstream_unreachable", "cannot connect to the model server", total=True)
HOSTS = Path(__file__).parent / "hosts"
NAME = "model.test"


def model(_: bytes) -> Answer:
    return Answer({"predictions": [1.0]})


def ask(stack: Stack) -> int:
    """Return the status of one prediction request, 0 if the connection ended without an answer.

    Raises TimeoutError if neither an answer nor an end comes.
    """
    connection = http.client.HTTPConnection("127.0.0.1", stack.listen, timeout=patient(20))
    try:
        connection.request("POST", "/v1/models/m:predict", '{"instances": [[1, 2]]}')
        return connection.getresponse().status
    except (ConnectionError, http.client.HTTPException):
        return 0
    finally:
        connection.close()


@pytest.fixture
def absent(tmp_path: Path, spawn: Children) -> Stack:
    """A stack that is not started, whose model does not run, without a document."""
    (tmp_path / "token").write_text("a-token-of-tests")
    (tmp_path / "hosts").write_text("")
    return Stack(tmp_path, spawn, free_port(), free_port(), free_port())


@pytest.mark.long
def test_a_model_that_never_comes_is_said_and_clients_get_an_end(absent: Stack) -> None:
    absent.start(document=False)
    check_is_seen(absent, UNREACHABLE)
    assert ask(absent) == 0
    assert readyz(absent)[1]["status"] == "upstream_unreachable"
    assert total(absent.metrics(), "pilotfish_upstreams_unreachable") == 1
    assert absent.run.errors().count("blind (upstream_unreachable)") == 1, "once, not for each attempt"
    assert absent.stop() == 0


@pytest.mark.long
def test_a_model_that_comes_late_is_found(absent: Stack) -> None:
    absent.start(document=False)
    check_is_seen(absent, UNREACHABLE)
    wait_until(
        lambda: f"127.0.0.1:{absent.upstream} (Connection refused)" in readyz(absent)[1]["blind"][0]["text"],
        what="address and reason in the text",
    )
    with serving(model, port=absent.upstream):
        wait_until(lambda: ask(absent) == 200, what="an answer of the late model")
        check_has_ended(absent, UNREACHABLE.reason)
        assert absent.stop() == 0


@pytest.fixture
def named(absent: Stack, monkeypatch: pytest.MonkeyPatch) -> Stack:
    """A stack that is not started, whose model has a name; the file `hosts` has its address."""
    monkeypatch.setenv("PYTHONPATH", str(HOSTS))
    monkeypatch.setenv("PILOTFISH_TEST_HOSTS", str(absent.folder / "hosts"))
    absent.upstream_host = NAME
    return absent


@pytest.mark.long
def test_a_model_whose_address_changes_is_found_again(named: Stack) -> None:
    port = named.upstream
    with ExitStack() as first:
        first.enter_context(serving(model, "127.0.0.2", port))
        named.write("hosts", f"{NAME} 127.0.0.2\n")
        named.start(document=False)
        wait_until(lambda: ask(named) == 200, what="an answer from the first address")
        first.close()
        with serving(model, "127.0.0.3", port):
            named.write("hosts", f"{NAME} 127.0.0.3\n")
            wait_until(lambda: ask(named) == 200, what="an answer from the second address")
            wait_until(named.ready, what="readiness")
            assert named.stop() == 0


@pytest.mark.long
def test_a_name_that_resolves_late_is_found(named: Stack) -> None:
    named.start(document=False)
    check_is_seen(named, UNREACHABLE)
    with serving(model, "127.0.0.2", named.upstream):
        named.write("hosts", f"{NAME} 127.0.0.2\n")
        wait_until(lambda: ask(named) == 200, what="an answer")
        check_has_ended(named, UNREACHABLE.reason)
        assert named.stop() == 0
