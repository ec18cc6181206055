"""The process that serves the model over the Open Inference Protocol, and takes a new one while it runs.

    python -m pilotfish.sidecar.demo.server MODEL_FILE TOKEN_FILE

It contains no code for Pilotfish. It ends with its standard input, so that it never outlives the demo.
"""

from __future__ import annotations

import asyncio
import hmac
import sys
from pathlib import Path

import msgspec
from aiohttp import web

from . import wire
from .http_server import serve_until_input_ends
from .messages import Ready, send_message
from .model import RidgeModel

LARGEST_BODY = 4 * 1024 * 1024
LOAD_PATH = f"/v2/repository/models/{wire.MODEL_NAME}/load"


class ModelServer:
    """The model in service and the handlers around it."""

    def __init__(self, model: RidgeModel, token: str) -> None:
        self.model = model
        self._token = token.encode()

    def application(self) -> web.Application:
        """Return the routes: readiness, metadata, inference, and the load of a new model (with the token)."""
        application = web.Application(client_max_size=LARGEST_BODY)
        application.router.add_get("/v2/health/ready", self._ready)
        application.router.add_get(f"/v2/models/{wire.MODEL_NAME}", self._metadata)
        application.router.add_post(wire.INFER_PATH, self._infer)
        application.router.add_post(LOAD_PATH, self._load)
        return application

    async def _ready(self, _request: web.Request) -> web.Response:
        return web.Response()

    async def _metadata(self, _request: web.Request) -> web.Response:
        return web.json_response({"name": wire.MODEL_NAME, "versions": [wire.MODEL_VERSION], "platform": "numpy"})

    async def _infer(self, request: web.Request) -> web.Response:
        try:
            columns, request_id = wire.decode_rows(await request.read())
        except wire.TensorFormatError as error:
            return web.json_response({"error": str(error)}, status=400)
        predictions = self.model.predict(columns)
        return web.Response(body=wire.encode_predictions(predictions, request_id), content_type="application/json")

    async def _load(self, request: web.Request) -> web.Response:
        given = request.headers.get("Authorization", "").encode()
        if not hmac.compare_digest(given, b"Bearer " + self._token):
            return web.json_response({"error": "a new model needs the token"}, status=401)
        try:
            self.model = msgspec.json.decode(await request.read(), type=RidgeModel)
        except msgspec.DecodeError as error:
            return web.json_response({"error": f"not a model: {error}"}, status=400)
        return web.Response()


def main(model_file: Path, token_file: Path) -> None:
    """Serve until standard input ends."""
    model = msgspec.json.decode(model_file.read_bytes(), type=RidgeModel)
    served = ModelServer(model, token_file.read_text().strip())
    asyncio.run(serve_until_input_ends(served.application(), lambda port: send_message(Ready(port=port))))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
