"""`python -m flitstack.emulator serve --data DIR`: one environment, one process."""

import argparse
import asyncio
import contextlib
import gc
import signal
import ssl
import sys
from collections.abc import Coroutine, Sequence
from datetime import timedelta
from pathlib import Path

from flitstack.emulator.faults import NO_FAULTS, FaultPlanError, load_plan
from flitstack.emulator.instance import Instance, Options
from flitstack.emulator.limits import PROFILES
from flitstack.emulator.messages import Switches
from flitstack.emulator.metadata.router import MetadataOptions
from flitstack.emulator.server import serve
from flitstack.emulator.tls import CERTIFICATE, NoCertificate, own_context


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until SIGTERM or SIGINT. Exit code 2 for arguments that cannot be used."""
    given = _parser().parse_args(arguments)
    try:
        options = _options(given)
        tls = own_context(given.data, given.host) if given.tls else None
    except (FaultPlanError, NoCertificate, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    instance = Instance(options)
    # The catalogue lives as long as the process: it need not be walked again for every few hundred rows.
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)
    try:
        _run(_serve(instance, given, tls))
    finally:
        instance.end()
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m flitstack.emulator", description="A local Dataverse Web API.")
    serve_command = parser.add_subparsers(dest="command", required=True).add_parser(
        "serve", help="serve a data directory"
    )
    add = serve_command.add_argument
    add("--data", type=Path, required=True, help="data directory; made and seeded when it is new")
    add("--port", type=int, default=0, help="0 takes a free port")
    add("--host", default="127.0.0.1")
    add("--auth", choices=("on", "off"), default="off", help="on: data requests need a token of the token endpoint")
    add("--tls", action="store_true", help=f"HTTPS with a certificate of its own, {CERTIFICATE} in the data directory")
    add("--profile", choices=sorted(PROFILES), default="relaxed", help="service protection limits")
    add("--faults", type=Path, help="fault plan (YAML)")
    add("--ready-file", type=Path, help="gets the URL once connections are accepted")
    add("--base-currency", default="USD", help="ISO code, for a new data directory")
    add("--key-delay", type=float, default=0.0, help="seconds a new alternate key stays Pending")
    add("--without-bulk", default="", help="tables without CreateMultiple and its kin, separated by commas")
    add("--sync-full", action="store_true", help="answered writes survive a power cut")
    add("--allow-disabled-owner", action="store_true", help="disabled users may become owners")
    return parser


def _options(given: argparse.Namespace) -> Options:
    without_bulk = frozenset(name for name in given.without_bulk.split(",") if name)
    return Options(
        data=given.data,
        is_open=given.auth == "off",
        profile=PROFILES[given.profile],
        faults=load_plan(given.faults) if given.faults else NO_FAULTS,
        switches=Switches(
            sync_full=given.sync_full,
            refuse_disabled_owner=not given.allow_disabled_owner,
            without_bulk=without_bulk,
            base_currency=given.base_currency,
        ),
        metadata=MetadataOptions(timedelta(seconds=given.key_delay), without_bulk),
    )


async def _serve(instance: Instance, given: argparse.Namespace, tls: ssl.SSLContext | None) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        # Windows' event loop takes no signal handlers; there the process simply ends, which SQLite survives.
        with contextlib.suppress(NotImplementedError):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)

    def announce(url: str) -> None:
        print(f"flitstack emulator on {url} (data {given.data})", flush=True)
        if given.ready_file:
            part = given.ready_file.with_name(given.ready_file.name + ".part")
            part.write_text(url + "\n", encoding="utf-8")
            part.replace(given.ready_file)

    await serve(instance, given.host, given.port, announce, stop.wait(), tls)


def _run(work: Coroutine[None, None, None]) -> None:
    """On uvloop where it exists (not on Windows): a third of the time per request."""
    if sys.platform == "win32":
        asyncio.run(work)
        return
    import uvloop

    uvloop.run(work)


if __name__ == "__main__":
    sys.exit(main())
