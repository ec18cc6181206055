"""Real model servers of KServe and Seldon, each in a pod of the shape that its platform creates."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.node.images import Image

SERVERS = Image("localhost/servers:test", context=Path(__file__).parent, inputs=("Dockerfile",))
KSERVE = """
import argparse
import kserve

class Loans(kserve.Model):
    def __init__(self, name):
        super().__init__(name)
        self.ready = True

    def predict(self, payload, headers=None, response_headers=None):
        return {"predictions": [sum(row) for row in payload["instances"]]}

arguments, _ = argparse.ArgumentParser(parents=[kserve.model_server.parser]).parse_known_args()
kserve.ModelServer().start([Loans(arguments.model_name)])
"""
MLSERVER = """
from mlserver import MLModel
from mlserver.codecs import NumpyCodec
from mlserver.types import InferenceResponse

class Loans(MLModel):
    async def load(self):
        return True

    async def predict(self, payload):
        rows = NumpyCodec.decode_input(payload.inputs[0])
        output = NumpyCodec.encode_output("predict", rows.sum(axis=1, keepdims=True))
        return InferenceResponse(model_name=self.name, outputs=[output])
"""


@dataclass(frozen=True)
class Served:
    """A server of a platform: its container, the files of its model, a request, and its number of predictions."""

    container: dict[str, Any]
    files: dict[str, str]
    port: int
    path: str
    request: dict[str, Any]

    def objects(self, namespace: str) -> list[dict[str, Any]]:
        """Return the model's files, its Deployment, and a Service by number."""
        metadata = {"name": "loans", "namespace": namespace}
        labels = {"app": "loans"}
        container = self.container | {
            "image": SERVERS.name,
            "volumeMounts": [{"name": "model", "mountPath": "/mnt/models"}],
            "env": [{"name": "PYTHONPATH", "value": "/mnt/models"}, *self.container.get("env", ())],
            "workingDir": "/tmp",
        }
        template = {
            "metadata": {"labels": labels},
            "spec": {"containers": [container], "volumes": [{"name": "model", "configMap": {"name": "loans"}}]},
        }
        ports = [{"name": "http", "port": 80, "targetPort": self.port}]
        spec = {"replicas": 1, "selector": {"matchLabels": labels}, "template": template}
        return [
            {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": self.files},
            {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": {"selector": labels, "ports": ports}},
            {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": spec},
        ]


PLATFORMS = {
    "kserve": Served(  # InferenceService, deployment mode Standard: the runtime kserve-sklearnserver
        {
            "name": "kserve-container",
            "command": ["/opt/kserve/bin/python", "-m", "sklearnserver"],
            "args": ["--model_name=loans", "--model_dir=/mnt/models", "--http_port=8080"],
            "ports": [{"containerPort": 8080, "protocol": "TCP"}],
            "readinessProbe": {"tcpSocket": {"port": 8080}, "periodSeconds": 1},
        },
        {"sklearnserver.py": KSERVE},
        8080,
        "/v1/models/loans:predict",
        {"instances": [[1.0, 2.0], [3.0, 4.0]]},
    ),
    "seldon": Served(  # MLServer, with the ports of Seldon Core 2
        {
            "name": "mlserver",
            "command": ["/opt/mlserver/bin/mlserver", "start", "/mnt/models"],
            "env": [
                {"name": "MLSERVER_HTTP_PORT", "value": "9000"},
                {"name": "MLSERVER_GRPC_PORT", "value": "9500"},
                {"name": "MLSERVER_PARALLEL_WORKERS", "value": "0"},
            ],
            "ports": [{"name": "server-http", "containerPort": 9000}, {"name": "server-grpc", "containerPort": 9500}],
            "readinessProbe": {"httpGet": {"path": "/v2/health/ready", "port": "server-http"}, "periodSeconds": 1},
        },
        {"model.py": MLSERVER, "model-settings.json": '{"name": "loans", "implementation": "model.Loans"}'},
        9000,
        "/v2/models/loans/infer",
        {"inputs": [{"name": "rows", "datatype": "FP64", "shape": [2, 2], "data": [1.0, 2.0, 3.0, 4.0]}]},
    ),
}
