"""Writes a changed document: only the lines of what differs, so that comments and order of the rest stay.

`rewrite` compares the value of a document with the wanted one, and turns each difference into a `_Splice` at the place
of its YAML node. The result is read again and compared. If it is not what was wanted, which aliases can cause, the
document is written anew as a whole, and its comments are lost.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any, NamedTuple

import yaml

from ...errors import PilotfishError
from .documents import ManifestDocument, is_merge, read
from .scalars import dump

_INDENT = re.compile(r"\n([ \t]*)\S")


class Rewritten(NamedTuple):
    """The text of a changed document. With `whole`, it was written anew and lost its comments."""

    text: str
    whole: bool


class _Splice(NamedTuple):
    """A replacement of text[start:end]."""

    start: int
    end: int
    text: str


class _CannotSpliceError(PilotfishError):
    """The place of a difference cannot be changed alone."""


def rewrite(text: str, document: ManifestDocument, wanted: Any) -> Rewritten:
    """Return the text of `document`, which lies in `text`, with the value `wanted`."""
    own = text[document.start : document.end]
    if document.node is None:
        return Rewritten(_json(own, wanted), whole=False)
    offset = document.start - document.node.start_mark.index
    try:
        edited = _apply(text, document, [*_Differ(text, offset).node(document.node, document.value, wanted)])
        found = read(edited, "")
    except (_CannotSpliceError, PilotfishError):
        found = []
    if len(found) == 1 and same(found[0].value, wanted):
        return Rewritten(edited, whole=False)
    ending = "\n" if own.endswith("\n") else ""
    return Rewritten(dump(wanted) + ending, whole=True)


def same(one: Any, other: Any) -> bool:
    """Return whether two JSON values are equal; unlike `==`, True is not 1 and 1.0 is not 1."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(value, other[key]) for key, value in one.items())
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    return type(one) is type(other) and bool(one == other)


def _json(own: str, wanted: Any) -> str:
    """Return JSON with the indentation that the text has."""
    found = _INDENT.search(own)
    if found is None:
        return json.dumps(wanted, ensure_ascii=False)
    return json.dumps(wanted, ensure_ascii=False, indent=found[1] or None)


def _apply(text: str, document: ManifestDocument, splices: list[_Splice]) -> str:
    pieces, at = [], document.start
    for splice in sorted(splices, key=lambda item: (item.start, item.end)):
        if splice.start < at:
            raise _CannotSpliceError("two changes overlap; write the document anew; no action is needed")
        pieces += [text[at : splice.start], splice.text]
        at = splice.end
    return "".join([*pieces, text[at : document.end] if at < document.end else ""])


@dataclass(frozen=True)
class _Differ:
    """Yields the splices that turn the value of a node into another one. `offset` leads from a mark to `text`."""

    text: str
    offset: int

    def node(self, node: yaml.Node, old: Any, new: Any) -> Iterator[_Splice]:
        """Yield what must change in a node whose value is `old`, so that it becomes `new`."""
        if same(old, new):
            return
        block = isinstance(node, yaml.CollectionNode) and not node.flow_style and bool(node.value)
        if block and isinstance(node, yaml.MappingNode) and isinstance(new, dict) and new:
            yield from self._mapping(node, old, new)
        elif block and isinstance(node, yaml.SequenceNode) and isinstance(new, list) and new:
            yield from self._sequence(node, old, new)
        else:
            yield self._replace(node, new)

    def _replace(self, node: yaml.Node, new: Any) -> _Splice:
        """Replace a whole value. It stays in its line, in flow style."""
        start, end = self._start(node), self._end(node)
        before = " " if start == end and self.text[start - 1 : start] not in {"", " ", "\n"} else ""
        return _Splice(start, end, before + dump(new, flow=True))

    def _mapping(self, node: yaml.MappingNode, old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[_Splice]:
        own = [(key, value) for key, value in node.value if not is_merge(key)]
        names = {key.value for key, _ in own}
        for at, (key, value) in enumerate(own):
            if key.value in new:
                yield from self._entry(key, value, old[key.value], new[key.value])
            elif len(own) == len(node.value) > 1:
                yield self._remove(at, [(self._start(key), self._end(value)) for key, value in own])
            else:
                raise _CannotSpliceError("the only key of a mapping goes; write the document anew; no action is needed")
        added = {
            key: value for key, value in new.items() if key not in names and not (key in old and old[key] is value)
        }
        if added:
            column = node.value[0][0].start_mark.column
            yield self._insert_after(self._end(node), column, dump(added))

    def _entry(self, key: yaml.Node, value: yaml.Node, old: Any, new: Any) -> Iterator[_Splice]:
        """Yield the change of one value. An empty or scalar one that becomes a collection moves below its key."""
        if isinstance(new, dict | list) and new and not isinstance(old, dict | list):
            column = key.start_mark.column
            start = self._start(value)
            lines = dump(new).replace("\n", "\n" + " " * (column + 2))
            yield _Splice(start, self._end(value), "\n" + " " * (column + 2) + lines)
        else:
            yield from self.node(value, old, new)

    def _sequence(self, node: yaml.SequenceNode, old: list[Any], new: list[Any]) -> Iterator[_Splice]:
        column = node.start_mark.column
        places = [(self._dash(child), self._end(child)) for child in node.value]
        matcher = SequenceMatcher(None, [*map(_identity, old)], [*map(_identity, new)], autojunk=False)
        for change, low, high, new_low, new_high in matcher.get_opcodes():
            common = min(high - low, new_high - new_low) if change in {"equal", "replace"} else 0
            for step in range(common):
                yield from self._item(node.value[low + step], old[low + step], new[new_low + step], column)
            for at in range(low + common, high):
                yield self._remove(at, places)
            inserted = new[new_low + common : new_high]
            if inserted:
                at = low + common
                if at < len(places):
                    yield self._insert_before(places[at][0], column, dump(inserted))
                else:
                    yield self._insert_after(places[-1][1], column, dump(inserted))

    def _item(self, node: yaml.Node, old: Any, new: Any, column: int) -> Iterator[_Splice]:
        if isinstance(new, dict) and new and not isinstance(old, dict):
            lines = dump(new).replace("\n", "\n" + " " * (column + 2))
            yield _Splice(self._start(node), self._end(node), lines)
        else:
            yield from self.node(node, old, new)

    def _remove(self, at: int, places: list[tuple[int, int]]) -> _Splice:
        """Remove one of several entries: up to the next one, or for the last one, from the end of the one before."""
        start, end = places[at]
        if at + 1 < len(places):
            return _Splice(start, places[at + 1][0], "")
        return _Splice(self._line_end(places[at - 1][1]), self._line_end(end), "")

    def _insert_after(self, at: int, column: int, lines: str) -> _Splice:
        """Insert lines below the line in which `at` is."""
        place = self._line_end(at)
        indent = "\n" + " " * column
        if self.text[place - 1 : place] == "\n":  # behind a block scalar, which ends with its line
            return _Splice(place, place, indent[1:] + lines.replace("\n", indent) + "\n")
        return _Splice(place, place, indent + lines.replace("\n", indent))

    def _insert_before(self, at: int, column: int, lines: str) -> _Splice:
        indent = "\n" + " " * column
        return _Splice(at, at, lines.replace("\n", indent) + indent)

    def _line_end(self, at: int) -> int:
        if self.text[at - 1 : at] == "\n":
            return at
        end = self.text.find("\n", at)
        end = len(self.text) if end < 0 else end
        return end - 1 if self.text[end - 1 : end] == "\r" and end > at else end

    def _dash(self, node: yaml.Node) -> int:
        """Return the place of the `-` before an item of a block sequence."""
        start = self._start(node)
        before = self.text.rfind("-", 0, start + 1 if start == self._end(node) else start)
        if before < 0 or self.text[before + 1 : start].strip():  # an anchor, a tag or a comment in between
            raise _CannotSpliceError("no dash before an item; write the document anew; no action is needed")
        return before

    def _start(self, node: yaml.Node) -> int:
        return int(node.start_mark.index) + self.offset

    def _end(self, node: yaml.Node) -> int:
        """Return the end of a value; the mark of a block collection is behind the comments that follow it."""
        while isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value:
            last = node.value[-1]
            node = last[1] if isinstance(last, tuple) else last
        return int(node.end_mark.index) + self.offset


def _identity(item: Any) -> str:
    """Return by what an item of a list is found again: its name, or its content."""
    if isinstance(item, dict) and isinstance(item.get("name"), str):
        return f"name {item['name']}"
    return json.dumps(item, sort_keys=True)
