"""The sentences about what changed."""

from __future__ import annotations

import pytest

from pilotfish.sidecar.report import wording
from pilotfish.sidecar.report.schema import ChangeReport, Effects, FeatureReport, NewValue, ScoreReport

SCORE = ScoreReport(0.0, 0.0, 0.0)


def made(
    name: str,
    measure: str = "",
    before: float = 0.0,
    after: float = 0.0,
    *,
    of: str = "",
    sd: float | None = None,
    family: str = "features",
    evidence: float | None = 3.2,
    partners: tuple[str, ...] = (),
    new: tuple[str, ...] = (),
) -> FeatureReport:
    found = ChangeReport(measure=measure, of=of, before=before, after=after, sd=sd) if measure else None
    effects = Effects(
        first_tick=0, last_tick=1, rows=1240, psi=SCORE, chi_square=SCORE, wasserstein=None, ks=None, missing_ratio=0.0,
        missing_ratio_reference=0.0, unseen_ratio=0.0, out_of_range_ratio=0.0, mismatches=0, change=found,
    )  # fmt: skip
    values = tuple(NewValue(value, 1) for value in new)
    return FeatureReport(
        name=name, side="input", family=family, effects=effects, evidence_ratio=evidence, partners=partners,
        new_values=values,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("feature", "words"),
    [
        (made("amount", "mean", 52.1, 71.4, sd=0.8), "amount rose: mean 52.1 -> 71.4 (+0.8 sd)"),
        (made("amount", "mean", 4010, 3_695_160, sd=2893.0), "amount rose: mean 4,010 -> 3,695,160 (+2,893 sd)"),
        (made("amount", "mean", 1e300, -1e300, sd=-1e299), "amount fell: mean 1e+300 -> -1e+300 (-1e+299 sd)"),
        (made("amount", "spread", 10, 18, sd=1.8), "amount varies more: standard deviation 10.0 -> 18.0 (x1.8)"),
        (made("city", "share", 0.12, 0.31, of="Oslo"), "city: share of the value Oslo 12 % -> 31 %"),
        (made("city", "missing", 0.001, 0.08), "city: missing values 0.1 % -> 8 %"),
        (made("city", "unseen", 0, 0.04, new=("a", "b")), "city: values that the reference lacks 0 % -> 4 % (a, b)"),
        (made("x", "above", 0, 0.06, of="250"), "x: values above 250, the largest of the reference, 0 % -> 6 %"),
        (made("loss", "mean", 0.1, 0.15, sd=1.0, family="performance"), "loss rose: mean loss 0.100 -> 0.150 (+1 sd)"),
        (made("y", "mean", 1, 2, family="predictions"), "prediction y rose: mean 1.0 -> 2.0"),
        (
            made("residual:amount", "spread", 1, 2, family="multivariate", partners=("income", "age")),
            "amount no longer follows income and age",
        ),
        (made("cosine:17", "mean", 1, 2, family="multivariate"), "relations between columns changed"),
    ],
)
def test_a_change_names_what_changed_and_from_what_to_what(feature: FeatureReport, words: str) -> None:
    assert wording.change(feature) == words


@pytest.mark.parametrize(
    ("evidence", "words"),
    [
        (3.2, "; its evidence alone is 3.2 x what an alarm needs"),
        (5e21, "; its evidence alone is more than 1,000 x what an alarm needs"),
        (0.4, "; its evidence is 40 % of what an alarm needs"),
        (0.0, "; its evidence is less than 1 % of what an alarm needs"),
        (None, ""),
    ],
)
def test_a_sentence_says_over_how_many_rows_since_when_and_how_sure(evidence: float | None, words: str) -> None:
    found = wording.sentence(made("a", "mean", 1, 2, evidence=evidence), "14:05 UTC")
    assert found == f"a rose: mean 1.0 -> 2.0 in the last 1,240 rows (since about 14:05 UTC){words}"


def test_relations_and_derived_features_fold_under_their_column() -> None:
    relations = [made(f"cosine:{place}", family="multivariate") for place in range(28)]
    columns = [made("note:length", "mean", 1, 2), made("temp", "mean", 1, 2), made("note", "missing", 0, 1)]
    folded = wording.fold([*relations, *columns])
    assert [item.feature.name for item in folded.columns] == ["note", "temp"]
    assert [item.name for item in folded.columns[0].derived] == ["note:length"]
    assert folded.summary == "and 28 relations with other columns"
    assert len(wording.headlines([*relations, *columns], "row 1")) == 2


def test_a_cosine_is_no_headline() -> None:
    relations = [made(name, family="multivariate") for name in ("cosine:17", "residual:a", "residual:b")]
    (line,) = wording.headlines(relations, "row 1")
    assert line.startswith("relations between columns changed, most likely those of a and b in the last")
    (line,) = wording.headlines(relations[:1], "row 1")
    assert line.startswith("relations between columns changed in the last")
