"""Chat with the model: `python3 client.py PORT [REQUESTS [COUNTED]]`.

Half of the requests are short prompts with long answers, half long prompts with short answers. COUNTED is the share of
the streams that ask for token counts.
"""

import http.client
import json
import random
import sys
from concurrent.futures import ThreadPoolExecutor

LONG, SHORT = 400, 20  # words of a prompt, and tokens of an answer

port = int(sys.argv[1])
requests = int(sys.argv[2]) if len(sys.argv) > 2 else 100
counted = float(sys.argv[3]) if len(sys.argv) > 3 else 1.0


def ask(index: int) -> None:
    """Send one request and read the whole response; every third one is a stream."""
    summary = index % 2 == 1
    prompt, tokens = (LONG, SHORT) if summary else (SHORT, LONG // 4)
    prompt, tokens = round(prompt * random.uniform(0.5, 1.5)), round(tokens * random.uniform(0.5, 1.5))
    body = {"messages": [{"role": "user", "content": "word " * prompt}], "max_tokens": tokens}
    if index % 3 == 0:
        body |= {"stream": True, "stream_options": {"include_usage": random.random() < counted}}
    path = "/v1/summaries/chat/completions" if summary else "/v1/chat/completions"
    connection = http.client.HTTPConnection("127.0.0.1", port)
    connection.request("POST", path, json.dumps(body), {"Content-Type": "application/json"})
    connection.getresponse().read()
    connection.close()


with ThreadPoolExecutor(4) as pool:
    list(pool.map(ask, range(requests)))
print(f"sent {requests} requests")
