"""The admin door, below `/flitstack-admin/` on the data port: what tests and tools do to an environment from outside.

GET  (empty)          handshake: product, version, data directory, client_id of the seeded application
GET  fingerprint      per table: rows and an order-independent hash, and one over all
GET  counters         what was asked since the last reset
POST counters/reset
POST snapshot, restore        {"name": ...}
POST cell             {"table", "id", "column", "value"}: writes one stored value, past every rule
POST organization     {column: value ...} of the organization row
POST clients          {"client_id", "secret", "name"?}: an application user that may sign in
POST faults           a fault plan (faults.py); {"rules": []} ends it
POST limits           {"profile": name} or the fields of a profile
POST seed             {"org": {...}, "systemusers": [...], "accounts": [...]} (seeding.py)
"""

from collections.abc import Callable, Mapping
from dataclasses import replace

import orjson

from flitstack.emulator.answers import json_answer, refused
from flitstack.emulator.auth import DEFAULT_CLIENT
from flitstack.emulator.counters import Counters
from flitstack.emulator.faults import FaultPlanError, read_plan
from flitstack.emulator.fingerprint import fingerprint
from flitstack.emulator.instance import Instance
from flitstack.emulator.limits import PROFILES, Limiter
from flitstack.emulator.messages import Answer, Refusal
from flitstack.emulator.raw_rows import add_client, set_cell, set_organization
from flitstack.emulator.seeding import seed_environment
from flitstack.emulator.snapshots import restore, snapshot

PREFIX = "/flitstack-admin/"
PRODUCT = "flitstack-emulator"
VERSION = 1
Body = dict[str, object]


def answer_admin(instance: Instance, method: str, path: str, body: bytes) -> Answer:
    """The answer to one admin request; errors have the shape of the data API."""
    name = path.strip("/")
    try:
        if method == "GET":
            found = _GET.get(name)
            if found is not None:
                return json_answer(found(instance))
        elif method == "POST" and name in _POST:
            return json_answer(_POST[name](instance, _read(body)))
        raise Refusal(404, "", f"The admin door knows no {method} '{name}'.")
    except Refusal as refusal:
        return refused(refusal)
    except (KeyError, FaultPlanError, TypeError, ValueError) as error:
        return refused(Refusal(400, "0x80040203", f"{name}: {type(error).__name__} {error}"))


def _read(body: bytes) -> Body:
    found = orjson.loads(body) if body else {}
    if not isinstance(found, dict):
        raise Refusal(400, "0x80040203", "An object is expected.")
    return found


def _handshake(instance: Instance) -> Body:
    return {
        "product": PRODUCT,
        "version": VERSION,
        "data": str(instance.options.data),
        "client_id": DEFAULT_CLIENT,
    }


def _counters(instance: Instance) -> Body:
    return instance.counters.document()


def _reset(instance: Instance, body: Body) -> Body:
    instance.counters = Counters()
    instance.dispatcher.counters = instance.counters
    return {}


def _faults(instance: Instance, body: Body) -> Body:
    instance.faults = read_plan(body)
    return {"rules": len(instance.faults.rules)}


def _limits(instance: Instance, body: Body) -> Body:
    profile = PROFILES[str(body.get("profile", "documented"))]
    fields = {key: value for key, value in body.items() if key != "profile"}
    instance.limiter = Limiter(replace(profile, **fields))  # type: ignore[arg-type]
    return {"profile": instance.limiter.profile.name}


def _fingerprint(instance: Instance) -> Body:
    return fingerprint(instance.environment)


_GET: Mapping[str, Callable[[Instance], Body]] = {
    "": _handshake,
    "fingerprint": _fingerprint,
    "counters": _counters,
}
_POST: Mapping[str, Callable[[Instance, Body], Body]] = {
    "counters/reset": _reset,
    "snapshot": snapshot,
    "restore": restore,
    "cell": set_cell,
    "organization": set_organization,
    "clients": add_client,
    "faults": _faults,
    "limits": _limits,
    "seed": seed_environment,
}
