"""The proxy as a process of its own, over real sockets: what it must not change, and what it must have seen.

Files
    case.py        a script over a connection and the traces it leaves; cases_*.py hold them
    wire.py        both ends of one connection, moved by a script in one thread
    process.py     a proxy process and its counters
    reader.py      stands where the analyzer would, at the other end of the channel
    transcript.py  a script without sockets, as the tracker is shown it
    oracle.py      what h11 reads in the same bytes
    servers.py     the same answers from aiohttp and from uvicorn
    load.py        a bounded number of clients and a server, for faults under load
"""
