"""The HTML document. The content security policy allows only the style sheet of the page, by its hash."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from html import escape
from importlib.resources import files

from ..response import ReportResponse
from ..timeline.schema import Timeline
from . import audit, drift_cards, feature_table, overview, resources, sync, tables
from .markup import text

CHARTS, _REST = (
    files("pilotfish.sidecar.report.pages").joinpath(f"{name}.css").read_text() for name in ("charts", "style")
)
STYLE = CHARTS + _REST
_STYLE_HASH = b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
META_POLICY = f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; base-uri 'none'; form-action 'none'"
POLICY = f"{META_POLICY}; frame-ancestors 'none'"  # works in an HTTP header only


def render(answer: ReportResponse, timeline: Timeline, live: bool = False) -> str:
    """Return the document; `live` means that a running sidecar serves it, so a proxy is expected."""
    parts = (
        overview.head(answer),
        overview.notices(answer),
        overview.tiles(answer),
        sync.sync(answer),
        audit.learning(answer),
        overview.families(answer, timeline),
        drift_cards.cards(answer, timeline),
        tables.findings(answer),
        tables.performance(answer),
        feature_table.features(answer, timeline),
        tables.episodes(answer),
        tables.intents(answer),
        audit.streams(answer),
        audit.decisions(answer),
        tables.columns(answer),
        tables.others(answer),
        tables.routes(answer),
        resources.resources(answer),
        tables.accounting(answer, live),
        audit.kept(answer),
        overview.promise(answer),
        tables.profile(answer),
        _foot(live),
    )
    return document(overview.window_title(answer), "".join(parts))


def document(title: str, body: str) -> str:
    """Return the page around the HTML `body`; `title` is plain text."""
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{escape(META_POLICY)}">'
        f"<title>{text(title)}</title>"
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<style>{STYLE}</style></head><body><main>{body}</main></body></html>\n"
    )


def _foot(live: bool) -> str:
    json = "the same as JSON: <code>GET /report</code>, <code>GET /windows</code>"
    where = f" · {json} · numbers for Prometheus: <code>GET /metrics</code>"
    return f'<p class="soft foot">Pilotfish{where if live else ""}</p>'
