"""A minimal model server: the same inference response for every request.

Start it by `python upstream.py PORT_FILE [PORT]`; without PORT, on a free one.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

BODY = b'{"model_name":"m","outputs":[{"name":"y","datatype":"FP64","shape":[5],"data":[0.1,0.2,0.3,0.4,0.5]}]}'
RESPONSE = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (len(BODY), BODY)


class ModelServer(asyncio.Protocol):
    """Answers each request when its body is complete."""

    def __init__(self) -> None:
        self._data = bytearray()
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        assert self._transport is not None
        self._data += data
        while (end := self._data.find(b"\r\n\r\n")) >= 0:
            length = int(self._data[:end].lower().partition(b"content-length:")[2].split(b"\r\n")[0] or b"0")
            if len(self._data) < end + 4 + length:
                return
            del self._data[: end + 4 + length]
            self._transport.write(RESPONSE)


async def main(port_file: Path, port: int = 0) -> None:
    server = await asyncio.get_running_loop().create_server(ModelServer, "127.0.0.1", port)
    temporary = port_file.with_suffix(".new")
    temporary.write_text(str(server.sockets[0].getsockname()[1]))
    temporary.replace(port_file)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), *map(int, sys.argv[2:])))
