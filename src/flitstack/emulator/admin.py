"""The admin door, below `/flitstack-admin/` on the data port: what tests and tools do to an environment from outside.

GET  (empty)          handshake: product, version, data directory, client_id of the seeded application
GET  fingerprint      per table: rows and an order-independent hash, and one over all
GET  counters         what was asked since the last reset
POST counters/reset
POST snapshot, restore        {"name": ...}
POST cell             {"table", "id", "column", "value"}: writes one stored value, past every rule
POST organization     {column: value ...} of the organization row
POST clients          {"client_id", "secret", "name"?, "expires"?}: an application user that may sign in
POST faults           a fault plan (faults.py); {"rules": []} ends it
POST limits           {"profile": name} or the fields of a profile
GET  clock            the emulated moment and its rate
POST clock            {"set": instant} or {"advance_s": seconds}, {"rate": 0 ...}
GET  entitlement      requests of the day by user
POST entitlement      {"per_user", "pool", "when_exhausted": "count" or "refuse"}
POST duplicate_rules  {name: {"table", "columns", "first_characters"?, "excludes_inactive"?}}: replaces the rules
POST seed             {"org": {...}, "systemusers": [...], "accounts": [...]} (seeding.py)
"""

from collections.abc import Callable, Mapping
from dataclasses import replace

import orjson

from flitstack.emulator.answers import json_answer, refused
from flitstack.emulator.auth import DEFAULT_CLIENT
from flitstack.emulator.faults import FaultPlanError, read_plan
from flitstack.emulator.fingerprint import fingerprint
from flitstack.emulator.instance import Instance
from flitstack.emulator.limits import PROFILES
from flitstack.emulator.messages import Answer, Refusal
from flitstack.emulator.raw_rows import add_client, set_cell, set_organization
from flitstack.emulator.rows.duplicates import KIND, parse_rule
from flitstack.emulator.seeding import seed_environment
from flitstack.emulator.settings import changed_profile
from flitstack.emulator.snapshots import restore, snapshot
from flitstack.emulator.values import parse_instant

PREFIX = "/flitstack-admin/"
PRODUCT = "flitstack-emulator"
VERSION = 1
Body = dict[str, object]


def answer_admin(instance: Instance, method: str, path: str, body: bytes) -> Answer:
    """The answer to one admin request; errors have the shape of the data API."""
    name = path.strip("/")
    instance.refresh()
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
    instance.counters.reset()
    return {}


def _faults(instance: Instance, body: Body) -> Body:
    instance.set_faults(read_plan(body))
    return {"rules": len(instance.settings.faults.rules)}


def _limits(instance: Instance, body: Body) -> Body:
    name = str(body.get("profile", "documented"))
    if name not in PROFILES:
        raise ValueError(f"there is no profile '{name}'")
    instance.set_profile(changed_profile(PROFILES[name], {key: body[key] for key in body.keys() - {"profile"}}))
    return {"profile": name}


def _clock(instance: Instance) -> Body:
    return {"now": instance.clock.now().isoformat(), "rate": instance.clock.rate}


def _move_clock(instance: Instance, body: Body) -> Body:
    numbers = {name: float(str(body[name])) for name in ("advance_s", "rate") if name in body}
    if body.keys() - {"set", "advance_s", "rate"}:
        raise ValueError("a clock takes `set`, `advance_s` and `rate`")
    to_s = None
    if "set" in body:
        moment = parse_instant(str(body["set"]))
        if moment is None:
            raise ValueError(f"'{body['set']}' is no date and time")
        to_s = moment.timestamp()
    before = instance.clock.seconds()
    instance.clock.move(to_s=to_s, by_s=numbers.get("advance_s", 0.0), rate=numbers.get("rate"))
    if instance.clock.seconds() < before:
        instance.limiter.begin()  # what was used lies in the future now, and would never be over
    return _clock(instance)


def _entitlement(instance: Instance) -> Body:
    with instance.state.memory.lock():
        return instance.entitlement.document(instance.settings.allowance, instance.clock.now())


def _set_entitlement(instance: Instance, body: Body) -> Body:
    instance.set_allowance(replace(instance.settings.allowance, **body))  # type: ignore[arg-type]
    return _entitlement(instance)


def _duplicate_rules(instance: Instance, body: Body) -> Body:
    environment = instance.environment
    for document in body.values():
        parse_rule(document if isinstance(document, dict) else {})
    with environment.transaction():
        for name in environment.documents(KIND):
            environment.drop_document(KIND, name)
        for name, document in body.items():
            environment.put_document(KIND, name, document)  # type: ignore[arg-type]
    return {"rules": len(body)}


def _fingerprint(instance: Instance) -> Body:
    return fingerprint(instance.environment)


_GET: Mapping[str, Callable[[Instance], Body]] = {
    "": _handshake,
    "fingerprint": _fingerprint,
    "counters": _counters,
    "clock": _clock,
    "entitlement": _entitlement,
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
    "clock": _move_clock,
    "entitlement": _set_entitlement,
    "duplicate_rules": _duplicate_rules,
    "seed": seed_environment,
}
