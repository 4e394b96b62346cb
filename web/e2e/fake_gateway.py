"""A small stand-in for the gateway, speaking docs/protocol.md, for tests that need a fault on demand.

It keeps sessions in memory, serves the page with the gateway's headers, and answers by markers in the text,
`[sim:reasoning rate=200]`, in the simulator's own words. `POST /control` injects faults.
"""

import asyncio
import base64
import hashlib
import json
import re
import secrets
import struct
import sys
import zlib
from http import HTTPStatus
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from websockets.asyncio.server import serve
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Response

CSP = (
    "default-src 'self'; connect-src 'self'; img-src 'self' blob: data:; base-uri 'none'; object-src 'none'; "
    "frame-ancestors 'none'; form-action 'self'; require-trusted-types-for 'script'; trusted-types vue"
)
TYPES = {
    ".html": "text/html; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml", ".txt": "text/plain; charset=utf-8",
}

MARKDOWN = """## About water mills

A mill turns *falling water* into **work**: see the [history](https://example.org/mills) or `wheel.swift`.

| Stage | What happens | Share |
| :--- | :--- | ---: |
| Intake | the water is led off the river | 12 % |
| Race | it gathers speed in the channel | 38 % |
| Wheel | it turns the wheel, drop by drop | 50 % |

```swift
// One delta after the other, none of them twice.
func grind(_ grain: [String]) -> String {
    grain.joined(separator: " ")
}
print(grind(["every", "word", "counts"]))
```

- [x] Lead the water off
- [ ] Open the sluice
    1. slowly
    2. then fully

> The mill cannot grind with the water that is past.

The power is $$P = \\eta \\rho g Q H$$ and in text \\(v = \\sqrt{2gh}\\).
"""


MILLS, WHEELS, RIVER = (
    ("https://example.org/mills", "On mills: how water became work"),
    ("https://example.com/wheels", "Overshot and undershot wheels compared, with measurements of forty mills"),
    ("https://river.example/heads", "River heads"))
CITED = [
    ("## 🌊 What drives a mill\n\nThe wheel takes its power from the *head* of the water", *MILLS),
    (" and from its flow. Overshot wheels reach **85 %**", *WHEELS),
    (", undershot ones far less", *WHEELS), (".\n\n- A race keeps the flow even", *MILLS),
    ("\n- A pond stores the night's water", *RIVER),
    ("\n\n| wheel | efficiency |\n| --- | --- |\n| overshot | 85 %", *WHEELS), (" |\n| undershot | 25 % |\n\n", None, None),
    ("`P = ρ g Q h` gives the power", *RIVER), (" at the shaft, before what the gears take.", None, None),
]


def png(size=64):
    """A tiny gradient, so that a picture is a picture."""
    rows = b"".join(
        b"\0" + bytes(v for x in range(size) for v in (13, (x * 3) % 256, (y * 3) % 256)) for y in range(size)
    )
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    raw = chunk(b"IHDR", struct.pack(">IIBBBBB", size, size, 8, 2, 0, 0, 0)) + chunk(b"IDAT", zlib.compress(rows))
    return base64.b64encode(b"\x89PNG\r\n\x1a\n" + raw + chunk(b"IEND", b"")).decode()


def article(deltas):
    words = "water wheel stone river grain flour miller race sluice bridge willow evening turns slowly".split()
    out, n = "# The Long Race\n\n", 0
    while n < deltas:
        length = 8 + n % 7
        out += " ".join(words[(n * 7 + i * 3) % len(words)] for i in range(length)).capitalize() + ". "
        n += length
        if n % 5 == 0:
            out += "\n\n"
        if n % 31 == 0:
            out += f"## Part {n}\n\n"
    return out


class Session:
    def __init__(self):
        self.id = "s_" + secrets.token_hex(6)
        self.epoch = "e_" + secrets.token_hex(4)
        self.log = []
        self.messages = {}
        self.cancelled = set()
        self.changed = asyncio.Event()

    def append(self, event):
        event["seq"] = len(self.log) + 1
        self.log.append(event)
        self.changed.set()
        self.changed = asyncio.Event()


class Gateway:
    def __init__(self, directory):
        self.directory = Path(directory)
        self.sessions = {}
        self.connections = set()
        self.cancels = 0
        self.started = 0
        self.faults = {}
        self.releases = 0
        self.characters = 0  # That the last answer has so far.

    def token(self, session):
        return f"{session.id}.{session.epoch}"

    # HTTP

    def http(self, connection, request):
        url = urlsplit(request.path)
        if url.path == "/v1/chat":
            if self.faults.get("refuse"):
                return connection.respond(HTTPStatus.SERVICE_UNAVAILABLE, "busy")
            return None
        if url.path == "/control":
            return self.control(parse_qs(url.query))
        name = "index.html" if url.path == "/" else url.path.lstrip("/")
        file = (self.directory / name).resolve()
        if self.directory.resolve() not in file.parents or not file.is_file():
            return connection.respond(HTTPStatus.NOT_FOUND, "not found")
        headers = Headers({
            "Content-Type": TYPES.get(file.suffix, "application/octet-stream"),
            "Content-Security-Policy": CSP, "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer",
        })
        body = file.read_bytes()
        headers["Content-Length"] = str(len(body))
        return Response(200, "OK", headers, body)

    def control(self, query):
        do = query.get("do", [""])[0]
        if do == "drop":
            for each in list(self.connections):
                each.transport.abort()
        elif do == "close":
            for each in list(self.connections):
                asyncio.ensure_future(each.close(int(query["code"][0])))
        elif do == "forget":
            self.sessions.clear()
            for each in list(self.connections):
                each.transport.abort()
        elif do == "release":
            self.releases += 1
        elif do == "send":
            for each in list(self.connections):
                asyncio.ensure_future(each.send(query["frame"][0]))
        elif do == "set":
            self.faults[query["name"][0]] = json.loads(query["value"][0])
        body = json.dumps({
            "connections": len(self.connections), "started": self.started, "cancels": self.cancels,
            "sessions": len(self.sessions), "characters": self.characters,
        }).encode()
        return Response(200, "OK", Headers({"Content-Type": "application/json", "Content-Length": str(len(body))}), body)

    # WebSocket

    async def chat(self, socket):
        self.connections.add(socket)
        try:
            await self.talk(socket)
        except ConnectionClosed:
            pass
        finally:
            self.connections.discard(socket)

    async def talk(self, socket):
        hello = json.loads(await socket.recv())
        if self.faults.get("key") and hello.get("auth") != self.faults["key"]:
            await socket.send(json.dumps({"type": "error", "code": "unauthorized", "message": "a key is needed"}))
            return await socket.close(4401)
        resume = hello.get("resume")
        session, after, extra = None, 0, {}
        if resume:
            session = self.sessions.get(resume["token"].split(".")[0])
            if session is None or self.token(session) != resume["token"]:
                session, extra = None, {"reason": "session_not_found"}
            else:
                after = resume["after"]
        recovered = session is not None
        if session is None:
            session = Session()
            self.sessions[session.id] = session
        await socket.send(json.dumps({
            "type": "ready", "session": session.id, "epoch": session.epoch, "seq": len(session.log),
            "resume_token": self.token(session), "expires_in_s": 86400, "recovered": recovered, "heartbeat_s": 25,
            "limits": {"message_bytes": 8 << 20, "frames_per_s": 50, "responses_per_session": 4},
            **({"options": self.faults["options"]} if self.faults.get("options") else {}), **extra,
        }))
        sender = asyncio.ensure_future(self.follow(socket, session, after))
        try:
            async for text in socket:
                for line in text.split("\n"):
                    if line.strip():
                        await self.command(socket, session, json.loads(line))
        finally:
            sender.cancel()

    async def follow(self, socket, session, position):
        while True:
            changed = session.changed
            if self.faults.get("stall"):
                await asyncio.sleep(0.05)
                continue
            if position < len(session.log):
                await socket.send("\n".join(json.dumps(e) for e in session.log[position:]))
                position = len(session.log)
            else:
                await changed.wait()

    async def command(self, socket, session, frame):
        kind = frame["type"]
        if kind == "ping":
            if not self.faults.get("stall"):
                await socket.send(json.dumps({"type": "pong", "id": frame.get("id")}))
        elif kind == "cancel":
            self.cancels += 1
            # One that names a message which has not come yet ends that as soon as it does.
            session.cancelled.update([frame["message"]] if "message" in frame else session.messages)
        elif kind == "message":
            if frame["id"] in session.messages:
                return await socket.send(json.dumps({"type": "state", "state": "attached", "message": frame["id"]}))
            refused = self.faults.get("refuse_message")
            if refused:
                return await socket.send(json.dumps({"type": "error", "message_id": frame["id"], **refused}))
            self.started += 1
            session.append({"type": "message", "id": frame["id"], "input": frame["input"]})
            session.messages[frame["id"]] = asyncio.ensure_future(self.answer(socket, session, frame))

    async def answer(self, socket, session, frame):
        message, options = frame["id"], frame.get("options", {})
        source = frame["input"] if isinstance(frame["input"], str) else json.dumps(frame["input"][-1])
        marker = re.findall(r"\[sim:([^\]]*)\]", source)
        words, settings = [], {}
        for part in re.split(r"[ ,]", " ".join(marker)):
            if "=" in part:
                settings[part.split("=")[0]] = part.split("=", 1)[1]
            elif part:
                words.append(part)
        name = words[-1] if words else options.get("model", "sim-markdown").removeprefix("sim-")
        if options.get("text", {}).get("format", {}).get("type") == "json_object":
            name = "structured"
        rate = float(settings.get("rate", 120))
        response = "r_" + secrets.token_hex(5)
        def say(event_type, **fields):
            session.append({"type": event_type, "response": response, **fields})

        say("response", message=message, model=options.get("model", "sim-" + name), status="in_progress")
        texts = {}
        loop = asyncio.get_running_loop()
        due, said, hold = loop.time(), 0, int(settings.get("hold", 0))
        releases = self.releases  # A release may come before the hold.

        async def pause():
            """Until the next piece is due: a busy machine is late once and not with each. `hold=N` stays at piece N."""
            nonlocal due, said
            said += 1
            if said == hold:
                while self.releases == releases and message not in session.cancelled:
                    await asyncio.sleep(0.02)
                due = loop.time()
            if rate:
                due += 1 / rate
                await asyncio.sleep(max(0, due - loop.time()))

        async def text(index, kind, value, step=4):
            for place in range(0, len(value), step):
                if message in session.cancelled:
                    raise asyncio.CancelledError
                piece = value[place:place + step]
                if kind == "text":
                    texts[index] = texts.get(index, "") + piece
                    self.characters = sum(map(len, texts.values()))
                say("delta", index=index, kind=kind, text=piece)
                await pause()

        async def tool(index, kind, arguments, call="call_1", tool_name=None, output=None, status="completed"):
            more = {"name": tool_name} if tool_name else {}
            say("tool", index=index, kind=kind, status="in_progress", call_id=call, **more)
            for place in range(0, len(arguments), 5):
                say("tool", index=index, kind=kind, status="in_progress", delta=arguments[place:place + 5])
                await pause()
                if message in session.cancelled:
                    raise asyncio.CancelledError
            if output is not None:
                more["output"] = output
            say("tool", index=index, kind=kind, status=status, call_id=call, arguments=arguments, **more)

        async def cited(index, pieces):
            """Pieces of text, each with the address that it cites, or none; an annotation counts code points."""
            whole = ""
            for piece, url, title in pieces:
                await text(index, "text", piece)
                start, whole = len(whole), whole + piece
                if url:
                    say("upstream_event", index=index, event={
                        "type": "response.output_text.annotation.added", "content_index": 0,
                        "annotation": {"type": "url_citation", "url": url, "title": title,
                                       "start_index": start, "end_index": len(whole)}})

        end = {"status": "completed"}
        try:
            ttft = float(settings.get("ttft", 0)) / 1000
            if ttft:
                await socket.send(json.dumps({"type": "state", "response": response, "message": message,
                                              "state": "waiting", "since_ms": 0}))
                waited = 0
                while waited < ttft:
                    if message in session.cancelled:
                        raise asyncio.CancelledError
                    await asyncio.sleep(0.02)
                    waited += 0.02
            match name:
                case "hello":
                    await text(0, "text", "Hello from the mill.")
                case "long" | "paced":
                    whole, head = article(int(settings.get("deltas", 400))), int(settings.get("head", 0))
                    if head:
                        await text(0, "text", whole[:head], step=head)
                    await text(0, "text", whole[head:])
                case "reasoning":
                    await text(0, "reasoning_summary", "**Weighing the question**\n\nThe wheel needs water first.")
                    say("item", index=0, item={"type": "reasoning", "summary": []})
                    await text(1, "text", "First the water, then the wheel.")
                case "function" | "parallel":
                    await tool(0, "function", '{"city":"Oslo","days":3}', tool_name="get_weather")
                    if name == "parallel":
                        await tool(1, "function", '{"city":"Turin"}', "call_2", "get_weather")
                case "mcp":
                    await tool(0, "mcp", '{"path":"/etc"}', tool_name="read_file", output="permission denied", status="failed")
                    await text(1, "text", "That file cannot be read.")
                case "code":
                    await tool(0, "code_interpreter", "print(6 * 7)\n", output=[{"type": "logs", "logs": "42\n"}])
                    await text(1, "text", "It is **42**.")
                case "web-search":
                    await tool(0, "web_search", '{"query":"water mill efficiency"}')
                    await cited(1, CITED)
                case "file-search":
                    await tool(0, "file_search", '{"queries":["sluice"]}')
                    await text(1, "text", "The handbook says: keep the sluice clear.")
                    say("upstream_event", index=1, event={
                        "type": "response.output_text.annotation.added", "content_index": 0,
                        "annotation": {"type": "file_citation", "file_id": "file-1", "filename": "handbook.pdf", "index": 40}})
                case "image":
                    say("tool", index=0, kind="image_generation", status="generating", call_id="ig")
                    await asyncio.sleep(0.2)
                    say("upstream_event", index=0, event={
                        "type": "response.image_generation_call.partial_image", "partial_image_b64": png(32)})
                    await pause()
                    await asyncio.sleep(0.3)
                    say("tool", index=0, kind="image_generation", status="completed", call_id="ig")
                    say("item", index=0, item={"type": "image_generation_call", "result": png(128), "status": "completed"})
                case "json":  # So many objects, in a fence or bare; `indent=0`: all in one line.
                    objects = [{"id": n, "name": f"wheel {n}", "turns": n % 2 == 0} for n in range(int(settings["objects"]))]
                    code = json.dumps(objects, indent=int(settings.get("indent", 2)) or None)
                    code = code if "bare" in settings else f"```json\n{code}\n```\n"
                    await text(0, "text", code, int(settings.get("step", 4)))
                case "structured":
                    await text(0, "text", json.dumps({
                        "title": "Water mill", "parts": [{"name": "wheel", "wood": True}, {"name": "race", "wood": False}],
                        "power": {"value": 4.5, "unit": "kW"}, "note": None}))
                case "refusal":
                    await text(0, "refusal", "I can’t help with that.")
                case "incomplete":
                    await text(0, "text", "The mill stood by the river and")
                    end = {"status": "incomplete", "reason": settings.get("reason", "max_output_tokens")}
                case "failed":
                    await text(0, "text", "The wheel turned and")
                    end = {"status": "failed", "error": {"code": "upstream_failed", "message": "The model had an internal error.",
                           "retryable": True, "upstream_code": "server_error", "request_id": "req_7"}}
                case "seam":
                    await text(0, "text", "The wheel turned and")
                    say("seam", index=1, reason="upstream_truncated")
                    await text(1, "text", " turned, and the flour ran.")
                    end["seams"] = [1]
                case "rtl":
                    await text(0, "text", "## طاحونة الماء\n\nالطاحونة تحوّل *الماء الجاري* إلى **عمل**.\n\n- العجلة\n- القناة Race\n")
                case "say":  # What stands behind the marker, as it is.
                    await text(0, "text", source.partition("]")[2].strip(), int(settings.get("step", 4)))
                case "echo":
                    await text(0, "text", json.dumps(frame["input"], ensure_ascii=False))
                case _:
                    await text(0, "text", MARKDOWN)
        except asyncio.CancelledError:
            end = {"status": "cancelled", "reason": "client", "upstream_closed_us": 310}
        whole = "".join(texts[i] for i in sorted(texts))
        words = len(whole.split())
        say("complete", message=message, **end, usage={
            "input_tokens": 42, "output_tokens": words, "total_tokens": 42 + words,
            "input_tokens_details": {"cached_tokens": 0}, "output_tokens_details": {"reasoning_tokens": 0}},
            timing={"first_event_ms": 180, "first_text_ms": 240, "total_ms": 1900},
            text_sha256=self.faults.get("sha") or hashlib.sha256(whole.encode()).hexdigest(), text_bytes=len(whole.encode()))


async def main(directory, port):
    gateway = Gateway(directory)
    async with serve(gateway.chat, "127.0.0.1", port, process_request=gateway.http, subprotocols=["millrace.v1"],
                     max_size=None, compression=None, ping_interval=None) as server:
        host, bound = server.sockets[0].getsockname()[:2]
        print(f"listening on {host}:{bound}", flush=True)
        await asyncio.Future()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 0))
