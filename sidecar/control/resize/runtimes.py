"""The runtimes that read limits only when they start, recognised by what the pod spec shows. Pure.

A row says what the runtime fixes, and what to do: mostly, the container needs a restart before it uses more. Values of
variables are shown only where they are numbers or sizes, since others may be secret.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

_NUMBER = re.compile(r"[0-9]{1,6}(?:\.[0-9]{1,3})?")
_SAFE = re.compile(r"[0-9]{1,18}(?:\.[0-9]{1,3})?[kKmMgGtT]?[i]?[bB]?")
_RESTART = "restart the container, or let its resizePolicy for {kind} be RestartContainer"


@dataclass(frozen=True, slots=True)
class RuntimeHint:
    """A setting that a runtime reads at its start.

    Attributes:
        runtime: the name of the runtime or library.
        kind: the resource that it fixes, `cpu` or `memory`.
        setting: what shows it: a variable, an argument, the program or the image.
        fixed: what stays as it was at the start.
        remedy: what to do.
        cores: how many cores the setting allows, None if it does not say.
    """

    runtime: str
    kind: Literal["cpu", "memory"]
    setting: str
    fixed: str
    remedy: str
    cores: float | None = None


@dataclass(frozen=True)
class _Row:
    """What shows a runtime. `variables` and `flags` are settings with a number; `pattern` finds them within a text.

    `counts` says that a number of `variables` or `flags` is one of threads or processes, and so bounds the cores.
    A row with settings applies only where one is found, unless `always` is set.
    """

    runtime: str
    kind: Literal["cpu", "memory"]
    fixed: str
    source: str
    remedy: str = _RESTART
    programs: str = ""
    image: str = ""
    variables: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()
    texts: tuple[str, ...] = ()
    pattern: str = ""
    counts: bool = True
    always: bool = True


_JVM_TEXTS = ("JAVA_OPTS", "JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS", "_JAVA_OPTIONS", "TS_JVM_ARGS")
_JVM_PROGRAMS = r"java|torchserve|djl-serving"
_JVM_IMAGE = r"openjdk|temurin|corretto|zulu|torchserve|djl-serving|h2o|tomcat"
_HOTSPOT = "https://docs.oracle.com/en/java/javase/21/docs/specs/man/java.html"
ROWS = (
    _Row(
        ".NET",
        "cpu",
        "the number of processors is read at the start",
        "https://learn.microsoft.com/en-us/dotnet/core/runtime-config/threading",
        programs=r"dotnet",
        image=r"dotnet|aspnet",
        variables=("DOTNET_PROCESSOR_COUNT",),
    ),
    _Row(
        ".NET",
        "memory",
        "the heap is at most 75 % of the limit at the start",
        "https://learn.microsoft.com/en-us/dotnet/core/runtime-config/garbage-collector",
        programs=r"dotnet",
        image=r"dotnet|aspnet",
        variables=("DOTNET_GCHeapHardLimit", "DOTNET_GCHeapHardLimitPercent"),
    ),
    _Row(
        "Go",
        "cpu",
        "the variable sets the number of threads; without it, Go 1.25 and newer follow the limit",
        "https://go.dev/blog/container-aware-gomaxprocs",
        remedy="remove the variable and build with Go 1.25 or newer, or raise it, and restart the container",
        variables=("GOMAXPROCS",),
        always=False,
    ),
    _Row(
        "Go",
        "memory",
        "the variable sets how large the heap grows before it is collected",
        "https://go.dev/doc/gc-guide#Memory_limit",
        remedy="raise the variable with the limit, and restart the container",
        variables=("GOMEMLIMIT",),
        counts=False,
        always=False,
    ),
    _Row(
        "gunicorn, uvicorn",
        "cpu",
        "the number of worker processes is set at the start, and a process of Python uses about one core",
        "https://docs.gunicorn.org/en/stable/settings.html#workers",
        remedy="raise the number of workers, and restart the container",
        programs=r"gunicorn|uvicorn|hypercorn|fastapi",
        variables=("WEB_CONCURRENCY", "UVICORN_WORKERS"),
        flags=("--workers", "-w"),
    ),
    _Row(
        "JVM",
        "cpu",
        "pools of threads have the size of the processors at the start",
        _HOTSPOT,
        programs=_JVM_PROGRAMS,
        image=_JVM_IMAGE,
        texts=_JVM_TEXTS,
        pattern=r"-XX:ActiveProcessorCount=([0-9]+)",
    ),
    _Row(
        "JVM",
        "memory",
        "the largest heap is set at the start: -Xmx, or MaxRAMPercentage of the limit, 25 % unless set",
        _HOTSPOT,
        remedy="raise -Xmx if it is set, and " + _RESTART,
        programs=_JVM_PROGRAMS,
        image=_JVM_IMAGE,
        texts=_JVM_TEXTS,
        pattern=r"-(?:Xmx|XX:MaxRAMPercentage=|XX:MaxHeapSize=)([0-9.]+[kKmMgGtT]?)",
        counts=False,
    ),
    _Row(
        "llama.cpp",
        "cpu",
        "the number of threads is set at the start",
        "https://github.com/ggml-org/llama.cpp/tree/master/tools/server",
        programs=r"llama-server",
        image=r"llama\.cpp",
        variables=("LLAMA_ARG_THREADS",),
        flags=("--threads", "-t"),
    ),
    _Row(
        "MLServer",
        "cpu",
        "the number of worker processes is set at the start, 1 unless set",
        "https://mlserver.readthedocs.io/en/latest/user-guide/parallel-inference.html",
        remedy="raise MLSERVER_PARALLEL_WORKERS, and restart the container",
        programs=r"mlserver",
        image=r"mlserver",
        variables=("MLSERVER_PARALLEL_WORKERS",),
    ),
    _Row(
        "nginx",
        "cpu",
        "the number of worker processes is set at the start, also with `worker_processes auto`",
        "https://nginx.org/en/docs/ngx_core_module.html#worker_processes",
        programs=r"nginx",
        image=r"nginx",
        variables=("NGINX_ENTRYPOINT_WORKER_PROCESSES_AUTOTUNE",),
        counts=False,
    ),
    _Row(
        "Node.js",
        "memory",
        "the largest heap is set at the start",
        "https://nodejs.org/api/cli.html#--max-old-space-sizesize-in-mib",
        programs=r"node",
        image=r"node",
        texts=("NODE_OPTIONS",),
        pattern=r"--max[-_]old[-_]space[-_]size=([0-9]+)",
        counts=False,
    ),
    _Row(
        "OpenMP, BLAS",
        "cpu",
        "the variable sets the number of threads of NumPy, scikit-learn, PyTorch and ONNX Runtime",
        "https://www.openmp.org/spec-html/5.0/openmpse50.html",
        remedy="raise or remove the variable, and restart the container",
        variables=(
            "OMP_NUM_THREADS",
            "OPENBLAS_NUM_THREADS",
            "MKL_NUM_THREADS",
            "BLIS_NUM_THREADS",
            "NUMEXPR_NUM_THREADS",
            "NUMEXPR_MAX_THREADS",
        ),
        always=False,
    ),
    _Row(
        "Ray",
        "cpu",
        "Ray reads the number of cores at the start",
        "https://docs.ray.io/en/latest/ray-core/scheduling/resources.html",
        programs=r"ray",
        image=r"rayproject|/ray",
        flags=("--num-cpus",),
    ),
    _Row(
        "TensorFlow",
        "cpu",
        "the pools of threads are sized at the start",
        "https://www.tensorflow.org/api_docs/python/tf/config/threading",
        remedy="raise or remove the setting, and restart the container",
        programs=r"tensorflow_model_server",
        image=r"tensorflow",
        variables=("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"),
        flags=("--tensorflow_intra_op_parallelism", "--tensorflow_session_parallelism"),
    ),
    _Row(
        "TorchServe",
        "cpu",
        "the number of workers of a model is that of the cores at the start, unless its configuration sets it",
        "https://pytorch.org/serve/configuration.html",
        remedy="scale the workers by the management API, or restart the container",
        programs=r"torchserve",
        image=r"torchserve",
        variables=("TS_DEFAULT_WORKERS_PER_MODEL",),
    ),
    _Row(
        "Triton",
        "cpu",
        "instances and threads of a model are those of its configuration, such as `instance_group`",
        "https://docs.nvidia.com/deeplearning/triton-inference-server/user-guide/docs/user_guide/model_configuration.html",
        remedy="raise `count` of instance_group or the threads in the configuration of the model, and load it again",
        programs=r"tritonserver",
        image=r"tritonserver",
    ),
    _Row(
        "vLLM",
        "cpu",
        "one process schedules the requests, and the threads of PyTorch are set at the start",
        "https://docs.vllm.ai/en/latest/configuration/optimization.html",
        programs=r"vllm",
        image=r"vllm",
        variables=("VLLM_CPU_NUM_OF_RESERVED_CPU",),
        counts=False,
    ),
)


def runtime_hints(container: Mapping[str, Any]) -> tuple[RuntimeHint, ...]:
    """Return what a container, as in a pod spec, shows of runtimes that read limits at their start.

    Settings with a value come before those that only the program or the image suggests.
    """
    words = [str(word) for word in (*(container.get("command") or ()), *(container.get("args") or ()))]
    parts = [part for word in words for part in word.split()]
    variables = {
        str(item.get("name")): str(item.get("value") or "")
        for item in container.get("env") or ()
        if isinstance(item, Mapping)
    }
    image = str(container.get("image") or "")
    found = [hint for row in ROWS for hint in _hints(row, parts, variables, image)]
    return tuple(sorted(found, key=lambda hint: hint.cores is None))


def _hints(row: _Row, parts: list[str], variables: Mapping[str, str], image: str) -> Iterator[RuntimeHint]:
    shown = _program(row, parts) or _image(row, image)
    settings = [
        *((name, f"{name}={variables[name]}", variables[name]) for name in row.variables if name in variables),
        *(_flags(row, parts) if shown or not row.programs else ()),
        *_within(row, [*parts, *(variables[name] for name in row.texts if name in variables)]),
    ]
    for name, text, value in settings:
        yield _hint(row, text if _SAFE.fullmatch(value) else name, value)
    if not settings and row.always:
        if shown:
            yield _hint(row, shown)
        elif any(name in variables for name in row.texts):
            yield _hint(row, next(name for name in row.texts if name in variables))


def _hint(row: _Row, setting: str, value: str = "") -> RuntimeHint:
    cores = float(value) if row.kind == "cpu" and row.counts and _NUMBER.fullmatch(value) else None
    return RuntimeHint(row.runtime, row.kind, setting, row.fixed, row.remedy.format(kind=row.kind), cores or None)


def _program(row: _Row, parts: list[str]) -> str:
    """Return the word that is one of the programs, also as a path or a module such as `python -m NAME`."""
    pattern = re.compile(rf"(?:.*/)?(?:{row.programs})(?:\.[\w.]+)?") if row.programs else None
    return next((part.rpartition("/")[2] for part in parts if pattern and pattern.fullmatch(part)), "")


def _image(row: _Row, image: str) -> str:
    name = image.partition("@")[0]
    repository = name[: name.rfind(":")] if name.rfind(":") > name.rfind("/") else name
    return f"the image {repository}" if row.image and re.search(row.image, repository) else ""


def _flags(row: _Row, parts: list[str]) -> Iterator[tuple[str, str, str]]:
    for position, part in enumerate(parts):
        name, equals, value = part.partition("=")
        if name in row.flags:
            value = value if equals else next(iter(parts[position + 1 : position + 2]), "")
            yield name, f"{name}{equals or ' '}{value}", value


def _within(row: _Row, texts: list[str]) -> Iterator[tuple[str, str, str]]:
    for text in texts:
        for match in re.finditer(row.pattern, text) if row.pattern else ():
            yield row.runtime, match[0], match[1]
