"""Find a key that a JSON object has twice. Parsers differ in the value that they use, so such an object is refused.

`decode/content.py` does the same for the bodies of requests, in all their objects.
"""

from __future__ import annotations

import json
from collections import Counter
from typing import Self


def duplicate_key(raw: bytes) -> str | None:
    """Return a key that the outermost object in `raw` has twice; None if there is none.

    Raises ValueError or RecursionError if `raw` is not JSON, or is nested too deeply.
    """
    keys = json.loads(raw, object_pairs_hook=_Keys, parse_int=len, parse_float=len)
    if not isinstance(keys, _Keys) or len(keys) == len(set(keys)):
        return None
    return Counter(keys).most_common(1)[0][0]


class _Keys(tuple[str, ...]):
    """The keys of an object, in their order; lists of JSON stay lists."""

    __slots__ = ()

    def __new__(cls, pairs: list[tuple[str, object]]) -> Self:
        return super().__new__(cls, [key for key, _ in pairs])
