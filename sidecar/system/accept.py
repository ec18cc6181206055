"""Choose the form of a response by the headers Accept, Accept-Encoding and If-None-Match (RFC 9110, 12 and 13).

A range with the quality 0 refuses its forms, and a higher quality wins. For one form, the most specific range counts.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from math import isnan

_PARTS = re.compile(r'((?:[^,;"]|"(?:[^"\\]|\\.)*"?)*)([,;]|\Z)')
WEIGHT = "q"


@dataclass(frozen=True, slots=True)
class Range:
    """One entry of an Accept header.

    Attributes:
        kind: `type/subtype`, `type/*` or `*/*` in lower case; in Accept-Encoding a coding or `*`.
        parameters: (name, value) pairs without the quality; names in lower case.
        quality: from 0 (refused) to 1.
    """

    kind: str
    parameters: tuple[tuple[str, str], ...] = ()
    quality: float = 1.0

    @property
    def text(self) -> str:
        """The entry without its quality."""
        return ";".join([self.kind, *(f"{name}={value}" for name, value in self.parameters)])

    def specificity(self, kind: str) -> int:
        """Return how closely this range matches `kind`, from 0 (`*/*`) to 2, plus its parameters; -1 if it does not."""
        if self.kind == kind:
            return 2 + len(self.parameters)
        if self.kind in ("*", "*/*"):
            return 0
        return 1 if self.kind == f"{kind.partition('/')[0]}/*" else -1


def ranges(header: str) -> Iterator[Range]:
    """Yield the ranges of an Accept or Accept-Encoding header; an unreadable quality counts as 1."""
    parts: list[str] = []
    for part, end in _PARTS.findall(header):
        parts.append(part.strip())
        if end != ";":
            if parts[0]:
                yield _range(parts[0].lower(), parts[1:])
            parts = []


def without_parameters(wanted: Range) -> bool:
    """Return whether a range has no parameter but a charset."""
    return all(name == "charset" for name, _ in wanted.parameters)


def preferred(
    header: str, offered: Sequence[str], default: str, usable: Callable[[Range], bool] = without_parameters
) -> tuple[str, Range | None]:
    """Return the media type that an Accept header prefers, and its range.

    Of types with the same quality, the one with the more specific range wins, then the first of `offered`; `default`
    wins if only `*/*` matches. If no range accepts a type, the result is a type without a refusal (`default` if
    possible) and None: an answer in another form is more useful than none.

    Args:
        header: the value of Accept.
        offered: media types, the preferred one first.
        default: the type for a client without a preference.
        usable: returns whether the server has the parameters of a range, such as a version.
    """
    found = [one for one in ranges(header) if usable(one)]
    refused = set[str]()
    best: tuple[tuple[float, int, int], str, Range] | None = None
    for position, kind in enumerate(offered):
        decisive = _decisive(found, kind)
        if decisive is None:
            continue
        if not decisive.quality:
            refused.add(kind)
            continue
        closeness = min(decisive.specificity(kind), 2)  # a parameter does not make a type preferred
        order = -position if closeness else int(kind == default)
        key = (decisive.quality, closeness, order)
        if best is None or key > best[0]:
            best = key, kind, decisive
    if best is not None:
        return best[1], best[2]
    return next((kind for kind in (default, *offered) if kind not in refused), default), None


def accepts_gzip(header: str) -> bool:
    """Return whether an Accept-Encoding header prefers gzip, or has no preference between gzip and no coding."""
    found = list(ranges(header))
    gzip, identity = (_decisive(found, kind) for kind in ("gzip", "identity"))
    named = identity is not None and identity.kind == "identity"
    return gzip is not None and gzip.quality > 0 and not (named and identity and identity.quality > gzip.quality)


def entity_tags(header: str) -> set[str]:
    """Return the entity tags in If-None-Match, without their quotes and the mark of a weak one."""
    return {tag.strip().removeprefix("W/").strip('"') for tag in header.split(",")}


def _decisive(found: Sequence[Range], kind: str) -> Range | None:
    """Return the most specific range for `kind`, of equal ones the one with the highest quality; None without one."""
    matching = [one for one in found if one.specificity(kind) >= 0]
    return max(matching, key=lambda one: (one.specificity(kind), one.quality), default=None)


def _range(kind: str, parts: Sequence[str]) -> Range:
    pairs = [
        (name.strip().lower(), value.strip().strip('"')) for name, _, value in (part.partition("=") for part in parts)
    ]
    weights = [_quality(value) for name, value in pairs if name == WEIGHT]
    return Range(kind, tuple(pair for pair in pairs if pair[0] not in ("", WEIGHT)), weights[0] if weights else 1.0)


def _quality(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        return 1.0
    return 1.0 if isnan(value) else min(max(value, 0.0), 1.0)
