"""A defect in a decoder is counted, and its place is logged once, without a value."""

from __future__ import annotations

import pytest

from pilotfish.sidecar.analyzer import defects
from pilotfish.sidecar.analyzer.decode import Allowance, Hints, SkippedExchange, decode, registry
from pilotfish.sidecar.analyzer.tokens import read
from pilotfish.sidecar.report.blocks.tokens import TokenReason
from tests.support.records import make_record

VALUE = "a value of a row"


def broken(*_: object, **__: object) -> None:
    raise ZeroDivisionError(VALUE)


@pytest.fixture(autouse=True)
def nothing_logged_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(defects, "_logged", set())


def test_a_defect_of_a_decoder_is_logged_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(registry, "_decode", broken)
    for sequence in (1, 2):
        assert decode(make_record(sequence, b"{}"), Hints()) == SkippedExchange("decoder_error")
    (line,) = caplog.messages
    assert line.startswith("decoding an exchange failed: ZeroDivisionError at test_defects.py:")
    assert VALUE not in line


def test_a_defect_of_the_token_counts_is_logged_also_if_no_language_model_was_expected(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(read, "_read", broken)
    record = make_record(1, b"{}", b'{"usage": {"prompt_tokens": 1}}')
    assert read.read_tokens(record, Allowance(), known=True) is TokenReason.DEFECT
    assert read.read_tokens(record, Allowance(), known=False) is None
    (line,) = caplog.messages
    assert line.startswith("reading the tokens of a response failed: ZeroDivisionError at test_defects.py:")
