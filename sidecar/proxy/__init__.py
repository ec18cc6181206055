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
    upstream      the model server of one listener: an address, or a name with its present addresses
    target        one socket address of an upstream
    attempt       one try to connect to the targets of an upstream, in turn
    reachability  whether the last attempt succeeded, and if not, why
    write_failed  a flag of an endpoint: sending failed, because the peer refused bytes with RST
    reset_first   a flag of an endpoint: that RST came without a FIN before it
    read_failed   a flag of an endpoint: nothing more can be read
    drain         the period after SIGTERM: the proxy relays and accepts until no connection is open, or a deadline

More terms: docs/glossary.md

    reactor.py         epoll and timers                deadlines.py    many deadlines with one timer
    listener.py        accepting, limits               connections.py  all open connections
    connecting.py      a client until it is relayed    upstream.py     the model server: waiting clients, probes
    attempt.py         one try to connect              reachability.py the state of an upstream, and its log lines
    lookup.py          names, resolved in a thread     sockets.py      listening, socket options, addresses
    relay.py           forwarding, FIN and RST         drain.py        connections after SIGTERM
    socket_state.py    queues of the kernel, RST       refusals.py     the log of refused clients
    observer.py        exchanges to page and channel   protocols.py    first bytes to parser
    route_slots.py     which routes have counters
    sampler.py         selects exchanges to record     capture.py      bodies of recorded exchanges
    channel_writer.py  the sender in the event loop    health.py       the proxy's own health
    arguments.py       options of the pairs            app.py          composition, signals
"""
