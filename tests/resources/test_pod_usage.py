"""The figures of a pod as samples of the model server: containers that are started again, the own ones left out."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from pilotfish.sidecar.resources.pod.figures import ContainerFigures, FiguresError, PodFigures, decode, encode
from pilotfish.sidecar.resources.pod.usage import PodUsage
from pilotfish.sidecar.resources.usage import UsageMeter
from tests.support.examples import examples


def container(name: str, identifier: str, cpu: int, **values: object) -> ContainerFigures:
    return ContainerFigures(
        **{"name": name, "id": identifier, "version": 2, "processes": 1, "threads": 2, "cpu_ns": cpu, **values}  # type: ignore[arg-type]
    )


def pod(*containers: ContainerFigures, **values: object) -> PodFigures:
    return PodFigures(node="n", containers=containers, **values)  # type: ignore[arg-type]


def test_the_model_is_all_containers_but_those_of_pilotfish() -> None:
    usage = PodUsage()
    found = usage.add(
        pod(
            container("model", "a", 10, memory=5, memory_limit=7),
            container("tokenizer", "b", 20, memory=6, memory_limit=8),
            container("pilotfish-proxy", "c", 1000, memory=1),
        ),
        1,
    )
    model, own = found["model"], found["pilotfish"]
    assert model is not None
    assert own is not None
    assert (model.memory, model.memory_limit, model.processes, model.threads) == (11, 15, 2, 4)
    assert (model.cpu_ns, own.memory, own.memory_limit) == (0, 1, None)


def test_a_container_that_was_started_again_counts_from_its_first_figures() -> None:
    usage = PodUsage()
    usage.add(pod(container("model", "a", 100)), 1)
    usage.add(pod(container("model", "a", 130)), 2)
    found = usage.add(pod(container("model", "b", 7)), 3)["model"]
    assert found is not None
    assert found.cpu_ns == 30
    found = usage.add(pod(container("model", "b", 9)), 4)["model"]
    assert found is not None
    assert found.cpu_ns == 32


def test_kills_in_a_container_that_is_gone_are_counted() -> None:
    usage = PodUsage()
    usage.add(pod(container("model", "a", 1, oom_kills=0), oom_kills=0), 1)
    found = usage.add(pod(container("model", "b", 1, oom_kills=0), oom_kills=1), 2)["model"]
    assert found is not None
    assert found.oom_kills == 1


counters = st.lists(
    st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 100)), max_size=3, unique_by=lambda one: one[0]),
    max_size=8,
)


@settings(max_examples=examples(300))
@given(counters)
def test_the_sums_never_fall_and_are_the_growth_of_each_container(history: list[list[tuple[str, int]]]) -> None:
    usage, meter, total = PodUsage(), UsageMeter(), 0
    before: dict[str, int] = {}
    last = 0
    for at, containers in enumerate(history):
        expected = sum(max(0, cpu - before.get(name, cpu)) for name, cpu in containers)
        sample = usage.add(pod(*(container("model", name, cpu) for name, cpu in containers)), at + 1)["model"]
        grown = meter.add(sample)
        if sample is not None:
            assert sample.cpu_ns is not None
            assert sample.cpu_ns >= last
            assert sample.cpu_ns - last == expected
            last = sample.cpu_ns
        total += grown.get("cpu", 0)
        before = dict(containers)
    assert total <= last


@settings(max_examples=examples(200))
@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_no_response_raises_another_error(raw: bytes) -> None:
    try:
        decode(raw)
    except FiguresError:
        pass


def test_figures_come_back_from_their_bytes() -> None:
    figures = pod(container("model", "a", 1, pressure_ns={"cpu": 3}), problems=("no GPU",))
    assert decode(encode(figures)) == figures
