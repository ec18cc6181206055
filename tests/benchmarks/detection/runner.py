"""Runs cases in a few processes, in pieces, and keeps the results of a group as soon as its last case is done."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass, field
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from tests.benchmarks.detection.results import Judged

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


class NotMeasuredError(Exception):
    """Something that a case needs is not there; the text says what."""


@dataclass(frozen=True)
class Case:
    """One line of the report.

    Attributes:
        name, target: as the report shows them.
        measure: a function of a module, called as measure(seeds, **options), that returns an outcome for each seed.
        judge: makes a line of the outcomes of all seeds, in their order.
        runs: how many seeds; they are 0, 1, ...
        chunk: how many of them one call gets; what is expensive is made once a call.
        cause: why the target is missed, where that is known.
    """

    name: str
    target: str
    measure: Callable[..., Sequence[Any]]
    judge: Callable[[Sequence[Any]], Judged]
    runs: int = 1
    chunk: int = 1
    options: Mapping[str, Any] = field(default_factory=dict)
    cause: str = ""

    def pieces(self) -> list[range]:
        return [range(first, min(first + self.chunk, self.runs)) for first in range(0, self.runs, self.chunk)]


@dataclass(frozen=True)
class Group:
    """Cases under one heading. `alone`: they measure time or memory, so that nothing else may run beside them."""

    title: str
    about: str
    cases: Callable[[bool], Sequence[Case]]
    alone: bool = False


Piece = tuple[list[Any] | None, str, float]


def run_piece(measure: Callable[..., Sequence[Any]], seeds: range, options: Mapping[str, Any]) -> Piece:
    """Outcomes, or why there are none, and the seconds that it took."""
    started = time.perf_counter()
    try:
        outcomes: list[Any] | None = list(measure(seeds, **options))
        problem = ""
    except NotMeasuredError as error:
        outcomes, problem = None, str(error)
    except Exception as error:  # a case that fails is a line of the report, and the others go on
        outcomes, problem = None, f"failed: {type(error).__name__}: {error}"[:300]
    return outcomes, problem, time.perf_counter() - started


def run(groups: Mapping[str, Group], store: Path, *, quick: bool, jobs: int) -> None:
    """Run the groups: those beside which others may run first, then each of the rest by itself."""
    os.environ.update(dict.fromkeys(THREADS, "1"))
    store.mkdir(parents=True, exist_ok=True)
    together = {name: group for name, group in groups.items() if not group.alone}
    with _pool(jobs) as pool:
        _run(pool, together, store, quick=quick)
    for name, group in groups.items():
        if group.alone:
            with _pool(1) as pool:
                _run(pool, {name: group}, store, quick=quick)


def _pool(jobs: int) -> ProcessPoolExecutor:
    return ProcessPoolExecutor(jobs, mp_context=get_context("spawn"))


def _run(pool: ProcessPoolExecutor, groups: Mapping[str, Group], store: Path, *, quick: bool) -> None:
    cases = {name: list(group.cases(quick)) for name, group in groups.items()}
    waiting: dict[Future[Piece], tuple[str, int, int]] = {}
    pieces: dict[tuple[str, int], dict[int, Piece]] = {}
    for name, listed in cases.items():
        for number, case in enumerate(listed):
            for seeds in case.pieces():
                future = pool.submit(run_piece, case.measure, seeds, case.options)
                waiting[future] = name, number, seeds.start
                pieces[name, number] = {}
    left = {name: sum(owner == name for owner, _, _ in waiting.values()) for name in cases}
    for done, future in enumerate(as_completed(waiting), 1):
        name, number, first = waiting[future]
        pieces[name, number][first] = future.result()
        left[name] -= 1
        _tell(done, len(waiting), name, cases[name][number], future.result())
        if left[name] == 0:
            rows = [row(case, pieces[name, i]) for i, case in enumerate(cases[name])]
            fresh = store / f"{name}.json.new"
            fresh.write_text(json.dumps({"title": groups[name].title, "about": groups[name].about, "rows": rows}))
            fresh.replace(store / f"{name}.json")


def row(case: Case, pieces: Mapping[int, Piece]) -> dict[str, Any]:
    """A line of the report as plain values."""
    ordered = [pieces[first] for first in sorted(pieces)]
    seconds = round(sum(seconds for _, _, seconds in ordered), 1)
    problem = next((problem for _, problem, _ in ordered if problem), "")
    outcomes = [outcome for found, _, _ in ordered for outcome in found or []]
    judged = Judged(f"not measured: {problem}") if problem else case.judge(outcomes)
    cause = case.cause if judged.met is False else ""
    return {"name": case.name, "target": case.target, "cause": cause, "seconds": seconds, **asdict(judged)}


def _tell(done: int, total: int, name: str, case: Case, piece: Piece) -> None:
    _, problem, seconds = piece
    print(f"[{done:4}/{total}] {seconds:6.1f} s  {name}: {case.name}  {problem}", file=sys.stderr, flush=True)
