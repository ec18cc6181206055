"""Laws of the patch of a resize: it makes the desired amounts, and changes nothing else."""

from __future__ import annotations

import asyncio
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any, cast

from hypothesis import given
from hypothesis import strategies as st

from pilotfish.sidecar.control.executor import Done, Failed
from pilotfish.sidecar.control.intent import level
from pilotfish.sidecar.control.reasons import Reason
from pilotfish.sidecar.control.resize.executor import ResizeExecutor
from pilotfish.sidecar.control.situation import Fact
from pilotfish.sidecar.kube.client import Kube
from pilotfish.sidecar.podspec.amounts import ContainerResources
from tests.control.resize.sized import RUNNING, TARGET, pod_spec, resources
from tests.control.situations import NOON, SUBJECT
from tests.support.apiserver.patches import json_patch

Json = dict[str, Any]

QUANTITIES = st.sampled_from(["100m", "0.1", "250m", "1", "64Mi", "67108864", "1e3", "128M"])
BLOCKS = st.dictionaries(st.sampled_from(["cpu", "memory"]), QUANTITIES, max_size=2)
RESOURCES = st.fixed_dictionaries({"requests": BLOCKS, "limits": BLOCKS})


@dataclass
class OneObject:
    """A connection to an API server with one object."""

    item: Json
    patches: list[list[Json]] = field(default_factory=list)

    async def request(self, method: str, _path: str, *, body: Any = None, **_options: Any) -> Json:
        """Return the object, patched if the method says so."""
        if method == "PATCH":
            self.patches.append(body)
            self.item = json_patch(self.item, body)
        return deepcopy(self.item)


@given(present=RESOURCES, desired=RESOURCES, template=st.booleans(), container=st.sampled_from(["model", "sidecar"]))
def test_a_patch_makes_the_desired_amounts_and_changes_nothing_else(
    present: Json, desired: Json, template: bool, container: str
) -> None:
    metadata = {"name": "delays-1", "uid": "u", "resourceVersion": "7"}
    spec = pod_spec(present)
    states = [{"name": name, "state": RUNNING} for name in ("model", "sidecar")]
    item = {"metadata": metadata, "spec": spec, "status": {"containerStatuses": states}}
    if template:
        item["spec"] = {"template": {"spec": spec}}
    key = f"Deployment/flights/delays/{container}" if template else f"Pod/flights/delays-1/u/{container}"
    wanted = level("resize", SUBJECT, key, desired=desired, observed=Fact(present, NOON), why=Reason.OUTSIDE_BOUNDS)
    server, before = OneObject(deepcopy(item)), deepcopy(item)
    executor = ResizeExecutor(cast("Kube", server), "flights", TARGET)
    outcome = asyncio.run(executor.apply(wanted, NOON))
    same = all(present[side].keys() == desired[side].keys() for side in present)
    assert isinstance(outcome, Done if same else Failed), outcome
    if same:
        assert asyncio.run(executor.apply(wanted, NOON)) == outcome, "a lost attempt is repeated"
        assert len(server.patches) <= 1, "without a second write"
    found = server.item["spec"]["template"]["spec"] if template else server.item["spec"]
    now = resources(found, container)
    assert ContainerResources.of(now) == ContainerResources.of(desired if same else present)
    assert {side: block.keys() for side, block in now.items()} == {
        side: block.keys() for side, block in present.items()
    }
    resources(found, container).update(deepcopy(present))
    assert server.item == before
