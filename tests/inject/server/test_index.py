"""The indexes return what a scan of all objects would."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import given, settings
from hypothesis import strategies as st

from pilotfish.sidecar.inject.server.index import NamespaceIndex, SelectorIndex
from tests.support.examples import examples


@dataclass(frozen=True)
class Choice:
    """Something with a selector."""

    name: str
    selector: dict[str, str]


PLACES, NAMES = st.sampled_from(["a", "b"]), st.sampled_from(["one", "two", "three"])
LABELS = st.dictionaries(st.sampled_from("xyz"), st.sampled_from("12"), max_size=3)
CHANGES = st.lists(st.tuples(PLACES, NAMES, LABELS | st.none()), max_size=30)


@settings(max_examples=examples(200))
@given(CHANGES, PLACES, LABELS)
def test_every_service_that_selects_a_pod_is_a_candidate(
    changes: list[tuple[str, str, dict[str, str] | None]], place: str, labels: dict[str, str]
) -> None:
    index, model = SelectorIndex[Choice](), dict[tuple[str, str], Choice]()
    for where, name, selector in changes:
        if selector is None:
            index.drop(where, name)
            model.pop((where, name), None)
        else:
            index.put(where, name, Choice(name, selector))
            model[where, name] = Choice(name, selector)
    found = list(index.candidates(place, labels))
    selecting = [
        one
        for (where, _), one in model.items()
        if where == place and one.selector and one.selector.items() <= labels.items()
    ]
    assert len(found) == len({one.name for one in found})
    assert all(one in found for one in selecting)
    assert all(model[place, one.name] == one for one in found)


@given(CHANGES)
def test_a_namespace_index_is_a_map_by_namespace(changes: list[tuple[str, str, dict[str, str] | None]]) -> None:
    index, model = NamespaceIndex[dict[str, str]](), dict[tuple[str, str], dict[str, str]]()
    for where, name, value in changes:
        if value is None:
            index.drop(where, name)
            model.pop((where, name), None)
        else:
            index.put(where, name, value)
            model[where, name] = value
    for place in ("a", "b"):
        assert index.all(place) == tuple(model[key] for key in sorted(model) if key[0] == place)
    assert set(index.namespaces) == {place for place, _ in model}
