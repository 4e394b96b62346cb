"""A proxy that speaks HTTP/2 over TLS, by PyPI `hypercorn`, to a server of HTTP/1.1 behind it, by `aiohttp`.

    python http2_proxy.py BACKEND_URL CERTIFICATE KEY PORT MAXIMUM_STREAMS

Port 0 picks one. The first line of output tells the port. SIGTERM: GOAWAY, then an end once the streams are over.
"""

import asyncio
import signal
import socket
import sys

import aiohttp
from hypercorn.asyncio import serve
from hypercorn.config import Config

#: What belongs to one connection, and not to the next.
HOP_BY_HOP = {b"connection", b"keep-alive", b"transfer-encoding", b"content-length", b"host"}


def end_to_end(headers):
    return [(name, value) for name, value in headers if name.lower() not in HOP_BY_HOP]


class Proxy:
    def __init__(self, backend):
        self.backend = backend

    async def __call__(self, scope, receive, send):
        if scope["type"] != "http":
            return
        body = b""
        more = True
        while more:
            event = await receive()
            body += event.get("body", b"")
            more = event.get("more_body", False)
        tasks = {
            asyncio.ensure_future(self.forward(scope, body, send)),
            # A stream that its client has reset ends the request behind it.
            asyncio.ensure_future(self.client_leaves(receive)),
        }
        done, others = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in others:
            task.cancel()
        for task in done:
            task.result()

    async def client_leaves(self, receive):
        while (await receive())["type"] != "http.disconnect":
            pass

    async def forward(self, scope, body, send):
        headers = {name.decode(): value.decode() for name, value in end_to_end(scope["headers"])}
        url = self.backend + scope["raw_path"].decode()
        async with aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=None), auto_decompress=False
        ) as session, session.request(
            scope["method"], url, data=body, headers=headers, allow_redirects=False
        ) as answer:
            await send({
                "type": "http.response.start", "status": answer.status,
                "headers": [
                    (name.lower(), value) for name, value in end_to_end(answer.raw_headers)],
            })
            async for piece in answer.content.iter_any():
                await send({"type": "http.response.body", "body": piece, "more_body": True})
            await send({"type": "http.response.body", "body": b"", "more_body": False})


async def main(backend, certificate, key, port, maximum_streams):
    listener = socket.create_server(("127.0.0.1", int(port)))
    config = Config()
    config.bind = [f"fd://{listener.fileno()}"]
    config.certfile, config.keyfile = certificate, key
    config.alpn_protocols = ["h2"]
    config.h2_max_concurrent_streams = int(maximum_streams)
    config.graceful_timeout = 5
    config.errorlog = None
    leaving = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, leaving.set)
    print(listener.getsockname()[1], flush=True)
    await serve(Proxy(backend), config, shutdown_trigger=leaving.wait)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
