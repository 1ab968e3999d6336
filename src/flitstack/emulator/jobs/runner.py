"""System jobs between requests: a slice at a time, so that no request waits for a whole job."""

import asyncio
import sqlite3
import sys
import traceback

from flitstack.emulator.instance import Instance

_IDLE_S = 0.05


async def run_jobs(instance: Instance) -> None:
    """Work on jobs until cancelled. A fault nobody foresaw is printed and stops jobs, not the emulator."""
    while True:
        try:
            instance.refresh()
            is_busy = instance.environment.run_job()
        except sqlite3.OperationalError as error:  # another process writes for long
            print(f"a system job waits: {error}", file=sys.stderr)
            is_busy = False
        except (AssertionError, LookupError, TypeError, ValueError, sqlite3.Error):
            traceback.print_exc(file=sys.stderr)
            return
        await asyncio.sleep(0 if is_busy else _IDLE_S)
