"""Ready-made bodies posted as fast as it goes, the least any client can cost: `python client_blast.py URL FOLDER ROWS_A_BODY`.

The answers' ids are parsed and counted; nothing is checked, paced, journalled or retried.
"""

import asyncio
import ssl
import sys
import time
from pathlib import Path

import aiohttp
import orjson
import uvloop

IN_FLIGHT = 8


async def blast(url: str, folder: Path) -> None:
    """Post every body of the folder once; tells the CPU seconds of that alone."""
    bodies = [path.read_bytes() for path in sorted(folder.glob("*.json"))]
    address = f"{url}/api/data/v9.2/contacts/Microsoft.Dynamics.CRM.CreateMultiple"
    todo, landed = iter(bodies), 0
    connector = aiohttp.TCPConnector(limit=IN_FLIGHT, ssl=ssl.create_default_context())
    headers = {"Content-Type": "application/json", "Authorization": "Bearer benchmark"}
    async with aiohttp.ClientSession(connector=connector, headers=headers) as session:

        async def lane() -> int:
            rows = 0
            for body in todo:
                async with session.post(address, data=body) as answer:
                    content = await answer.read()
                    if answer.status != 200:
                        raise SystemExit(f"{answer.status}: {content[:500]!r}")
                    rows += len(orjson.loads(content)["Ids"])
            return rows

        cpu, wall = time.process_time(), time.monotonic()
        landed = sum(await asyncio.gather(*(lane() for _ in range(IN_FLIGHT))))
        print("blast", time.process_time() - cpu, time.monotonic() - wall, landed, flush=True)


if __name__ == "__main__":
    uvloop.run(blast(sys.argv[1], Path(sys.argv[2])))
