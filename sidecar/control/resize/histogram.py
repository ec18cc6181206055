"""A histogram whose samples lose half of their weight in each half-life. Pure.

The buckets grow by 5 %, and the percentile is the end of its bucket. Weights are relative to a reference time: a sample
weighs 2^((time - reference) / half-life), so that old ones need no work. Source: util.decayingHistogram of the
VerticalPodAutoscaler, whose buckets, weights and order of operations this follows, so that the results are equal.

A sample can be censored: what it measured is only a lower bound of what it stands for, as the use of a container that
its CPU limit throttles. `uncensored` estimates the histogram without the limit.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import accumulate
from typing import Self

import msgspec

BUCKETS = 176
RATIO = 1.05  # of the sizes of two neighbouring buckets
EPSILON = 1e-4  # a bucket with less weight is empty
MAX_EXPONENT = 100  # half-lives from the reference time to a sample, before the reference moves
HALF_LIFE = 86400.0  # seconds


@dataclass(frozen=True, slots=True)
class Buckets:
    """The buckets of one resource: the size of the first one, and the smallest value of each, in cores or bytes.

    Bucket `n` starts at `first * (RATIO ** n - 1) / (RATIO - 1)`; the last one has no end.
    """

    first: float
    starts: tuple[float, ...]

    @classmethod
    def of(cls, first: float) -> Self:
        """Return the buckets of which the first one has the size `first`."""
        return cls(first, tuple(first * (power(RATIO, index) - 1) / (RATIO - 1) for index in range(BUCKETS)))

    def index(self, value: float) -> int:
        """Return the bucket of `value`, which is finite and at least 0."""
        if value < self.first:
            return 0
        return min(int(math.log(value * (RATIO - 1) / self.first + 1) / math.log(RATIO)), BUCKETS - 1)


def power(base: float, exponent: int) -> float:
    """Return `base ** exponent`, rounded as in Go's math.Pow: the last bit decides on a byte that is rounded down."""
    mantissa, scale = math.frexp(base)
    found, exponent_of_two, rest = 1.0, 0, abs(exponent)
    while rest:
        if rest & 1:
            found *= mantissa
            exponent_of_two += scale
        mantissa *= mantissa
        scale *= 2
        if mantissa < 0.5:
            mantissa += mantissa
            scale -= 1
        rest >>= 1
    return math.ldexp(found, exponent_of_two) if exponent >= 0 else math.ldexp(1 / found, -exponent_of_two)


CPU = Buckets.of(0.01)
MEMORY = Buckets.of(1e7)


class HistogramState(msgspec.Struct, frozen=True, array_like=True):
    """A histogram at rest: the reference time in epoch seconds, and the weights.

    `low` and `high` are the first and the last bucket that is not empty. `total` includes what became too light.
    `half_life` is in seconds. `censored` has the part of each weight that is of censored samples; empty without any.
    """

    reference: float = 0.0
    total: float = 0.0
    low: int = BUCKETS - 1
    high: int = 0
    weights: tuple[float, ...] = (0.0,) * BUCKETS
    half_life: float = HALF_LIFE
    censored: tuple[float, ...] = ()

    @property
    def empty(self) -> bool:
        """Whether it has no sample."""
        return not 0 <= self.low < len(self.weights) or self.weights[self.low] < EPSILON

    @property
    def valid(self) -> bool:
        """Whether it can be a histogram, and not something that was damaged while it was stored."""
        numbers = (self.reference, self.total, self.half_life, *self.weights, *self.censored)
        return (
            len(self.weights) == BUCKETS
            and len(self.censored) in {0, BUCKETS}
            and 0 <= self.low < BUCKETS
            and 0 <= self.high < BUCKETS
            and all(math.isfinite(number) for number in numbers)
            and min(self.total, *self.weights, *self.censored) >= 0
            and self.half_life > 0
        )

    def moved(self, seconds: float) -> HistogramState:
        """Return the histogram with all samples later by `seconds`."""
        return msgspec.structs.replace(self, reference=self.reference + seconds)

    def percentile(self, buckets: Buckets, share: float) -> float:
        """Return the end of the bucket below which a `share` of the weight lies; 0 if there is no sample."""
        if self.empty:
            return 0.0
        threshold, found, index = share * self.total, 0.0, self.low
        while index < self.high:
            found += self.weights[index]
            if found >= threshold:
                break
            index += 1
        return buckets.starts[min(index + 1, BUCKETS - 1)]

    def uncensored(self) -> tuple[HistogramState, float]:
        """Return the histogram of what the samples stand for, and the share of its weight that has no upper bound.

        The weight of censored samples moves to the samples in the buckets above, in proportion to theirs. Without any,
        it stays in the last bucket, and has no upper bound. This is the product-limit estimator of Kaplan and Meier
        (1958) in the form of Efron (1967), who proved them to be equal. A histogram without censored samples stays as
        it is.
        """
        if not self.censored:
            return self, 0.0
        weights, factor, unbounded = [0.0] * BUCKETS, 1.0, 0.0
        above = [0.0, *accumulate(reversed(self.weights[self.low : self.high + 1]))]  # from the last bucket down
        for index in range(self.low, self.high + 1):
            censored = min(self.censored[index], self.weights[index])
            weights[index] = (self.weights[index] - censored) * factor
            rest = above[self.high - index]
            if rest > 0:
                factor *= 1 + censored / rest
            else:
                unbounded = censored * factor
        weights[self.high] += unbounded
        low = next((index for index in range(self.low, self.high) if weights[index] >= EPSILON), self.high)
        found = msgspec.structs.replace(self, low=low, weights=tuple(weights), censored=())
        return found, unbounded / self.total if self.total else 0.0


class Histogram:
    """A histogram to which samples are added. `state` returns the result.

    If `half_life` is not that of the state, the samples keep their weights at the time `now`, and age at the new pace.
    """

    def __init__(self, buckets: Buckets, state: HistogramState, half_life: float = HALF_LIFE, now: float = 0.0) -> None:
        self._buckets = buckets
        self._reference = state.reference
        self._total = state.total
        self._low, self._high = state.low, state.high
        self._weights = list(state.weights)
        self._censored = list(state.censored)
        self._half_life = half_life
        if half_life != state.half_life and not state.empty:
            self._scale(math.exp2(max(-MAX_EXPONENT, (state.reference - now) / state.half_life)))
            self._reference = now

    def add(self, value: float, weight: float, at: float, *, censored: bool = False) -> None:
        """Add a sample of the time `at`, in epoch seconds."""
        weight *= self._decay(at)
        index = self._buckets.index(value)
        self._weights[index] += weight
        if censored:
            self._censored = self._censored or [0.0] * BUCKETS
            self._censored[index] += weight
        self._total += weight
        if self._weights[index] >= EPSILON:
            self._low, self._high = min(index, self._low), max(index, self._high)

    def subtract(self, value: float, weight: float, at: float) -> None:
        """Remove a sample that was added with the same arguments."""
        weight *= self._decay(at)
        index = self._buckets.index(value)
        self._total = _less(self._total, weight)
        self._weights[index] = _less(self._weights[index], weight)
        self._trim()

    def state(self) -> HistogramState:
        """Return the histogram as it is now."""
        return HistogramState(
            self._reference,
            self._total,
            self._low,
            self._high,
            tuple(self._weights),
            self._half_life,
            tuple(self._censored),
        )

    def _decay(self, at: float) -> float:
        half_life = self._half_life
        if at > self._reference + MAX_EXPONENT * half_life:
            reference = math.floor(at / half_life + 0.5) * half_life
            self._scale(math.exp2(max(-1000.0, (self._reference - reference) / half_life)))
            self._reference = reference
        return math.exp2((at - self._reference) / half_life)

    def _scale(self, factor: float) -> None:
        for index in range(self._low, self._high + 1):
            self._weights[index] *= factor
            if self._censored:
                self._censored[index] *= factor
        self._total *= factor
        self._trim()

    def _trim(self) -> None:
        while self._weights[self._low] < EPSILON and self._low < BUCKETS - 1:
            self._low += 1
        while self._weights[self._high] < EPSILON and self._high > 0:
            self._high -= 1


def _less(value: float, by: float) -> float:
    rest = value - by
    return rest if rest >= EPSILON else 0.0
