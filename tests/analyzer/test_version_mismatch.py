"""A proxy with another version of the record format is refused; the report shows it and counts its exchanges."""

from __future__ import annotations

import socket
from contextlib import closing
from pathlib import Path

import pytest

from pilotfish.sidecar.channel.record import VERSION, Hello, encode_hello
from tests.analyzer.test_worker import Bench
from tests.support.waiting import wait_until


@pytest.mark.parametrize("version", [VERSION - 1, VERSION + 1], ids=["older proxy", "newer proxy"])
def test_the_report_shows_the_versions_and_counts_the_lost_exchanges(tmp_path: Path, version: int) -> None:
    with closing(Bench(tmp_path)) as bench:
        worker = bench.start()
        for upcoming in (1, 5):
            with socket.socket(socket.AF_UNIX) as proxy:
                proxy.connect(str(tmp_path / "records.sock"))
                proxy.sendall(encode_hello(Hello(1, upcoming, version)))
                assert proxy.recv(1) == b""
        wait_until(lambda: dropped(bench) == {"version_mismatch": 4}, what="4 exchanges dropped")
        assert any(f"version {version}, this is {VERSION}" in text for text in worker.published.report.warnings)


def dropped(bench: Bench) -> dict[str, int]:
    assert bench.worker is not None
    counts = bench.worker.published.report.counts
    return {count.reason: count.exchanges for count in counts if count.fate == "dropped"}
