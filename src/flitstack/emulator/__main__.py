"""`python -m flitstack.emulator serve --data DIR`: one environment, one process."""

import argparse
import asyncio
import contextlib
import gc
import signal
import socket
import ssl
import sys
from collections.abc import Coroutine, Sequence
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path

from flitstack.emulator.entitlement import Allowance
from flitstack.emulator.faults import NO_FAULTS, load_plan
from flitstack.emulator.instance import Instance, Options
from flitstack.emulator.limits import PROFILES
from flitstack.emulator.messages import Switches
from flitstack.emulator.metadata.router import MetadataOptions
from flitstack.emulator.server import make_runner, serve
from flitstack.emulator.shared.clock import check_clock
from flitstack.emulator.tls import CERTIFICATE, NoCertificate, own_context
from flitstack.emulator.values import parse_instant
from flitstack.emulator.workers import serve_handed, supervise

# Custom tables beside the standard ones. Source: Microsoft, "Dynamics 365 Licensing Guide" (Sales Professional).
_MAX_TABLES: dict[str, int | None] = {"professional": 15, "enterprise": None}


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until SIGTERM or SIGINT. Exit code 2 for arguments that cannot be used."""
    given = _parser().parse_args(arguments)
    try:
        options = _options(given)
        tls = own_context(given.data, given.host) if given.tls else None
        check_clock(_start_s(given.clock) or 0.0, given.clock_rate)
    except (ValueError, NoCertificate, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    if given.workers > 1:
        return _serve_together(options, given, tls)
    instance = _open(options, given)
    try:
        _run(_serve(instance, given, tls))
    finally:
        instance.end()
    return 0


def _open(options: Options, given: argparse.Namespace) -> Instance:
    instance = Instance(options)
    if instance.state.is_first:
        instance.clock.move(to_s=_start_s(given.clock), rate=given.clock_rate)
    # The catalogue lives as long as the process: it need not be walked again for every few hundred rows.
    gc.collect()
    gc.freeze()
    gc.set_threshold(5_000, 20, 20)
    return instance


def _serve_together(options: Options, given: argparse.Namespace, tls: ssl.SSLContext | None) -> int:
    """Several processes on one directory, with one clock, one set of limits and counters."""
    if sys.platform == "win32":
        print("error: several processes on one data directory need a POSIX system", file=sys.stderr)
        return 2
    given.data.mkdir(parents=True, exist_ok=True)
    state_file = given.data / "emulator.state"
    state_file.unlink(missing_ok=True)
    listener = socket.create_server((given.host, given.port), backlog=1024)
    host, port = listener.getsockname()[:2]

    def work(number: int, channel: socket.socket) -> None:
        instance = _open(replace(options, state_file=state_file, worker=number), given)
        try:
            _run(serve_handed(partial(make_runner, instance), channel, tls))
        finally:
            instance.end()

    def announce() -> None:
        _announce(given, f"{'https' if tls else 'http'}://{host}:{port}")

    return supervise(given.workers, listener, work, announce)


def _announce(given: argparse.Namespace, url: str) -> None:
    print(f"flitstack emulator on {url} (data {given.data})", flush=True)
    if given.ready_file:
        part = given.ready_file.with_name(given.ready_file.name + ".part")
        part.write_text(url + "\n", encoding="utf-8")
        part.replace(given.ready_file)


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
    add("--tenant", help="the only tenant whose token endpoint knows the applications; default: any")
    add("--tls", action="store_true", help=f"HTTPS with a certificate of its own, {CERTIFICATE} in the data directory")
    add("--profile", choices=sorted(PROFILES), default="relaxed", help="service protection limits")
    add("--servers", type=int, default=1, help="simulated web servers, each with limits of its own")
    add("--entitlement", choices=("count", "refuse"), default="count", help="when the requests of a day are used up")
    add("--clock", help="the moment at the start, such as 2030-01-01T00:00:00Z; default: now")
    add("--clock-rate", type=float, default=1.0, help="emulated seconds a real second; 0: moved through the admin door")
    add("--faults", type=Path, help="fault plan (YAML)")
    add("--workers", type=int, default=1, help="processes that serve the directory together")
    add("--ready-file", type=Path, help="gets the URL once connections are accepted")
    add("--base-currency", default="USD", help="ISO code, for a new data directory")
    add("--key-delay", type=float, default=0.0, help="seconds a new alternate key stays Pending")
    add("--without-bulk", default="", help="tables without CreateMultiple and its kin, separated by commas")
    add("--sync-full", action="store_true", help="answered writes survive a power cut")
    add("--duplicate-status", type=int, choices=(412, 500), default=412, help="status of a detected duplicate")
    add("--no-privileges", action="store_true", help="every caller may do everything")
    add("--require-roles", action="store_true", help="callers without a role are refused")
    add("--no-price-calculation", action="store_true", help="totals and line amounts stay as they are sent")
    disabled = serve_command.add_mutually_exclusive_group()
    disabled.add_argument("--allow-disabled-owner", action="store_true", help="disabled users may become owners")
    disabled.add_argument("--drop-disabled-owner", action="store_true", help="disabled users are passed over as owners")
    add(
        "--licence", choices=("professional", "enterprise"), default="enterprise", help="professional: 15 custom tables"
    )
    return parser


def _options(given: argparse.Namespace) -> Options:
    without_bulk = frozenset(name for name in given.without_bulk.split(",") if name)
    return Options(
        data=given.data,
        is_open=given.auth == "off",
        tenant=given.tenant,
        profile=replace(PROFILES[given.profile], servers=given.servers),
        faults=load_plan(given.faults) if given.faults else NO_FAULTS,
        switches=Switches(
            sync_full=given.sync_full,
            refuse_disabled_owner=not given.allow_disabled_owner,
            drop_disabled_owner=given.drop_disabled_owner,
            without_bulk=without_bulk,
            base_currency=given.base_currency,
            price_calculation=not given.no_price_calculation,
            duplicate_status=given.duplicate_status,
            check_privileges=not given.no_privileges,
            require_roles=given.require_roles,
        ),
        allowance=Allowance(when_exhausted=given.entitlement),
        metadata=MetadataOptions(timedelta(seconds=given.key_delay), without_bulk, _MAX_TABLES[given.licence]),
    )


def _start_s(text: str | None) -> float | None:
    """Seconds since 1970 of the moment a clock begins at; None for now. Raises ValueError."""
    if text is None:
        return None
    moment = parse_instant(text)
    if moment is None:
        raise ValueError(f"--clock: '{text}' is no date and time")
    return moment.timestamp()


async def _serve(instance: Instance, given: argparse.Namespace, tls: ssl.SSLContext | None) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        # Windows' event loop takes no signal handlers; there the process simply ends, which SQLite survives.
        with contextlib.suppress(NotImplementedError):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)

    await serve(instance, given.host, given.port, partial(_announce, given), stop.wait(), tls)


def _run(work: Coroutine[None, None, None]) -> None:
    """On uvloop where it exists (not on Windows): a third of the time per request."""
    if sys.platform == "win32":
        asyncio.run(work)
        return
    import uvloop

    uvloop.run(work)


if __name__ == "__main__":
    sys.exit(main())
