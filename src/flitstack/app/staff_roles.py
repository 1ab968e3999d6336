"""Roles of staff: read from the staged people and from the environment, where the decision gives them.

The playbook's `staff_roles` says where: {object, email, role, when, map, decision}.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from uuid import UUID

import pyarrow.parquet as pq

from flitstack.app.existing import fetch_existing
from flitstack.app.project import Project
from flitstack.app.store import staged_folder
from flitstack.catalogue.types import Table
from flitstack.destinations.port import Destination, Facts
from flitstack.errors import Problem, UsageError
from flitstack.mapping.expressions import Scope, compile_expression
from flitstack.planning.document import Grant
from flitstack.planning.roles import LIST, POLICIES, Person, Roles, Units, match_roles
from flitstack.staging.document import StagingDocument
from flitstack.staging.engine.engine import Engine, quoted, read_parquet

_READ: Mapping[str, Mapping[str, str]] = {
    "systemuser": {"unit": "businessunitid"},
    "role": {"name": "name", "unit": "businessunitid"},
    "businessunit": {"name": "name"},
}


def roles_policy(project: Project) -> str:
    """list | assign | assign_all; `list` where the pack knows of no staff. Raises UsageError."""
    rule = project.pack.playbook.get("staff_roles")
    policy = str(project.decisions.get(str(rule["decision"])) or LIST) if rule else LIST
    if policy not in POLICIES:
        raise UsageError(
            Problem("option-unknown", f"decision {rule['decision'] if rule else ''}: {policy}", where="decisions.yaml",
                    known=", ".join(POLICIES), do="write one of these")
        )  # fmt: skip
    return policy


async def fetch_units(project: Project, destination: Destination, folder: Path) -> dict[str, Path]:
    """Users, roles and business units of the environment, one Parquet file a table; nothing where no roles are given."""
    if roles_policy(project) == LIST:
        return {}
    live: dict[str, Table | None] = {name: await destination.table(name) for name in _READ}
    return await fetch_existing(destination, _READ, live, folder)


def settle_roles(
    engine: Engine, project: Project, staged: StagingDocument, facts: Facts, files: Mapping[str, Path]
) -> Roles:
    """Who gets which role. Raises UsageError where a role is not there."""
    rule, policy = project.pack.playbook.get("staff_roles"), roles_policy(project)
    if rule is None or policy == LIST or rule["object"] not in staged.tables:
        return Roles()
    role_map = project.decisions.get(str(rule["map"])) or {}
    found = match_roles(_people(engine, project, rule), facts.users, _units(files), role_map, policy)
    if found.problems:
        raise UsageError(*found.problems)
    return found


def roles_lines(roles: Roles) -> list[str]:
    """What a person reads of it: by role how many users get it, and what is left to do by hand."""
    counts: dict[str, int] = {}
    for grant in roles.grants:
        counts[grant.name] = counts.get(grant.name, 0) + 1
    lines = [f"roles: {count:,} users get {name} (owners.yaml lists them)" for name, count in sorted(counts.items())]
    return lines + [f"roles: {count:,} left: {why}" for why, count in sorted((roles.left or {}).items())]


def roles_listed(grants: tuple[Grant, ...]) -> dict[str, list[str]]:
    """Address -> roles, for owners.yaml, which is signed."""
    listed: dict[str, list[str]] = {}
    for grant in grants:
        listed.setdefault(grant.email, []).append(grant.name)
    return listed


def _people(engine: Engine, project: Project, rule: Mapping[str, Any]) -> list[Person]:
    name = str(rule["object"])
    path = staged_folder(project) / f"{name}.parquet"
    source = read_parquet(path)
    columns = tuple(str(row[0]) for row in engine.rows(f"DESCRIBE SELECT * FROM {source}"))
    email, role = (quoted(str(rule[word])) if rule[word] in columns else "NULL::VARCHAR" for word in ("email", "role"))
    where = "TRUE"
    if rule.get("when"):
        declared = (*columns, *(field for field in project.pack.objects[name].fields if field not in columns))
        blanks = "".join(f", NULL::VARCHAR AS {quoted(field)}" for field in declared if field not in columns)
        source = f"(SELECT *{blanks} FROM {source})"
        where = f"coalesce({compile_expression(str(rule['when']), Scope(declared, project.decisions)).sql}, FALSE)"
    rows = engine.rows(
        f"""SELECT email_key({email}), coalesce(clean({role}), ''), _file, _id FROM {source}
        WHERE email_key({email}) IS NOT NULL AND {where} ORDER BY _file, _record"""
    )
    return [Person(str(address), str(said), name, str(file), str(record)) for address, said, file, record in rows]


def _units(files: Mapping[str, Path]) -> Units:
    def read(table: str) -> list[dict[str, Any]]:
        return pq.read_table(files[table]).to_pylist() if table in files else []

    return Units(
        {
            UUID(bytes=one["_row"]): UUID(bytes=one["businessunitid"])
            for one in read("systemuser")
            if one["businessunitid"]
        },
        {
            (UUID(bytes=one["businessunitid"]), str(one["name"]).casefold().strip()): UUID(bytes=one["_row"])
            for one in read("role")
            if one["businessunitid"]
        },
        {UUID(bytes=one["_row"]): str(one["name"]) for one in read("businessunit")},
    )
