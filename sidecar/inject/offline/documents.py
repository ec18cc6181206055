"""The documents of a file of manifests: YAML with any number of documents, or JSON values one after the other.

A file is read as kubectl reads it, with bounds: it is refused if it is larger than `MAX_BYTES`, nested deeper than
`MAX_DEPTH`, has more than `MAX_VALUES` values once its aliases are written out, or uses tags other than those of JSON.
Errors name file, document and line.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml

from ...errors import quote_value
from .errors import ManifestError
from .scalars import TAG, ManifestLoader, plain_value

MAX_BYTES = 16 * 1024 * 1024
MAX_DEPTH = 100
MAX_VALUES = 2_000_000
_SCALARS: dict[str, type | tuple[type, ...]] = {
    f"{TAG}bool": bool,
    f"{TAG}float": (float, int),
    f"{TAG}int": int,
    f"{TAG}null": type(None),
}
_TAGS = {None, "!", f"{TAG}map", f"{TAG}seq", f"{TAG}str", *_SCALARS}
_SPACE = re.compile(r"\s*")


@dataclass(frozen=True, eq=False)
class ManifestDocument:
    """One document: `value` is its content as JSON, and `node` its YAML node tree, None if it was written as JSON.

    `start` and `end` are its place in the text of the file; `number` counts from 1.
    """

    number: int
    start: int
    end: int
    value: Any
    node: yaml.Node | None = None
    lines: dict[int, int] = field(default_factory=dict, repr=False)  # of each dict and list, by its identity

    def line(self, value: Any) -> int:
        """Return the line of a dict or list in `value`, counted from 1; 0 if it is unknown."""
        return self.lines.get(id(value), 0)


def decode(raw: bytes, where: str) -> str:
    """Return the text of a file; raise ManifestError if it is too large or not UTF-8."""
    if len(raw) > MAX_BYTES:
        raise ManifestError(where, f"more than {MAX_BYTES:,} bytes", "give smaller files")
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise ManifestError(where, f"byte {error.start} is not UTF-8", "save the file as UTF-8", line=line) from error


def read(text: str, where: str) -> list[ManifestDocument]:
    """Return the documents in `text` that are not empty; raise ManifestError."""
    offset = 1 if text.startswith("\ufeff") else 0
    if text[offset:].lstrip()[:1] == "{" and (found := _read_json(text, offset, where)) is not None:
        return found
    return _read_yaml(text, offset, where)


def _read_json(text: str, offset: int, where: str) -> list[ManifestDocument] | None:
    """Return JSON values one after the other, or None if the text is not JSON, but perhaps YAML in flow style."""
    found: list[ManifestDocument] = []
    at = _after_space(text, offset)
    decoder = json.JSONDecoder(object_pairs_hook=_unique, parse_constant=_refuse_constant)
    while at < len(text):
        number, line = len(found) + 1, text.count("\n", 0, at) + 1
        try:
            value, end = decoder.raw_decode(text, at)
            json.dumps(value, ensure_ascii=False).encode()  # raises for half a surrogate pair
        except json.JSONDecodeError:
            return None
        except RecursionError:
            what, remedy = "nested too deeply", f"at most {MAX_DEPTH} levels are read"
            raise ManifestError(where, what, remedy, document=number, line=line) from None
        except ValueError as error:
            raise ManifestError(where, _json_problem(error), "correct it", document=number, line=line) from None
        if _depth(value) > MAX_DEPTH:
            what, remedy = "nested too deeply", f"at most {MAX_DEPTH} levels are read"
            raise ManifestError(where, what, remedy, document=number, line=line)
        found.append(ManifestDocument(number, at, end, value, lines={id(value): line}))
        at = _after_space(text, end)
    return found


def _after_space(text: str, at: int) -> int:
    space = _SPACE.match(text, at)
    return space.end() if space else at


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        twice = next(key for at, (key, _) in enumerate(pairs) if key in dict(pairs[:at]))
        raise ValueError(f"key {quote_value(twice)} appears twice in one object")
    return found


def _refuse_constant(word: str) -> Any:
    raise ValueError(f"{word} is not a JSON number")


def _json_problem(error: ValueError) -> str:
    if isinstance(error, UnicodeEncodeError):
        return "a string contains half a surrogate pair"
    return "a number has too many digits" if "integer string" in str(error) else str(error)


def _depth(value: Any) -> int:
    """Return the number of levels of a JSON value, up to one more than MAX_DEPTH."""
    level, depth = [value], 0
    while level and depth <= MAX_DEPTH:
        depth += 1
        level = [
            item
            for parent in level
            if isinstance(parent, dict | list)
            for item in (parent.values() if isinstance(parent, dict) else parent)
        ]
    return depth


def _read_yaml(text: str, offset: int, where: str) -> list[ManifestDocument]:
    body = text[offset:]
    documents = 0
    try:
        documents = _check_events(body, where)
        nodes = list(yaml.compose_all(body, Loader=ManifestLoader))
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        problem = getattr(error, "problem", None) or str(error).splitlines()[0]
        line = mark.line + 1 if mark else 0
        if isinstance(error, yaml.reader.ReaderError):
            problem, line = "a character that YAML does not allow", _line_of_unreadable(body)
        number = _document_at(body, line) if line else documents
        remedy = "correct the syntax there or just above"
        raise ManifestError(where, f"not YAML ({problem})", remedy, document=number, line=line) from error
    found = []
    for number, node in enumerate(nodes, 1):
        value, lines = _Builder(where, number).build(node)
        if value is not None:
            start, end = node.start_mark.index + offset, node.end_mark.index + offset
            found.append(ManifestDocument(number, start, end, value, node, lines))
    return found


def _document_at(text: str, line: int) -> int:
    """Return the number of the document that contains a line."""
    before = text.split("\n")[: line - 1]
    marks = [at for at, found in enumerate(before) if found.rstrip() == "---" or found.startswith("--- ")]
    first = next((at for at, found in enumerate(before) if found.strip() and not found.startswith(("#", "%"))), 0)
    return 1 + len([at for at in marks if at > first])


def _line_of_unreadable(text: str) -> int:
    found = yaml.reader.Reader.NON_PRINTABLE.search(text)
    return text.count("\n", 0, found.start()) + 1 if found else 0


def _check_events(text: str, where: str) -> int:
    """Raise ManifestError for what `compose` must not see: deep nesting, and tags; return the number of documents."""
    depth = documents = 0
    events: Iterator[Any] = yaml.parse(text, Loader=ManifestLoader)
    for event in events:
        line = event.start_mark.line + 1
        if isinstance(event, yaml.DocumentStartEvent):
            documents += 1
        elif isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > MAX_DEPTH:
                remedy = f"at most {MAX_DEPTH} levels are read"
                raise ManifestError(where, "nested too deeply", remedy, document=documents, line=line)
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if getattr(event, "tag", None) not in _TAGS:
            what = f"tag {quote_value(event.tag)}"
            raise ManifestError(where, what, "write the value without a tag", document=documents, line=line)
    return documents


class _Builder:
    """Builds the JSON value of one document from its nodes. A node that aliases share becomes one shared value."""

    def __init__(self, where: str, number: int) -> None:
        self._where = where
        self._number = number
        self._lines: dict[int, int] = {}
        self._built: dict[int, tuple[Any, int]] = {}  # value and number of values, by the identity of the node
        self._building: set[int] = set()

    def build(self, node: yaml.Node) -> tuple[Any, dict[int, int]]:
        return self._value(node)[0], self._lines

    def _refuse(self, node: yaml.Node, what: str, remedy: str) -> ManifestError:
        line = node.start_mark.line + 1
        return ManifestError(self._where, what, remedy, document=self._number, line=line)

    def _value(self, node: yaml.Node) -> tuple[Any, int]:
        known = self._built.get(id(node))
        if known is not None:
            return known
        if id(node) in self._building:
            raise self._refuse(node, "an alias stands inside its own anchor", "write the value out")
        self._building.add(id(node))
        value, size = self._collection(node) if isinstance(node, yaml.CollectionNode) else (self._scalar(node), 1)
        self._building.discard(id(node))
        if size > MAX_VALUES:
            raise self._refuse(node, "too many values once aliases are written out", f"at most {MAX_VALUES:,} are read")
        if isinstance(value, dict | list):
            self._lines[id(value)] = node.start_mark.line + 1
        self._built[id(node)] = value, size
        return value, size

    def _scalar(self, node: yaml.Node) -> Any:
        if node.tag in {f"{TAG}str", f"{TAG}merge"}:
            return node.value
        value = plain_value(node.value)
        if not isinstance(value, _SCALARS.get(node.tag, str)):
            raise self._refuse(node, f"{quote_value(node.value)} is not a {node.tag.removeprefix(TAG)}", "write a text")
        return value

    def _collection(self, node: yaml.CollectionNode) -> tuple[Any, int]:
        size = 1
        if isinstance(node, yaml.SequenceNode):
            items = []
            for child in node.value:
                value, count = self._value(child)
                items.append(value)
                size += count
            return items, size
        own: dict[str, Any] = {}
        merged: dict[str, Any] = {}
        for key, child in node.value:
            value, count = self._value(child)
            size += count
            if not isinstance(key, yaml.ScalarNode):
                raise self._refuse(key, "a key is a list or an object", "give a word as key")
            if is_merge(key):
                for source in value if isinstance(value, list) else [value]:
                    if not isinstance(source, dict):
                        raise self._refuse(child, "a merge key (<<) needs objects", "write the values out")
                    merged = {**source, **merged}
            elif key.value in own:
                raise self._refuse(key, f"key {quote_value(key.value)} appears twice in one object", "keep one of them")
            else:
                own[key.value] = value
        return {**merged, **own}, size


def is_merge(key: yaml.Node) -> bool:
    """Return whether a key is the merge key of YAML 1.1, `<<` without quotes."""
    return bool(key.tag == f"{TAG}merge")
