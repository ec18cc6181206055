"""CPU per decoded exchange, by form of the request: `python -m tests.benchmarks.decode_cost`.

Each row: the fastest of `REPEATS` rounds of `ROUND` exchanges, request and response together, from the process's CPU
time; beside it what msgspec alone takes to turn the request's JSON into plain objects, as a yardstick of the machine.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import msgspec
import numpy as np

from pilotfish.sidecar.analyzer.decode import DecodedExchange, Hints, OwnJson, decode
from pilotfish.sidecar.settings.jsonpath import parse_path
from tests.analyzer.decode.exchanges import OIP_PATH, V1_PATH, record, tensor

FEATURES = 20
EMBEDDING = 768
REPEATS, ROUND = 30, 500
NAMES = tuple(f"feature_{index}" for index in range(FEATURES))


def embedding() -> tuple[bytes, str]:
    """Return the body of a request with one embedding as bytes, and the header that it needs."""
    values = np.arange(EMBEDDING, dtype="<f4") / 7
    parameters = {"binary_data_size": values.nbytes}
    tensors = [{"name": "emb", "shape": [1, EMBEDDING], "datatype": "FP32", "parameters": parameters}]
    head = json.dumps({"inputs": tensors}).encode()
    return head + values.tobytes(), f"Inference-Header-Content-Length: {len(head)}\r\n"


def own_hints(rows: str, predictions: str) -> Hints:
    """Return the hints of a document with these paths."""
    own = OwnJson(rows=parse_path(rows), predictions=parse_path(predictions), id=parse_path("$.id"))
    return Hints(protocol="json", inputs=NAMES, outputs=("score",), own=own)


OWN = {
    "own JSON, one object": own_hints("$.row", "$.score"),
    "own JSON, list": own_hints("$.features", "$.score"),
    "own JSON, 100 lists": own_hints("$.rows", "$.results[*].score"),
    "own JSON, 100 objects": own_hints("$.rows[*]", "$.results[*].score"),
}


def forms() -> dict[str, tuple[str, dict[str, Any], dict[str, Any]]]:
    """Return (path, request, response) by name."""
    row = [index + 0.123456 for index in range(FEATURES)]
    matrix = [row] * 100
    score = {"model_name": "m", "model_version": "1", "id": "7", "outputs": [tensor("score", [1], [0.123456])]}
    scores = {"outputs": [tensor("score", [100], [0.5] * 100)]}
    nested = {"name": "x", "home": {"city": "Bern", "geo": dict.fromkeys(NAMES[:18], 0.123456)}}
    floats = [index / 7 for index in range(EMBEDDING)]
    named = dict(zip(NAMES, row, strict=True))
    results = {"results": [{"score": 0.5}] * 100}
    tensors = [tensor(name, [1], [value]) for name, value in zip(NAMES, row, strict=True)]
    return {
        "oip, a tensor a feature": (OIP_PATH, {"id": "7", "inputs": tensors}, score),
        "oip, one tensor [1, 20]": (OIP_PATH, {"id": "7", "inputs": [tensor("x", [1, FEATURES], row)]}, score),
        "oip, 100 rows": (OIP_PATH, {"inputs": [tensor("x", [100, FEATURES], matrix)]}, scores),
        "v1, named row": (V1_PATH, {"instances": [named]}, {"predictions": [0.5]}),
        "v1, list": (V1_PATH, {"instances": [row]}, {"predictions": [0.5]}),
        "v1, 100 rows": (V1_PATH, {"instances": matrix}, {"predictions": [0.5] * 100}),
        "v1, 100 named rows": (V1_PATH, {"instances": [named] * 100}, {"predictions": [0.5] * 100}),
        "v1, nested row": (V1_PATH, {"instances": [nested]}, {"predictions": [0.5]}),
        f"v1, {EMBEDDING} numbers": (V1_PATH, {"instances": [{"emb": floats}]}, {"predictions": [0.5]}),
        "unknown path": ("/predict", {"instances": [row]}, {"predictions": [0.5]}),
        "own JSON, one object": ("/score", {"id": "7", "row": named}, {"score": 0.5}),
        "own JSON, list": ("/score", {"id": "7", "features": row}, {"score": 0.5}),
        "own JSON, 100 lists": ("/score", {"id": "7", "rows": matrix}, results),
        "own JSON, 100 objects": ("/score", {"id": "7", "rows": [named] * 100}, results),
    }


def microseconds(call: Callable[[], object]) -> float:
    """Return the CPU time of one call in the fastest round."""
    best = float("inf")
    for _ in range(REPEATS):
        start = time.process_time_ns()
        for _ in range(ROUND):
            call()
        best = min(best, (time.process_time_ns() - start) / ROUND / 1000)
    return best


def main() -> None:
    """Print the table."""
    plain_hints = Hints(inputs=NAMES, outputs=("score",))
    array_hints = Hints(inputs=("emb",), outputs=("score",), arrays=frozenset(["emb"]))
    plain = msgspec.json.Decoder()
    print(f"| {FEATURES} features | µs an exchange | msgspec alone, µs | bytes of the request |")
    print("| --- | --- | --- | --- |")
    for name, (path, request, response) in forms().items():
        exchange = record(request, response, path=path)
        hints = OWN.get(name) or (array_hints if str(EMBEDDING) in name else plain_hints)
        found = decode(exchange, hints)
        assert isinstance(found, DecodedExchange)
        assert found.outputs is not None
        body = json.dumps(request).encode()
        cost = microseconds(lambda exchange=exchange, hints=hints: decode(exchange, hints))  # type: ignore[misc]
        yardstick = microseconds(lambda body=body: plain.decode(body))  # type: ignore[misc]
        print(f"| {name} | {cost:.1f} | {yardstick:.1f} | {len(body)} |")
    raw, header = embedding()
    exchange = record(raw, forms()["oip, one tensor [1, 20]"][2], request_headers=header)
    cost = microseconds(lambda: decode(exchange, array_hints))
    print(f"| oip, {EMBEDDING} numbers as bytes | {cost:.1f} | - | {len(raw)} |")


if __name__ == "__main__":
    main()
