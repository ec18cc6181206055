"""Send rows like those of reference.csv: `python3 client.py PORT [REQUESTS [YEARS]]`; YEARS are added to each age."""

import csv
import http.client
import json
import random
import sys
from pathlib import Path

ROWS = 5  # in each request

with (Path(__file__).parent / "reference.csv").open(newline="") as file:
    rows = [{"age": int(row["age"]), "income": int(row["income"]), "city": row["city"]} for row in csv.DictReader(file)]
requests = int(sys.argv[2]) if len(sys.argv) > 2 else 100
years = int(sys.argv[3]) if len(sys.argv) > 3 else 0
connection = http.client.HTTPConnection("127.0.0.1", int(sys.argv[1]))
for _ in range(requests):
    chosen = [
        {**row, "age": row["age"] + years, "income": round(row["income"] * random.uniform(0.98, 1.02))}
        for row in random.choices(rows, k=ROWS)  # no two applicants have the same income: repeated rows are a finding
    ]
    connection.request("POST", "/score", json.dumps({"rows": chosen}), {"Content-Type": "application/json"})
    connection.getresponse().read()
print(f"sent {requests} requests of {ROWS} rows")
