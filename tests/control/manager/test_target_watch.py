"""What watches replicas and resources shares what is read of the target, counted by an API server in the process."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import Any

import pytest

from pilotfish.sidecar.control.manager.accepted import accept, document_bytes
from pilotfish.sidecar.control.manager.scale_target import ScaleTargetReader
from pilotfish.sidecar.control.manager.target_watch import TargetWatch
from pilotfish.sidecar.control.manager.trouble import TroubleError
from pilotfish.sidecar.control.reasons import Reason
from pilotfish.sidecar.control.scale.target import FactProblem, TargetFacts
from pilotfish.sidecar.kube.create import create
from pilotfish.sidecar.kube.objects import DEPLOYMENTS
from pilotfish.sidecar.settings.document import ModelMonitor, TargetRef
from tests.control.manager.fleets import SCALING
from tests.control.manager.resized import RESOURCES, ResizedFleet
from tests.control.manager.worlds import KEY, SmallWorld, monitor_item
from tests.control.scale.targets import deployment
from tests.support.apiserver.server import ApiServer

pytestmark = pytest.mark.asyncio
MINUTES = 5
DELAYS = TargetRef(api_version="apps/v1", kind="Deployment", name="delays")


@dataclass
class ReadWorld(SmallWorld):
    """A small world whose target is that of an API server."""

    reader: ScaleTargetReader | None = None

    async def read_target(self, namespace: str, target: TargetRef, *, scaled: bool) -> TargetFacts:
        assert self.reader is not None
        return await self.reader.read(namespace, target, scaled=scaled)


@pytest.mark.parametrize(
    ("blocks", "reads"),
    [
        ({"scaling": SCALING, "resources": None}, 4),
        ({"scaling": None, "resources": RESOURCES}, 1),
        ({"scaling": SCALING, "resources": RESOURCES}, 4),
        ({"scaling": {**SCALING, "interval": "60s"}, "resources": RESOURCES}, 1),
    ],
)
async def test_a_monitor_reads_its_target_once_in_an_interval(blocks: dict[str, Any], reads: int) -> None:
    small = ReadWorld()
    async with ApiServer() as api:
        kube = await api.connect()
        body = deployment(replicas=3)
        body["metadata"] = {"name": "delays", "namespace": KEY.namespace}
        await create(kube, DEPLOYMENTS, body, KEY.namespace)
        small.reader = ScaleTargetReader(kube, lambda: small.now)
        fleet = ResizedFleet(small, resources=blocks["resources"], spec={"scaling": blocks["scaling"]})
        await fleet.begin()
        await fleet.elapse(60)
        del api.calls[:]
        await fleet.elapse(MINUTES * 60)
        paths = Counter(call.path.rpartition("/")[2] for call in api.calls)
        await kube.close()
    assert paths["delays"] == MINUTES * reads
    assert paths["pods"] == MINUTES * reads


@dataclass
class Answers:
    """What the reader returns; each reading is noted."""

    facts: TargetFacts
    problems: tuple[FactProblem, ...] = ()
    unscalable: bool = False

    def __post_init__(self) -> None:
        self.reads: list[bool] = []

    async def __call__(self, namespace: str, target: TargetRef, *, scaled: bool) -> TargetFacts:
        self.reads.append(scaled)
        if scaled and self.unscalable:
            raise TroubleError(Reason.NOT_SCALABLE, "no scale")
        return replace(self.facts, problems=self.problems if scaled else ())


def watch_of(small: SmallWorld, **fields: Any) -> tuple[TargetWatch, Answers]:
    answers = Answers(small.target.facts(small.now), **fields)
    return TargetWatch(KEY, replace(small.world(), read_target=answers)), answers


def document_of(**blocks: Any) -> ModelMonitor:
    item = monitor_item(profiles=[], retrain=None, **blocks)
    return accept(document_bytes(item), "ModelMonitor team/delays").monitor


async def test_a_reading_from_before_the_last_change_is_not_used_for_the_next_one() -> None:
    small = SmallWorld()
    watch, answers = watch_of(small)
    first = await watch.read_replicas(DELAYS, 3.0, after=0.0)
    assert await watch.read_replicas(DELAYS, 3.0, after=first.at - 1.0) is first
    small.now += 1.0
    second = await watch.read_replicas(DELAYS, 3.0, after=first.at)
    assert (second.at, answers.reads) == (first.at + 1.0, [True, True])


async def test_the_resources_follow_a_target_whose_replicas_cannot_be_set() -> None:
    watch, answers = watch_of(SmallWorld(), unscalable=True)
    found = await watch.read_object(document_of(scaling=SCALING, resources=RESOURCES), DELAYS, 15.0)
    assert (found.facts, found.trouble) == (answers.facts, None)
    assert (await watch.read_replicas(DELAYS, 15.0, after=0.0)).trouble is not None
    assert answers.reads == [True, False]


async def test_the_resources_do_not_follow_a_target_of_which_only_the_scale_was_read() -> None:
    problem = FactProblem("object", Reason.NOT_AUTHORIZED, "the object: forbidden")
    watch, answers = watch_of(SmallWorld(), problems=(problem,))
    both = document_of(scaling=SCALING, resources=RESOURCES)
    assert (await watch.read_object(both, DELAYS, 15.0)).facts == answers.facts
    assert answers.reads == [True, False]


async def test_a_target_that_cannot_be_read_is_asked_once_in_the_time() -> None:
    small = SmallWorld()
    watch, answers = watch_of(small, unscalable=True)
    for _ in range(10):
        small.now += 1.0
        found = await watch.read_replicas(DELAYS, 3.0, after=0.0)
        assert found.trouble is not None
    assert len(answers.reads) == 4
