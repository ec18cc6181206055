"""Parses YAML or JSON text into plain dicts and lists, with the line number of each value.

The tree is built from the parser's events without recursion. Scalars follow the core schema of YAML 1.2, so `on` is a
word, not True, and `1:30` is text, not a number of minutes. The parser refuses a second document, tags, aliases (and so
alias bombs), keys that are lists or objects, duplicate keys, more than `MAX_DEPTH` levels and more than
`MAX_DOCUMENT_BYTES` bytes. A document is untrusted input, so a new construct needs a bound.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any, NoReturn

import yaml

from ..errors import quote_value
from .errors import DocumentProblem, SettingsError

MAX_DOCUMENT_BYTES = 1024 * 1024
MAX_DEPTH = 32
MAX_KEY_LENGTH = 1000  # characters; the longest keys are names of columns
MAX_PATHS = 16 * 1024 * 1024  # characters of the paths of all values, which are kept with their line numbers
_INTEGER = re.compile(r"[-+]?[0-9]+")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_WORDS = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(slots=True)
class DocumentTree:
    """A parsed document: `root` of dicts, lists, str, int, float, bool and None; `lines` by path ("$.spec.mode")."""

    root: Any
    lines: dict[str, int] = field(default_factory=dict)


@dataclass(slots=True)
class _OpenNode:
    """A list or dict under construction."""

    into: Any
    path: str
    key: str | None = None

    def next_path(self) -> str:
        return f"{self.path}[{len(self.into)}]" if isinstance(self.into, list) else f"{self.path}.{self.key}"


def read_tree(raw: bytes, where: str) -> DocumentTree:
    """Return the tree of the document in `raw`; raise SettingsError with the line and the remedy."""
    if len(raw) > MAX_DOCUMENT_BYTES:
        _refuse(where, "$", f"the document has {len(raw)} bytes", f"at most {MAX_DOCUMENT_BYTES} are read")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        _refuse(where, "$", f"byte {error.start} is not UTF-8", "save the document as UTF-8", line)
    return _read_json(text, where) if text.lstrip()[:1] == "{" else _Reader(where).read(text)


def _refuse(where: str, path: str, what: str, remedy: str, line: int = 0) -> NoReturn:
    raise SettingsError(where, [DocumentProblem(path, what, remedy, line)])


def _read_json(text: str, where: str) -> DocumentTree:
    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key, value in pairs:
            if key in found:
                _refuse(where, "$", f"key {quote_value(key)} appears twice in one object", "keep one of them")
            found[key] = value
        return found

    def constant(word: str) -> NoReturn:
        _refuse(where, "$", f"{word} is not a JSON number", "give a finite number")

    try:
        root = json.loads(text, object_pairs_hook=unique, parse_constant=constant)
        json.dumps(root, ensure_ascii=False).encode()  # raises for half a surrogate pair, which is invalid text
        return DocumentTree(root)
    except RecursionError:
        _refuse(where, "$", "the document is nested too deeply", f"at most {MAX_DEPTH} levels are read")
    except json.JSONDecodeError as error:
        _refuse(where, "$", f"not JSON ({error.msg})", "correct the syntax, or write YAML", error.lineno)
    except UnicodeEncodeError:
        _refuse(where, "$", "a string contains half a surrogate pair", "write the character itself")
    except ValueError:
        _refuse(where, "$", "a number has more than 4300 digits", "give a shorter number")


class _Reader:
    """Builds the tree from the YAML events of one document."""

    def __init__(self, where: str) -> None:
        self._where = where
        self._open: list[_OpenNode] = []
        self._tree = DocumentTree(None)
        self._documents = 0
        self._characters = 0

    def read(self, text: str) -> DocumentTree:
        try:
            for event in yaml.parse(text, Loader=_LOADER):
                self._take(event)
        except yaml.YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            problem = getattr(error, "problem", None) or str(error).splitlines()[0]
            line = mark.line + 1 if mark else 0
            _refuse(self._where, "$", f"not YAML ({problem})", "correct the syntax there or just above", line)
        if not self._documents:
            _refuse(self._where, "$", "the document is empty", "write a ModelMonitor")
        return self._tree

    def _take(self, event: Any) -> None:
        line = event.start_mark.line + 1
        match event:
            case yaml.DocumentStartEvent():
                self._documents += 1
                if self._documents > 1:
                    _refuse(self._where, "$", "a second document begins", "keep one document per file", line)
            case yaml.AliasEvent():
                _refuse(
                    self._where, self._path(), f"alias *{quote_value(event.anchor)[1:-1]}", "write the value out", line
                )
            case yaml.ScalarEvent():
                self._refuse_tag(event, line)
                self._scalar(event, line)
            case yaml.MappingStartEvent() | yaml.SequenceStartEvent():
                self._refuse_tag(event, line)
                self._begin({} if isinstance(event, yaml.MappingStartEvent) else [], line)
            case yaml.MappingEndEvent() | yaml.SequenceEndEvent():
                self._open.pop()

    def _path(self) -> str:
        return self._open[-1].next_path() if self._open else "$"

    def _refuse_tag(self, event: Any, line: int) -> None:
        if event.tag is not None:
            _refuse(
                self._where, self._path(), f"tag {quote_value(event.tag)}", "remove it; tags are not supported", line
            )

    def _scalar(self, event: Any, line: int) -> None:
        parent = self._open[-1] if self._open else None
        if parent is None or isinstance(parent.into, list) or parent.key is not None:
            self._put(_plain(event.value) if event.implicit[0] else event.value, line)
            return
        if event.value in parent.into:
            path = f"{parent.path}.{event.value}"
            _refuse(self._where, path, "the key appears twice", "keep one of them", line)
        if len(event.value) > MAX_KEY_LENGTH:
            what = f"key {quote_value(event.value)} has {len(event.value)} characters"
            _refuse(self._where, parent.path, what, f"at most {MAX_KEY_LENGTH} are read", line)
        parent.key = event.value

    def _begin(self, into: Any, line: int) -> None:
        if len(self._open) >= MAX_DEPTH:
            _refuse(self._where, self._path(), "nested too deeply", f"at most {MAX_DEPTH} levels are read", line)
        if self._open and isinstance(self._open[-1].into, dict) and self._open[-1].key is None:
            _refuse(self._where, self._open[-1].path, "a key is a list or an object", "give a word as key", line)
        path = self._path()
        self._put(into, line)
        self._open.append(_OpenNode(into, path))

    def _put(self, value: Any, line: int) -> None:
        path = self._path()
        self._characters += len(path)
        if self._characters > MAX_PATHS:
            _refuse(self._where, "$", "too many values with long keys", "shorten keys, or leave out values", line)
        self._tree.lines[path] = line
        if not self._open:
            self._tree.root = value
            return
        parent = self._open[-1]
        if isinstance(parent.into, list):
            parent.into.append(value)
        else:
            parent.into[parent.key], parent.key = value, None


def _plain(text: str) -> Any:
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.fullmatch(text) and len(text) < 40:
        return int(text)
    return float(text) if _FLOAT.fullmatch(text) and len(text) < 400 else text
