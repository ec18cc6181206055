"""Send flats, one a request: `python3 client.py PORT [REQUESTS]`."""

import http.client
import json
import random
import sys

requests = int(sys.argv[2]) if len(sys.argv) > 2 else 100
connection = http.client.HTTPConnection("127.0.0.1", int(sys.argv[1]))
for _ in range(requests):
    area = round(random.lognormvariate(4.3, 0.3), 1)
    flat = {"area": area, "rooms": max(1, round(area / 25)), "balcony": random.random() < 0.6}
    connection.request("POST", "/price", json.dumps(flat), {"Content-Type": "application/json"})
    connection.getresponse().read()
print(f"sent {requests} requests of one row")
