"""aiohttp both ways: WebSocket server and client of the stream, events taken apart by hand."""

import asyncio
import json
import os
import socket

import uvloop
from aiohttp import ClientSession, ClientTimeout, TCPConnector, WSMsgType, web

from millrace_v1 import PROTOCOL, Answer, Session

UPSTREAM = os.environ["UPSTREAM"] + "/responses"
DELTA = b'data: {"type":"response.output_text.delta"'


async def relay(client, socket, session, message):
    answer = Answer(session, message["id"])
    await socket.send_str(session.event("message", id=message["id"], input=message["input"]))
    await socket.send_str(answer.begin())
    status = "failed"
    options = message.get("options", {})
    body = {"model": options.get("model", "sim"), "input": message["input"], "stream": True,
            "metadata": options.get("metadata", {})}
    async with client.post(UPSTREAM, json=body) as stream:
        async for line in stream.content:
            if line.startswith(DELTA):
                event = json.loads(line[6:])
                await socket.send_str(answer.delta(event["output_index"], event["delta"]))
            elif line.startswith(b"event: response.") and line.strip().split(b".")[-1] in (
                    b"completed", b"incomplete", b"failed") and line.count(b".") == 1:
                status = line.strip().split(b".")[-1].decode()
    await socket.send_str(answer.complete(status))


async def chat(request):
    socket = web.WebSocketResponse(protocols=[PROTOCOL], compress=False)
    await socket.prepare(request)
    session = Session()
    tasks = set()
    async for received in socket:
        if received.type != WSMsgType.TEXT:
            continue
        for line in received.data.splitlines():
            frame = json.loads(line)
            if frame["type"] == "hello":
                await socket.send_str(session.ready())
            elif frame["type"] == "message":
                task = asyncio.create_task(relay(request.app["client"], socket, session, frame))
                tasks.add(task)
                task.add_done_callback(tasks.discard)
    for task in tasks:
        task.cancel()
    return socket


async def main():
    app = web.Application()
    app["client"] = ClientSession(connector=TCPConnector(limit=0), timeout=ClientTimeout(total=None),
                                  read_bufsize=1 << 20)
    app.router.add_get("/v1/chat", chat)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
    await web.SockSite(runner, listener).start()
    print(f"aiohttp on http://127.0.0.1:{listener.getsockname()[1]}", flush=True)
    await asyncio.Event().wait()


uvloop.run(main())
