"""Which monitor a pod follows, if the targets of several select it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pilotfish.sidecar.control.manager.claims import Claims
from pilotfish.sidecar.control.manager.key import MonitorKey

KEYS = [MonitorKey("team", f"m{index}", f"uid-{index}") for index in range(4)]
CREATED = {key: f"2027-01-0{4 - index}T00:00:00Z" for index, key in enumerate(KEYS[:3])} | {
    KEYS[3]: "2027-01-04T00:00:00Z"  # as old as the first one, so that its name decides
}
PODS = ("a", "b", "c")
STEPS = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(KEYS), st.sets(st.sampled_from(PODS))),
        st.tuples(st.sampled_from(KEYS), st.none()),
        st.tuples(st.sampled_from(KEYS), st.sampled_from(PODS)),
    ),
    max_size=20,
)


@given(STEPS)
def test_the_owner_is_the_named_monitor_or_the_oldest_one_whatever_happened_before(steps: list) -> None:
    claims, claimed, named = Claims(), dict[MonitorKey, set[str]](), dict[str, str]()
    for key, what in steps:
        before = [claims.owner(pod) for pod in PODS], claims.revision("team")
        if isinstance(what, str):
            claims.name(key, what)
            if any(what in pods for pods in claimed.values()):
                named[what] = key.name
        elif what is not None:
            claims.claim(key, CREATED[key], what)
            claimed[key] = what
        elif key in claimed:
            claims.release(key)
            del claimed[key]
        for pod in PODS:
            if not any(pod in pods for pods in claimed.values()):
                named.pop(pod, None)
            found = [one for one, pods in claimed.items() if pod in pods and named.get(pod) in {None, one.name}]
            assert claims.owner(pod) == min(found, key=lambda one: (CREATED[one], one.name), default=None)
        if claims.revision("team") == before[1]:
            assert [claims.owner(pod) for pod in PODS] == before[0]
