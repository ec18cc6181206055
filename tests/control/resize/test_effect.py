"""Whether a container uses what a resize gave it."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilotfish.sidecar.control.resize.effect import ActuatedResize, Effect, EffectVerdict, effect_of
from pilotfish.sidecar.control.resize.runtimes import runtime_hints
from pilotfish.sidecar.control.resize.usage import ContainerUsage
from pilotfish.sidecar.podspec.amounts import ContainerResources

AT = 1000.0
GI = 2**30
OPENMP = {"env": [{"name": "OMP_NUM_THREADS", "value": "1"}]}
JVM = {"command": ["java", "-jar", "app.jar"]}


def used(*cpu: float, memory: float = 0.5 * GI, throttled: float | None = None, at: float = AT) -> list[ContainerUsage]:
    """Samples, one a minute, from `at` on."""
    return [
        ContainerUsage(
            pod_uid="a",
            container="model",
            cpu_cores=one,
            memory_bytes=memory,
            throttled_ratio=throttled,
            at=at + n * 60,
        )
        for n, one in enumerate(cpu)
    ]


def limits(cpu: Any, memory: Any = 1) -> ContainerResources:
    amounts = {"cpu": Fraction(cpu), "memory": Fraction(memory) * GI}
    return ContainerResources(amounts, amounts)


def after_raise(
    after: list[ContainerUsage],
    *,
    old: Any = 1,
    new: Any = 2,
    before: list[ContainerUsage] | None = None,
    busy: bool | None = None,
    container: dict[str, Any] | None = None,
) -> Effect:
    earlier = used(0.99, 1.0, throttled=0.4, at=0.0) if before is None else before
    resize = ActuatedResize(container="model", old=limits(old), new=limits(new), at=AT)
    return effect_of(resize, earlier, after, busy=busy, hints=runtime_hints(container or {}))


@pytest.mark.parametrize(
    ("after", "verdict"),
    [
        (used(1.0, 0.99, 1.0, 1.01, at=AT + 60), EffectVerdict.WITHOUT_EFFECT),
        (used(1.6, 1.8, 1.7, at=AT + 60), EffectVerdict.EFFECTIVE),
        (used(1.0, 1.0, at=AT + 60), EffectVerdict.PENDING),
        (used(1.0, 1.0, 1.0), EffectVerdict.PENDING),  # the first one contains the time before
        (used(0.3, 0.4, 0.3, at=AT + 60), EffectVerdict.UNKNOWN),  # the load is gone
        (used(1.0, 1.0, 1.0, throttled=0.2, at=AT + 60), EffectVerdict.EFFECTIVE),  # bursts beyond the new limit
    ],
)
def test_a_container_that_stays_at_its_old_cpu_limit_has_not_read_the_new_one(
    after: list[ContainerUsage], verdict: EffectVerdict
) -> None:
    assert after_raise(after).verdict is verdict


def test_without_load_before_nothing_is_said() -> None:
    idle = used(1.0, 1.0, 1.0, throttled=0.0, at=0.0)
    after = used(1.0, 1.0, 1.0, at=AT + 60)
    assert after_raise(after, before=idle).verdict is EffectVerdict.UNKNOWN
    assert after_raise(after, before=idle, busy=True).verdict is EffectVerdict.WITHOUT_EFFECT
    unknown = used(0.97, 0.5, at=0.0)
    assert after_raise(after, before=unknown).verdict is EffectVerdict.WITHOUT_EFFECT
    assert after_raise(after, before=[], busy=False).verdict is EffectVerdict.UNKNOWN


def test_a_number_of_threads_holds_the_use_also_above_the_old_limit() -> None:
    four = {"env": [{"name": "OMP_NUM_THREADS", "value": "3"}]}
    found = after_raise(used(2.95, 3.0, 3.0, at=AT + 60), old=2, new=4, container=four)
    assert found.verdict is EffectVerdict.WITHOUT_EFFECT
    assert "OMP_NUM_THREADS=3" in found.text
    assert after_raise(used(2.95, 3.0, 3.0, at=AT + 60), old=2, new=4).verdict is EffectVerdict.EFFECTIVE


def test_a_fraction_of_a_core_counts_as_a_whole_one_for_a_runtime() -> None:
    assert after_raise(used(2.0, 2.0, 1.99, at=AT + 60), old="3/2", new=4).verdict is EffectVerdict.WITHOUT_EFFECT


def test_the_text_names_the_runtime_and_the_remedy() -> None:
    found = after_raise(used(1.0, 1.0, 1.0, at=AT + 60), container=OPENMP)
    assert found.kind == "cpu"
    assert found.text == (
        "the CPU limit was raised from 1 to 2, but the use stays at 1 cores; OpenMP, BLAS (OMP_NUM_THREADS=1): the "
        "variable sets the number of threads of NumPy, scikit-learn, PyTorch and ONNX Runtime; raise or remove the "
        "variable, and restart the container"
    )
    assert "JVM, OpenMP or an automatic GOMAXPROCS" in after_raise(used(1.0, 1.0, 1.0, at=AT + 60)).text


def test_a_heap_that_was_set_at_the_start_does_not_grow() -> None:
    resize = ActuatedResize(container="model", old=limits(1, 1), new=limits(1, 2), at=AT)
    before = used(0.1, 0.1, memory=0.95 * GI, at=0.0)
    flat, grown = (used(0.1, 0.1, 0.1, memory=share * GI, at=AT + 60) for share in (0.95, 1.4))
    hints = runtime_hints(JVM)
    found = effect_of(resize, before, flat, busy=None, hints=hints)
    assert (found.verdict, found.kind) == (EffectVerdict.WITHOUT_EFFECT, "memory")
    assert "JVM (java): the largest heap is set at the start" in found.text
    assert effect_of(resize, before, grown, busy=None, hints=hints).verdict is EffectVerdict.EFFECTIVE
    assert effect_of(resize, before, flat, busy=None).verdict is EffectVerdict.UNKNOWN
    far = used(0.1, memory=0.4 * GI, at=0.0)
    assert effect_of(resize, far, flat, busy=None, hints=hints).verdict is EffectVerdict.UNKNOWN


def test_a_restart_reads_the_new_limits() -> None:
    resize = ActuatedResize(container="model", old=limits(1), new=limits(2), at=AT, restarted=True)
    assert effect_of(resize, [], [], busy=True).verdict is EffectVerdict.EFFECTIVE


SAMPLES = st.lists(
    st.builds(
        ContainerUsage,
        pod_uid=st.just("a"),
        container=st.just("model"),
        cpu_cores=st.none() | st.floats(0, 8),
        memory_bytes=st.none() | st.floats(0, 2.0**33),
        throttled_ratio=st.none() | st.floats(0, 1),
        at=st.floats(0, 2000),
    ),
    max_size=8,
)
LIMITS = st.builds(
    ContainerResources,
    st.just({}),
    st.fixed_dictionaries({}, optional={"cpu": st.fractions(0, 8), "memory": st.fractions(0, 2**33)}),
)


@given(LIMITS, LIMITS, SAMPLES, SAMPLES, st.none() | st.booleans(), st.sampled_from([{}, OPENMP, JVM]))
def test_only_a_raised_limit_can_be_without_effect_and_then_a_text_says_why(
    old: ContainerResources,
    new: ContainerResources,
    before: list[ContainerUsage],
    after: list[ContainerUsage],
    busy: bool | None,
    container: dict[str, Any],
) -> None:
    resize = ActuatedResize(container="model", old=old, new=new, at=AT)
    found = effect_of(resize, before, after, busy=busy, hints=runtime_hints(container))
    assert bool(found.text) == (found.verdict is EffectVerdict.WITHOUT_EFFECT)
    if found.text:
        assert found.kind in {"cpu", "memory"}
        assert new.limits[found.kind] > old.limits[found.kind]
