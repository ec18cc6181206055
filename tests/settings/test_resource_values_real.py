"""Texts with a form of their own, which parser and API server read each in its own way: URLs, durations, quantities."""

from __future__ import annotations

import random
from typing import Any

import pytest

from tests.settings.api import Connection, refusal
from tests.settings.resources import HEAD, TARGET

pytestmark = [pytest.mark.real, pytest.mark.timeout(600)]

# what only the parser refuses: docs/modelmonitor.md
NO_HOSTS = ("https://[1:2]", "https://[1.2.3.4]", "https://a\N{ACCOUNT OF}b", "https://a\N{FULLWIDTH SOLIDUS}b")
URLS = (
    *("https://a", "HTTP://A", "https://a:", "https://a:65535", "https://a:065535", "https://[::1]:8080/x"),
    *(
        "https://a?x",
        "https://a/@b",
        "https://a?x@y",
        "https://a#@",
        "https://%41",
        "https://..",
        "https://-",
        "https://a/[b",
    ),
    *(
        "https://[fe80::1%25eth0]",
        "https://\N{LATIN SMALL LETTER E WITH ACUTE}.example",
        "https://a\\b",
        "https://a/\x7f",
    ),
    *(
        "",
        "a",
        "//a",
        "https:a",
        "ftp://a",
        "https://",
        "https:///x",
        "https://?a",
        "https://#",
        "https://:80",
        "https://a@b",
    ),
    *(
        "https://a:b@c",
        "https://a:0",
        "https://a:65536",
        "https://a:8a",
        "https://a:+80",
        "https://a:-1",
        "https://a:8_0",
    ),
    *(
        "https://a:80:80",
        "https://a:\N{FULLWIDTH DIGIT ONE}",
        "https://[::1",
        "https://[zz]",
        "https://a]",
        "https://a[b]",
    ),
    *("https://a b", " https://a", "https://a\n", "https://a/\t", "https://a/\x1f", "https://a/\x85", "https://a/\xa0"),
    *("https://a/\N{IDEOGRAPHIC SPACE}b", *NO_HOSTS),
)
NUMBERS = ("0", "1", "07", "1.5", "90", "2160", "0.001", "86400", "999999999")
UNITS = ("ns", "us", "ms", "s", "m", "h", "d", "w")
NO_DURATIONS = (
    "",
    "0",
    "1",
    "s",
    "1.s",
    ".5s",
    "1S",
    "-1s",
    "1s ",
    "1e3s",
    "1s1",
    "00",
    "+1s",
    "1h 1m",
    "1.5.5s",
    "1\xb5s",
)
QUANTITIES: tuple[Any, ...] = (
    *("1Mi", "0.5Mi", "1.5Mi", "2M", "1024k", "1Ki", "33554432", "33554433", "32Mi", "01Mi", "1m", "1048576001m", "1E"),
    *("", "1e6", "1024K", "+1Mi", "1 Mi", "1mi", "1.", "1n", "1u", "0x10", 1024, 1023, 33554432, -1, True),
)


def agree(server: Connection, spec: dict[str, Any]) -> bool:
    """Return whether API server and parser both accept or both refuse `spec`."""
    body = {**HEAD, "spec": {**TARGET, **spec}}
    return bool(server.create(body).refusal) == bool(refusal(body))


def test_both_read_an_address_in_the_same_way(server: Connection) -> None:
    differing = [url for url in URLS if not agree(server, {"retrain": {"webhook": {"url": url}}})]
    assert differing == list(NO_HOSTS)
    assert [url for url in URLS[:-4] if not agree(server, {"profiles": [{"url": url}]})] == []


def test_both_read_a_duration_in_the_same_way(server: Connection) -> None:
    chance, differing = random.Random(1), []
    for _ in range(200):
        units = chance.sample(UNITS, chance.randint(1, 3))
        text = "".join(f"{chance.choice(NUMBERS)}{unit}" for unit in units)
        text = chance.choice((text, text, text, chance.choice(NO_DURATIONS)))
        webhook = {"url": "https://a.example"}
        spec: dict[str, Any] = chance.choice(
            (
                {"drift": {"tick": text}},
                {"drift": {"falseAlarms": {"per": text}}},
                {"feedback": {"keep": text}},
                {"notify": [{"webhook": {**webhook, "timeout": text}}]},
                {"notify": [{"webhook": webhook, "blindFor": text}]},
            )
        )
        if not agree(server, spec):
            differing.append(spec)
    assert differing == []


@pytest.mark.parametrize("value", QUANTITIES)
def test_both_read_a_quantity_in_the_same_way(server: Connection, value: str | int) -> None:
    assert agree(server, {"traffic": {"bodyLimit": value}})
    assert agree(server, {"traffic": {"keepRows": {"rows": 1000, "bytes": value}}})
    assert agree(server, {"resources": {"container": "a", "memory": {"min": value, "max": "64Mi"}}})
    assert agree(server, {"resources": {"container": "a", "cpu": {"min": value, "max": "64M"}}})
