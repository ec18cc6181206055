"""Block of the Report about tokens of language models: how many, in which part of the exchanges, and what they cost."""

from __future__ import annotations

import msgspec

from ...reason import ReasonTable


class TokenReason(ReasonTable):
    """Why an answered exchange of a language model has no token counts."""

    ABSENT = (
        "absent",
        "the response holds no token counts",
        "use a server or a route that returns them; for TGI, set `details: true` in the request",
    )
    BUDGET = (
        "budget",
        "reading the response would take too much CPU time",
        "send fewer inputs in one request",
    )
    DEFECT = ("defect", "reading the response failed", "report this defect")
    ENCODED = (
        "encoded",
        "the content coding of the response cannot be read, or the compressed response is kept in part only",
        "turn compression off in the model server, or raise `spec.traffic.bodyLimit`",
    )
    INVALID = (
        "invalid",
        "a token count is not a whole number from 0 to 1e9, occurs twice, or contradicts another one",
        "check what the model server sends",
    )
    NOT_RECORDED = (
        "not_recorded",
        "the exchange ended early, was sampled out, or was dropped, so its response was not read",
        "see `pilotfish_exchanges_total`; raise `spec.traffic.maxRecordsPerSecond` if the reason is rate",
    )
    PARTIAL = (
        "partial",
        "the response has only the prompt tokens, only the completion tokens, or only those of one of several choices",
    )
    STREAM = (
        "stream",
        "the response is a stream without token counts",
        'set `"stream_options": {"include_usage": true}` in the client, or `--enable-force-include-usage` of vLLM',
    )
    TRUNCATED = (
        "truncated",
        "the response is longer than what Pilotfish keeps, and its end has no token counts",
        "raise `spec.traffic.bodyLimit`",
    )


class TokenCost(msgspec.Struct, frozen=True, kw_only=True):
    """Tokens of one version of a language model since the counters began, and what they cost.

    Attributes:
        exchanges: exchanges that were answered with a status of 2xx.
        counted: those of them whose response has the tokens of prompt and completion.
        unknown: all others by `TokenReason`.
        prompt, completion, cached: tokens in the responses that were read; cached tokens are part of the prompt.
        estimated_prompt, estimated_completion: tokens of all exchanges, if the others are like the counted ones.
        error_ratio: 95 % half-width of the estimated tokens as a share of them. It is 0 if all exchanges are counted,
            None for fewer than two. A systematic difference of the uncounted exchanges is not part of it.
        *_per_million: use and cost of a million tokens, prompt and completion together, by `estimated_*`.
        completion_weight: cost of a completion token in prompt tokens: of the document, else estimated, else None.
        cost_per_million_prompt, cost_per_million_completion: the cost apart, by this weight; cached tokens are free.
        advice: what to do about the exchanges without counts; empty without any.
    """

    model: str
    version: str
    exchanges: int
    counted: int
    unknown: dict[str, int]
    prompt: int
    completion: int
    cached: int
    estimated_prompt: float | None = None
    estimated_completion: float | None = None
    error_ratio: float | None = None
    cpu_seconds_per_million: float | None = None
    gpu_seconds_per_million: float | None = None
    joules_per_million: float | None = None
    cost_per_million: float | None = None
    completion_weight: float | None = None
    cost_per_million_prompt: float | None = None
    cost_per_million_completion: float | None = None
    advice: str = ""


class RuleShare(msgspec.Struct, frozen=True, kw_only=True):
    """Which part of a resource was shared out to routes by a rule of docs/cost.md, since the counters began."""

    resource: str
    rule: str
    ratio: float
