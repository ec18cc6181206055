"""Accept and Accept-Encoding: qualities, refusals, specific ranges, ties, and any text."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pilotfish.sidecar.system.accept import accepts_gzip, preferred, ranges
from tests.support.examples import examples

HTML, JSON = "text/html", "application/json"


@pytest.mark.parametrize(
    ("header", "wanted"),
    [
        ("", JSON),
        ("*/*", JSON),
        ("image/png", JSON),
        (HTML, HTML),
        ("TEXT/HTML", HTML),
        ("text/*", HTML),
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", HTML),
        ("application/json, text/html", HTML),
        ("application/json, text/html;q=0.9", JSON),
        ("application/json;q=0.2, text/html;q=0.1", JSON),
        ("text/html;q=0, */*", JSON),
        ("text/html; Q=0.0, */*;q=0.1", JSON),
        ("text/html;level=1;q=0.2, text/html;q=0.7, application/json;q=0.5", HTML),
        ("application/json;q=0, */*", HTML),
        ("application/json;q=0", HTML),
        ("text/html;q=0, application/json;q=0", JSON),
        ('application/json;charset="a, text/html;q=1";q=0.3, text/html;q=0.2', JSON),
        ("text/*;q=0.5, text/html;q=0, application/json;q=0.1", JSON),
        ("text/html;charset=utf-8, application/json;q=0.9", HTML),
        ("text/html;q=high, application/json;q=0.9", HTML),
        (";;,,q=0,text/html", HTML),
    ],
)
def test_the_best_accepted_form_is_chosen(header: str, wanted: str) -> None:
    assert preferred(header, (HTML, JSON), JSON)[0] == wanted


@pytest.mark.parametrize(
    ("header", "wanted"),
    [
        ("", False),
        ("identity", False),
        ("br", False),
        ("gzip", True),
        ("gzip, deflate, br", True),
        ("*", True),
        ("*;q=0", False),
        ("gzip;q=0", False),
        ("gzip;q=0, *", False),
        ("gzip;q=0.5, identity", False),
        ("gzip;q=1.0, identity;q=0.5, *;q=0", True),
    ],
)
def test_gzip_is_used_only_where_it_is_accepted(header: str, wanted: bool) -> None:
    assert accepts_gzip(header) == wanted


@settings(max_examples=examples(300))
@given(st.text(alphabet='ab/*;,="\\ q01.-', max_size=60))
def test_any_header_gives_a_form_and_qualities_within_bounds(header: str) -> None:
    assert preferred(header, (HTML, JSON), JSON)[0] in (HTML, JSON)
    assert all(0 <= one.quality <= 1 for one in ranges(header))
    assert accepts_gzip(header) in (True, False)


@given(st.lists(st.tuples(st.sampled_from([HTML, JSON]), st.integers(0, 1000)), unique_by=lambda pair: pair[0]))
def test_a_higher_quality_wins(pairs: list[tuple[str, int]]) -> None:
    header = ", ".join(f"{kind};q={thousandths / 1000:.3f}" for kind, thousandths in pairs)
    chosen, _ = preferred(header, (HTML, JSON), JSON)
    qualities = dict(pairs)
    best = max(qualities.values(), default=0)
    assert not best or qualities.get(chosen) == best
