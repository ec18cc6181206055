"""The table of settings in docs/configuration.md shows each default as a document would write it."""

from __future__ import annotations

from pilotfish.sidecar.settings.document import ModelMonitor
from tests.settings.reference import settings


def test_the_default_of_an_enumeration_is_one_of_its_values() -> None:
    enumerations = {
        path: (kind.replace("`", "").split(", "), default.strip("`"))
        for path, kind, default, _ in settings(ModelMonitor)
        if kind.startswith("`") and default.startswith("`")
    }
    assert len(enumerations) > 8
    assert {path: default for path, (values, default) in enumerations.items() if default not in values} == {}
