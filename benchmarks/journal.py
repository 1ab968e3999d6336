"""What the journal costs: CPU microseconds and bytes a row, written durably, and the replay of all of it.

    python benchmarks/journal.py [--rows 1000000] [--batch 500] [--in-flight 8]

Every intent is durable before its batch goes on, and takes earlier outcomes with it, as in a load; batches under way together share a sync.
"""

import argparse
import asyncio
import os
import sys
import tempfile
import time
from pathlib import Path

# As in a user's environment there is no pandas, which is here for a peer and takes longer to import than the rows to write.
sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "absent"))

from flitstack.journal.frames import Operation, Outcome
from flitstack.journal.journal import Journal
from flitstack.keys import row_id_at


async def write(journal: Journal, batches: list[bytes], in_flight: int) -> None:
    """Intend, commit, settle, for all batches."""
    waiting = iter(batches)

    async def lane() -> None:
        for ids in waiting:
            rows = len(ids) // 16
            batch = journal.intend(1, Operation.CREATE, "contact", ids, os.urandom(8 * rows))
            await journal.commit()
            journal.settle(Outcome(batch, rows))

    await asyncio.gather(*(lane() for _ in range(in_flight)))
    await journal.commit()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--batch", type=int, default=500)
    parser.add_argument("--in-flight", type=int, default=8)
    options = parser.parse_args()
    base = b"flitstck"
    ids = [row_id_at(base, n).bytes for n in range(options.rows)]
    batches = [b"".join(ids[at : at + options.batch]) for at in range(0, options.rows, options.batch)]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with Journal(folder, "benchmark", write=True) as journal:
            cpu, wall = time.process_time(), time.perf_counter()
            asyncio.run(write(journal, batches, options.in_flight))
            cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
        size = sum(path.stat().st_size for path in (folder / "segments").iterdir())
        print(f"write   {cpu / options.rows * 1e6:.2f} CPU us/row, {wall / len(batches) * 1e3:.2f} ms a batch, wall")
        print(f"segment {size / options.rows:.1f} bytes/row")
        cpu = time.process_time()
        with Journal(folder, "benchmark", write=False) as journal:
            print(f"replay  {(time.process_time() - cpu) / options.rows * 1e6:.2f} CPU us/row, state only")
            cpu = time.process_time()
            files = journal.rows_files()
            print(f"        {(time.process_time() - cpu) / options.rows * 1e6:.2f} CPU us/row, with rows as Parquet")
            print(f"rows    {sum(path.stat().st_size for path in files) / options.rows:.1f} bytes/row as Parquet")
            cpu = time.process_time()
            groups, breaks = journal.verify()
            print(
                f"verify  {(time.process_time() - cpu) / options.rows * 1e6:.2f} CPU us/row, {groups} groups, {len(breaks)} breaks"
            )


if __name__ == "__main__":
    main()
