"""The least a server can do that keeps rows: HTTP, JSON, one INSERT a row. No checks, no stamps, no metadata.

    python benchmarks/emulator_bare.py DIRECTORY READY_FILE

What the emulator costs beyond it is what being Dataverse costs (benchmarks/emulator.py starts both).
"""

import asyncio
import os
import sqlite3
import sys
from pathlib import Path

import orjson
import uvloop
from aiohttp import web

_TYPE = "@odata.type"


class Bare:
    """One table, made from the first row that comes."""

    def __init__(self, path: Path) -> None:
        self._connection = sqlite3.connect(path, isolation_level=None)
        self._connection.execute("PRAGMA page_size=8192")
        self._connection.execute("PRAGMA journal_mode=WAL")
        self._connection.execute("PRAGMA synchronous=NORMAL")
        self._connection.execute("PRAGMA cache_size=-65536")
        self._insert = ""
        self._last = 0

    async def create(self, http: web.Request) -> web.Response:
        """CreateMultiple."""
        targets = orjson.loads(await http.read())["Targets"]
        for target in targets:
            del target[_TYPE]
        if not self._insert:
            names = ", ".join(f'"{name}"' for name in targets[0])
            self._connection.execute(f"CREATE TABLE contact (id BLOB PRIMARY KEY NOT NULL, {names}) WITHOUT ROWID")
            self._insert = f"INSERT INTO contact (id, {names}) VALUES ({', '.join('?' * (len(targets[0]) + 1))})"
        noise, first = os.urandom(10), self._last
        self._last += len(targets)
        ids = [number.to_bytes(6, "big") + noise for number in range(first, self._last)]
        self._connection.execute("BEGIN IMMEDIATE")
        self._connection.executemany(
            self._insert, [(id_, *target.values()) for id_, target in zip(ids, targets, strict=True)]
        )
        self._connection.execute("COMMIT")
        return web.Response(body=orjson.dumps({"Ids": [id_.hex() for id_ in ids]}), content_type="application/json")


async def serve(directory: Path, ready: Path) -> None:
    """Serve until killed."""
    app = web.Application(client_max_size=1 << 27)
    app.router.add_post("/{anything:.*}", Bare(directory / "bare.sqlite").create)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    ready.write_text(f"http://{host}:{port}")
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(serve(Path(sys.argv[1]), Path(sys.argv[2])))
