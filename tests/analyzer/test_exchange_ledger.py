"""Each record has one outcome, and lost records are counted for the process that restarted."""

from __future__ import annotations

from pilotfish.sidecar.analyzer.counters import Counters
from pilotfish.sidecar.analyzer.exchange_ledger import ExchangeLedger
from pilotfish.sidecar.channel.record import VERSION, Hello


def test_a_gap_under_the_same_epoch_was_lost_by_the_analyzer() -> None:
    ledger = ExchangeLedger(1, Counters({"measured": 10}), epoch=7)
    assert ledger.handshake(Hello(7, 16), 2)
    assert ledger.counters.named() == {"measured": 10, "dropped:analyzer_restart": 5}
    assert ledger.position == 15


def test_a_gap_under_a_new_epoch_was_lost_by_the_proxy() -> None:
    ledger = ExchangeLedger(1, Counters({"measured": 10}), epoch=7)
    assert ledger.handshake(Hello(8, 13), 2)
    assert ledger.counters.named() == {"measured": 10, "dropped:proxy_restart": 2}


def test_without_a_known_epoch_the_analyzer_lost_the_records() -> None:
    ledger = ExchangeLedger(1)
    ledger.handshake(Hello(8, 13), 2)
    assert ledger.counters.named() == {"dropped:analyzer_restart": 12}


def test_a_restarted_numbering_starts_a_new_ledger() -> None:
    ledger = ExchangeLedger(1, Counters({"measured": 10, "rows:input:m": 30}), epoch=7)
    assert not ledger.handshake(Hello(8, 3), 99)
    assert (ledger.id, ledger.counters.named(), ledger.position) == (99, {"dropped:proxy_restart": 2}, 2)


def test_a_reconnection_loses_nothing() -> None:
    ledger = ExchangeLedger(1, Counters({"measured": 10}), epoch=7)
    assert ledger.handshake(Hello(7, 11), 2)
    assert ledger.counters.named() == {"measured": 10}


def test_only_outcomes_move_the_position() -> None:
    assert (
        ExchangeLedger(
            1, Counters({"measured": 3, "undecodable:ragged": 2, "rows:input:m": 900, "late_rows": 4})
        ).position
        == 5
    )


def restored(
    file: tuple[int, dict[str, int]] | None, checkpoint: tuple[int, dict[str, int]], fresh_id: int
) -> tuple[int, dict[str, int]]:
    ledger = ExchangeLedger.of_file(file, fresh_id)
    ledger.resume({"id": checkpoint[0], "totals": checkpoint[1], "epoch": 1})
    return ledger.id, ledger.counters.named()


def test_a_restart_uses_the_greater_of_file_and_checkpoint() -> None:
    file, checkpoint = (5, {"measured": 10, "rows:input:m": 4}), (5, {"measured": 8, "late_rows": 1})
    assert restored(file, checkpoint, 9) == (5, {"measured": 10, "rows:input:m": 4, "late_rows": 1})


def test_a_checkpoint_of_another_page_is_ignored() -> None:
    assert restored((5, {"measured": 1}), (6, {"measured": 100}), 9) == (5, {"measured": 1})
    assert restored(None, (6, {"measured": 100}), 9) == (9, {})


def test_what_a_proxy_of_another_version_sent_is_counted_by_its_next_handshake() -> None:
    ledger = ExchangeLedger(1, Counters({"measured": 10}), epoch=7)
    assert ledger.handshake(Hello(8, 13, VERSION + 1), 2)
    assert ledger.counters.named() == {"measured": 10, "dropped:proxy_restart": 2}
    assert ledger.handshake(Hello(8, 20, VERSION + 1), 2)
    assert ledger.handshake(Hello(9, 24), 2)
    assert ledger.handshake(Hello(10, 30), 2)
    assert ledger.counters.named() == {"measured": 10, "dropped:proxy_restart": 8, "dropped:version_mismatch": 11}
