"""Gotchas as checks: each passes, warns or blocks with evidence from the data, the plan or the environment."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from flitstack.app.access import access_evidence, load_access
from flitstack.app.gates import Gate
from flitstack.app.process_checks import process_evidence
from flitstack.app.project import Project
from flitstack.app.staff_roles import roles_policy
from flitstack.app.steps.findings import findings_source
from flitstack.app.store import EnvironmentFacts, load_facts, load_mapping, load_plan, load_staging, staged_folder
from flitstack.limits import (
    CUSTOM_TABLES_PROFESSIONAL,
    DAILY_REQUESTS_BASE,
    DAILY_REQUESTS_PER_LICENCE,
    file_bytes_allowed,
)
from flitstack.mapping.maps import open_proposals, read_maps
from flitstack.packs.gotchas import Gotcha, read_gotchas
from flitstack.planning.document import Plan
from flitstack.planning.licence import PROFESSIONAL
from flitstack.planning.roles import ADMINISTRATOR, ASSIGN_ALL, LIST
from flitstack.reporting.document import Check, in_order
from flitstack.staging.document import StagingDocument
from flitstack.staging.engine.engine import Engine, literal, quoted, read_parquet

PASS, WARN, BLOCK, WAITING = "pass", "warn", "block", "waiting"
ACTIVITIES = frozenset(("email", "phonecall", "appointment", "task", "letter", "fax"))
NAMED = 5  # how many names a line of evidence gives


@dataclass(frozen=True)
class _Known:
    """What the steps have found out so far."""

    project: Project
    engine: Engine
    staged: StagingDocument | None
    plan: Plan | None
    facts: EnvironmentFacts | None
    gates: Mapping[str, Gate]

    def count(self, where: str) -> int:
        """Findings for which a condition holds."""
        return int(self.engine.one(f"SELECT count(*) FROM {findings_source(self.project)} WHERE {where}")[0])

    def records(self, name: str) -> int:
        """Staged records of an object."""
        return self.staged.tables[name].records if self.staged and name in self.staged.tables else 0

    def parquet(self, name: str) -> str:
        """The staged table of an object as a relation."""
        return read_parquet(staged_folder(self.project) / f"{name}.parquet")


Finder = Callable[[_Known, Gotcha], tuple[str, str]]


def run_checks(engine: Engine, project: Project, gates: Mapping[str, Gate]) -> tuple[Check, ...]:
    """Every check of the product and of the pack, with what is known now."""
    staged, plan, facts = load_staging(project), load_plan(project), load_facts(project)
    known = _Known(project, engine, staged, plan, facts, gates)
    made = [(gotcha, _EVERYWHERE[gotcha.name]) for gotcha in _COMMON]
    made += [(gotcha, _FINDERS[gotcha.check]) for gotcha in read_gotchas(project.pack.playbook)]
    checks = []
    for gotcha, find in made:
        state, evidence = find(known, gotcha)
        checks.append(Check(gotcha.name, state, evidence, gotcha.says, gotcha.do))
    return tuple(checks)


def _licence(known: _Known, _: Gotcha) -> tuple[str, str]:
    if known.plan is None:
        return WAITING, "counted by flitstack plan"
    tables = sorted(
        str(operation["name"])
        for step in known.plan.steps
        for operation in step.operations
        if operation["kind"] == "create_table"
    )
    tier = known.project.target.licence
    named = f" ({_named(tables)})" if tables else ""
    evidence = f"the plan makes {len(tables)} custom tables{named}; the environment's licence is {tier}"
    if tier != PROFESSIONAL:
        return PASS, evidence
    return (BLOCK if len(tables) > CUSTOM_TABLES_PROFESSIONAL else PASS), (
        f"{evidence}, which covers {CUSTOM_TABLES_PROFESSIONAL}"
    )


def _requests(known: _Known, _: Gotcha) -> tuple[str, str]:
    if known.plan is None:
        return WAITING, "counted by flitstack plan"
    rows = known.plan.requests.get("rows", 0)
    days = -(-rows // DAILY_REQUESTS_BASE)
    evidence = (
        f"{rows:,} operations of single rows; a tenant's application users may make {DAILY_REQUESTS_BASE:,} a day, and "
        f"{DAILY_REQUESTS_PER_LICENCE:,} more for each licence"
    )
    return (WARN, f"{evidence}: {days} days without licences") if days > 1 else (PASS, evidence)


def _owners_of_activities(known: _Known, _: Gotcha) -> tuple[str, str]:
    mapped = load_mapping(known.project)
    if known.plan is None or mapped is None:
        return WAITING, "owners are matched by flitstack plan"
    objects = sorted({route.object for route in mapped.routes if route.table in ACTIVITIES})
    if not objects:
        return PASS, "no object of the map becomes activities"
    among = ", ".join(map(literal, objects))
    where = f"code IN ('owner_inactive', 'owner_unmatched') AND object IN ({among})"
    records = known.count(where)
    blocked = [note for note in known.plan.notes if note.startswith("owner ")]
    if not records:
        return PASS, f"every owner of {', '.join(objects)} is an enabled user"
    evidence = f"{records:,} records of {', '.join(objects)} name a disabled or missing user"
    if blocked:
        return BLOCK, f"{evidence}; {len(blocked)} owners are not settled"
    return WARN, f"{evidence}; they go to {known.project.decisions.get('fallback_owner') or 'whom owners.yaml names'}"


def _privileges(known: _Known, _: Gotcha) -> tuple[str, str]:
    return access_evidence(load_access(known.project))


def _attachments(known: _Known, gotcha: Gotcha) -> tuple[str, str]:
    if known.staged is None:
        return WAITING, "counted by flitstack stage"
    sizes = list(known.staged.attachments.values())
    if not sizes:
        return PASS, "the export holds no files beside its tables"
    evidence = f"{len(sizes):,} files, {_size(sum(sizes))}, the largest {_size(max(sizes))}"
    if known.facts is None:
        return WAITING, f"{evidence}; the environment's limit is asked by flitstack plan"
    allowed = file_bytes_allowed(known.facts.max_upload_bytes)
    own = float(known.project.decisions.get("attachment_limit_kb") or 0) * 1024
    limit = min(allowed, own) if own else allowed
    evidence += f"; the environment takes {_size(allowed)} a file"
    if own:
        evidence += f", the customer's own limit is {_size(own)}"
    claimed = gotcha.parts.get("claimed_kb")
    if claimed and float(claimed) * 1024 > allowed:
        evidence += (
            f"; the {_size(float(claimed) * 1024)} that are told of this source are more than the platform takes here"
        )
    large = sum(size > limit for size in sizes)
    return (WARN, f"{evidence}; {large} files are larger and are held") if large else (PASS, evidence)


def _export_path(known: _Known, _: Gotcha) -> tuple[str, str]:
    gate = known.gates["export"]
    if gate.state == "open":
        return PASS, f"the export was approved by {gate.by} at {gate.at}"
    if known.staged is None:
        return WAITING, "no export is staged yet"
    missing = [
        name
        for name, source in known.project.pack.objects.items()
        if not source.optional
        and name not in known.staged.tables
        and name not in {*known.project.settings.absent, *known.project.settings.awaited}
    ]
    if missing:
        return BLOCK, f"the export holds no {', '.join(missing)}"
    return WARN, f"{len(known.staged.files)} files are read; nobody has confirmed yet that they are all there is"


def _findings(known: _Known, gotcha: Gotcha) -> tuple[str, str]:
    if known.staged is None:
        return WAITING, "found by flitstack stage and the steps after it"
    codes = [str(code) for code in gotcha.parts["codes"]]
    where = f"code IN ({', '.join(map(literal, codes))})"
    if "object" in gotcha.parts:
        where += f" AND object = {literal(str(gotcha.parts['object']))}"
    if "field" in gotcha.parts:
        where += f" AND field = {literal(str(gotcha.parts['field']))}"
    found = known.engine.rows(
        f"SELECT code, count(*), min(file), min(record) FROM {findings_source(known.project)} WHERE {where} GROUP BY code ORDER BY code"
    )
    if not found:
        late = not load_mapping(known.project) and set(codes) - {"not_portable", "field_missing"}
        return (WAITING, "found by flitstack plan") if late else (PASS, f"no finding {' or '.join(codes)}")
    return WARN, "; ".join(f"{count:,} {code}, first {file} record {record}" for code, count, file, record in found)


def _decision(known: _Known, gotcha: Gotcha) -> tuple[str, str]:
    name = str(gotcha.parts["decision"])
    value, by = known.project.decisions.get(name), known.project.decided.get(name, {}).get("by", "default")
    if value in (None, "", [], {}):
        return WARN, f"{name} is not answered"
    return (WARN if by == "default" else PASS), f"{name}: {value}, by {by}"


def _unknown_columns(known: _Known, _: Gotcha) -> tuple[str, str]:
    if known.staged is None:
        return WAITING, "found by flitstack stage"
    unknown = [
        f"{name}.{field.header}"
        for name, table in known.staged.tables.items()
        for field in table.fields
        if not field.known
    ]
    if not unknown:
        return PASS, "the pack knows every column of the export"
    evidence = f"{len(unknown)} columns the pack does not know: {_named(unknown)}"
    if known.gates["map"].state == "open":
        return PASS, f"{evidence}; each is decided in the map"
    waiting = len(open_proposals(read_maps(known.project.maps))) if known.project.maps.exists() else len(unknown)
    return WARN, f"{evidence}; {waiting} proposals wait for a person"


def _at_least(known: _Known, gotcha: Gotcha) -> tuple[str, str]:
    if known.staged is None:
        return WAITING, "counted by flitstack stage"
    name, least = str(gotcha.parts["object"]), int(gotcha.parts["count"])
    there = known.records(name)
    return (PASS if there >= least else WARN), f"the export holds {there:,} records of {name}, {least} are the least"


def _roles(known: _Known, gotcha: Gotcha) -> tuple[str, str]:
    name = str(gotcha.parts["object"])
    if not known.records(name):
        return WAITING if known.staged is None else WARN, f"the export holds no {name}"
    wanted = known.project.decisions.get(str(gotcha.parts["decision"])) or {}
    rows = known.engine.rows(
        f"SELECT coalesce(clean({quoted(str(gotcha.parts['role']))}), ''), count(*) FROM {known.parquet(name)} GROUP BY 1 ORDER BY 1"
    )
    keys = {str(role).casefold(): str(meaning) for role, meaning in dict(wanted).items()}
    told = [
        f"{count} {role or 'without a role'}: {keys.get(str(role).casefold(), 'not decided')}" for role, count in rows
    ]
    strange = [role for role, _ in rows if str(role).casefold() not in keys]
    policy = roles_policy(known.project)
    by_hand = policy == LIST or (policy != ASSIGN_ALL and ADMINISTRATOR.casefold() in map(str.casefold, keys.values()))
    who = "" if policy == LIST else "; the load gives them to users (assign_roles)"
    evidence = "; ".join(told) + (f"; {len(strange)} roles are not decided" if strange else "") + who
    return (WARN if strange or by_hand else PASS), evidence


def _chats(known: _Known, gotcha: Gotcha) -> tuple[str, str]:
    name = str(gotcha.parts["object"])
    if known.staged is None:
        return WAITING, "read by flitstack stage"
    if not known.records(name):
        return WARN, "the export holds no chat as text: only when, how often and in which direction moves"
    chats = int(
        known.engine.one(f"SELECT count(DISTINCT {quoted(str(gotcha.parts['field']))}) FROM {known.parquet(name)}")[0]
    )
    if load_mapping(known.project) is None:
        return WAITING, f"{chats} chats are read; whom they belong to is seen by flitstack plan"
    lost = known.count(f"object = {literal(name)} AND code IN ('orphan_parent', 'ambiguous_match')")
    evidence = f"{chats} chats with {known.records(name):,} messages are read"
    return (
        (WARN, f"{evidence}; {lost} notes of them meet no card or several")
        if lost
        else (PASS, f"{evidence} and meet their card")
    )


def _agreed(known: _Known, gotcha: Gotcha) -> tuple[str, str]:
    """Values of a field that a decision of kind map names neither as what is mapped nor as what it is mapped to."""
    name, decision = str(gotcha.parts["object"]), str(gotcha.parts["decision"])
    if known.staged is None:
        return WAITING, "read by flitstack stage"
    field = quoted(str(gotcha.parts["field"]))
    if not known.records(name) or str(gotcha.parts["field"]) not in {f.name for f in known.staged.tables[name].fields}:
        return PASS, f"the export holds no {name} with {gotcha.parts['field']}"
    entries = dict(known.project.decisions.get(decision) or {})
    agreed = ", ".join(f"choice_key({literal(str(one))})" for pair in entries.items() for one in pair)
    rows = known.engine.rows(
        f"""SELECT min(clean({field})), count(*) FROM {known.parquet(name)}
        WHERE choice_key({field}) IS NOT NULL AND NOT coalesce(list_contains([{agreed}]::VARCHAR[], choice_key({field})), FALSE)
        GROUP BY choice_key({field}) ORDER BY count(*) DESC, 1"""
    )
    if not rows:
        return PASS, f"{decision} names every {gotcha.parts['field']} of {name}"
    told = _named([f"{value} ({count:,})" for value, count in rows])
    return WARN, f"{len(rows)} that {decision} does not name, with how many records: {told}"


def _processes(known: _Known, _: Gotcha) -> tuple[str, str]:
    return process_evidence(known.project, known.engine)


def _named(names: list[str]) -> str:
    return ", ".join(names[:NAMED]) + (f" and {len(names) - NAMED} more" if len(names) > NAMED else "")


def _size(size_bytes: float) -> str:
    return f"{size_bytes / 1024 / 1024:,.1f} MB" if size_bytes >= 1024 * 1024 else f"{size_bytes / 1024:,.1f} KB"


_COMMON = (
    Gotcha(
        "Licence and custom tables", "", "a Sales Professional licence covers 15 custom tables; the platform itself stops nobody",
        "map some tables to standard ones, or license the environment for Enterprise",
    ),
    Gotcha(
        "Request budget", "", "each row that is written counts against the tenant's daily requests",
        "load over several days, or count the licences in",
    ),
    Gotcha(
        "Owners of activities", "", "activities of a disabled owner fail without a word, so every owner is settled before the load",
        "settle owners.yaml, or have the users provisioned and enabled, then: flitstack plan",
    ),
    Gotcha(
        "Privileges of the migration user", "", "a missing privilege stops the load in its middle, a secured column refuses rows",
        "an administrator of the environment gives the application user a security role that holds them for the whole organization, "
        "and a field security profile for secured columns; then: flitstack plan",
    ),
)  # fmt: skip
_EVERYWHERE: Mapping[str, Finder] = dict(
    zip((gotcha.name for gotcha in _COMMON), (_licence, _requests, _owners_of_activities, _privileges), strict=True)
)
_FINDERS: Mapping[str, Finder] = {
    "export_path": _export_path,
    "findings": _findings,
    "decision": _decision,
    "unknown_columns": _unknown_columns,
    "attachments": _attachments,
    "at_least": _at_least,
    "roles": _roles,
    "chats": _chats,
    "agreed": _agreed,
    "processes": _processes,
}


def checks_document(checks: tuple[Check, ...]) -> list[dict[str, Any]]:
    """The checks as plain data."""
    return [
        {"name": one.name, "state": one.state, "evidence": one.evidence, "says": one.says, "do": one.do}
        for one in checks
    ]


def check_lines(checks: tuple[Check, ...]) -> list[str]:
    """What a person reads of them: those that do not pass."""
    shown = [one for one in in_order(checks) if one.state != PASS]
    lines = [f"check    {one.state:<8} {one.name}: {one.evidence}" for one in shown]
    return [*lines, f"checks: {len(checks) - len(shown)} of {len(checks)} pass"]
