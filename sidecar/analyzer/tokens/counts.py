"""Converts the fields of a response to token counts. `FORMS` is the table of the servers' forms.

A count is a whole number from 0 to `MOST_TOKENS`. Anything else makes the whole response invalid, because a server that
sends one wrong count may send others.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

MOST_TOKENS = 10**9  # of one exchange; the longest contexts have 10^7

Told = Mapping[str, Any]


class InvalidCountError(ValueError):
    """A count is not a whole number in range, or the counts contradict each other."""


class TokenCounts(NamedTuple):
    """The tokens of one exchange. A count that the response does not have is None."""

    prompt: int | None = None
    completion: int | None = None
    cached: int | None = None

    @property
    def complete(self) -> bool:
        """Return whether prompt and completion are known."""
        return self.prompt is not None and self.completion is not None


def count(value: object) -> int | None:
    """Return a count, None for null; raise InvalidCountError for anything else."""
    if value is None:
        return None
    if type(value) is float and value.is_integer() and abs(value) <= MOST_TOKENS:
        value = int(value)
    if type(value) is not int or not 0 <= value <= MOST_TOKENS:
        raise InvalidCountError
    return value


def counts(told: Told) -> TokenCounts | None:
    """Return the counts in the fields of a response; None if it has none.

    Raises:
        InvalidCountError: a count is not a whole number in range, or more tokens are cached than the prompt has.
    """
    for form in FORMS:
        found = form(told)
        if found is not None and (found.prompt is not None or found.completion is not None):
            if found.cached is not None and (found.prompt is None or found.cached > found.prompt):
                raise InvalidCountError
            return found
    return None


def added(found: Sequence[TokenCounts]) -> TokenCounts:
    """Return the sum over the results of one batch. A count that one of them lacks is None."""
    prompt, completion, cached = (sum(values) if None not in values else None for values in zip(*found, strict=True))
    return TokenCounts(prompt, completion, cached)


def _object(told: Told, name: str) -> Told | None:
    value = told.get(name)
    return value if isinstance(value, dict) else None


def _usage(told: Told) -> TokenCounts | None:
    """OpenAI's form, also of vLLM, SGLang, TGI, llama.cpp and Triton; and that of Anthropic.

    Anthropic does not include cached tokens in `input_tokens`; OpenAI does. Reranking has `total_tokens` only, and
    embeddings have no completion.
    """
    usage = _object(told, "usage")
    if usage is None:
        return None
    prompt = count(_first(usage, "prompt_tokens", "input_tokens"))
    completion = count(_first(usage, "completion_tokens", "output_tokens"))
    total = count(usage.get("total_tokens"))
    details = _object(usage, "prompt_tokens_details") or _object(usage, "input_tokens_details") or {}
    cached = count(details.get("cached_tokens"))
    if usage.keys() & {"cache_creation_input_tokens", "cache_read_input_tokens"} and prompt is not None:
        cached = count(usage.get("cache_read_input_tokens")) or 0
        prompt += cached + (count(usage.get("cache_creation_input_tokens")) or 0)
    return TokenCounts(*_completed(prompt, completion, total), cached)


def _completed(prompt: int | None, completion: int | None, total: int | None) -> tuple[int | None, int | None]:
    """Return prompt and completion; the total gives the one that is missing."""
    if total is not None and prompt is None and completion is None:
        return total, 0
    if total is not None and (prompt is None) != (completion is None):
        rest = total - (prompt or 0) - (completion or 0)
        if rest < 0:
            raise InvalidCountError
        return (rest, completion) if prompt is None else (prompt, rest)
    return prompt, completion


def _meta_info(told: Told) -> TokenCounts | None:
    """SGLang's own API."""
    meta = _object(told, "meta_info")
    if meta is None:
        return None
    prompt, completion = count(meta.get("prompt_tokens")), count(meta.get("completion_tokens"))
    return TokenCounts(prompt, completion, count(meta.get("cached_tokens")))


def _details(told: Told) -> TokenCounts | None:
    """TGI's own API: `input_length` is in the last event of a stream, `prefill` has the prompt if asked for."""
    details = _object(told, "details")
    if details is None:
        return None
    prefill = details.get("prefill")
    prompt = count(details.get("input_length"))
    if prompt is None and isinstance(prefill, list) and prefill:
        prompt = len(prefill)
    return TokenCounts(prompt, count(details.get("generated_tokens")))


def _eval_counts(told: Told) -> TokenCounts | None:
    """Ollama's own API. Embeddings have no completion."""
    prompt, completion = count(told.get("prompt_eval_count")), count(told.get("eval_count"))
    if completion is None and prompt is not None and told.get("embeddings") is not None:
        completion = 0
    return TokenCounts(prompt, completion)


def _evaluated(told: Told) -> TokenCounts | None:
    """llama.cpp's own API. Its `tokens_cached` is the length of the context, `timings.cache_n` the reused part."""
    prompt, completion = count(told.get("tokens_evaluated")), count(told.get("tokens_predicted"))
    timings = _object(told, "timings") or {}
    return TokenCounts(prompt, completion, None if prompt is None else count(timings.get("cache_n")))


def _timings(told: Told) -> TokenCounts | None:
    """llama.cpp in chat streams whose client did not ask for `usage`. `prompt_n` is without the reused part."""
    timings = _object(told, "timings")
    if timings is None:
        return None
    read, cached = count(timings.get("prompt_n")), count(timings.get("cache_n"))
    prompt = read + cached if read is not None and cached is not None else None
    return TokenCounts(prompt, count(timings.get("predicted_n")), None if prompt is None else cached)


def _first(fields: Told, *names: str) -> object:
    return next((fields[name] for name in names if fields.get(name) is not None), None)


FORMS: tuple[Callable[[Told], TokenCounts | None], ...] = (
    _usage,
    _meta_info,
    _details,
    _eval_counts,
    _evaluated,
    _timings,
)
