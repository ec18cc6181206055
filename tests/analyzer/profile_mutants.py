"""Real profiles with one value changed, and the whole analyzer run with a profile.

A mutant changes one value of the document: its type, its sign, its size, or the length, order or names of an array.
"""

from __future__ import annotations

import copy
import json
import random
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import msgspec
import numpy as np

from pilotfish.detectors.batch import Floats
from pilotfish.detectors.profile.profile import Profile
from pilotfish.detectors.profile.provenance import HeldOutAlarm, HeldOutTrial
from pilotfish.detectors.reference.build import build_profile
from pilotfish.detectors.transforms.linear import packed
from pilotfish.sidecar.analyzer import checkpoint
from pilotfish.sidecar.analyzer.engine import EngineFactory
from pilotfish.sidecar.analyzer.exchange_ledger import ExchangeLedger
from pilotfish.sidecar.analyzer.feedback.frames import LabelEvent
from pilotfish.sidecar.analyzer.http.report import build_response
from pilotfish.sidecar.analyzer.pipeline import Pipeline
from pilotfish.sidecar.analyzer.snapshot import Publisher, Snapshot
from pilotfish.sidecar.report.pages import page
from pilotfish.sidecar.report.schema import CheckpointStatus
from pilotfish.sidecar.report.timeline.build import time_line
from pilotfish.sidecar.telemetry.exposition import Exposition
from pilotfish.sidecar.telemetry.scrape import ScrapeInput
from tests.analyzer.made import SECOND, T0, TICK, setup
from tests.detectors.described import iso, sentences
from tests.support.records import make_record

Path = tuple[str | int, ...]
Rows = dict[str, list[Any]]
HOUR = 3600.0
START = 1.7e9 // (24 * HOUR) * 24 * HOUR
LABEL = "truth"
SIDES: dict[str, Any] = {"said": "prediction", "sure": "prediction", LABEL: "label"}
LEFT_OUT = re.compile("cosine:[^0]|note:[^ls]|emb:pc")  # features like others, which would only take time


def columns_of_types(times: Floats, rng: np.random.Generator) -> Rows:
    """Columns of every type, and classes with a score."""
    rows = len(times)
    truth = rng.integers(0, 2, rows)
    wrong = rng.random(rows) < 0.2
    return {
        "city": [f"city {i}" for i in np.minimum(rng.geometric(0.03, rows), 99)],
        "flag": (rng.random(rows) < 0.3).tolist(),
        "note": sentences(rows, rng),
        "emb": rng.normal(size=(rows, 4)).tolist(),
        "tags": [["t"] * int(n) for n in rng.poisson(2, rows)],
        "booked": [iso(time) for time in times - rng.exponential(500, rows)],
        "said": np.where(wrong, 1 - truth, truth).tolist(),
        "sure": (0.5 + rng.random(rows) / 2).tolist(),
        LABEL: truth.tolist(),
    }


def columns_with_relations(times: Floats, rng: np.random.Generator) -> Rows:
    """Related columns, and scores of a ranking."""
    rows = len(times)
    amount, truth = rng.normal(size=rows), rng.random(rows) < 0.3
    return {
        "amount": amount.tolist(),
        "twin": (amount + 0.3 * rng.normal(size=rows)).tolist(),
        "said": (truth + rng.normal(size=rows)).tolist(),
        LABEL: truth.tolist(),
    }


def columns_with_a_daily_cycle(times: Floats, rng: np.random.Generator) -> Rows:
    """Columns of which each hour of the day is compared alone, and values of a regression."""
    rows, cycle = len(times), np.sin(2 * np.pi * times / (24 * HOUR))
    truth = rng.normal(size=rows)
    return {
        "load": (2 * cycle + rng.normal(size=rows)).tolist(),
        "channel": np.where(rng.random(rows) < 0.5 + 0.3 * cycle, "app", "web").tolist(),
        "count": rng.poisson(2, rows).tolist(),
        "said": (truth + rng.normal(size=rows)).tolist(),
        LABEL: truth.tolist(),
    }


@dataclass(frozen=True)
class Case:
    """Rows for a profile: its columns, and their number per hour of nine days; no order without a number."""

    columns: Callable[[Floats, np.random.Generator], Rows]
    per_hour: int | None = None

    @cached_property
    def profile(self) -> Profile:
        times: Floats = START + HOUR * np.repeat(np.arange(9.0 * 24), self.per_hour or 5)
        rows: Any = self.columns(times, np.random.default_rng(3))
        built = build_profile(
            rows,
            model="m",
            version="1",
            sides={name: side for name, side in SIDES.items() if name in rows},
            times=times if self.per_hour else None,
            tick_seconds=HOUR,
            exchangeable=self.per_hour is None,
        )
        features = tuple(feature for feature in built.features if not LEFT_OUT.match(feature.name))
        alarm = HeldOutAlarm(700, "features", (features[0].name, features[1].name))
        return replace(built, features=features, held_out=HeldOutTrial(rows=360, ticks=72, alarms=(alarm,)))

    @property
    def document(self) -> dict[str, Any]:
        made: dict[str, Any] = json.loads(self.profile.to_bytes())
        return made

    def live_rows(self) -> Rows:
        return self.columns(T0 / SECOND + np.arange(float(ROWS)), np.random.default_rng(5))


CASES = {
    "hours": Case(columns_with_a_daily_cycle, per_hour=40),
    "relations": Case(columns_with_relations),
    "types": Case(columns_of_types, per_hour=5),
}


# --- mutants

NUMBERS = (0, -1, 1, 0.5, -0.0, 1e-308, 1e17, 1e308, -1e308, 2**53, 10**400, float("nan"), float("inf"))
OTHERS: tuple[Any, ...] = (
    None,
    True,
    "",
    "x",
    "x" * 20_000,
    "\ud800",
    "a\x00\n<b>\u202e",
    [],
    {},
    [0],
    {"a": 1},
    [[[]]],
)
KEPT = 3  # entries of a long list of numbers that are mutated: the first, a middle one and the last


def mutants(document: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield a name, which contains path and change, and a changed copy of the document."""
    for path, value in _places(document, ()):
        for what, changed in _changes(value):
            yield f"{_text(path)} {what}", _with(document, path, changed)


TINY, CLOSE = (5e-324, 2.2e-308), (float(np.nextafter(1, 2)), float(np.nextafter(1, 0)))
LIMITS = (*TINY, 2**53 - 1, 2**63 - 1, 2**63, 1.7976931348623157e308)


def transplants(document: dict[str, Any], chance: random.Random) -> Iterator[tuple[str, Any]]:
    """Yield without end copies of the document in which one to three values were taken from other places in it.

    A value comes from another place with the same key, so that it has the right type: the bins of another feature, a
    list of another length. Numbers also become limits of their types, or move by one unit in the last place.
    """
    while True:
        mutant, what = document, []
        for _ in range(chance.randint(1, 3)):
            places = list(_places(mutant, ()))
            keys: dict[str, list[tuple[Path, Any]]] = {}
            for path, value in places:
                keys.setdefault(re.sub(r"\[\d+\]", "[]", _text(path)).rpartition(".")[2], []).append((path, value))
            same = keys[chance.choice(sorted(keys))]
            (path, value), (other, instead) = chance.choice(same), chance.choice(same)
            if type(value) in {int, float} and chance.random() < 0.5:
                instead = chance.choice([*LIMITS, *(value * factor for factor in CLOSE)])
            elif isinstance(value, list) and value and chance.random() < 0.3:
                instead = sorted([*value[1:], chance.choice(value)], key=str)
            mutant = _with(mutant, path, copy.deepcopy(instead))
            what.append(f"{_text(path)} from {_text(other)}")
        yield "; ".join(what), mutant


def _places(value: Any, path: Path) -> Iterator[tuple[Path, Any]]:
    if path:
        yield path, value
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _places(item, (*path, key))
    elif isinstance(value, list):
        positions = range(len(value))
        if len(value) > KEPT and not isinstance(value[0], dict):
            positions = [0, len(value) // 2, len(value) - 1]  # type: ignore[assignment]
        for position in positions:
            yield from _places(value[position], (*path, position))


def _changes(value: Any) -> Iterator[tuple[str, Any]]:
    for other in (*NUMBERS, *OTHERS):
        yield f"= {str(other)[:20]!r}", other
    if type(value) in {int, float}:
        yield from (("negated", -value), ("times 1000", value * 1000), ("plus one", value + 1), ("+ half", value + 0.5))
    elif isinstance(value, str):
        yield from (("cut", value[:-1]), ("longer", value + "x"), ("other case", value.swapcase()))
        if len(value) >= 8:
            yield from ((f"of floats {bits}", _replaced(value, bits)) for bits in ("inf", "nan", "3e38", "1e-45", "-1"))
    elif isinstance(value, list) and value:
        yield from (("reversed", value[::-1]), ("cut", value[:-1]), ("cut at the front", value[1:]))
        yield from (("last twice", [*value, value[-1]]), ("first for all", [value[0]] * len(value)))
        yield ("rotated", [*value[1:], value[0]])
    elif isinstance(value, dict) and value:
        first, *rest = value
        yield "without a key", {key: value[key] for key in rest}
        yield "with another key", {**value, "other": value[first]}
        for one, other in zip(value, rest, strict=False):
            yield f"{one} and {other} swapped", {**value, one: value[other], other: value[one]}


def _replaced(text: str, number: str) -> str:
    """The base64 of an array with its first number replaced, as float32 and so far as that fits."""
    return packed(np.array([float(number)] * 3))[:8] + text[8:]


def _text(path: Path) -> str:
    return "$" + "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)


def _with(document: dict[str, Any], path: Path, value: Any) -> Any:
    made: Any = copy.copy(document)
    inside = made
    for part in path[:-1]:
        inside[part] = copy.copy(inside[part])
        inside = inside[part]
    inside[path[-1]] = value
    return made


def raw_of(document: Any) -> bytes:
    return json.dumps(document).encode()


# --- the analyzer

ROWS = 24


def run(profile: Profile, rows: Rows, factory: EngineFactory) -> Snapshot:
    """Put the profile into force, count rows and labels, close ticks, resume, and render all that users read."""
    settings = setup(engine_factory=factory, model="")
    pipeline = Pipeline(settings, ExchangeLedger(1))
    pipeline.set_profile(profile)
    _live(pipeline, 0, rows)
    saved = checkpoint.parse(checkpoint.render(pipeline.state()), "here")
    pipeline = Pipeline(settings, ExchangeLedger(1), saved)
    pipeline.set_profile(profile, resumed=True)
    assert not pipeline.notices.texts()
    return _live(pipeline, 1, rows)


def _live(pipeline: Pipeline, tick: int, rows: Rows) -> Snapshot:
    """Count one tick of rows and labels, close it and publish; then count rows of the next tick."""
    render(pipeline)
    start = T0 + tick * int(2 * TICK * SECOND)
    for sequence, now in enumerate((start, start + int(TICK * SECOND)), 2 * tick + 1):
        pipeline.handle_record(live_record(sequence, now, rows), now)
        columns: dict[str, list[object]] = {name: rows[name] for name in SIDES if name in rows}
        event = LabelEvent(
            at=now / SECOND, outcomes={}, profile=pipeline.active.profile_hash, rows=ROWS, columns=columns
        )
        pipeline.active.on_labels(pipeline.ticks.place(now, now)[0], event)
    pipeline.advance(start + int(1.9 * TICK * SECOND))
    return render(pipeline)


def live_record(sequence: int, at_ns: int, rows: Rows) -> Any:
    names = [name for name in rows if name not in SIDES]
    instances = [{name: rows[name][row] for name in names} for row in range(ROWS)]
    said = [name for name in rows if SIDES.get(name) == "prediction"]
    predictions = [{name: rows[name][row] for name in said} for row in range(ROWS)]
    target = "/v1/models/m:predict"
    return make_record(
        sequence,
        json.dumps({"instances": instances}).encode(),
        json.dumps({"predictions": predictions}).encode(),
        at_ns=at_ns,
        target=target,
        route=f"POST {target}",
    )


def render(pipeline: Pipeline) -> Snapshot:
    now = T0 / SECOND
    snapshot = Publisher(now).publish(pipeline, CheckpointStatus(), {}, now)
    reading = ScrapeInput(report=snapshot.report, page=None, control=None, now=now)
    for accept in ("", "application/openmetrics-text"):
        metrics, _ = Exposition(lambda: reading).render(accept)
        assert b" nan" not in metrics.lower()
    answer = build_response(snapshot.report, reading)
    assert json.loads(msgspec.json.encode(answer))
    page.render(answer, time_line(snapshot.profile, snapshot.windows, snapshot.report), live=True).encode()
    return snapshot
