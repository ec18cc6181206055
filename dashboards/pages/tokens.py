"""Tokens of language models: how many, in which part of the exchanges they are known, and what they cost."""

from __future__ import annotations

from ..model import Panel, Section, Target
from ..queries import SELECTED, largest, rate, ratio, series, total

NO_MODEL = "no language model sends token counts (docs/tokens.md)"
_OWN = f'{SELECTED}, pod=~"$pod"'
_VERSION = ("namespace", "model", "version")
_JOINED = "namespace, pod, model, version, route"
_WHO = "{{model}} {{version}}"
MILLION = 1_000_000


def _rate(metric: str, *matchers: str) -> str:
    return rate(metric, *matchers, scope=_OWN)


def _per_token(metric: str) -> str:
    """Return use of language models divided by all their tokens; exchanges without counts are like those with."""
    routes = f"{_rate(metric)} and on ({_JOINED}) {_rate('pilotfish_token_exchanges_total')}"
    tokens = total(_rate("pilotfish_tokens_total", 'kind!="cached"'), *_VERSION)
    every = total(_rate("pilotfish_token_exchanges_total"), *_VERSION)
    counted = total(_rate("pilotfish_token_exchanges_total", 'outcome="counted"'), *_VERSION)
    return ratio(total(routes, *_VERSION), f"({tokens}) * ({every}) / ({counted})")


TOKENS = Section(
    "Tokens of language models",
    (
        Panel(
            "lines",
            "Tokens",
            "Tokens per second in the responses that were read, by kind; cached is a part of prompt.",
            (Target(total(_rate("pilotfish_tokens_total"), "model", "version", "kind"), f"{_WHO} {{{{kind}}}}"),),
            empty=NO_MODEL,
        ),
        Panel(
            "lines",
            "Exchanges by token counts",
            "Exchanges per second of language models: counted, or why their tokens are not known.",
            (
                Target(
                    total(_rate("pilotfish_token_exchanges_total"), "model", "version", "outcome"),
                    f"{_WHO} {{{{outcome}}}}",
                ),
            ),
            unit="reqps",
            empty=NO_MODEL,
        ),
        Panel(
            "lines",
            "Cost of a million tokens",
            "Cost of a million tokens of prompt and completion, in the currency of spec.prices.",
            (Target(f"{MILLION} * ({_per_token('pilotfish_cost_total')})", _WHO),),
            empty="spec.prices is empty, or no sidecar measures the use itself",
        ),
        Panel(
            "lines",
            "GPU of a million tokens",
            "GPU seconds of a million tokens of prompt and completion.",
            (Target(f"{MILLION} * ({_per_token('pilotfish_gpu_seconds_total')})", _WHO),),
            unit="s",
            empty="no sidecar measures a GPU",
        ),
        Panel(
            "lines",
            "Weight of a completion token",
            "Cost of a completion token in prompt tokens, of the document or estimated; it falls as concurrency grows.",
            (Target(largest(series("pilotfish_completion_token_weight", scope=_OWN), "model", "version"), _WHO),),
            empty="it is not known before 30 exchanges with token counts",
        ),
    ),
)
