"""A TCP proxy on its own thread, for the faults of a network: cut, silent, unreachable."""

import asyncio
import threading

WAITS_S = 60

class Proxy:
    def __init__(self, host, port):
        self.target = (host, port)
        self._by_id = {}
        self.stalled = False
        self.refusing = False
        self.accepted = 0
        self.refused = 0
        self.held = 0
        self.loop = asyncio.new_event_loop()
        started = threading.Event()

        async def run():
            self.server = await asyncio.start_server(self.serve, "127.0.0.1", 0)
            self.port = self.server.sockets[0].getsockname()[1]
            started.set()
            await self.server.serve_forever()

        def main():
            try:
                self.loop.run_until_complete(run())
            except asyncio.CancelledError:
                pass

        threading.Thread(target=main, daemon=True).start()
        assert started.wait(WAITS_S)

    async def serve(self, reader, writer):
        if self.refusing:
            self.refused += 1
            return writer.transport.abort()
        try:
            far_reader, far_writer = await asyncio.open_connection(*self.target)
        except OSError:
            return writer.transport.abort()
        self.accepted += 1
        pair = [writer, far_writer, False]
        self._by_id[id(pair)] = pair

        async def pump(source, sink):
            try:
                while data := await source.read(65536):
                    if b"Upgrade: websocket" in data or b"upgrade: websocket" in data:
                        pair[2] = True
                    if self.stalled and pair[2]:
                        self.held += 1
                    while self.stalled and pair[2]:
                        await asyncio.sleep(0.02)
                    sink.write(data)
                    await sink.drain()
            except (OSError, asyncio.CancelledError):
                pass
            finally:
                sink.close()

        await asyncio.gather(pump(reader, far_writer), pump(far_reader, writer))
        self._by_id.pop(id(pair), None)

    def cut(self):
        """Resets every WebSocket; answers with how many those were."""
        async def run():
            pairs = [pair for pair in self._by_id.values() if pair[2]]
            for near, far, _ in pairs:
                near.transport.abort()
                far.transport.abort()
            return len(pairs)

        return asyncio.run_coroutine_threadsafe(run(), self.loop).result(WAITS_S)
