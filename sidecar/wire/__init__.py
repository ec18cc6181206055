"""Passive sans-IO parsers: they receive bytes that the relay has already forwarded, and never hold or change one.

    bytes of both directions --> Parser --> ExchangeListener: requested, answered, streamed, finished, went_opaque

Glossary
    exchange      one request and its response, whatever the protocol
    header block  the fields of a header or trailer section as `name: value` lines; the form that records carry
    head          HTTP/1.1: start line and header fields up to and with the empty line
    interim       a 1xx response other than 101; it precedes the final response and does not end the exchange
    tunnel        a connection after 101, or after 2xx to CONNECT: it carries bytes of another protocol
    opaque        a connection that is no longer parsed, with the reason; its bytes are forwarded as before

    exchange.py   Exchange, and the protocols (in Python's sense) Parser, ExchangeListener and BodySink
    headers.py    header blocks: what they look like, how they are read and written
    http1/        HTTP/1.1: heads.py, framer.py (one direction), tracker.py (both), exchange_states.py (the table)
    opaque.py     the parser of connections that are only counted
    routes.py     paths to route templates

A wire protocol is a class that implements `exchange.Parser`, and a row of `proxy.protocols.PROTOCOLS`:

1. `Parser(listener, exchange_type)` makes one `exchange_type` for each request, at the end of its header section, with
   method, target, User-Agent and header block. Pseudo-fields such as `:path` are not part of the block.
2. It calls `listener.requested(exchange)` and keeps what that returns as `exchange.bodies`. If it is None, the parser
   counts body bytes and copies none.
3. It sets `status`, `response_headers` and `first_byte` at the head of the final response, then calls `answered`.
4. It calls `listener.finished(exchange)` once for each exchange, after it has set `ended`, both `*_bytes`, both
   `*_trailers` and both `*_complete`. Exchanges that are open at `closed` are finished without `*_complete`.
5. Where it cannot follow the bytes with certainty, it finishes what is open, sets `opaque` and calls `went_opaque` with
   one of `channel.layout.DOWNGRADES`. From then on it calls `opaque_bytes` only. It never raises for a peer's bytes.
6. It bounds what it keeps: of incomplete input, of open exchanges, of trailers.
"""
