"""The identity, in exchanges, at every look: seen = measured + sampled_out + dropped + undecodable + queued."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ..channel.page import PageSnapshot
from ..report.schema import ExchangeCount

QUEUED = ("queued", "")


@dataclass(frozen=True, slots=True)
class ExchangeTotals:
    """Exchanges by (fate, reason), `queued` among them, and how many the proxy has seen."""

    seen: int
    fates: Mapping[tuple[str, str], int]

    @property
    def queued(self) -> int:
        """Exchanges that the channel took and that are not settled yet."""
        return self.fates[QUEUED]


def account_exchanges(page: PageSnapshot, counts: Iterable[ExchangeCount]) -> ExchangeTotals:
    """Join the proxy's fates with the analyzer's; `page` must have been read after `counts`, or queued is too small."""
    fates = {fate: amount for fate, amount in page.fates.items() if fate[0] != "accepted"}
    settled = 0
    for count in counts:
        fates[count.fate, count.reason] = count.exchanges
        settled += count.exchanges
    fates[QUEUED] = max(0, page.accepted - settled)
    return ExchangeTotals(sum(page.fates.values()), fates)
