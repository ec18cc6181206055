"""Scripts for every way in which a connection can end. The other side must see the same end."""

from __future__ import annotations

from contextlib import suppress

import pytest

from tests.integration.case import Case, answer, bare, head, post
from tests.integration.cases_http import INPUT, OUTPUT, P200, TE
from tests.integration.wire import Wire, await_hang_up, drained, ending, fill, reset

LARGE_UPLOAD = bare(b"POST", b"Content-Length: 1073741824")


def nothing_sent_then_fin(w: Wire) -> None:
    w.end()


def nothing_sent_then_server_fin(w: Wire) -> None:
    w.down_fin()
    w.up_fin()


def nothing_sent_then_rst(w: Wire) -> None:
    w.up_rst()


def nothing_sent_then_server_rst(w: Wire) -> None:
    w.down_rst()


def idle_connection_ended_by_the_server(w: Wire) -> None:
    w.up(post(INPUT))
    w.down(answer(OUTPUT))
    w.down_fin()
    w.up_fin()


def idle_connection_reset_by_the_server(w: Wire) -> None:
    w.up(post(INPUT))
    w.down(answer(OUTPUT))
    w.down_rst()


def idle_connection_reset_by_the_client(w: Wire) -> None:
    w.up(post(INPUT))
    w.down(answer(OUTPUT))
    w.up_rst()


def client_reset_in_a_request_head(w: Wire) -> None:
    w.up(post(INPUT)[:20])
    w.up_rst()


def client_fin_in_a_request_head(w: Wire) -> None:
    w.up(post(INPUT)[:40])
    w.end()


def client_reset_in_a_request_body(w: Wire) -> None:
    w.up(post(INPUT)[:-10])
    w.up_rst()


def client_fin_in_a_request_body(w: Wire) -> None:
    w.up(post(INPUT)[:-10])
    w.end()


def client_reset_before_the_response(w: Wire) -> None:
    w.up(post(INPUT))
    w.up_rst()


def client_reset_in_a_response_body(w: Wire) -> None:
    w.up(post(INPUT))
    w.down(answer(OUTPUT)[:-10])
    w.up_rst()


def server_fin_before_the_response(w: Wire) -> None:
    w.up(post(INPUT))
    w.down_fin()
    w.up_fin()


def server_reset_before_the_response(w: Wire) -> None:
    w.up(post(INPUT))
    w.down_rst()


def server_reset_in_a_request_body(w: Wire) -> None:
    w.up(post(INPUT)[:-10])
    w.down_rst()


def server_reset_in_a_response_head(w: Wire) -> None:
    w.up(post(INPUT))
    w.down(answer(OUTPUT)[:10])
    w.down_rst()


def server_reset_in_a_response_body(w: Wire) -> None:
    w.up(post(INPUT))
    w.down(answer(OUTPUT)[:-10])
    w.down_rst()


def server_fin_in_a_response_body(w: Wire) -> None:
    w.up(post(INPUT))
    w.down(answer(OUTPUT)[:-10])
    w.down_fin()
    w.up_fin()


def server_reset_in_a_response_ended_by_close(w: Wire) -> None:
    w.up(post(INPUT))
    w.down(head(b"200 OK") + OUTPUT)
    w.down_rst()


def server_reset_in_a_chunked_response(w: Wire) -> None:
    w.up(post(INPUT))
    w.down(head(b"200 OK", TE) + b"5\r\nhello\r\n")
    w.down_rst()


def server_fin_in_a_chunked_response(w: Wire) -> None:
    w.up(bare(b"POST", TE) + b"0\r\n\r\n")
    w.down(head(b"200 OK", TE) + b"5\r\nhello\r\n")
    w.down_fin()
    w.up_fin()


def reset_with_pipelined_requests_open(w: Wire) -> None:
    w.up(post(b"1") + post(b"2") + post(b"3"))
    w.down(answer(b"1"))
    w.down_rst()


def early_response_then_close_with_the_upload_unread(w: Wire) -> None:
    request = post(INPUT * 200)
    w.up(request[:200])
    response = answer(b"too much", b"Connection: close", status=b"413 Content Too Large")
    w.client.sendall(request[200:])
    assert w.server.recv(1)  # the server leaves received bytes unread, so that its close sends a reset
    w.server.sendall(response)
    w.server.close()
    got = bytearray()
    while len(got) < len(response):
        got += w.client.recv(len(response) - len(got))
    assert got == response
    await_hang_up(w.client)


def server_answers_and_closes_with_the_upload_under_way(w: Wire) -> None:
    w.up(LARGE_UPLOAD)
    response = answer(b"too much", b"Connection: close", status=b"413 Content Too Large")
    w.server.sendall(response)
    w.server.close()  # it has read all that arrived: FIN now, and RST for what follows
    with suppress(ConnectionError):
        for _ in range(16):
            w.client.send(bytes(1 << 16))
    assert drained(w.client) == (len(response), "fin")
    await_hang_up(w.client)


def server_reset_after_the_client_half_closed(w: Wire) -> None:
    w.up(post(INPUT))
    w.up_fin()
    w.down_rst()


def client_reset_after_the_server_half_closed(w: Wire) -> None:
    w.up(post(INPUT)[:-10])
    w.down(answer(OUTPUT))
    w.down_fin()
    w.up_rst()


def client_gone_while_the_server_answers(w: Wire) -> None:
    w.up(post(INPUT))
    w.client.close()
    assert ending(w.server) == "fin"
    w.server.send(answer(OUTPUT))
    await_hang_up(w.server)


def server_gone_while_the_client_goes_on(w: Wire) -> None:
    w.up(post(INPUT))
    w.down(answer(OUTPUT))
    w.server.close()
    assert ending(w.client) == "fin"
    w.client.send(post(INPUT))
    await_hang_up(w.client)
    with pytest.raises(OSError):
        w.client.sendall(post(INPUT))


def client_reset_behind_what_the_server_has_not_read(w: Wire) -> None:
    w.up(LARGE_UPLOAD)
    assert fill(w.client, bytes(1 << 16)) > 0
    reset(w.client)
    assert drained(w.server)[1] == "rst"


def server_reset_behind_what_the_client_has_not_read(w: Wire) -> None:
    w.up(post(INPUT))
    w.down(head(b"200 OK", b"Content-Length: 1073741824"))
    assert fill(w.server, bytes(1 << 16)) > 0
    reset(w.server)
    assert drained(w.client)[1] == "rst"


def client_fin_behind_what_the_server_has_not_read(w: Wire) -> None:
    w.up(LARGE_UPLOAD)
    sent = fill(w.client, bytes(1 << 16))
    w.client.shutdown(1)
    assert drained(w.server) == (sent, "fin")
    w.down_fin()


def server_fin_behind_what_the_client_has_not_read(w: Wire) -> None:
    w.up(post(INPUT))
    w.down(head(b"200 OK"))
    sent = fill(w.server, bytes(1 << 16))
    w.server.shutdown(1)
    assert drained(w.client) == (sent, "fin")
    w.up_fin()


CASES = (
    Case(client_fin_behind_what_the_server_has_not_read, aborted=1, clean=False, lockstep=False),
    Case(client_fin_in_a_request_body, aborted=1),
    Case(client_fin_in_a_request_head),
    Case(client_gone_while_the_server_answers, (P200,), clean=False, lockstep=False),
    Case(client_reset_after_the_server_half_closed, aborted=1),
    Case(client_reset_before_the_response, aborted=1),
    Case(client_reset_behind_what_the_server_has_not_read, aborted=1, clean=False, lockstep=False),
    Case(client_reset_in_a_request_body, aborted=1),
    Case(client_reset_in_a_request_head),
    Case(client_reset_in_a_response_body, aborted=1),
    Case(early_response_then_close_with_the_upload_unread, ("POST 413",), clean=False, lockstep=False),
    Case(idle_connection_ended_by_the_server, (P200,)),
    Case(idle_connection_reset_by_the_client, (P200,)),
    Case(idle_connection_reset_by_the_server, (P200,)),
    Case(nothing_sent_then_fin),
    Case(nothing_sent_then_rst),
    Case(nothing_sent_then_server_fin),
    Case(nothing_sent_then_server_rst),
    Case(reset_with_pipelined_requests_open, (P200,), aborted=2),
    Case(server_answers_and_closes_with_the_upload_under_way, aborted=1, clean=False, lockstep=False),
    Case(server_fin_before_the_response, aborted=1),
    Case(server_fin_behind_what_the_client_has_not_read, (P200,), clean=False, lockstep=False),
    Case(server_fin_in_a_chunked_response, aborted=1),
    Case(server_fin_in_a_response_body, aborted=1),
    Case(server_gone_while_the_client_goes_on, (P200,), aborted=1, clean=False, lockstep=False),
    Case(server_reset_after_the_client_half_closed, aborted=1),
    Case(server_reset_before_the_response, aborted=1),
    Case(server_reset_behind_what_the_client_has_not_read, aborted=1, clean=False, lockstep=False),
    Case(server_reset_in_a_chunked_response, aborted=1),
    Case(server_reset_in_a_request_body, aborted=1),
    Case(server_reset_in_a_response_body, aborted=1),
    Case(server_reset_in_a_response_ended_by_close, aborted=1),
    Case(server_reset_in_a_response_head, aborted=1),
)
