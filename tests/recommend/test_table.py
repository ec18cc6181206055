"""The table fits into 80 columns and says from what it is, how sure, why it is not applied, and what it saves."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pilotfish.sidecar.recommend.figures import amount, change
from pilotfish.sidecar.recommend.fitting import NamespaceRules, advise
from pilotfish.sidecar.recommend.recommended import from_status
from pilotfish.sidecar.recommend.table import lines
from tests.recommend.made import STATUS, workload
from tests.support.examples import examples

SHOWN = """\
deployment/delays in shop: 3 running pods, monitor delays
CONTAINER                REQUEST  TARGET      RANGE      LIMIT  CHANGE
model            cpu           2    350m  280m-410m     4→700m    -82%
                 memory      4Gi   1.2Gi  1Gi-1.5Gi  4Gi→1.2Gi    -70%
pilotfish-proxy  cpu         50m       -          -          -
                 memory     64Mi       -          -       64Mi
  model: from the status of the ModelMonitor: 8.0 days of use, 11,520 samples
  model throttling: unknown: the status of the ModelMonitor does not say;
    --ignore-status --prometheus URL reads it
  model not applied: the mode of spec.resources is recommend; in the mode act,
    Pilotfish applies it
  model cost: -172.80 EUR in 30 days for 3 pods"""


def test_the_table_of_a_workload() -> None:
    found = workload(STATUS)
    model, proxy = found.containers()
    advices = [
        advise(found, model, from_status(STATUS), NamespaceRules()),
        advise(found, proxy, None, NamespaceRules()),
    ]
    assert "\n".join(lines(advices)) == SHOWN


def test_low_confidence_is_said() -> None:
    found = workload(STATUS)
    advice = advise(found, found.containers()[0], from_status(STATUS | {"confidence": 0.01}), NamespaceRules())
    assert "less than 3 hours of use, 11,520 samples; low confidence" in " ".join(lines([advice], 200))


@given(st.integers(min_value=1, max_value=10**7), st.integers(min_value=1, max_value=2**45), st.integers(40, 200))
@settings(max_examples=examples(100))
def test_no_line_is_wider_than_the_terminal(millicores: int, size: int, width: int) -> None:
    entry = STATUS | {"target": {"cpu": f"{millicores}m", "memory": str(size)}}
    found = workload(entry)
    advices = [advise(found, one, from_status(entry), NamespaceRules()) for one in found.containers()]
    assert all(len(line) <= max(width, 80) for line in lines(advices, width))


@pytest.mark.parametrize(
    ("kind", "value", "text"),
    [
        ("cpu", Fraction(1, 1000), "1m"),
        ("cpu", Fraction(999, 1000), "999m"),
        ("cpu", Fraction(5, 4), "1.25"),
        ("cpu", Fraction(12345, 100), "123"),
        ("memory", Fraction(2**20 * 250), "250Mi"),
        ("memory", Fraction(2**30 * 3, 2), "1.5Gi"),
        ("memory", Fraction(12), "12"),
        ("memory", None, "-"),
    ],
)
def test_amounts_have_three_digits(kind: str, value: Fraction | None, text: str) -> None:
    assert amount("cpu" if kind == "cpu" else "memory", value) == text


@pytest.mark.parametrize(
    ("before", "after", "text"),
    [(1, 1, "="), (4, 1, "-75%"), (4, 5, "+25%"), (1, 4, "x4"), (None, 1, "new"), (1, None, ""), (None, None, "")],
)
def test_changes_are_relative(before: int | None, after: int | None, text: str) -> None:
    first, second = (None if one is None else Fraction(one) for one in (before, after))
    assert change(first, second) == text
