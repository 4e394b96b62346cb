"""The part of `millrace.v1` that the load client insists on; no replay, no cancel, no limits."""

import hashlib
import json
import secrets

PROTOCOL = "millrace.v1"


def dumps(value):
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


class Session:
    """Numbers one connection's events and writes them as frames."""

    def __init__(self):
        self.id = secrets.token_hex(8)
        self.seq = 0

    def ready(self):
        return dumps({"type": "ready", "session": self.id, "epoch": "1", "seq": 0,
                      "resume_token": "none", "expires_in_s": 60, "recovered": False,
                      "limits": {}, "heartbeat_s": 25})

    def event(self, type_name, /, **fields):
        self.seq += 1
        return dumps({"type": type_name, "seq": self.seq, **fields})


class Answer:
    """One response: its name, and its text for the proof at its end."""

    def __init__(self, session, message):
        self.session = session
        self.id = "r_" + secrets.token_hex(8)
        self.message = message
        self.pieces = []

    def begin(self):
        return self.session.event("response", response=self.id, message=self.message,
                                  model="", status="in_progress")

    def delta(self, index, text):
        self.pieces.append(text)
        return self.session.event("delta", response=self.id, index=index, kind="text", text=text)

    def complete(self, status):
        text = "".join(self.pieces).encode()
        return self.session.event(
            "complete", response=self.id, message=self.message, status=status, text_bytes=len(text),
            text_sha256=hashlib.sha256(text).hexdigest())
