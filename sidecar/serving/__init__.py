"""A bounded HTTP server: connections, heads, bodies, times and TLS, for callers that are not trusted.

    connection --> tls.py          bounded handshakes; certificate and key are read again when they change
               --> connections.py  a bounded number of connections; time limits between requests
               --> gate.py         passes on one request at a time; refuses what is not HTTP or too large
    request    --> server.py       the time limit of a request; headers.py has the headers of all responses
               --> the handler; bodies.py receives the body within a size and a time

The admin address of the analyzer and the controller use it. Access control belongs to the handlers.
"""
