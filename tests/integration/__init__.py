"""Tests of the proxy as a separate process over real sockets: it changes no byte, and it counts and records correctly.

Files
    case.py        a script over one connection, and the counters and records to expect; cases_*.py contain the scripts
    conftest.py    Harness: one proxy, one scripted server and one reader for a module
    wire.py        both ends of one connection, driven by a script in one thread
    process.py     a proxy process and its counters
    reader.py      a minimal reader of the channel, in place of the analyzer
    transcript.py  a script as a list of events, for tests of the tracker without sockets (tests/wire/http1)
    oracle.py      the exchanges that h11 finds in the same bytes
    servers.py     the same responses from aiohttp and from uvicorn
    load.py        a bounded number of clients and a server, for faults under load
"""
