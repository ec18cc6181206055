"""The findings as text, for people, and as JSON, for programs."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence

from ..errors import number
from .findings import ClusterFinding, Level, is_problem
from .snapshot import ClusterSnapshot


def lines(found: Sequence[ClusterFinding], snapshot: ClusterSnapshot, host: str) -> Iterator[str]:
    """Yield the lines of the table, and of the remedies below each finding."""
    yield f"cluster {host}, installation in namespace {snapshot.release}, pilotfish {snapshot.version}"
    yield ""
    width = max((len(one.check) for one in found), default=0)
    for one in found:
        yield f"{one.level.value:<7}  {one.check:<{width}}  {one.where}: {one.what}"
        if one.remedy:
            yield f"{'':<7}  {'':<{width}}  -> {one.remedy}"
    counts = Counter(one.level for one in found)
    problems = counts[Level.ERROR] + counts[Level.WARNING]
    yield ""
    yield (
        f"{number(problems, 'problem')} ({number(counts[Level.ERROR], 'error')}, "
        f"{number(counts[Level.WARNING], 'warning')}), {number(counts[Level.HINT], 'hint')}, "
        f"{counts[Level.UNKNOWN]} not checked"
    )


def as_json(found: Sequence[ClusterFinding], snapshot: ClusterSnapshot, host: str) -> str:
    """Return the findings as JSON."""
    document = {
        "cluster": host,
        "findings": [one.to_json() for one in found],
        "namespace": snapshot.release,
        "problems": sum(map(is_problem, found)),
        "time": snapshot.now.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "version": snapshot.version,
    }
    return json.dumps(document, indent=2)
