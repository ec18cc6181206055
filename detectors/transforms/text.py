"""Derive features from free text: its length and the shares of character classes, which need no language.

No text is stored, neither in a profile nor in counts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np

from .. import schema
from ..batch import Array, Column, Floats, missing_mask
from .base import Block
from .rows import ReferenceRows
from .single import COLUMN, SIDE, SingleColumnTransform, column_of

READ_CHARACTERS = 4096  # characters of a text that are classified
CHUNK_CHARACTERS = 2**17  # characters classified together, which bounds the memory
CLASSES = ("digits", "letters", "non_ascii", "punctuation", "spaces", "upper", "vowels")
_DOTTED_I = "\u0130"  # the only letter whose lower case has more characters


@dataclass(frozen=True)
class TextTransform(SingleColumnTransform):
    """The length in characters, and the share of each character class in the first 4,096 characters.

    Letters are a to z in either case. Upper-case letters are those of any script. Vowels are a share of the letters.
    Characters outside ASCII are a class of their own. An empty text has a length and no shares.

    Example:
        >>> from pilotfish.detectors.batch import as_column
        >>> from pilotfish.detectors.transforms.base import Block
        >>> from pilotfish.detectors.transforms.text import TextTransform
        >>> derived = TextTransform("note", "input").apply(Block({"note": as_column(["Room 12"])}, 1))
        >>> [round(float(derived[f"note:{what}"].values[0]), 2) for what in ("length", "digits", "letters", "vowels")]
        [7.0, 0.29, 0.57, 0.5]
    """

    kind: ClassVar[str] = "text"

    @property
    def outputs(self) -> tuple[str, ...]:
        return self._named("length", *CLASSES)

    def apply(self, block: Block) -> Mapping[str, Column]:
        column = block.columns[self.column]
        missing, values = missing_mask(column), column.values
        found = np.zeros(block.rows, dtype=bool)
        texts: list[str] = []
        for row, value in enumerate(values if values.ndim > 1 else values.tolist()):
            if isinstance(value, str) and not missing[row]:
                found[row] = True
                texts.append(value)
        wrong = ~found & ~missing
        made = {}
        for name, counted in zip(self.outputs, text_features(texts), strict=True):
            whole = np.full(block.rows, np.nan)
            whole[found] = counted
            made[name] = column_of(whole, wrong)
        return made

    @classmethod
    def from_document(cls, document: Mapping[str, Any], where: str) -> Self:
        return schema.record(cls, column=COLUMN, side=SIDE)(document, where)


def fit_text(reference: ReferenceRows) -> list[TextTransform]:
    """Return a transform for each column of free text."""
    return [
        TextTransform(name, reference.sides[name])
        for name, type_ in reference.types.items()
        if type_ == "text" and reference.sides[name] != "label"
    ]


def text_features(texts: Sequence[str]) -> list[Floats]:
    """Return the lengths [texts], then for each class the share of characters in it, NaN if it is undefined."""
    lengths = np.fromiter(map(len, texts), dtype=np.float64, count=len(texts))
    beginnings = [text[:READ_CHARACTERS] for text in texts]
    sizes = np.minimum(lengths, READ_CHARACTERS).astype(np.int64)
    counts = np.zeros((len(texts), len(_BITS)))
    first = 0
    while first < len(texts):
        reach = np.searchsorted(np.cumsum(sizes[first : first + CHUNK_CHARACTERS]), CHUNK_CHARACTERS, side="right")
        last = first + max(1, int(reach))
        counts[first:last] = _counted("".join(beginnings[first:last]), sizes[first:last])
        first = last
    of = np.repeat(sizes[:, None].astype(np.float64), len(CLASSES), axis=1)
    of[:, CLASSES.index("vowels")] = counts[:, CLASSES.index("letters")]
    with np.errstate(invalid="ignore"):
        shares = np.where(of > 0, counts / of, np.nan)
    return [lengths, *shares.T]


def _counted(text: str, sizes: Array) -> Floats:
    """Return the characters of each class [texts, classes] in texts that were joined into one."""
    codes = _codes(text)
    bits = _CLASS_OF[np.minimum(codes, 128)]
    lowered = text.replace(_DOTTED_I, "I").lower()
    if len(lowered) == len(text):
        bits |= np.where(_codes(lowered) != codes, _BITS["upper"], 0).astype(np.uint8)
    ends = np.concatenate([[0], np.cumsum(sizes)])
    out = np.empty((len(sizes), len(_BITS)))
    for place, bit in enumerate(_BITS.values()):
        sums = np.concatenate([[0], np.cumsum((bits & bit) != 0)])
        out[:, place] = sums[ends[1:]] - sums[ends[:-1]]
    return out


def _codes(text: str) -> Array:
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype="<u4")


_BITS = {name: np.uint8(1 << place) for place, name in enumerate(CLASSES)}


def _classes_of_codes() -> Array:
    """Return the classes of each ASCII character as bits [129]; the last entry is for all other characters."""
    table = np.zeros(129, dtype=np.uint8)
    for code in range(128):
        character = chr(code)
        letter = character.isalpha()
        table[code] |= _BITS["letters"] * letter | _BITS["vowels"] * (character in "aeiouAEIOU")
        table[code] |= _BITS["digits"] * character.isdigit() | _BITS["spaces"] * character.isspace()
        table[code] |= _BITS["punctuation"] * (32 < code < 127 and not character.isalnum())
    table[128] = _BITS["non_ascii"]
    return table


_CLASS_OF = _classes_of_codes()
