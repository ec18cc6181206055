"""Values as messages show them: bounded, and a path with its name."""

from __future__ import annotations

from pathlib import Path, PurePath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilotfish.sidecar.errors import MAX_QUOTED, hide_path, quote_value, redact_urls


def test_a_value_is_cut_on_the_right() -> None:
    assert quote_value("short") == "'short'"
    assert quote_value("x" * 200) == "'" + "x" * (MAX_QUOTED - 2) + "…"


@pytest.mark.parametrize("folder", ["/", "/a", "/" + "f" * 60, "/tmp/" + "deep/" * 50])
def test_a_path_keeps_its_name_whatever_its_folder(folder: str) -> None:
    text = quote_value(Path(folder) / "monitor.yaml")
    assert len(text) <= MAX_QUOTED
    assert text.startswith("'/")
    assert text.endswith("/monitor.yaml'")


def test_a_short_path_is_whole() -> None:
    assert quote_value(Path("/run/pilotfish/counters")) == "'/run/pilotfish/counters'"


@given(st.lists(st.text("ab é.-_\n", min_size=1, max_size=150), min_size=1, max_size=5), st.integers(20, 200))
def test_no_path_is_longer_than_the_limit(parts: list[str], limit: int) -> None:
    path = PurePath("/", *parts)
    text = quote_value(path, limit)
    assert len(text) <= limit
    if len(repr(path.name)) <= limit - limit // 4:
        assert text.endswith(repr(path.name)[1:])


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("https://trainer.example:8/x/y", "https://trainer.example:8/x/y"),
        ("https://ann:S3CRET@trainer.example/x?key=S3CRET#S3CRET", "https://trainer.example/x"),
        ("http://[::1]:8/a?S3CRET", "http://[::1]:8/a"),
        ("https://ann:S3C?RET@trainer.example", "https://…"),
        ("https://ann:S3C/RET@trainer.example", "https://…"),
        ("see https://S3CRET@a/b and ftp://c/d?S3CRET", "see https://a/b and ftp://c/d"),
        ("no URL? none at all #1", "no URL? none at all #1"),
    ],
)
def test_a_url_is_shown_without_what_may_be_secret(text: str, shown: str) -> None:
    assert redact_urls(text) == shown
    assert quote_value(text) == repr(shown)
    assert quote_value({"a": [text]}) == repr({"a": [shown]})


SECRET = "S3CRET"
PART = st.text(st.characters(categories=("L", "N", "P", "S"), exclude_characters="/?#"), max_size=5)


@given(PART, PART, st.sampled_from(("", "/p", "/p/q")), PART)
def test_no_user_query_or_fragment_of_a_url_is_shown(user: str, password: str, path: str, query: str) -> None:
    url = f"https://{user}{SECRET}:{password}{SECRET}@h.example{path}?{query}{SECRET}#{SECRET}"
    assert SECRET not in redact_urls(f"cannot use {url} here")


@given(PART, st.sampled_from(("https://", "http://", "https:/", "//", "")), PART)
def test_no_path_of_a_webhook_is_shown(user: str, scheme: str, path: str) -> None:
    assert SECRET not in hide_path(f"{scheme}{user}{SECRET}@h.example/{path}{SECRET}/{SECRET}?{SECRET}")
    assert SECRET not in hide_path(f"{scheme}hooks.example/services/{path}{SECRET}")


@pytest.mark.parametrize("text", ["a", "a://", "://a", "://@", "a.b"])
def test_a_long_text_takes_linear_time(text: str) -> None:
    """A label of 4 MB without white space took minutes, while the whole process stood still."""
    assert len(quote_value("://" + text * (400_000 // len(text)))) <= MAX_QUOTED


@pytest.mark.parametrize("depth", [10, MAX_QUOTED, 50_000])
def test_a_nested_value_is_quoted_whatever_its_depth(depth: int) -> None:
    """A nested label made the admin address answer 500."""
    lists: object = "://ann:S3CRET@a"
    objects: object = "://ann:S3CRET@a"
    for _ in range(depth):
        lists, objects = [lists], {"k": objects}
    assert quote_value(lists).startswith("[" * min(depth, MAX_QUOTED - 1))
    assert quote_value(objects).startswith("{'k': {'k': ")
    assert "S3CRET" not in quote_value(lists) + quote_value(objects)
