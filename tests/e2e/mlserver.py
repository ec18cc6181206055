"""The responses of MLServer 1.7, without MLServer: `mlserver.py train FOLDER`, `mlserver.py serve PORT`."""

from __future__ import annotations

import csv
import json
import random
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

NAMES = ("age", "sex", "bmi", "bp", "s1", "s2", "s3", "s4", "s5", "s6")


def predict(row: list[float]) -> float:
    return 150 + 900 * row[2] + 400 * row[8]


class Handler(BaseHTTPRequestHandler):
    """Responds as the runtime for scikit-learn does: one output `predict` of shape [rows, 1]."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *_: object) -> None:
        """Log nothing."""

    def do_POST(self) -> None:
        (tensor,) = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["inputs"]
        count, width = tensor["shape"]
        rows = [tensor["data"][at * width : (at + 1) * width] for at in range(count)]
        output = {"name": "predict", "shape": [count, 1], "datatype": "FP64", "parameters": {"content_type": "np"}}
        answer = {"model_name": "diabetes", "model_version": "1", "id": "94cb5127", "parameters": {}}
        body = json.dumps({**answer, "outputs": [{**output, "data": [predict(row) for row in rows]}]}).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.send_header("content-type", "application/json")
        self.send_header("ce-specversion", "0.3")
        self.send_header("ce-id", "94cb5127")
        self.end_headers()
        self.wfile.write(body)


def train(path: Path) -> None:
    """Write reference rows of the columns that the example's train.py writes."""
    generator = random.Random(4)
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([*NAMES, "progression"])
        for _ in range(442):
            row = [round(generator.gauss(0, 0.048), 5) for _ in NAMES]
            writer.writerow([*row, round(predict(row), 5)])


if __name__ == "__main__":
    if sys.argv[1] == "train":
        train(Path(sys.argv[2]))
    else:
        ThreadingHTTPServer(("127.0.0.1", int(sys.argv[2])), Handler).serve_forever()
