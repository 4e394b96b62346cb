"""A small server of `millrace.v1` that breaks one promise, to see whether the load client notices."""

import hashlib
import json
import threading

from websockets.exceptions import ConnectionClosed
from websockets.sync.server import serve

PIECES = ["Mill", "race ", "turns", " the", " wheel", "."]
TEXT = "".join(PIECES)


class Chat:
    """One connection, whose log begins anew with it."""

    def __init__(self, socket, lie):
        self.socket = socket
        self.lie = lie
        self.seq = 0

    def send(self, **fields):
        self.socket.send(json.dumps(fields, separators=(",", ":"), ensure_ascii=False))

    def event(self, type_name, **fields):
        self.seq += 1
        self.send(type=type_name, seq=self.seq, **fields)

    def ready(self):
        self.send(type="ready", session="s_1", epoch="e_1", seq=0, resume_token="resume-secret",
                  expires_in_s=60, recovered=False, limits={}, heartbeat_s=25)

    def answer(self, message):
        response = "r_" + message["id"]
        self.event("message", id=message["id"], input=message["input"])
        self.event("response", response=response, message=message["id"], status="in_progress")
        for text in self.pieces():
            self.event("delta", response=response, index=0, kind="text", text=text)
            if text != PIECES[2]:
                continue
            if self.lie == "an event twice":
                self.seq -= 1
                self.event("delta", response=response, index=0, kind="text", text=text)
            if self.lie == "an event left out":
                self.seq += 1
            if self.lie == "two events in the wrong order":
                self.seq += 1
                self.event("delta", response=response, index=0, kind="text", text="b")
                self.seq -= 2
                self.event("delta", response=response, index=0, kind="text", text="a")
                self.seq += 1
        end = {"response": response, "message": message["id"], "status": "completed",
               "text_sha256": hashlib.sha256(TEXT.encode()).hexdigest(), "text_bytes": len(TEXT.encode())}
        if self.lie == "no end":
            return
        text = TEXT.upper() if self.lie == "an item with another text" else TEXT
        self.event("item", response=response, index=0, item={
            "type": "message", "role": "assistant", "content": [{"type": "output_text", "text": text}]})
        self.event("complete", **end)
        if self.lie == "a second end":
            self.event("complete", **end)
        if self.lie == "text after the end":
            self.event("delta", response=response, index=0, kind="text", text="late")
        if self.lie == "a message twice":
            self.event("message", id=message["id"], input=message["input"])

    def pieces(self):
        """The texts of the deltas, numbered in order whatever they say."""
        return {"a text twice": [*PIECES[:3], PIECES[2], *PIECES[3:]],
                "a text left out": PIECES[:4] + PIECES[5:],
                "two texts in the wrong order": [*PIECES[:3], PIECES[4], PIECES[3], PIECES[5]],
                "a text changed": [*PIECES[:3], " THE", *PIECES[4:]]}.get(self.lie, PIECES)

    def run(self):
        try:
            for frame in self.socket:
                for line in frame.splitlines():
                    command = json.loads(line)
                    if command["type"] == "hello":
                        self.ready()
                    elif command["type"] == "message":
                        self.answer(command)
        except ConnectionClosed:
            pass


class LyingGateway:
    """Serves on a port of the system's choice until the block ends; `lie` is None for an honest one."""

    def __init__(self, lie=None, tls=None):
        self.server = serve(lambda socket: Chat(socket, lie).run(), "127.0.0.1", 0,
                            subprotocols=["millrace.v1"], compression=None, ssl=tls)
        self.port = self.server.socket.getsockname()[1]
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.thread.join()
