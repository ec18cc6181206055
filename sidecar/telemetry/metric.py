"""The description of one metric. The table of all metrics is in `names.py`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily

Kind = Literal["counter", "gauge", "histogram"]


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric. `name` is the name in queries (without `_bucket`); `group` is its heading in the docs."""

    name: str
    kind: Kind
    help: str
    group: str
    labels: tuple[str, ...] = ()
    unit: str = ""

    def counter(self) -> CounterMetricFamily:
        """Return a new, empty family of this counter."""
        return CounterMetricFamily(self.name.removesuffix("_total"), self.help, labels=self.labels, unit=self.unit)

    def gauge(self) -> GaugeMetricFamily:
        """Return a new, empty family of this gauge."""
        return GaugeMetricFamily(self.name, self.help, labels=self.labels, unit=self.unit)

    def histogram(self) -> HistogramMetricFamily:
        """Return a new, empty family of this histogram."""
        return HistogramMetricFamily(self.name, self.help, labels=self.labels, unit=self.unit)
