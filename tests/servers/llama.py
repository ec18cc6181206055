"""Serves a GGUF file by llama.cpp's HTTP server: `python llama.py FILE PORT [embeddings]`. It needs `xllamacpp`."""

from __future__ import annotations

import signal
import sys

import xllamacpp  # type: ignore[import-not-found,unused-ignore]

parameters = xllamacpp.CommonParams()
parameters.model.path = sys.argv[1]
parameters.model_alias = {"tiny"}
parameters.hostnames, parameters.port = ["127.0.0.1"], int(sys.argv[2])
parameters.n_ctx, parameters.n_parallel = 32768, 4
parameters.cpuparams.n_threads = 1
parameters.use_jinja = parameters.endpoint_metrics = True
if sys.argv[3:] == ["embeddings"]:
    parameters.embedding = True
    parameters.pooling_type = xllamacpp.llama_pooling_type.LLAMA_POOLING_TYPE_MEAN
server = xllamacpp.Server(parameters)
print(server.listening_address, flush=True)
signal.pause()
