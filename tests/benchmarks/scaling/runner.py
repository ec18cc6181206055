"""Runs of both algorithms in processes. Each result is kept in a file, so that an interrupted run goes on."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

from tests.benchmarks.scaling.contenders import Run, run
from tests.benchmarks.scaling.traces import trace

Job = tuple[str, str, float]  # name of the trace, algorithm, target


def _work(job: Job) -> dict[str, object]:
    name, contender, target = job
    return run(trace(name), contender, target)


def _place(store: Path, job: Job) -> Path:
    return store / f"{job[0]}-{job[1]}-{job[2]:g}.json"


def run_all(jobs: Iterable[Job], store: Path, processes: int) -> list[Run]:
    """Return the results of all jobs, from `store` where they are there already."""
    store.mkdir(parents=True, exist_ok=True)
    wanted = list(jobs)
    missing = [job for job in wanted if not _place(store, job).exists()]
    missing.sort(key=lambda job: (not job[0].startswith(("recorded", "weekly")), job))  # the longest first
    with ProcessPoolExecutor(processes) as pool:
        futures = {pool.submit(_work, job): job for job in missing}
        for done, future in enumerate(as_completed(futures), 1):
            _place(store, futures[future]).write_text(json.dumps(future.result()))
            print(f"{done} of {len(missing)} runs", file=sys.stderr, flush=True)
    return load(store, wanted)


def load(store: Path, jobs: Sequence[Job]) -> list[Run]:
    """Return the stored results of `jobs`."""
    return [Run(**json.loads(_place(store, job).read_text())) for job in jobs]
