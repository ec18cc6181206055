from __future__ import annotations

from typing import Any

import pytest

from pilotfish.sidecar.inject.context import ClusterService, Context, ServicePort
from pilotfish.sidecar.inject.injection import Injection, inject
from pilotfish.sidecar.inject.operations import patch_json
from pilotfish.sidecar.inject.reasons import InjectionReason
from pilotfish.sidecar.inject.servers import SERVERS

from . import cases
from .patching import apply

TEMPLATE = cases.template()
NEW = "9800"


def moved(
    port: int, container: dict[str, Any], annotations: dict[str, str] | None = None
) -> tuple[Injection, dict[str, Any]]:
    """Inject a pod whose Service targets `port` by number; return the injection and the container afterwards."""
    metadata = {"labels": {"app": "model", "pilotfish.dev/inject": "true"}, "annotations": annotations or {}}
    pod = {"metadata": metadata, "spec": {"containers": [{"name": "model", **container}]}}
    service = ClusterService("scores", {"app": "model"}, (ServicePort("http", 80, port),))
    injection = inject(pod, Context("models", services=[service]), TEMPLATE)
    return injection, apply(pod, patch_json(injection.patch))["spec"]["containers"][0]


WORDS: dict[str, tuple[int, list[str], list[str]]] = {
    "bentoml": (3000, ["bentoml", "serve", "service:svc"], ["bentoml", "serve", "service:svc", "--port=9800"]),
    "bentoml short": (3001, ["bentoml", "serve", ".", "-p", "3001"], ["bentoml", "serve", ".", "-p", NEW]),
    "bentoml attached": (3001, ["bentoml", "serve", ".", "-p3001"], ["bentoml", "serve", ".", "-p9800"]),
    "fastapi": (80, ["fastapi", "run", "a.py", "--port", "80"], ["fastapi", "run", "a.py", "--port", NEW]),
    "flask": (5000, ["flask", "run", "--host=0.0.0.0"], ["flask", "run", "--host=0.0.0.0", "--port=9800"]),
    "flask module": (5001, ["python", "-m", "flask", "run", "-p", "5001"], ["python", "-m", "flask", "run", "-p", NEW]),
    "gunicorn address": (80, ["gunicorn", "-b", "0.0.0.0:80", "a:b"], ["gunicorn", "-b", "0.0.0.0:9800", "a:b"]),
    "gunicorn any": (7777, ["gunicorn", "-c", "c.py", "a:b"], ["gunicorn", "-c", "c.py", "a:b", "--bind=0.0.0.0:9800"]),
    "gunicorn ipv6": (80, ["gunicorn", "--bind=[::]:80", "a:b"], ["gunicorn", "--bind=[::]:9800", "a:b"]),
    "llama.cpp": (8080, ["/app/llama-server", "-m", "a"], ["/app/llama-server", "-m", "a", "--port=9800"]),
    "mlflow": (5000, ["mlflow", "models", "serve", "-m", "m"], ["mlflow", "models", "serve", "-m", "m", "--port=9800"]),
    "ovms": (9001, ["/ovms/bin/ovms", "--rest_port=9001"], ["/ovms/bin/ovms", "--rest_port=9800"]),
    "ovms grpc": (9000, ["/ovms/bin/ovms", "--port", "9000"], ["/ovms/bin/ovms", "--port", NEW]),
    "sglang": (
        30000,
        ["sglang", "serve", "--model-path", "m"],
        ["sglang", "serve", "--model-path", "m", "--port=9800"],
    ),
    "tgi": (3000, ["text-generation-launcher", "--port", "3000"], ["text-generation-launcher", "--port", NEW]),
    "triton": (8001, ["tritonserver", "--grpc-port", "8001"], ["tritonserver", "--grpc-port", NEW]),
    "tini": (8000, ["tini", "--", "uvicorn", "a:b"], ["tini", "--", "uvicorn", "a:b", "--port=9800"]),
    "variable": (8000, ["uvicorn", "a:b", "--port=$(PORT)"], ["uvicorn", "a:b", "--port=9800"]),
    "own server": (8000, ["python", "serve.py", "--port=8000"], ["python", "serve.py", "--port=9800"]),
    "script": (
        8000,
        ["bash", "-ec", "sleep 1\nexec uvicorn 'a:make(\"x\")' --port=8000 --workers 2"],
        ["bash", "-ec", "sleep 1\nexec uvicorn 'a:make(\"x\")' --port=9800 --workers 2"],
    ),
    "script after options": (
        8000,
        ["bash", "-o", "pipefail", "-c", "uvicorn a:b --port 8000 | tee /tmp/log"],
        ["bash", "-o", "pipefail", "-c", "uvicorn a:b --port 9800 | tee /tmp/log"],
    ),
    "script without a flag": (
        8000,
        ["/bin/sh", "-c", "exec vllm serve $MODEL"],
        ["/bin/sh", "-c", "exec vllm serve $MODEL --port=9800"],
    ),
}


@pytest.mark.parametrize("name", WORDS)
@pytest.mark.parametrize("side", ["command", "args"])
def test_a_known_server_is_told_its_new_port(name: str, side: str) -> None:
    port, words, expected = WORDS[name]
    env = [{"name": "PORT", "value": "8000"}]
    injection, container = moved(port, {"env": env, side: words})
    assert injection.reason is InjectionReason.KNOWN_SERVER, injection.message
    assert [*container.get("command", []), *container.get("args", [])] == expected
    assert container["env"] == env


VARIABLES: dict[str, tuple[int, dict[str, Any], str, str]] = {
    "mlserver set": (9000, {"env": [{"name": "MLSERVER_HTTP_PORT", "value": "9000"}]}, "MLSERVER_HTTP_PORT", NEW),
    "mlserver image": (8081, {"image": "quay.io/x/mlserver:1.6"}, "MLSERVER_GRPC_PORT", NEW),
    "mlserver words": (8080, {"args": ["mlserver", "start", "."]}, "MLSERVER_HTTP_PORT", NEW),
    "mlserver script": (8080, {"args": ["sh", "-c", "cd /m && mlserver start ."]}, "MLSERVER_HTTP_PORT", NEW),
    "uvicorn": (
        80,
        {"args": ["uvicorn", "a:b"], "env": [{"name": "UVICORN_PORT", "value": "80"}]},
        "UVICORN_PORT",
        NEW,
    ),
    "torchserve": (
        8080,
        {"args": ["torchserve", "--start"], "env": [{"name": "TS_INFERENCE_ADDRESS", "value": "http://0.0.0.0:8080"}]},
        "TS_INFERENCE_ADDRESS",
        "http://0.0.0.0:9800",
    ),
    "tgi image": (80, {"image": "registry.example/huggingface/text-generation-inference:3.3"}, "PORT", NEW),
}


@pytest.mark.parametrize("name", VARIABLES)
def test_a_server_without_a_flag_gets_a_variable(name: str) -> None:
    port, container, variable, expected = VARIABLES[name]
    injection, patched = moved(port, container)
    assert injection.reason is InjectionReason.KNOWN_SERVER, injection.message
    assert {item["name"]: item["value"] for item in patched["env"]}[variable] == expected
    assert (patched.get("command"), patched.get("args")) == (container.get("command"), container.get("args"))


IMAGES = {
    "docker.io/kserve/sklearnserver:v0.15": 8080,
    "registry:5000/mirror/kserve-huggingfaceserver-gpu@sha256:00": 8081,
    "tensorflow/serving:2.19.0-gpu": 8501,
    "vllm/vllm-openai": 8000,
}


@pytest.mark.parametrize("image", IMAGES)
def test_an_image_without_arguments_of_its_own_gets_one(image: str) -> None:
    injection, container = moved(IMAGES[image], {"image": image})
    assert injection.reason is InjectionReason.KNOWN_SERVER, injection.message
    (argument,) = container["args"]
    assert argument.endswith(f"port={NEW}")


UNCLEAR: dict[str, tuple[int, dict[str, Any], str]] = {
    "no server": (8000, {"image": "registry.example/model:1"}, "no known model server runs there"),
    "another port": (7000, {"args": ["uvicorn", "a:b"]}, "nothing in the container says that uvicorn listens on 7000"),
    "twice": (80, {"args": ["uvicorn", "a:b", "--port=80", "--port=81"]}, "the flag --port occurs more than once"),
    "twice in a script": (80, {"args": ["sh", "-c", "uvicorn a:b --port 80; uvicorn a:c --port 81"]}, "more than once"),
    "a variable of the shell": (80, {"args": ["sh", "-c", "uvicorn a:b --port $PORT"]}, "has the value '$PORT'"),
    "several commands": (8000, {"args": ["sh", "-c", "fastapi run & wait"]}, "a shell starts FastAPI without --port"),
    "a quotation": (8000, {"args": ["sh", "-c", "vllm serve m --x 'y'"]}, "a shell starts vLLM without --port"),
    "a secret": (
        80,
        {"args": ["uvicorn", "a:b"], "env": [{"name": "UVICORN_PORT", "valueFrom": {"fieldRef": {"fieldPath": "x"}}}]},
        "UVICORN_PORT has the value ''",
    ),
    "torchserve": (8080, {"args": ["torchserve", "--start"]}, "nothing in the container says that TorchServe"),
    "a program in an image": (8080, {"image": "x/mlserver", "args": ["python", "x.py"]}, "no known model server"),
    "bento image": (3000, {"image": "registry.example/bento:1"}, "no known model server runs there"),
    "an image with a command": (8080, {"image": "kserve/sklearnserver", "command": ["python", "x.py"]}, "no known"),
    "a worker class": (
        8000,
        {"args": ["python", "serve.py", "uvicorn.workers.UvicornWorker"]},
        "no known model server",
    ),
}


@pytest.mark.parametrize("name", UNCLEAR)
def test_a_server_that_may_not_obey_is_left_alone(name: str) -> None:
    port, container, why = UNCLEAR[name]
    injection, patched = moved(port, container)
    assert injection.reason is InjectionReason.NUMERIC_PORTS
    assert injection.message.startswith(f"Service scores targets port {port} of container model by number")
    assert why in injection.message
    assert patched == {"name": "model", **container}


ANNOTATED: dict[str, tuple[dict[str, str], dict[str, Any], dict[str, Any]]] = {
    "argument added": ({"move-argument": "--listen={port}"}, {"args": ["serve"]}, {"args": ["serve", "--listen=9800"]}),
    "argument replaced": ({"move-argument": "--l={port}"}, {"args": ["s", "--l=80"]}, {"args": ["s", "--l=9800"]}),
    "two words replaced": ({"move-argument": "--l {port}"}, {"args": ["s", "--l", "80"]}, {"args": ["s", "--l", NEW]}),
    "two words for one": ({"move-argument": "--l {port}"}, {"args": ["s", "--l=80"]}, {"args": ["s", "--l=9800"]}),
    "one word for two": (
        {"move-argument": "--l={80}"},
        {"command": ["s", "--l", "80"]},
        {"command": ["s", "--l", NEW]},
    ),
    "address": ({"move-argument": "-b 0.0.0.0:{port}"}, {"args": ["s"]}, {"args": ["s", "-b", "0.0.0.0:9800"]}),
    "variable": ({"move-env": "PORT"}, {}, {"env": [{"name": "PORT", "value": NEW}]}),
    "variable in a shell": (
        {"move-env": "URL=http://*:{port}"},
        {"args": ["sh", "-c", "s $URL"], "env": [{"name": "URL", "valueFrom": {"fieldRef": {"fieldPath": "x"}}}]},
        {"args": ["sh", "-c", "s $URL"], "env": [{"name": "URL", "value": "http://*:9800"}]},
    ),
    "a known server otherwise": (
        {"move-env": "P"},
        {"args": ["uvicorn"]},
        {"args": ["uvicorn"], "env": [{"name": "P", "value": NEW}]},
    ),
}


@pytest.mark.parametrize("name", ANNOTATED)
def test_an_annotation_says_how_a_server_moves(name: str) -> None:
    annotations, container, expected = ANNOTATED[name]
    injection, patched = moved(80, container, {f"pilotfish.dev/{key}": value for key, value in annotations.items()})
    assert injection.reason is InjectionReason.REQUESTED, injection.message
    assert patched == {"name": "model", **expected}


INVALID: dict[str, tuple[dict[str, str], dict[str, Any], str]] = {
    "no placeholder": ({"move-argument": "--port=80"}, {"args": ["s"]}, "has no {port}"),
    "only a flag": ({"move-argument": "--port"}, {"args": ["s"]}, "has no {port}"),
    "empty": ({"move-argument": ""}, {"args": ["s"]}, "has no {port}"),
    "a quotation": ({"move-argument": "--port='{port}"}, {"args": ["s"]}, "quotation mark"),
    "another port": ({"move-argument": "--port={8000}"}, {"args": ["s"]}, "has {8000}, but the ports are 80"),
    "no arguments": ({"move-argument": "--port={port}"}, {}, "would replace those of its image"),
    "a shell": ({"move-argument": "--port={port}"}, {"args": ["sh", "-c", "s"]}, "a shell starts the server"),
    "no variable": ({"move-env": "a b"}, {}, "names no variable"),
    "a fixed variable": ({"move-env": "PORT=80"}, {}, "has no {port}"),
    "a mode": ({"interception": "magic"}, {}, "known are auto, move, port, redirect"),
    "ports": ({"ports": "http"}, {}, "is not a TCP port of the container model"),
}


@pytest.mark.parametrize("name", INVALID)
def test_an_annotation_that_cannot_be_used_is_reported(name: str) -> None:
    annotations, container, why = INVALID[name]
    injection, _ = moved(80, container, {f"pilotfish.dev/{key}": value for key, value in annotations.items()})
    assert injection.reason is InjectionReason.ANNOTATION_INVALID
    assert why in injection.message


def test_the_table_of_servers_is_alphabetical_and_names_a_source_and_a_way_to_move_each() -> None:
    names = [server.name for server in SERVERS]
    assert names == sorted(names, key=str.lower)
    for server in SERVERS:
        assert server.source.startswith("https://")
        assert server.programs
        assert all(port.flags or port.variables for port in server.ports)
