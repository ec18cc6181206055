"""Runtimes that the spec of a container shows."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilotfish.sidecar.control.resize.runtimes import ROWS, runtime_hints

TEXTS = st.text(max_size=8)


def hints(**container: Any) -> set[tuple[str, str, str, float | None]]:
    env = [{"name": name, "value": value} for name, value in container.pop("env", {}).items()]
    found = runtime_hints({"name": "model", "env": env, **container})
    return {(hint.runtime, hint.kind, hint.setting, hint.cores) for hint in found}


@pytest.mark.parametrize(
    ("container", "expected"),
    [
        ({"env": {"GOMAXPROCS": "2"}}, {("Go", "cpu", "GOMAXPROCS=2", 2.0)}),
        ({"env": {"GOMEMLIMIT": "500MiB"}}, {("Go", "memory", "GOMEMLIMIT=500MiB", None)}),
        (
            {"env": {"OMP_NUM_THREADS": "4", "MKL_NUM_THREADS": "1"}},
            {("OpenMP, BLAS", "cpu", "OMP_NUM_THREADS=4", 4.0), ("OpenMP, BLAS", "cpu", "MKL_NUM_THREADS=1", 1.0)},
        ),
        (
            {"command": ["java", "-XX:MaxRAMPercentage=75.0", "-jar", "app.jar"]},
            {("JVM", "cpu", "java", None), ("JVM", "memory", "-XX:MaxRAMPercentage=75.0", None)},
        ),
        (
            {"image": "eclipse-temurin:21", "env": {"JAVA_TOOL_OPTIONS": "-Xmx512m -XX:ActiveProcessorCount=2"}},
            {("JVM", "cpu", "-XX:ActiveProcessorCount=2", 2.0), ("JVM", "memory", "-Xmx512m", None)},
        ),
        (
            {"command": ["sh", "-c", "exec /usr/bin/java -jar app.jar"]},
            {("JVM", "cpu", "java", None), ("JVM", "memory", "java", None)},
        ),
        (
            {"image": "registry:5000/team/app", "env": {"JAVA_OPTS": "-Dpassword=secret"}},
            {("JVM", "cpu", "JAVA_OPTS", None), ("JVM", "memory", "JAVA_OPTS", None)},
        ),
        (
            {"image": "tensorflow/serving:2.19.0", "args": ["--tensorflow_intra_op_parallelism=3"]},
            {("TensorFlow", "cpu", "--tensorflow_intra_op_parallelism=3", 3.0)},
        ),
        (
            {"command": ["gunicorn", "app:app", "-w", "4"]},
            {("gunicorn, uvicorn", "cpu", "-w 4", 4.0)},
        ),
        (
            {"command": ["python", "-m", "uvicorn", "app:app", "--workers=2"]},
            {("gunicorn, uvicorn", "cpu", "--workers=2", 2.0)},
        ),
        ({"command": ["uvicorn", "app:app"]}, {("gunicorn, uvicorn", "cpu", "uvicorn", None)}),
        (
            {"image": "nvcr.io/nvidia/tritonserver:25.01-py3"},
            {("Triton", "cpu", "the image nvcr.io/nvidia/tritonserver", None)},
        ),
        (
            {"image": "pytorch/torchserve@sha256:0"},
            {
                ("JVM", "cpu", "the image pytorch/torchserve", None),
                ("JVM", "memory", "the image pytorch/torchserve", None),
                ("TorchServe", "cpu", "the image pytorch/torchserve", None),
            },
        ),
        ({"image": "seldonio/mlserver:1.7.0"}, {("MLServer", "cpu", "the image seldonio/mlserver", None)}),
        ({"image": "vllm/vllm-openai:v0.10.0"}, {("vLLM", "cpu", "the image vllm/vllm-openai", None)}),
        ({"image": "nginx:1.29"}, {("nginx", "cpu", "the image nginx", None)}),
        ({"image": "model", "command": ["python", "serve.py", "--workers", "8"]}, set()),
        ({"image": "model", "env": {"OMP_NUM_THREADS": "secret"}}, {("OpenMP, BLAS", "cpu", "OMP_NUM_THREADS", None)}),
    ],
)
def test_a_container_shows_the_runtimes_that_read_limits_at_the_start(
    container: dict[str, Any], expected: set[Any]
) -> None:
    assert hints(**container) == expected


def test_a_setting_with_a_number_comes_first() -> None:
    container = {"image": "tensorflow/serving", "env": [{"name": "OMP_NUM_THREADS", "value": "1"}, {"name": "X"}]}
    assert [hint.cores for hint in runtime_hints(container)] == [1.0, None]


def test_each_runtime_names_what_it_fixes_its_source_and_a_remedy() -> None:
    assert [(row.runtime.lower(), row.kind) for row in ROWS] == sorted((row.runtime.lower(), row.kind) for row in ROWS)
    for row in ROWS:
        assert row.fixed
        assert row.source.startswith("https://")
        assert row.programs or row.image or row.variables


@given(
    st.dictionaries(
        st.sampled_from(["image", "command", "args", "env"]),
        st.none()
        | st.text(max_size=8)
        | st.lists(st.text(max_size=8) | st.dictionaries(st.text(max_size=5), st.text())),
    )
)
def test_any_container_is_read_and_no_text_of_a_variable_is_shown(container: dict[str, Any]) -> None:
    for hint in runtime_hints(container):
        assert hint.remedy


@given(st.sampled_from(["JAVA_OPTS", "OMP_NUM_THREADS", "GOMAXPROCS", "WEB_CONCURRENCY"]), st.text(min_size=12))
def test_a_value_that_is_not_a_number_or_size_is_not_shown(name: str, value: str) -> None:
    for hint in runtime_hints({"env": [{"name": name, "value": f"x{value}"}]}):
        assert value not in hint.setting
