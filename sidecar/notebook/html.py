"""HTML that every notebook viewer shows: tables, and pictures as images. No script, no style sheet, no resource.

Viewers remove style sheets and inline SVG from outputs that they do not trust, but they keep images. So each picture
of the page becomes an image with its own style sheet, on a white background, because an image cannot see the theme.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Iterable, Sequence
from datetime import datetime

from ..report.pages.markup import text
from ..report.pages.page import CHARTS

_SIZE = re.compile(r'<svg class="[^"]*" viewBox="0 0 (\d+) (\d+)"')
_COLOUR = re.compile(r"--c(\d): (#[0-9a-f]{6})")
_COLOURS = {int(place): colour for place, colour in _COLOUR.findall(CHARTS)}
_STYLE = re.sub(r"/\*.*?\*/\s*", "", CHARTS, flags=re.DOTALL)
NUMBER = "text-align: right"


def picture(svg: str, words: str, width: int | None = None) -> str:
    """Return a chart of the page as an image; `words` describe it, and `width` are pixels (default: its own)."""
    found = _SIZE.match(svg)
    assert found is not None, "a picture begins with its size"
    own, height = int(found[1]), int(found[2])
    head, _, body = svg.partition(">")
    whole = (
        f"{head.replace('<svg ', '<svg xmlns=' + chr(34) + 'http://www.w3.org/2000/svg' + chr(34) + ' ', 1)}>"
        f'<style>{_STYLE}</style><rect width="{own}" height="{height}" fill="#fff"/>{body}'
    )
    shown = min(own, width or own)
    source = b64encode(whole.encode()).decode()
    return (
        f'<img alt="{text(words)}" width="{shown}" height="{round(height * shown / own)}" '
        f'src="data:image/svg+xml;base64,{source}">'
    )


def legend(names: Sequence[str]) -> str:
    """Return the names of lines in the colours of the chart, in this order."""
    return " ".join(
        f'<span style="color: {_COLOURS[place % len(_COLOURS)]}">&#9632;</span> {text(name)} '
        for place, name in enumerate(names)
    )


def table(heads: Sequence[str], rows: Iterable[Sequence[str]], total: int | None = None) -> str:
    """Return a table of HTML cells. A head with a leading # is a column of numbers; `total` counts all rows."""
    styles = [f' style="{NUMBER}"' if head.startswith("#") else ' style="text-align: left"' for head in heads]
    head = "".join(f"<th{style}>{text(words.lstrip('#'))}</th>" for style, words in zip(styles, heads, strict=True))
    body = [
        f"<tr>{''.join(f'<td{style}>{cell}</td>' for style, cell in zip(styles, row, strict=True))}</tr>"
        for row in rows
    ]
    more = paragraph(f"and {total - len(body):,} more rows") if total is not None and total > len(body) else ""
    return f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(body)}</tbody></table>{more}"


def paragraph(words: str) -> str:
    """Return a paragraph of a text that is not escaped yet."""
    return f"<p>{text(words)}</p>"


def listed(title: str, items: Sequence[str], shown: int = 20) -> str:
    """Return a titled list of texts; empty without items."""
    if not items:
        return ""
    more = f"<li>and {len(items) - shown} more</li>" if len(items) > shown else ""
    return f"<p><b>{text(title)}</b></p><ul>{''.join(f'<li>{text(item)}</li>' for item in items[:shown])}{more}</ul>"


def cell(value: object) -> str:
    """Return a value of a result as an escaped text."""
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M:%S} UTC"
    return text(", ".join(map(str, value)) if isinstance(value, list) else str(value))
