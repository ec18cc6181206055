"""Passive sans-IO parsers of wire protocols. They receive copies of bytes that the relay has already forwarded.

    bytes of both directions --> Parser --> ExchangeListener: requested, answered, streamed, finished, went_opaque

Glossary
    exchange      one request and its response, whatever the protocol
    header block  the fields of a header or trailer section as `name: value` lines; the form that records carry
    head          HTTP/1.1: start line and header fields up to and with the empty line
    interim       a 1xx response other than 101; it precedes the final response and does not end the exchange
    tunnel        a connection after 101, or after 2xx to CONNECT: it carries bytes of another protocol
    opaque        a connection that is not parsed, or no longer parsed; its bytes are forwarded and counted
    downgrade     the change of a connection to opaque, with a reason
    parse budget  the CPU time that parsing may use beyond what ordinary reads cost, see `budget.py`
    listener      the object that a parser calls; the proxy's is `proxy.observer.ConnectionObserver`

More terms: docs/glossary.md

    exchange.py   Exchange, and the protocols (in Python's sense) Parser, ExchangeListener and BodySink
    headers.py    header blocks: format, reading and writing
    http1/        HTTP/1.1: heads.py, framer.py (one direction), tracker.py (both), exchange_states.py (the table)
    opaque.py     the parser of opaque connections: it only counts bytes
    budget.py     what parsing may cost, over all connections
    errors.py     ProtocolError
    routes.py     paths to route templates

A parser must never delay or change a byte, and must never raise for bytes that a peer sent.

To add a wire protocol, write a class that implements `exchange.Parser`, and add a row to `proxy.protocols.PROTOCOLS`:

1. `Parser(listener, exchange_type, budget)` makes one `exchange_type` for each request, at the end of its header
   section, with method, target, User-Agent and header block. Pseudo-fields such as `:path` are not part of the block.
2. It calls `listener.requested(exchange)` and stores the result as `exchange.bodies`. If the result is None, the parser
   counts body bytes and copies none.
3. At the head of the final response, it sets `status`, `response_headers` and `first_byte`, then calls `answered`.
4. It calls `listener.finished(exchange)` once for each exchange. Before that, it sets `ended`, both `*_bytes`, both
   `*_trailers` and both `*_complete`. It also finishes the exchanges that are open at `closed`, without `*_complete`.
5. If it cannot parse the bytes with certainty, it finishes the open exchanges, sets `opaque` and calls `went_opaque`
   with one of `channel.layout.DOWNGRADES`. From then on it calls only `opaque_bytes`.
6. It limits the memory that it uses for incomplete input, open exchanges and trailers.
7. It counts what each read costs, and draws from the `ParseBudget` beyond the free part of a read. Work per byte must
   not depend on how the bytes are split into reads.
"""
