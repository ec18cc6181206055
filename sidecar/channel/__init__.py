"""The interface between the proxy and the analyzer: three files and a socket in a shared folder.

    proxy  --(stores)-->  page          exact counters and histograms; readers copy it     page.py, layout.py
    proxy  --(frames)-->  records.sock  sampled exchanges; bounded, the proxy never waits  record.py, sender.py,
                                                                                           receiver.py, peers.py
    proxy  --(replaces)-->  upstreams.json  unreachable upstreams and why             upstreams.py
    analyzer --(replaces)--> proxy.json  the proxy's settings                            settings/proxy.py

Glossary
    counter page     a memory-mapped file of 64-bit words with one writer, the proxy
    route slot       the words of the page that count one route
    in-flight time   the exchanges in flight of a route, integrated over time; its mean over a window is the concurrency
    epoch            a number that changes when a proxy starts. Counters on the page continue, gauges restart at 0
    record           one sampled exchange: headers, bodies, trailers, timings. Its format has a version, see record.py
    sequence number  the number of a record. It counts accepted records and therefore continues across restarts
    frame            a length-prefixed message on the socket: a handshake (`Hello`) or a record
    handshake        the first frame of a connection: version, epoch, next sequence number
    reader           the process at the other end of the socket: the analyzer
    peer             the process at the other end of the socket, seen from either side. It must be this user or root
    outcome          sampled_out, accepted (by the channel) or dropped, with a reason. Fields and metrics call it `fate`

More terms: docs/glossary.md

The proxy must never wait for the reader. When the channel is full or has no reader, it drops the record and counts it.
"""

PAGE_FILE = "page"
SOCKET_FILE = "records.sock"
SETTINGS_FILE = "proxy.json"
UPSTREAMS_FILE = "upstreams.json"
