"""Real servers of models, and real clients, with Pilotfish between them. `make test-servers` runs these tests.

    tiny.py      writes a language model of half a megabyte with random weights, as a GGUF file
    llama.py     serves it by llama.cpp's own HTTP server
    coded.py     a gateway that compresses the responses of a server
    calls.py     what a client did, one JSON line a call: the route, and the counts that it was given
    with_*.py    the calls of one client library
    watched.py   `pilotfish run` in front of a server, and what it counted

watched.py, conftest.py and the tests run in `.venv`, the others in the environment of `.ci/environment servers`.
"""
