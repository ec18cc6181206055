from __future__ import annotations

import re

import pytest

from pilotfish.sidecar.control.conditions import CONDITIONS
from pilotfish.sidecar.control.reasons import Reason
from pilotfish.sidecar.reason import camel_case
from pilotfish.sidecar.report.schema import RESTART
from tests.generate import ROOT

CONDITION_REASON = re.compile(r"[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?")  # as the API server checks it


def test_reasons_are_one_alphabetical_table_with_a_meaning_each() -> None:
    values = [reason.value for reason in Reason]
    assert values == sorted(values)
    assert all(re.fullmatch(r"[a-z_]+", value) for value in values)
    assert all(reason.meaning for reason in Reason)


def test_each_reason_has_a_form_of_its_own_for_kubernetes() -> None:
    forms = [reason.camel for reason in Reason]
    assert len({form.lower() for form in forms}) == len(forms)
    assert all(CONDITION_REASON.fullmatch(form) for form in forms)
    assert (Reason.QUORUM_MISSING.camel, camel_case("http_503")) == ("QuorumMissing", "Http503")


def test_each_reason_is_given_somewhere_and_the_ends_of_episodes_are_reasons() -> None:
    sources = (path for path in (ROOT / "sidecar").rglob("*.py") if path.name != "reasons.py")
    text = " ".join(path.read_text() for path in sources)
    given = {*re.findall(r"Reason\.([A-Z_]+)\b", text)}
    assert {reason.value for reason in Reason if reason.name not in given} == {RESTART}


@pytest.mark.parametrize("name", CONDITIONS)
def test_a_reason_says_which_way_a_condition_is(name: str) -> None:
    kind = CONDITIONS[name]
    assert not set(kind.true) & set(kind.false)
    assert kind.true
    assert kind.false
    assert kind.unknown


def test_a_reason_that_makes_a_monitor_unready_has_a_remedy() -> None:
    wanting = {*CONDITIONS["Ready"].false, *CONDITIONS["Degraded"].true}
    assert [reason.value for reason in wanting if not reason.remedy] == []


def test_drift_never_makes_a_monitor_unready() -> None:
    ready = CONDITIONS["Ready"]
    assert Reason.DRIFT_DETECTED not in {*ready.true, *ready.false, *ready.unknown}


@pytest.mark.parametrize("page", ["reasons.md", "modelmonitor.md"])
def test_the_pages_of_reasons_have_every_condition_or_reason(page: str) -> None:
    text = (ROOT / "docs" / page).read_text()
    wanted = [reason.camel for reason in Reason] if page == "reasons.md" else [*CONDITIONS]
    assert [name for name in wanted if f"`{name}`" not in text] == []
