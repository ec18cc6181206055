"""The table of known model servers: how each of them is told the ports on which it listens.

A row must be right, because a server that does not move collides with the proxy and its pod does not start. `source`
is the page that describes the arguments. A server whose port only a file sets is not in the table.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from .arguments import PortSetting, UnclearError, find_flag, find_program, find_variable, flag_values, is_shell
from .context import Json
from .pod import words_of


@dataclass(frozen=True)
class ServerPort:
    """One port of a server. The first of `flags` and `variables` is used where the container sets none of them.

    All `variables` that the container sets to the port change, since versions of the server read different ones.

    `default` is the port without any of them: 0 if there is none, None if a file or the image may set it and an
    argument wins.
    The value of an `is_address` is not a number but ends with ":" and the number. A `side` port serves no predictions.
    """

    default: int | None
    flags: tuple[str, ...] = ()
    variables: tuple[str, ...] = ()
    is_address: bool = False
    is_side: bool = False


@dataclass(frozen=True)
class KnownServer:
    """A model server, recognised by the words that start it, else by its image, else by its variables.

    `takes_arguments` says that its image has no arguments of its own, which arguments of the pod would replace.
    """

    name: str
    source: str
    ports: tuple[ServerPort, ...]
    programs: tuple[tuple[str, ...], ...] = ()
    image: str = ""
    takes_arguments: bool = False


_PORT = ("--port",)
_PORT_P = ("--port", "-p")
SERVERS = (
    KnownServer(
        "BentoML",
        "https://docs.bentoml.com/en/latest/reference/bentoml/cli.html",
        (ServerPort(3000, _PORT_P, ("BENTOML_PORT",)),),
        programs=(("bentoml", "serve"),),
    ),
    KnownServer(
        "FastAPI",
        "https://fastapi.tiangolo.com/deployment/manually/",
        (ServerPort(8000, _PORT),),
        programs=(("fastapi", "run"),),
    ),
    KnownServer(
        "Flask",
        "https://flask.palletsprojects.com/en/stable/cli/",
        (ServerPort(5000, _PORT_P, ("FLASK_RUN_PORT",)),),
        programs=(("flask", "run"), ("-m", "flask", "run")),
    ),
    KnownServer(
        "gunicorn",
        "https://docs.gunicorn.org/en/stable/settings.html#bind",
        (ServerPort(None, ("--bind", "-b"), is_address=True),),
        programs=(("gunicorn",),),
    ),
    KnownServer(
        "KServe",
        "https://github.com/kserve/kserve/blob/master/python/kserve/kserve/model_server.py",
        (ServerPort(8080, ("--http_port",)), ServerPort(8081, ("--grpc_port",))),
        programs=tuple(("-m", f"{name}server") for name in ("sklearn", "xgb", "lgb", "pmml", "paddle", "huggingface")),
        image=r"(.*[/-])?(sklearn|xgb|lgb|pmml|paddle|huggingface)server(-[a-z]+)*",
        takes_arguments=True,
    ),
    KnownServer(
        "llama.cpp",
        "https://github.com/ggml-org/llama.cpp/blob/master/tools/server/README.md",
        (ServerPort(8080, _PORT, ("LLAMA_ARG_PORT",)),),
        programs=(("llama-server",),),
    ),
    KnownServer(
        "MLflow",
        "https://mlflow.org/docs/latest/api_reference/cli.html#mlflow-models-serve",
        (ServerPort(5000, _PORT_P),),
        programs=(("mlflow", "models", "serve"),),
    ),
    KnownServer(
        "MLServer",
        "https://docs.seldon.ai/mlserver/api-reference/settings",
        (
            ServerPort(8080, variables=("MLSERVER_HTTP_PORT",)),
            ServerPort(8081, variables=("MLSERVER_GRPC_PORT",)),
            ServerPort(8082, variables=("MLSERVER_METRICS_PORT",), is_side=True),
        ),
        programs=(("mlserver", "start"),),
        image=r"(.*[/-])?mlserver",
    ),
    KnownServer(
        "OpenVINO Model Server",
        "https://docs.openvino.ai/2025/model-server/ovms_docs_parameters.html",
        (ServerPort(0, ("--rest_port",)), ServerPort(9178, ("--port",))),
        programs=(("ovms",),),
    ),
    KnownServer(
        "Seldon Core Python server",
        "https://docs.seldon.ai/seldon-core-1/components/wrappers/python/python_server",
        (
            ServerPort(9000, variables=("PREDICTIVE_UNIT_HTTP_SERVICE_PORT", "PREDICTIVE_UNIT_SERVICE_PORT")),
            ServerPort(5000, variables=("PREDICTIVE_UNIT_GRPC_SERVICE_PORT",)),
            ServerPort(6000, variables=("PREDICTIVE_UNIT_METRICS_SERVICE_PORT",), is_side=True),
        ),
        programs=(("seldon-core-microservice",),),
    ),
    KnownServer(
        "SGLang",
        "https://docs.sglang.ai/advanced_features/server_arguments.html",
        (ServerPort(30000, _PORT),),
        programs=(("sglang", "serve"), ("-m", "sglang.launch_server")),
    ),
    KnownServer(
        "TensorFlow Serving",
        "https://www.tensorflow.org/tfx/serving/docker",
        (ServerPort(8501, ("--rest_api_port",)), ServerPort(8500, _PORT)),
        programs=(("tensorflow_model_server",),),
        image=r"(.*/)?tensorflow/serving|(.*[/-])?tensorflow-serving",
        takes_arguments=True,
    ),
    KnownServer(
        "Text Embeddings Inference",
        "https://huggingface.co/docs/text-embeddings-inference/cli_arguments",
        (ServerPort(None, _PORT_P, ("PORT",)),),
        programs=(("text-embeddings-router",),),
        image=r"(.*/)?text-embeddings-inference",
    ),
    KnownServer(
        "Text Generation Inference",
        "https://huggingface.co/docs/text-generation-inference/reference/launcher",
        (ServerPort(None, _PORT_P, ("PORT",)),),
        programs=(("text-generation-launcher",),),
        image=r"(.*/)?text-generation-inference",
    ),
    KnownServer(
        "TorchServe",
        "https://docs.pytorch.org/serve/configuration.html",
        (
            ServerPort(0, variables=("TS_INFERENCE_ADDRESS",), is_address=True),  # only where the pod sets it already
            ServerPort(0, variables=("TS_GRPC_INFERENCE_PORT",)),
        ),
        programs=(("torchserve",),),
    ),
    KnownServer(
        "Triton",
        "https://docs.nvidia.com/deeplearning/triton-inference-server/user-guide/docs/customization_guide/inference_protocols.html",
        (
            ServerPort(8000, ("--http-port",)),
            ServerPort(8001, ("--grpc-port",)),
            ServerPort(8002, ("--metrics-port",), is_side=True),
        ),
        programs=(("tritonserver",),),
    ),
    KnownServer(
        "uvicorn",
        "https://www.uvicorn.org/settings/",
        (ServerPort(8000, _PORT, ("UVICORN_PORT",)),),
        programs=(("uvicorn",),),
    ),
    KnownServer(
        "vLLM",
        "https://docs.vllm.ai/en/stable/serving/openai_compatible_server.html",
        (ServerPort(8000, _PORT),),
        programs=(
            ("vllm", "serve"),
            ("-m", "vllm.entrypoints.openai.api_server"),
            ("-m", "vllm.entrypoints.api_server"),
        ),
        image=r"(.*/)?vllm-openai",
        takes_arguments=True,
    ),
)
# A server of your own whose arguments name the port: only a flag that is there already changes.
_UNNAMED = KnownServer(
    "the server",
    "",
    tuple(ServerPort(0, (flag,)) for flag in ("--port", "--http-port", "--http_port", "--grpc-port", "--grpc_port")),
)
_TAG = re.compile(r"(@.*|:[^/]*)$")


def known_server(container: Json) -> KnownServer | None:
    """Return the row of the server that `container` runs, or None."""
    words = words_of(container)
    positions = {
        server: at for server in SERVERS for program in server.programs if (at := find_program(words, program)) >= 0
    }
    if positions:
        return min(positions, key=lambda server: positions[server])
    if is_shell(words):
        return None
    image = _TAG.sub("", str(container.get("image") or ""))
    for server in SERVERS:
        is_options = server.takes_arguments or not words or words[0].startswith("-")
        if server.image and is_options and not container.get("command") and re.fullmatch(server.image, image):
            return server
    names = {item.get("name") for item in container.get("env") or ()}
    for server in SERVERS:
        if not any(port.flags for port in server.ports) and names & {port.variables[0] for port in server.ports}:
            return server
    return _UNNAMED if any(word.partition("=")[0] in _FLAGS for word in words) else None


_FLAGS = {port.flags[0] for port in _UNNAMED.ports}


def is_known(container: Json) -> bool:
    """Return whether the container runs a known model server."""
    server = known_server(container)
    return server is not None and server is not _UNNAMED


def find_port(container: Json, port: ServerPort) -> PortSetting | None:
    """Return where the container sets a port of its server, or None. Raises UnclearError."""
    setting = find_flag(container, port.flags, is_address=port.is_address) if port.flags else None
    for name in port.variables if setting is None else ():
        setting = setting or find_variable(container, name, is_address=port.is_address)
    return setting


def side_ports(container: Json) -> frozenset[int]:
    """Return the ports of a known server that serve no predictions, such as its metrics."""
    server = known_server(container)
    found = set()
    for port in server.ports if server else ():
        if port.is_side:
            try:
                setting = find_port(container, port)
            except UnclearError:
                continue
            found.add(setting.number if setting else port.default or 0)
    return frozenset(found)


def bound_host(container: Json) -> str:
    """Return the address that the server listens on, if an argument says so and 127.0.0.1 does not reach it."""
    for value in flag_values(container, _HOST_FLAGS):
        host, _, number = value.rpartition(":")
        name = (host if number.isdecimal() and value.count(":") != _IPV6_COLONS else value).strip("[]")
        if name not in _REACHABLE and _ADDRESS.match(name):
            return value
    return ""


_HOST_FLAGS = ("--host", "--bind", "-b", "--http-address", "--grpc-address")
_REACHABLE = frozenset({"", "*", "0.0.0.0", "127.0.0.1", "::", "localhost"})  # noqa: S104 - compared with, not bound to
_ADDRESS = re.compile(r"[0-9.]+$|[0-9a-f:]*:[0-9a-f:]*$|\$\(|unix:")
_IPV6_COLONS = 2  # "::" has no port
