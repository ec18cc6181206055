r"""The data plane: `pilotfish proxy`. Standard library only; one thread, one epoll loop.

    listener --accept--> Relay (client socket <-> upstream socket)     bytes are forwarded first ...
                           |  a view of the same bytes
                         Observer --> ProtocolDetector --> wire parser ... and parsed afterwards
                                          |                    |
                                   table PROTOCOLS             +-> counter page
                                                               \-> sampler -> capture -> ChannelWriter -> Sender

The proxy forwards every byte unchanged and without delay, also when parsing, recording or the analyzer fails.

Glossary
    relay         a client connection paired with its own upstream connection
    endpoint      one of the two sockets of a relay, with the bytes that wait to be sent on it
    observer      receives a view of the bytes after they were forwarded
    capture       the bodies of one sampled exchange, held within the shared capture budget
    outcome       the counter for an exchange: accepted by the channel, sampled out, or dropped, with a reason
    write_failed  a flag of an endpoint: sending failed, so the peer reset the connection
    read_failed   a flag of an endpoint: reading failed, too
    drain         the period after SIGTERM: the proxy relays and accepts until no connection is open, or a deadline

More terms: docs/glossary.md

    reactor.py         epoll and timers                relay.py     forwarding, back-pressure, FIN and RST
    listener.py        accepting, limits               upstream.py  connecting, retries until the first success
    sockets.py         listening, name resolution      protocols.py first bytes to parser
    observer.py        exchanges to page and channel   sampler.py   selects the exchanges to record
    capture.py         bodies of recorded exchanges    channel_writer.py  the sender in the event loop
    health.py          the proxy's own health          arguments.py options of listen/upstream pairs
    route_slots.py     which routes have counters      app.py       composition, signals
"""
