r"""The data plane: `pilotfish proxy`. Standard library only; one thread, one epoll loop.

    listener --accept--> Relay (client socket <-> upstream socket)     bytes go out first ...
                           |  the same bytes, a moment later
                         Observer --> ProtocolDetector --> wire parser ... then they are looked at
                                          |                    |
                                   table PROTOCOLS             +-> counter page
                                                               \-> sampler -> capture -> channel.Sender

Glossary
    endpoint   one of the two sockets of a relay, with the bytes that still have to go out on it
    relay      a client connection paired with an upstream connection of its own
    capture    the bodies of one sampled exchange, out of a budget that all share
    drain      what SIGTERM begins: relay and accept on, end when the last connection is gone or at the deadline

    reactor.py   epoll and timers              relay.py     forwarding, back-pressure, FIN and RST
    listener.py  accepting, limits             upstream.py  connecting, retries until the first success
    protocols.py first bytes to parser         observer.py  exchanges to page and channel
    sampler.py   which exchanges are recorded  capture.py   their bodies, bounded
    health.py    the proxy's own health        app.py       puts it together
"""
