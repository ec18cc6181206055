"""The replay of measured use: the file, the pods that share their cores, and the command."""

from __future__ import annotations

import contextlib
import json
import re
import shlex
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilotfish.sidecar import cli
from pilotfish.sidecar.settings.resources import CpuRange, MemoryRange, Resources
from pilotfish.sidecar.simulate.errors import TraceError
from pilotfish.sidecar.simulate.plant import STEP
from pilotfish.sidecar.simulate.usage.plant import PodStep, SimulatedPod
from pilotfish.sidecar.simulate.usage.play import SimulatedModel, play_usage
from pilotfish.sidecar.simulate.usage.policies import CappedPolicy, DocumentPolicy, PoolPolicy, UnchangedPolicy
from pilotfish.sidecar.simulate.usage.trace import UsageTrace, read_usage

GIB = 2**30
EXAMPLE = Path(__file__).resolve().parents[2] / "docs/examples/pool"
HEAD = "time,monitor,cpu,requests_per_second,memory\n"


def test_each_monitor_has_its_samples_and_gaps() -> None:
    raw = HEAD + "0,a,1,10,100\n0,b,2,,\n60,a,,,\n120,a,3,30,\n120,b,2,,\n180,a,3,30,300\n240,b,2,,\n"
    found = read_usage(raw.encode(), "use.csv", "alone")
    assert {name: one.times.tolist() for name, one in found.items()} == {"a": [0, 120, 180], "b": [0, 120, 240]}
    assert found["a"].gaps == ((0.0, 120.0),)
    assert (found["b"].gaps, found["b"].rates, found["b"].memory) == ((), None, None)
    assert found["a"].memory is not None
    assert found["a"].at(found["a"].memory, found["a"].times).tolist() == [100, pytest.approx(233.3, abs=0.1), 300]


def test_without_a_column_of_monitors_all_rows_are_of_one() -> None:
    assert list(read_usage(b"cpu,time\n1,0\n2,60\n", "use.csv", "alone")) == ["alone"]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "use.csv: empty; the header is"),
        ("time,cpu\n", "no samples"),
        ("time,cores\n0,1\n", "unknown column 'cores'"),
        ("time,monitor\n0,a\n", "the columns are 'time,monitor'"),
        ("time,cpu\n0,1\n0,2\n", "line 3: the time 0.000 of alone does not follow 0.000"),
        ("time,cpu\n0,1\n60,-2\n", "line 3: cpu '-2'; give a number from 0 to 100,000"),
        ("time,cpu\n0,1\n", "1 samples of alone with cores"),
        ("time,cpu\n0,1\n9e6,1\n", "longer than 100 days"),
        ("time,monitor,cpu\n0,,1\n", "line 2: no monitor"),
        ("time,cpu,memory\n0,1,1e30\n", "line 2: memory '1e30'"),
    ],
)
def test_a_file_that_cannot_be_replayed_is_refused_with_its_line(text: str, told: str) -> None:
    with pytest.raises(TraceError, match=r"use\.csv") as caught:
        read_usage(text.encode(), "use.csv", "alone")
    assert told in str(caught.value)


CELLS = st.one_of(st.sampled_from(("", "nan", "0", "1", "a", "b", "1e9", "-1", "inf", "#")), st.text(max_size=3))


@given(st.one_of(st.binary(max_size=200), st.lists(st.lists(CELLS, max_size=5), max_size=6).map(
    lambda rows: (HEAD + "\n".join(",".join(row) for row in rows)).encode()
)))  # fmt: skip
def test_any_bytes_are_a_trace_or_an_error(raw: bytes) -> None:
    with contextlib.suppress(TraceError):
        assert all(len(one.times) >= 2 for one in read_usage(raw, "use.csv", "alone").values())


def at_rest(cores: float, load: float) -> PodStep:
    pod, seconds = SimulatedPod("pod", cores, 1.0), 0.05
    for step in range(400):
        found = pod.step(load / seconds * STEP, seconds, 1.0, step * STEP)
    return found


@pytest.mark.parametrize(
    ("cores", "load", "inside"),
    [(0.5, 0.25, 1.0), (1.0, 0.8, 4.0), (2.0, 1.5, 2 * 0.75 / (1 - 0.75**2)), (8.0, 1.0, 1.0)],
)
def test_requests_in_a_pod_are_those_of_processor_sharing(cores: float, load: float, inside: float) -> None:
    found = at_rest(cores, load)
    assert found.inside == pytest.approx(inside, rel=0.02)
    assert found.cpu == pytest.approx(load, rel=0.01)
    assert found.latency == pytest.approx(inside / load * 0.05, rel=0.02)


def test_a_pod_with_too_few_cores_is_throttled_and_its_clients_give_up() -> None:
    found = at_rest(0.5, 1.0)
    assert found.throttled > 0.99
    assert found.cpu == pytest.approx(0.5, rel=0.01)
    assert found.given_up > 0


def model(cpu: list[float], memory: list[float] | None = None, *, at_start: float = 2.0) -> SimulatedModel:
    times = np.arange(len(cpu)) * 60.0
    column = None if memory is None else np.array(memory)
    trace = UsageTrace("a", times, np.array(cpu), None, column, ())
    block = MemoryRange(min=GIB // 4, max=4 * GIB) if memory is not None else None
    settings = Resources(container="model", cpu=CpuRange(min=0.1, max=4.0), memory=block)
    return SimulatedModel(trace, settings, 1, 0.05, at_start, float(GIB))


def test_memory_above_the_limit_kills_and_the_recommendation_ends_it() -> None:
    one = model([0.2] * 60, [0.5 * GIB] * 30 + [1.5 * GIB] * 30)
    documents = {"a": one.settings}
    fixed = play_usage({"a": one}, UnchangedPolicy(documents), 30.0)["a"]
    found = play_usage({"a": one}, DocumentPolicy(documents), 30.0)["a"]
    assert fixed.kills > 40
    assert 1 <= found.kills < 8
    assert found.memory[-1] >= 1.5 * GIB


@pytest.mark.long
def test_a_pool_serves_opposite_loads_that_equal_shares_do_not() -> None:
    loads = {"a": [1.8] * 60 + [0.1] * 60, "b": [0.1] * 60 + [1.8] * 60}
    models = {name: model(cores, at_start=1.25) for name, cores in loads.items()}
    documents = {name: one.settings for name, one in models.items()}
    policies = (PoolPolicy(documents, 2.5), UnchangedPolicy(documents), CappedPolicy(documents, 2.5))
    slow = [max(one.latency[-120:].mean() for one in play_usage(models, policy, 30.0).values()) for policy in policies]
    assert slow[0] < 0.5
    assert slow[1] > 5.0
    assert slow[0] < slow[2]
    for policy in policies:
        found = play_usage(models, policy, 30.0).values()
        assert np.sum([one.cores for one in found], axis=0).max() <= 2.5 + 1e-6


MONITOR = """
apiVersion: pilotfish.dev/v1alpha1
kind: ModelMonitor
metadata: {{name: {name}, namespace: ml}}
spec:
  targetRef: {{apiVersion: apps/v1, kind: Deployment, name: {name}}}
  resources: {{container: model, pool: shared, cpu: {{min: 100m, max: 4}}}}
"""
USE = HEAD + "".join(f"{300 * at},{name},{1 + at % 2},{20 + at % 2},\n" for at in range(6) for name in ("a", "b"))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("a", "b"):
        (tmp_path / f"{name}.yaml").write_text(MONITOR.format(name=name))
    (tmp_path / "use.csv").write_text(USE)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def simulate(*words: str) -> int:
    return cli.main(["simulate", "--usage", "use.csv", *words])


@pytest.mark.long
@pytest.mark.parametrize(
    "command", re.findall(r"^pilotfish simulate.*$", (EXAMPLE / "README.md").read_text(), re.MULTILINE)
)
def test_the_commands_of_the_example_work(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for file in EXAMPLE.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    monkeypatch.chdir(tmp_path)
    assert cli.main(shlex.split(command)[1:]) == 0
    text = capsys.readouterr().out
    assert "gaps: 1 gap" in text
    assert re.search(r"^this (pool|document)  ", text, re.MULTILINE)
    for made in re.findall(r"\S+\.(?:html|png)", command):
        assert (tmp_path / made).stat().st_size > 10_000


@pytest.mark.long
def test_a_pool_is_compared_with_equal_shares_and_cut_recommendations(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pool = ("--monitor", "a.yaml", "--monitor", "b.yaml", "--pool", "3")
    assert simulate(*pool, "--html", "out.html") == 0
    text = capsys.readouterr().out
    for name in ("this pool", "equal shares", "own recommendations, cut"):
        assert f"\n{name}  " in text
    page = (folder / "out.html").read_text()
    assert page.count('<svg class="chart" viewBox="0 0 1080') == 6
    assert "script" not in page
    found = []
    for seed in ("0", "0", "1"):
        assert simulate(*pool, "--json", "--seed", seed) == 0
        found.append(json.loads(capsys.readouterr().out))
    assert found[0] == found[1] != found[2]
    assert found[0]["policies"][0]["monitors"].keys() == {"a", "b"}


def test_one_document_is_compared_with_the_defaults_of_the_vpa(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert simulate("--monitor", "a.yaml") == 0
    text = capsys.readouterr().out
    for name in ("this document", "VPA defaults", "always the maximum"):
        assert f"\n{name}  " in text


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--monitor", "a.yaml", "--monitor", "b.yaml"), "2 documents without --pool"),
        (("--monitor", "a.yaml", "--monitor", "a.yaml", "--pool", "3"), "a second document of the monitor a"),
        (("--monitor", "a.yaml", "--pool", "x"), "--pool 'x': give a number of cores"),
        (("--monitor", "a.yaml", "--pool", "50m"), "the minima of the documents need 0.1 cores"),
        (("--monitor", "a.yaml", "--replicas", "0"), "--replicas 0: give 1 to 20 pods"),
        (("--monitor", "a.yaml", "--startup", "soon"), "--startup 'soon'"),
        (("--monitor", "c.yaml"), "no rows of the monitor 'c'; the file has a, b"),
        (("--monitor", "d.yaml"), "no spec.resources.cpu"),
    ],
)
def test_what_cannot_be_replayed_is_one_line_with_a_remedy(
    words: tuple[str, ...], told: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "c.yaml").write_text(MONITOR.format(name="c"))
    (folder / "d.yaml").write_text(
        MONITOR.format(name="d").replace("pool: shared, cpu: {min: 100m, max: 4}", "memory: {max: 1Gi}")
    )
    assert simulate(*words) == cli.USAGE_STATUS
    assert told in capsys.readouterr().err
