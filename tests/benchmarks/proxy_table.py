"""Samples as a table: medians, with the smallest and the largest value over the rounds behind them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from statistics import median

from tests.benchmarks.proxy_contenders import DIRECT, NGINX
from tests.benchmarks.proxy_measure import Sample

Samples = dict[str, list[Sample]]
HEADER = ("", "CPU µs/request", "x nginx", "requests/s", "p50 µs", "p99 µs", "added p50 / p99, x nginx", "resident MiB")


def spread(values: Sequence[float], digits: int = 1) -> str:
    """Return `median (smallest-largest)`."""
    return f"{median(values):.{digits}f} ({min(values):.{digits}f}-{max(values):.{digits}f})"


def total_cpu(sample: Sample) -> float:
    """Return the CPU of all processes of a contender, in microseconds a request."""
    return sum(sample.cpu.values())


def ratios(samples: Samples, name: str, value: Callable[[Sample], float]) -> list[float]:
    """Return a value against nginx's, round by round."""
    return [value(own) / value(other) for own, other in zip(samples[name], samples[NGINX], strict=True)]


def added(samples: Samples, name: str, value: Callable[[Sample], float]) -> float:
    """Return the median latency that a contender adds to a direct call, in microseconds."""
    return median(value(own) - value(direct) for own, direct in zip(samples[name], samples[DIRECT], strict=True))


def added_ratio(samples: Samples, name: str) -> str:
    """Return the added latencies against those that nginx adds."""
    parts = []
    for value in (_p50, _p99):
        reference = added(samples, NGINX, value)
        parts.append(f"{added(samples, name, value) / reference:.2f}" if reference > 0 else "-")
    return " / ".join(parts)


def row(samples: Samples, name: str) -> tuple[str, ...]:
    """Return the table cells of one contender."""
    own = samples[name]
    latency = (spread([one.p50 for one in own], 0), spread([one.p99 for one in own], 0))
    rate = spread([one.requests_per_second for one in own], 0)
    if name == DIRECT:
        return name, "-", "-", rate, *latency, "-", "-"
    return (
        name,
        spread([total_cpu(one) for one in own]) + parts([one.cpu for one in own], 1),
        spread(ratios(samples, name, total_cpu), 2) if name != NGINX else "1",
        rate,
        *latency,
        added_ratio(samples, name) if name != NGINX else "1 / 1",
        f"{median(sum(one.resident.values()) for one in own) / 1024:.1f}"
        + parts([one.resident for one in own], 1, 1024),
    )


def parts(values: Sequence[dict[str, float]] | Sequence[dict[str, int]], digits: int, unit: int = 1) -> str:
    """Return the share of each process where there are several."""
    names = list(values[0])
    if len(names) < 2:
        return ""
    return ": " + " + ".join(f"{name} {median(value[name] for value in values) / unit:.{digits}f}" for name in names)


def render(samples: Samples) -> str:
    """Return the table in Markdown."""
    lines = [HEADER, tuple("---" for _ in HEADER), *(row(samples, name) for name in samples)]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def _p50(sample: Sample) -> float:
    return sample.p50


def _p99(sample: Sample) -> float:
    return sample.p99
