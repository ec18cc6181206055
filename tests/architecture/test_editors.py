"""A language server connects the files of the two packages with the tests (see .ci/typings)."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from pathlib import Path

import pytest

from pilotfish.detectors.errors import DetectorError
from pilotfish.sidecar.errors import PilotfishError
from tests.support.language_server import LanguageServer, language_server
from tests.support.waiting import wait_until

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).resolve()


@pytest.fixture
def server() -> Iterator[LanguageServer]:
    with language_server(ROOT) as one:
        yield one


def defined_in(thing: type) -> Path:
    """Return the file in this checkout that defines `thing`."""
    return Path(inspect.getfile(thing)).resolve()


@pytest.mark.parametrize("thing", [DetectorError, PilotfishError])
def test_definition_leads_from_a_test_to_the_real_file(server: LanguageServer, thing: type) -> None:
    assert server.definitions(HERE, thing.__name__) == {defined_in(thing)}


@pytest.mark.long  # the server reads the whole checkout, which takes its time beside other tests
@pytest.mark.parametrize("thing", [DetectorError, PilotfishError])
def test_references_are_found_from_the_real_file_in_both_packages_and_in_tests(
    server: LanguageServer, thing: type
) -> None:
    home = defined_in(thing)

    def found() -> set[Path]:
        places = server.references(home, thing.__name__)
        return places if HERE in places else set()

    places = wait_until(found, timeout=45, what="the language server to list the files and find this one")
    assert any(ROOT / "sidecar" in path.parents for path in places - {home})
    assert not any(ROOT / "build" in path.parents for path in places), "the stubs must not stand in for the files"
