"""The section about resources: what model server and Pilotfish use, what each route uses, and what it costs."""

from __future__ import annotations

from collections.abc import Sequence

from ..blocks.resources import Attributed, PredictionCost, ResourceReport, ResourceUse, RouteUse
from ..blocks.tokens import TokenCost
from ..response import ReportResponse
from .markup import duration, name, section, share, text, whole

LISTED_ROUTES = 20
MIB = 1 << 20
_OF = {"model": "model server", "pilotfish": "Pilotfish"}
_PREDICTION = {"exchange": "an exchange", "row": "a row"}


def resources(answer: ReportResponse) -> str:
    """Return the tables of use, of predictions and of routes; the source alone where nothing is measured."""
    found = answer.resources
    if found is None:
        return ""
    notes = "".join(f'<p class="notice">{text(note)}</p>' for note in found.notes)
    source = f'<p class="soft">Source: {text(found.source.kind)}. {text(_sentence(found.source.text))}</p>{notes}'
    heads = ("of", "#CPU, cores", "#CPU time", "#throttled", "#memory", "#limit", "#killed for memory", "measured by")
    used = section("Resources", source, heads, [_use(use) for use in found.use])
    first = used or f"<section><h2>Resources</h2>{source}</section>"
    return first + _predictions(found) + _tokens(found) + _routes(found) + _cards(found)


def _use(use: ResourceUse) -> tuple[str, ...]:
    return (
        text(_OF.get(use.of, use.of)),
        "" if use.cores is None else f"{use.cores:.2f}",
        _seconds(use.cpu_seconds),
        _seconds(use.throttled_seconds),
        _bytes(use.memory_bytes),
        _bytes(use.memory_limit_bytes),
        "" if use.oom_kills is None else whole(use.oom_kills),
        f"{text(use.method)}; {whole(use.processes)} processes",
    )


def _predictions(found: ResourceReport) -> str:
    """Return what a prediction uses and costs, by model version."""
    heads = ("model", "version", "per", "#predictions", "#CPU", "#GPU", "#energy", "#cost of 1000")
    return section("Cost of a prediction", "", heads, [_prediction(each, found.currency) for each in found.predictions])


def _prediction(each: PredictionCost, currency: str) -> tuple[str, ...]:
    return (
        name(each.model),
        name(each.version),
        _PREDICTION.get(each.per, text(each.per)),
        whole(each.predictions),
        duration(each.cpu_seconds),
        duration(each.gpu_seconds),
        "" if each.energy_joules is None else f"{each.energy_joules:.3g} J",
        _money(each.cost_per_1000, currency),
    )


def _tokens(found: ResourceReport) -> str:
    """Return the tokens of language models, in which part of the exchanges they are known, and what they cost."""
    heads = (
        "model", "version", "#exchanges", "#counted", "#prompt", "#cached", "#completion", "#error",
        "#GPU of a million", "#energy", "#cost of a million", "#prompt", "#completion",
    )  # fmt: skip
    advice = "".join(map(_missing_counts, found.tokens))
    words = (
        '<p class="soft">Tokens are those in the responses that were read. Figures of a million tokens cover all '
        "exchanges: those without counts are taken to be like the others, with the given error.</p>"
    )
    return section("Tokens", words + advice, heads, [_token_cost(each, found.currency) for each in found.tokens])


def _missing_counts(each: TokenCost) -> str:
    """Return which part of the exchanges has no token counts, why, and what to do; "" if nothing can be done."""
    if not (each.advice and each.exchanges):
        return ""
    missing = share(1 - each.counted / each.exchanges)
    words = f"{missing} of the exchanges of {each.model or 'the model'} have no token counts: {each.advice}"
    return f'<p class="notice">{text(words)}.</p>'


def _token_cost(each: TokenCost, currency: str) -> tuple[str, ...]:
    return (
        name(each.model),
        name(each.version),
        whole(each.exchanges),
        share(each.counted / each.exchanges) if each.exchanges else "",
        whole(each.prompt),
        whole(each.cached),
        whole(each.completion),
        "" if each.error_ratio is None else f"±{share(each.error_ratio)}",
        _seconds(each.gpu_seconds_per_million),
        "" if each.joules_per_million is None else f"{each.joules_per_million:.3g} J",
        _money(each.cost_per_million, currency),
        _money(each.cost_per_million_prompt, currency),
        _money(each.cost_per_million_completion, currency),
    )


def _routes(found: ResourceReport) -> str:
    """Return what each route used, and what was idle."""
    parts = [*(route.used for route in found.routes), *([found.idle] if found.idle is not None else [])]
    total = sum(part.cpu_seconds or 0.0 for part in parts)
    rows: list[Sequence[str]] = [_route(route, total, found.currency) for route in found.routes[:LISTED_ROUTES]]
    if not rows or found.idle is None:
        return ""
    rows.append(("<b>idle</b>", "", "", "", *_attributed(found.idle, total, found.currency)))
    rule = (
        f'<p class="soft">Shared by {text(found.rule)}. Routes and idle add up to what was measured; between routes '
        "that run at the same time, the shares are estimates.</p>"
    )
    heads = ("route", "model", "version", "#exchanges", "#CPU time", "#of all", "#GPU time", "#energy", "#cost")
    return section("Resources by route", rule, heads, rows)


def _route(route: RouteUse, total: float, currency: str) -> tuple[str, ...]:
    names = (name(route.route), name(route.model), name(route.version))
    return (*names, whole(route.exchanges), *_attributed(route.used, total, currency))


def _attributed(used: Attributed, total: float, currency: str) -> tuple[str, ...]:
    return (
        _seconds(used.cpu_seconds),
        share((used.cpu_seconds or 0.0) / total) if total > 0 else "",
        _seconds(used.gpu_seconds),
        "" if used.energy_joules is None else f"{used.energy_joules:.3g} J",
        _money(used.cost, currency),
    )


def _cards(found: ResourceReport) -> str:
    """Return how the GPUs are used, and what sharing them would mean."""
    heads = ("GPU", "#measured", "#idle", "#processes", "#p95 with a second load", "advice")
    rows = [
        (
            name(card.name or card.uuid),
            _seconds(card.measured_seconds),
            "" if card.idle_ratio is None else share(card.idle_ratio),
            whole(len(card.users)),
            "" if card.packing is None else f"{duration(card.packing.p95_low)} – {duration(card.packing.p95_high)}",
            f"{text(card.advice)}<br><small>{text(card.text)}</small>",
        )
        for card in found.sharing
    ]
    return section("GPUs", '<p class="soft">The latency with a second load is an estimate.</p>', heads, rows)


def _seconds(value: float | None) -> str:
    return "" if value is None else f"{value:.2f} s" if value < 1000 else f"{whole(value)} s"


def _bytes(value: int | None) -> str:
    return "" if value is None else f"{value / MIB:.0f} MiB" if value < 1e15 else whole(value)


def _money(value: float | None, currency: str) -> str:
    return "" if value is None else text(f"{value:.3g} {currency}".rstrip())


def _sentence(words: str) -> str:
    return f"{words[:1].upper()}{words[1:]}."
