"""FastAPI on uvicorn (uvloop, httptools) and the official openai SDK: what most teams write first."""

import asyncio
import json
import os
import socket

import uvicorn
from fastapi import FastAPI, WebSocket, WebSocketDisconnect
from openai import AsyncOpenAI

from millrace_v1 import PROTOCOL, Answer, Session

app = FastAPI()
client = AsyncOpenAI(base_url=os.environ["UPSTREAM"], api_key="none", max_retries=0)


async def relay(socket, session, message):
    answer = Answer(session, message["id"])
    await socket.send_text(session.event("message", id=message["id"], input=message["input"]))
    await socket.send_text(answer.begin())
    status = "failed"
    options = message.get("options", {})
    stream = await client.responses.create(
        model=options.get("model", "sim"), input=message["input"], stream=True,
        metadata=options.get("metadata"))
    async for event in stream:
        if event.type == "response.output_text.delta":
            await socket.send_text(answer.delta(event.output_index, event.delta))
        elif event.type in ("response.completed", "response.incomplete", "response.failed"):
            status = event.type.removeprefix("response.")
    await socket.send_text(answer.complete(status))


@app.websocket("/v1/chat")
async def chat(socket: WebSocket):
    await socket.accept(subprotocol=PROTOCOL)
    session = Session()
    tasks = set()
    try:
        while True:
            for line in (await socket.receive_text()).splitlines():
                frame = json.loads(line)
                if frame["type"] == "hello":
                    await socket.send_text(session.ready())
                elif frame["type"] == "message":
                    task = asyncio.create_task(relay(socket, session, frame))
                    tasks.add(task)
                    task.add_done_callback(tasks.discard)
    except WebSocketDisconnect:
        pass
    finally:
        for task in tasks:
            task.cancel()


def main():
    listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
    print(f"fastapi on http://127.0.0.1:{listener.getsockname()[1]}", flush=True)
    config = uvicorn.Config(app, log_level="error", access_log=False, loop="uvloop",
                            http="httptools", ws="websockets-sansio", ws_per_message_deflate=False)
    uvicorn.Server(config).run(sockets=[listener])


main()
