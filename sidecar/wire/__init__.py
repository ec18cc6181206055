"""Passive sans-IO parsers: they are shown bytes that have already been forwarded, and never hold, change or refuse one.

    bytes of both directions --> Tracker --> Sink.requested / Sink.finished / Sink.went_opaque

Glossary
    exchange   one request and its response, paired by the tracker
    head       start line and header fields up to and with the empty line
    interim    a 1xx response other than 101; it precedes the final response and does not end the exchange
    tunnel     what a connection is after 101, or after 2xx to CONNECT: no more messages, only bytes
    opaque     a connection that is no longer looked at, with the reason; its bytes go on as before

    heads.py     start lines and the fields that decide about framing
    framer.py    one direction: where messages and their bodies begin and end
    tracker.py   both directions: which response belongs to which request
    routes.py    paths to route templates
"""
