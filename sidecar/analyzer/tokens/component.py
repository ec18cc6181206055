"""Component that adds tokens and rows of each recorded exchange to the `WorkMeter`.

Routes come from requests, so their number is bounded here: the routes beyond the first `MOST_ROUTES` have one entry.
"""

from __future__ import annotations

from ...channel.layout import OTHER_ROUTE
from ...channel.page import slot_name
from ...channel.record import Record
from ...report.blocks.tokens import TokenReason
from ...resources.work import COUNTED, KINDS, WorkMeter
from ..component import Component
from ..decode import Allowance, DecodedExchange, SkippedExchange
from .counts import TokenCounts
from .read import read_tokens

MOST_ROUTES = 256


class WorkOfRecords(Component):
    """Reads the work of each record into `meter`. `is_language_model` is whether the last record was of one."""

    def __init__(self) -> None:
        self.meter = WorkMeter()
        self.is_language_model = False
        self._language: set[str] = set()  # routes of which a response had counts
        self._routes: dict[str, str] = {}

    def on_record(self, record: Record, decoded: DecodedExchange | SkippedExchange, allowance: Allowance) -> None:
        """Count the tokens and the rows of one exchange."""
        self.is_language_model = False
        if not 200 <= record.status < 300:
            return
        route = self._routes.get(record.route) or self._route(record.route)
        if isinstance(decoded, DecodedExchange):
            self.meter.add_rows(route, decoded.inputs.count, record.duration_ns)
        found = read_tokens(record, allowance, known=route in self._language)
        self.is_language_model = found is not None
        if found is None:
            return
        if isinstance(found, TokenReason):
            self.meter.add_tokens(route, found.value, {}, record.duration_ns)
            return
        self._language.add(route)
        tokens = {kind: amount for kind, amount in zip(KINDS, found, strict=True) if amount is not None}
        self.meter.add_tokens(route, _outcome(found), tokens, record.duration_ns)

    def _route(self, route: str) -> str:
        """Return the name that the counter page has for a route."""
        if len(self._routes) >= MOST_ROUTES:
            return OTHER_ROUTE
        name = self._routes[route] = slot_name(route)
        return name


def _outcome(found: TokenCounts) -> str:
    return COUNTED if found.complete else TokenReason.PARTIAL.value
