"""What a destination holds before a migration: organization, currencies, users with roles, accounts, contacts, leads."""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

import orjson

from flitstack.emulator.core import Environment
from flitstack.emulator.instance import Instance
from flitstack.emulator.messages import Caller, Refusal, Request
from flitstack.emulator.process_seeds import seed_process
from flitstack.emulator.raw_rows import set_organization
from flitstack.emulator.seed import APPLICATION_USER, seed_id
from flitstack.emulator.values import uuid_blob
from flitstack.emulator.work import Values

_CALLER = Caller(APPLICATION_USER)
_TRUE = {"1", "true", "yes"}
_APPLICATION = "Application"  # not an access mode of the platform: an application user, non-interactive
_BASE_CURRENCY = seed_id("base currency")
Line = dict[str, Any]
# Sets of rows that may stand there before a migration, each from its own CSV file with logical column names.
ROW_SETS = ("accounts", "contacts", "leads")


def seed_environment(instance: Instance, body: dict[str, object]) -> dict[str, object]:
    """Bring in `org`, `systemusers`, rows by set (ROW_SETS) and business process flows (`processes`); doing it again changes
    nothing. Counts of what was read."""
    org, processes = body.get("org") or {}, body.get("processes") or []
    lists: list[list[Line]] = [
        part for name in ("systemusers", *ROW_SETS) if isinstance(part := body.get(name) or [], list)
    ]
    if not isinstance(org, dict) or not isinstance(processes, list) or len(lists) <= len(ROW_SETS):
        raise Refusal(400, "0x80040203", f"org is an object; systemusers, processes, {', '.join(ROW_SETS)} are lists.")
    users, *rows = lists
    environment = instance.environment
    with environment.transaction():
        if org:
            _seed_organization(instance, org)
            _seed_currencies(environment, str(org.get("basecurrency", "USD")), org.get("currencies") or [])
        for line in users:
            _seed_user(environment, line)
        for name, lines in zip(ROW_SETS, rows, strict=True):
            for number, line in enumerate(lines):
                _create_row(environment, name, line, number)
        # Last: rows that stood there before the processes were made follow none.
        for number, line in enumerate(processes):
            seed_process(environment, line, number)
    counts = {name: len(lines) for name, lines in zip(ROW_SETS, rows, strict=True)}
    if processes:
        counts["processes"] = len(processes)
    return {"systemusers": len(users), **counts, "currencies": len(org.get("currencies") or [])}


def _seed_organization(instance: Instance, org: Line) -> None:
    columns: dict[str, object] = {}
    if "name" in org:
        columns["name"] = org["name"]
    if "maxuploadfilesize_kb" in org:
        columns["maxuploadfilesize"] = int(org["maxuploadfilesize_kb"]) * 1024
    if "lcid" in org:
        columns |= {"languagecode": org["lcid"], "localeid": org["lcid"]}
    if "blockedattachments" in org:
        columns["blockedattachments"] = org["blockedattachments"]
    set_organization(instance, columns)
    if org.get("sharepoint"):
        site: Values = {
            "name": "Default Site",
            "absoluteurl": "https://sharepoint.emulator.invalid/sites/crm",
            "isdefault": 1,
        }
        instance.environment.put_row("sharepointsite", seed_id("sharepoint site"), {**site, **_owner()})
    instance.environment.put_document("organization_facts", "license", {"license": org.get("license", "enterprise")})


def _seed_currencies(environment: Environment, base: str, currencies: Iterable[Line]) -> None:
    for line in currencies:
        iso = str(line["isocurrencycode"])
        id_ = _BASE_CURRENCY if iso == base else seed_id(f"currency {iso}")
        environment.put_row("transactioncurrency", id_, {
            "currencyname": str(line.get("currencyname", iso)),
            "currencysymbol": str(line.get("currencysymbol", iso)),
            "isocurrencycode": iso,
            "exchangerate": float(line["exchangerate"]),
            "currencyprecision": int(line.get("currencyprecision", 2)),
            "organizationid": uuid_blob(seed_id("organization")),
        })  # fmt: skip


def _seed_user(environment: Environment, line: Line) -> None:
    id_ = UUID(str(line["systemuserid"]))
    mode = str(line.get("accessmode") or "Read-Write")
    modes = {option.label: option.value for option in environment.tables["systemuser"].columns["accessmode"].options}
    modes[_APPLICATION] = modes["Non-interactive"]
    if mode not in modes:
        raise Refusal(400, "0x80040203", f"'{mode}' is no access mode: {', '.join(modes)}.")
    first, last = line.get("firstname") or None, line.get("lastname") or None
    environment.put_row("systemuser", id_, {
        "firstname": first,
        "lastname": last,
        "fullname": line.get("fullname") or " ".join(part for part in (first, last) if part),
        "internalemailaddress": line.get("internalemailaddress") or None,
        "domainname": line.get("domainname") or None,
        "isdisabled": int(str(line.get("isdisabled", "0")).lower() in _TRUE),
        "accessmode": modes[mode],
        "applicationid": uuid_blob(seed_id(f"application {id_}")) if mode == _APPLICATION else None,
        "businessunitid": uuid_blob(seed_id("root business unit")),
        "organizationid": uuid_blob(seed_id("organization")),
    })  # fmt: skip
    for role in filter(None, (name.strip() for name in str(line.get("securityroles") or "").split(";"))):
        _give_role(environment, id_, role)


def _give_role(environment: Environment, user: UUID, name: str) -> None:
    role = seed_id(f"role {name}")
    if environment.connection.execute("SELECT 1 FROM role WHERE roleid = ?", (uuid_blob(role),)).fetchone() is None:
        unit = uuid_blob(seed_id("root business unit"))
        environment.put_row("role", role, {"name": name, "businessunitid": unit})
    given = environment.handle(Request("GET", f"systemusers({user})/systemuserroles_association"), _CALLER)
    if any(row["roleid"] == str(role) for row in orjson.loads(given.body or b"{}")["value"]):
        return
    body = orjson.dumps({"@odata.id": f"roles({role})"})
    environment.handle(Request("POST", f"systemusers({user})/systemuserroles_association/$ref", body=body), _CALLER)


def _create_row(environment: Environment, name: str, line: Line, number: int) -> None:
    """Through the data API (as an upsert), so that owner, state and money columns are as on any other row.

    A line without an id gets one that is the same each time.
    """
    body = {column: value for column, value in line.items() if value not in (None, "")}
    row = body.get(f"{name[:-1]}id") or seed_id(f"{name} {number}")
    request = Request("PATCH", f"{name}({row})", body=orjson.dumps(body))
    environment.handle(request, _CALLER)


def _owner() -> Values:
    return {"ownerid": uuid_blob(APPLICATION_USER), "ownerid$type": "systemuser"}
