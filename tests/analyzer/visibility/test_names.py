"""Names of the document that neither the profile nor the traffic has, and profiles that are not in force."""

from __future__ import annotations

import msgspec
import pytest

from pilotfish.detectors.profile.profile import Profile
from pilotfish.sidecar.analyzer.snapshot import Snapshot
from pilotfish.sidecar.analyzer.visibility import names
from pilotfish.sidecar.analyzer.visibility.history import History
from pilotfish.sidecar.analyzer.visibility.readings import Reading, Setting, View
from pilotfish.sidecar.report import schema as report
from pilotfish.sidecar.settings.load import parse
from tests.analyzer.made import profile
from tests.telemetry.made import NOW, whole_report

DECODE = "  traffic: {{decode: {{inputColumns: {{{inputs}}}, predictionColumns: {{{predictions}}}}}}}\n"
HEAD = "apiVersion: pilotfish.dev/v1alpha1\nkind: ModelMonitor\nmetadata: {name: m}\nspec:\n"


def view(
    spec: str, used: Profile | None = None, *, unknown: frozenset[str] = frozenset(), rows: int = 200, wanted: str = ""
) -> View:
    made = msgspec.structs.replace(
        whole_report(), state="watching" if used else "unprofiled", rows=(report.RowCount("m", "input", rows),),
        learning=None,
    )  # fmt: skip
    setting = Setting(document=parse((HEAD + spec).encode(), "monitor.yaml"), profile_wanted=wanted)
    snapshot = Snapshot(made, used, unknown_columns=unknown)
    return View(Reading(now=NOW, snapshot=snapshot, page=None, setting=setting), History())


def text(of: View) -> str:
    found = names.unknown_names(of)
    return found.text if found is not None else ""


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ("  drift: {features: {amount: {tolerance: 0.1}, color: {ignore: true}}}\n", ()),
        ("  drift: {features: {colour: {ignore: true}}}\n", ("colour", "'color'")),
        ("  drift: {features: {zzz: {tolerance: 0.1}}}\n", ("spec.drift.features.zzz", "no such feature")),
        ("  drift: {detectors: [{type: river.ADWIN, stream: feature.amount.psi}]}\n", ()),
        ("  drift: {detectors: [{type: river.ADWIN, stream: feature.amuont.psi}]}\n", ("detectors[0]", "'amount'?")),
        ("  drift: {detectors: [{type: river.ADWIN, stream: performance.realized}]}\n", ("no label column",)),
        ("  traffic: {keepRows: {rows: 100, mask: [color]}}\n", ()),
        ("  traffic: {keepRows: {rows: 100, mask: [colour]}}\n", ("keepRows.mask", "did you mean 'color'?")),
        ("  profiles: [{learn: {rows: 1000, mask: [mail]}}]\n", ()),
        (DECODE.format(inputs="amount: $.a, color: $.c", predictions="result: $.s"), ()),
        (
            DECODE.format(inputs="Amount: $.a, color: $.c", predictions="score: $.s"),
            ("inputColumns.Amount", "'amount'?"),
        ),
        (
            DECODE.format(inputs="amount: $.a", predictions="scores: $.s, label: $.l"),
            ("predictionColumns.scores", "'score'?", "predictionColumns.label"),
        ),
        ("  profiles: [{learn: {rows: 1000, mask: [e-mail]}}]\n", ("learn.mask", "'e-mail'")),
    ],
)
def test_a_name_that_nothing_has_is_reported(spec: str, words: tuple[str, ...]) -> None:
    found = text(view(spec, profile(), unknown=frozenset(["mail"])))
    assert bool(found) == bool(words)
    for word in words:
        assert word in found
    assert "mail" not in found.replace("e-mail", ""), "it came from a client"


def test_a_mask_is_judged_only_after_enough_rows() -> None:
    spec = "  traffic: {keepRows: {rows: 100, mask: [colour]}}\n"
    assert text(view(spec, profile(), rows=99)) == ""
    assert text(view(spec, None, rows=100)) != ""


def test_many_unknown_names_make_a_short_text() -> None:
    features = ", ".join(f"f{number}: {{tolerance: 0.1}}" for number in range(50))
    found = text(view(f"  drift: {{features: {{{features}}}}}\n", profile()))
    assert "and 45 more" in found
    assert len(found) < 600


def test_a_profile_that_is_wanted_and_not_in_force_is_total_blindness() -> None:
    found = names.no_profile(view("  mode: observe\n", None, wanted="the stored profile was damaged"))
    assert found is not None
    assert found.total
    assert "was damaged" in found.text
    assert names.no_profile(view("  mode: observe\n", None)) is None
    assert names.no_profile(view("  mode: observe\n", profile(), wanted="x")) is None
