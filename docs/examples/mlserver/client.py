"""Send rows like those of train.csv to MLServer: `python3 client.py PORT [REQUESTS]`."""

import csv
import http.client
import json
import random
import sys
from pathlib import Path

PATH = "/v2/models/diabetes/infer"
ROWS = 5  # in each request

with (Path(__file__).parent / "train.csv").open(newline="") as file:
    _, *lines = csv.reader(file)
rows = [[float(value) for value in line[:-1]] for line in lines]  # without the last column, the prediction
requests = int(sys.argv[2]) if len(sys.argv) > 2 else 100
connection = http.client.HTTPConnection("127.0.0.1", int(sys.argv[1]))
for _ in range(requests):
    # no two rows are the same: repeated rows are a finding
    data = [value * random.uniform(0.999, 1.001) for row in random.choices(rows, k=ROWS) for value in row]
    tensor = {"name": "predict", "datatype": "FP64", "shape": [ROWS, len(data) // ROWS], "data": data}
    connection.request("POST", PATH, json.dumps({"inputs": [tensor]}), {"Content-Type": "application/json"})
    connection.getresponse().read()
print(f"sent {requests} requests of {ROWS} rows")
