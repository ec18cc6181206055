"""Estimate the price of a flat: one JSON object in, one out. Standard library only: `python3 service.py PORT`."""

import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Handler(BaseHTTPRequestHandler):
    """Answers POST with {"price": ...}."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # head and body are two writes: do not wait between them

    def do_POST(self) -> None:
        """Read one row, and respond with its prediction."""
        flat = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        body = json.dumps({"price": 3000 * flat["area"] + 20_000 * flat["rooms"]}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
