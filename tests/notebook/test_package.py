"""`import pilotfish` loads nothing else; its names are loaded when they are used."""

import json
import subprocess
import sys

import pytest

import pilotfish
from tests.support.waiting import patient

PROGRAM = """
import json, sys
before = set(sys.modules)
{statements}
print(json.dumps(sorted(set(sys.modules) - before)))
"""


def loaded(statements: str) -> list[str]:
    """Return the modules that the statements load in a new interpreter."""
    program = PROGRAM.format(statements=statements)
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=patient(30)
    )
    found: list[str] = json.loads(done.stdout)
    return found


def test_the_import_of_the_package_loads_nothing_else() -> None:
    assert loaded("import pilotfish") == ["pilotfish"]


def test_the_profile_loads_no_library_of_data_frames() -> None:
    roots = {name.split(".")[0] for name in loaded("import pilotfish; pilotfish.Profile")}
    assert not roots & {"pandas", "polars", "pyarrow", "aiohttp", "kubernetes"}


def test_public_names_are_listed_and_can_be_loaded() -> None:
    assert set(pilotfish.__all__) <= set(dir(pilotfish))
    assert [name for name in pilotfish.__all__ if not isinstance(getattr(pilotfish, name), type)] == []


def test_an_unknown_name_is_refused_with_the_known_ones() -> None:
    with pytest.raises(AttributeError, match=r"no attribute 'Profil'; its names are PilotfishError, Profile"):
        _ = pilotfish.Profil
