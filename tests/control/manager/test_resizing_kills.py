"""Each kill for memory counts once, however many there are, and also with the next leader."""

from __future__ import annotations

from typing import Any

from pilotfish.sidecar.control.manager.checkpoint import ResizingCheckpoint
from pilotfish.sidecar.control.manager.resizing_kills import MOST_KILLS, KillBook
from pilotfish.sidecar.log import whole_second
from tests.control.manager.resized import CONTAINER
from tests.control.manager.worlds import NOON, pod_item


def killed(name: str, at: float = NOON) -> dict[str, Any]:
    item = pod_item(name)
    ended = {"reason": "OOMKilled", "finishedAt": whole_second(at), "containerID": f"containerd://{name}-{at:g}"}
    given = {"requests": {"memory": "64Mi"}}
    item["spec"] = {"containers": [{"name": CONTAINER, "resources": given}]}
    item["status"]["containerStatuses"] = [{"name": CONTAINER, "lastState": {"terminated": ended}}]
    return item


def counted(book: KillBook, items: list[dict[str, Any]], now: float = NOON) -> KillBook:
    return book.counted(book.unseen(items, CONTAINER, now), items, CONTAINER)


def test_a_kill_that_pods_still_show_is_not_forgotten_after_many_others() -> None:
    items = [killed(f"p{index}") for index in range(3 * MOST_KILLS)]
    book = counted(KillBook(), items)
    assert not book.unseen(items, CONTAINER, NOON)


def test_kills_that_no_pod_shows_any_more_are_bounded() -> None:
    book = KillBook()
    for hour in range(3 * MOST_KILLS):
        book = counted(book, [killed("p", NOON + 3600.0 * hour)], NOON + 3600.0 * hour)
    assert len(book.identities) == len(book.stored) == MOST_KILLS
    assert book.last_at == NOON + 3600.0 * (3 * MOST_KILLS - 1)


def test_the_next_leader_counts_no_kill_again() -> None:
    items = [killed("p0"), killed("p1", NOON + 60.0)]
    book = counted(KillBook(), items, NOON + 120.0)
    stored = ResizingCheckpoint(kills=book.stored, killed_at=book.last_at)
    assert KillBook.of(stored).last_at == NOON + 60.0
    assert not KillBook.of(stored).unseen(items, CONTAINER, NOON + 120.0)


def test_a_kill_in_the_future_of_this_clock_is_one_of_now() -> None:
    [kill] = KillBook().unseen([killed("p0", NOON + 600.0)], CONTAINER, NOON).values()
    assert kill.at == NOON
