"""Scripts of well-formed HTTP/1.1 in all variants."""

from __future__ import annotations

from tests.integration.case import PATH, Case, answer, bare, chunked, head, post
from tests.integration.wire import Wire

INPUT = b'{"inputs":[{"name":"x","datatype":"FP64","shape":[1],"data":[0.5]}]}'
OUTPUT = b'{"outputs":[{"name":"y","datatype":"FP64","shape":[1],"data":[0.7]}]}'
TE = b"Transfer-Encoding: chunked"
H2C = (
    b"Connection: Upgrade, HTTP2-Settings",
    b"Upgrade: h2c",
    b"HTTP2-Settings: AAEAAEAAAAIAAAABAAMAAABkAAQBAAAAAAUAAEAA",
)


def one_exchange(w: Wire) -> None:
    w.up(post(INPUT))
    w.down(answer(OUTPUT))
    w.end()


def keep_alive_reuse(w: Wire) -> None:
    for number in range(5):
        w.up(post(b"%d" % number * number))
        w.down(answer(b"%d" % number * 7))
    w.end()


def pipelined_requests_in_one_piece(w: Wire) -> None:
    w.up(post(b"first") + bare(b"GET") + post(b"") + post(b"fourth"))
    w.down(answer(b"one") + answer(b"two") + head(b"204 No Content") + answer(b"four"))
    w.end()


def hundreds_of_pipelined_requests(w: Wire) -> None:
    w.up(post(b"x") * 250)
    w.down(answer(b"y") * 250)
    w.end()


def pipelined_and_answered_one_by_one(w: Wire) -> None:
    w.up(post(b"first") + post(b"second") + post(b"third"))
    for body in (b"1", b"", b"333"):
        w.down(answer(body))
    w.end()


def second_request_within_the_first_response(w: Wire) -> None:
    w.up(post(b"first"))
    response = answer(b"a response that is cut")
    w.down(response[:-5])
    w.up(post(b"second"))
    w.down(response[-5:] + answer(b"2"))
    w.end()


def interim_responses(w: Wire) -> None:
    w.up(post(INPUT))
    w.down(head(b"102 Processing") + head(b"103 Early Hints", b"Link: </style.css>; rel=preload"))
    w.down(answer(OUTPUT))
    w.up(post(INPUT))
    w.down(answer(OUTPUT))
    w.end()


def many_interim_responses(w: Wire) -> None:
    w.up(post(INPUT))
    w.down(head(b"102 Processing") * 100 + answer(OUTPUT))
    w.end()


def head_with_content_length(w: Wire) -> None:
    w.up(bare(b"HEAD"))
    w.down(head(b"200 OK", b"Content-Length: 12345"))
    w.up(post(INPUT))
    w.down(answer(OUTPUT))
    w.end()


def head_pipelined_before_post(w: Wire) -> None:
    w.up(bare(b"HEAD") + post(INPUT) + bare(b"HEAD"))
    w.down(head(b"200 OK", b"Content-Length: 3") + answer(OUTPUT) + head(b"200 OK", TE))
    w.end()


def no_content_and_not_modified(w: Wire) -> None:
    w.up(post(b"x"))
    w.down(head(b"204 No Content"))
    w.up(bare(b"GET", b'If-None-Match: "1"'))
    w.down(head(b"304 Not Modified", b"Content-Length: 1000", b'ETag: "1"'))
    w.up(post(b"y"))
    w.down(head(b"304 Not Modified", TE))
    w.up(post(b"z"))
    w.down(answer(b"z"))
    w.end()


def expect_continue(w: Wire) -> None:
    request = post(INPUT, b"Expect: 100-continue")
    w.up(request[: -len(INPUT)])
    w.down(head(b"100 Continue"))
    w.up(request[-len(INPUT) :])
    w.down(answer(OUTPUT))
    w.up(post(INPUT))
    w.down(answer(OUTPUT))
    w.end()


def expect_refused_but_body_sent(w: Wire) -> None:
    request = post(INPUT, b"Expect: 100-continue")
    w.up(request[: -len(INPUT)])
    w.down(answer(b"no", status=b"417 Expectation Failed"))
    w.up(request[-len(INPUT) :])
    w.up(post(INPUT))
    w.down(answer(OUTPUT))
    w.end()


def chunked_both_ways(w: Wire) -> None:
    w.up(bare(b"POST", TE) + chunked(b"one", b"two" * 100, b"3"))
    w.down(head(b"200 OK", TE) + chunked(b"a" * 300, b"b"))
    w.up(bare(b"POST", TE) + chunked())
    w.down(head(b"200 OK", TE) + chunked())
    w.end()


def chunked_with_trailers_and_extensions(w: Wire) -> None:
    trailers = (b"Checksum: abc", b"Server-Timing: cpu;dur=2.4")
    w.up(bare(b"POST", TE, b"Trailer: Checksum") + chunked(INPUT, trailers=trailers, extension=b";name=value"))
    w.down(head(b"200 OK", TE) + chunked(OUTPUT, b"!", trailers=trailers, extension=b';q="a b"'))
    w.up(post(INPUT))
    w.down(answer(OUTPUT))
    w.end()


def chunk_sizes_in_any_writing(w: Wire) -> None:
    w.up(bare(b"POST", TE) + b"0000A\r\n0123456789\r\na\r\n0123456789\r\n00\r\n\r\n")
    w.down(answer(OUTPUT))
    w.end()


def response_ended_by_close(w: Wire) -> None:
    w.up(post(INPUT))
    w.down(head(b"200 OK", b"Connection: close") + OUTPUT)
    w.down(OUTPUT)
    w.down_fin()
    w.up_fin()


def http_1_0_response_ended_by_close(w: Wire) -> None:
    w.up(b"POST " + PATH + b" HTTP/1.0\r\nContent-Length: 2\r\n\r\nhi")
    w.down(b"HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\nbye")
    w.down_fin()
    w.up_fin()


def empty_response_ended_by_close(w: Wire) -> None:
    w.up(post(INPUT))
    w.down(head(b"500 Internal Server Error"))
    w.down_fin()
    w.up_fin()


def connection_close_asked_for(w: Wire) -> None:
    w.up(post(INPUT, b"Connection: close"))
    w.down(answer(OUTPUT, b"Connection: close"))
    w.down_fin()
    w.up_fin()


def h2c_offered_and_refused(w: Wire) -> None:
    w.up(post(INPUT, *H2C))
    w.down(answer(OUTPUT))
    w.up(post(INPUT, *H2C))
    w.down(answer(OUTPUT))
    w.end()


def h2c_refused_by_a_response_ended_by_close(w: Wire) -> None:
    w.up(post(INPUT, *H2C) + post(INPUT))
    w.down(head(b"200 OK") + OUTPUT)
    w.down_fin()
    w.up_fin()


def connect_refused(w: Wire) -> None:
    w.up(b"CONNECT example:443 HTTP/1.1\r\nHost: example:443\r\n\r\n")
    w.down(answer(b"no", status=b"403 Forbidden"))
    w.up(post(INPUT))
    w.down(answer(OUTPUT))
    w.end()


def half_close_by_the_client(w: Wire) -> None:
    w.up(post(INPUT))
    w.up_fin()
    w.down(head(b"100 Continue"))
    w.down(answer(OUTPUT))
    w.down_fin()


def half_close_by_the_client_with_pipelining(w: Wire) -> None:
    w.up(post(b"1") + post(b"2"))
    w.up_fin()
    w.down(answer(b"1"))
    w.down(answer(b"2"))
    w.down_fin()


def half_close_by_the_server(w: Wire) -> None:
    request = post(INPUT * 20)
    w.up(request[:200])
    w.down(answer(b"enough", b"Connection: close", status=b"413 Content Too Large"))
    w.down_fin()
    w.up(request[200:])
    w.up_fin()


def early_response_while_the_request_uploads(w: Wire) -> None:
    request = post(INPUT * 20)
    w.up(request[:200])
    w.down(answer(b"already", status=b"422 Unprocessable Content"))
    w.up(request[200:])
    w.up(post(INPUT))
    w.down(answer(OUTPUT))
    w.end()


def response_and_request_interleaved(w: Wire) -> None:
    request, response = post(INPUT * 10), answer(OUTPUT * 10)
    w.up(request[:100])
    request = request[100:]
    for at in range(0, max(len(request), len(response)), 40):
        w.up(request[at : at + 40])
        w.down(response[at : at + 40])
    w.end()


def empty_bodies(w: Wire) -> None:
    w.up(bare(b"POST", b"Content-Length: 0"))
    w.down(head(b"200 OK", b"Content-Length: 0"))
    w.up(bare(b"POST"))
    w.down(head(b"205 Reset Content", b"Content-Length: 0"))
    w.end()


def blank_lines_before_a_request(w: Wire) -> None:
    w.up(b"\r\n" + post(INPUT))
    w.down(answer(OUTPUT))
    w.up(b"\r\n\r\n" + post(INPUT))
    w.down(answer(OUTPUT))
    w.end()


def headers_in_any_case(w: Wire) -> None:
    w.up(b"POST " + PATH + b" HTTP/1.1\r\nHOST: m\r\ncOnTeNt-LeNgTh:2\r\n\r\nhi")
    w.down(b"HTTP/1.1 200 OK\r\nTRANSFER-ENCODING:  ChUnKeD \r\n\r\n2\r\nho\r\n0\r\n\r\n")
    w.end()


def status_line_without_reason(w: Wire) -> None:
    w.up(post(INPUT))
    w.down(b"HTTP/1.1 200 \r\nContent-Length: 2\r\n\r\nok")
    w.end()


def content_length_stated_twice_the_same(w: Wire) -> None:
    w.up(post(INPUT, b"Content-Length: %d" % len(INPUT)))
    w.down(answer(OUTPUT))
    w.end()


def body_that_looks_like_a_request(w: Wire) -> None:
    w.up(post(post(INPUT)))
    w.down(answer(answer(OUTPUT)))
    w.up(bare(b"POST", TE) + chunked(post(b"0\r\n\r\n")))
    w.down(answer(b"HTTP/1.1 500 Oh no\r\n\r\n"))
    w.end()


def event_stream(w: Wire) -> None:
    w.up(post(INPUT))
    w.down(head(b"200 OK", b"Content-Type: text/event-stream", TE))
    for number in range(5):
        event = b"data: %d\n\n" % number
        w.down(b"%x\r\n" % len(event) + event + b"\r\n")
    w.down(b"0\r\n\r\n")
    w.end()


def lines_ended_by_line_feeds_alone(w: Wire) -> None:
    w.up(b"POST " + PATH + b" HTTP/1.1\nHost: m\nContent-Length: 2\n\nhi")
    w.down(b"HTTP/1.1 200 OK\nContent-Length: 2\n\nho")
    w.end()


def folded_header_lines(w: Wire) -> None:
    w.up(post(INPUT, b"X-Folded: one\r\n two\r\n\tthree"))
    w.down(answer(OUTPUT, b"X-Folded: one\r\n Content-Length: 7"))
    w.end()


def codings_before_chunked(w: Wire) -> None:
    w.up(bare(b"POST", b"Transfer-Encoding: gzip, chunked") + chunked(b"not really gzip"))
    w.down(head(b"200 OK", b"Transfer-Encoding: gzip", b"Transfer-Encoding: chunked") + chunked(b"nor this"))
    w.end()


def many_header_lines(w: Wire) -> None:
    lines = [b"X-%d: %d" % (number, number) for number in range(500)]
    w.up(post(INPUT, *lines))
    w.down(answer(OUTPUT, *lines))
    w.end()


def body_of_a_mebibyte(w: Wire) -> None:
    w.up(post(bytes(range(256)) * 4096))
    w.down(answer(bytes(range(255, -1, -1)) * 4096))
    w.end()


P200 = "POST 200"
CASES = (
    Case(blank_lines_before_a_request, (P200, P200)),
    Case(body_of_a_mebibyte, (P200,), lockstep=False),
    Case(body_that_looks_like_a_request, (P200, P200)),
    Case(chunk_sizes_in_any_writing, (P200,)),
    Case(chunked_both_ways, (P200, P200)),
    Case(chunked_with_trailers_and_extensions, (P200, P200)),
    Case(codings_before_chunked, (P200,), clean=False),
    Case(connect_refused, ("CONNECT 403", P200), clean=False),
    Case(connection_close_asked_for, (P200,)),
    Case(content_length_stated_twice_the_same, (P200,)),
    Case(early_response_while_the_request_uploads, ("POST 422", P200)),
    Case(empty_bodies, (P200, "POST 205")),
    Case(empty_response_ended_by_close, ("POST 500",)),
    Case(event_stream, (P200,)),
    Case(expect_continue, (P200, P200)),
    Case(expect_refused_but_body_sent, ("POST 417", P200)),
    Case(folded_header_lines, (P200,)),
    Case(h2c_offered_and_refused, (P200, P200)),
    Case(h2c_refused_by_a_response_ended_by_close, (P200,), aborted=1),
    Case(half_close_by_the_client, (P200,)),
    Case(half_close_by_the_client_with_pipelining, (P200, P200)),
    Case(half_close_by_the_server, ("POST 413",)),
    Case(head_pipelined_before_post, ("HEAD 200", P200, "HEAD 200")),
    Case(head_with_content_length, ("HEAD 200", P200)),
    Case(headers_in_any_case, (P200,)),
    Case(http_1_0_response_ended_by_close, (P200,)),
    Case(hundreds_of_pipelined_requests, (P200,) * 250, lockstep=False),
    Case(interim_responses, (P200, P200)),
    Case(keep_alive_reuse, (P200,) * 5),
    Case(lines_ended_by_line_feeds_alone, (P200,)),
    Case(many_header_lines, (P200,), lockstep=False),
    Case(many_interim_responses, (P200,), lockstep=False),
    Case(no_content_and_not_modified, ("POST 204", "GET 304", "POST 304", P200)),
    Case(one_exchange, (P200,)),
    Case(pipelined_and_answered_one_by_one, (P200,) * 3),
    Case(pipelined_requests_in_one_piece, (P200, "GET 200", "POST 204", P200)),
    Case(response_and_request_interleaved, (P200,)),
    Case(response_ended_by_close, (P200,)),
    Case(second_request_within_the_first_response, (P200, P200)),
    Case(status_line_without_reason, (P200,)),
)
