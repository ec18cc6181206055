"""Add up the outcomes of all exchanges, from the counters of the proxy and of the analyzer.

The identity seen = measured + sampled_out + dropped + undecodable + queued holds at every moment, in exchanges.
`queued` is the number of exchanges that the channel accepted and the analyzer has not counted yet.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ..channel.page import PageSnapshot
from .schema import ExchangeCount

QUEUED = ("queued", "")


@dataclass(frozen=True, slots=True)
class ExchangeTotals:
    """Numbers of exchanges.

    Attributes:
        seen: exchanges that the proxy has seen.
        outcomes: exchanges by (outcome, reason), `queued` included.
    """

    seen: int
    outcomes: Mapping[tuple[str, str], int]

    @property
    def queued(self) -> int:
        """Exchanges that the channel has accepted and the analyzer has not counted yet."""
        return self.outcomes[QUEUED]


def account_exchanges(page: PageSnapshot, counts: Iterable[ExchangeCount]) -> ExchangeTotals:
    """Combine the outcomes of the proxy with those of the analyzer.

    Args:
        page: the counter page. Read it after `counts`, otherwise `queued` is too small.
        counts: the outcomes in the report.
    """
    outcomes = {outcome: amount for outcome, amount in page.outcomes.items() if outcome[0] != "accepted"}
    counted = 0
    for count in counts:
        outcomes[count.fate, count.reason] = count.exchanges
        counted += count.exchanges
    outcomes[QUEUED] = max(0, page.accepted - counted)
    return ExchangeTotals(sum(page.outcomes.values()), outcomes)
