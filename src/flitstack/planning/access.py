"""What the migration user must be allowed to do for a plan, held against what it may do: before the load, not in its middle."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from flitstack.catalogue.types import Table
from flitstack.destinations.port import Facts
from flitstack.planning.document import Plan, SendTable

WIDEST = "Global"
_WRITING = frozenset({"update", "lookups", "state", "files", "parties"})
# Schema operation -> privilege, as System Customizer holds them. Source: Microsoft Learn, "Security roles and privileges".
_SCHEMA = {
    "create_table": ("prvCreateEntity",),
    "add_column": ("prvCreateAttribute",),
    "add_option": ("prvWriteAttribute",),
    "widen_column": ("prvWriteAttribute",),
    "add_key": ("prvCreateAttribute",),
    "add_relationship": ("prvCreateRelationship",),
    "publish": ("prvPublishCustomization",),
}


@dataclass(frozen=True, slots=True)
class Need:
    """One privilege and what for. `is_vital`: without it rows are refused; otherwise something later is (a rollback)."""

    privilege: str
    why: str
    is_vital: bool = True
    is_owned: bool = False  # of rows that get other owners: it must reach further than the user's own


@dataclass(frozen=True, slots=True)
class Access:
    """The outcome. `is_told`: the environment says what the user may do; `narrow`: held, but only for the user's own rows or
    unit; `secured`: columns under field-level security; `made`: tables whose privileges come into being with the plan, none
    for an administrator, who has them at once."""

    is_told: bool
    needed: int
    missing: tuple[Need, ...] = ()
    narrow: tuple[str, ...] = ()
    secured: tuple[str, ...] = ()
    made: tuple[str, ...] = ()


def check_access(plan: Plan, live: Mapping[str, Table | None], facts: Facts) -> Access:
    """`live`: metadata of the tables the map names; those that are not there yet cannot be asked about."""
    needs = {need.privilege: need for need in reversed([*_rows(plan, live), *_schema(plan), *_roles(plan)])}
    coming = {send.table for send in plan.tables if live.get(send.table) is None}
    made = () if facts.is_administrator else tuple(sorted(coming))
    secured = tuple(sorted(_secured(plan, live)))
    held = facts.privileges
    if held is None:
        return Access(False, len(needs), secured=secured, made=made)
    missing = tuple(sorted((n for n in needs.values() if n.privilege not in held), key=lambda n: n.privilege))
    narrow = sorted(n.privilege for n in needs.values() if n.is_owned and held.get(n.privilege, WIDEST) != WIDEST)
    return Access(True, len(needs), missing, tuple(f"{name} ({held[name]})" for name in narrow), secured, made)


def _rows(plan: Plan, live: Mapping[str, Table | None]) -> Iterator[Need]:
    kinds: dict[str, set[str]] = {}
    for step in plan.steps:
        kinds.setdefault(step.send, set()).add(step.kind)
    for send in plan.tables:
        table = live.get(send.table)
        if table is not None and table.privileges:
            yield from _of_table(send, table, kinds.get(send.name, set()), live)


def _of_table(send: SendTable, table: Table, kinds: set[str], live: Mapping[str, Table | None]) -> Iterator[Need]:
    label = table.label_plural or table.name
    columns = [table.column(column.name) for column in send.columns]
    is_owned = any(column is not None and column.type == "Owner" for column in columns)
    verbs = [("Read", f"{label} are read back and compared", True)]
    if "create" in kinds:
        verbs += [("Create", f"{label} are created", True), ("Delete", f"a rollback deletes {label}", False)]
    if kinds & _WRITING:
        verbs.append(("Write", f"{label} are changed or closed", True))
    if is_owned:
        verbs.append(("Assign", f"{label} get the owners of the source", False))
    targets = {t for c in columns if c is not None and c.type in {"Lookup", "Customer"} for t in c.targets}
    known = [found for target in sorted(targets) if (found := live.get(target)) is not None and found.privileges]
    if known or "associate" in kinds:
        verbs.append(("Append", f"{label} point to other rows", True))
    for verb, why, is_vital in verbs:
        if verb in table.privileges:
            yield Need(table.privileges[verb], why, is_vital, is_owned)
    for target in known:
        if "AppendTo" in target.privileges:
            yield Need(target.privileges["AppendTo"], f"{label} point to {target.label_plural or target.name}")
    if any(column.name == "overriddencreatedon" for column in send.columns):
        yield Need("prvOverrideCreatedOnCreatedBy", "rows keep the time they were created at in the source")


def _schema(plan: Plan) -> Iterator[Need]:
    for step in plan.steps:
        for operation in step.operations:
            for name in _SCHEMA.get(str(operation["kind"]), ()):
                yield Need(name, "tables and columns are made (or an administrator imports the solution file)")


def _roles(plan: Plan) -> Iterator[Need]:
    if plan.roles:
        yield Need("prvAssignRole", "users get the roles that role_map names")


def _secured(plan: Plan, live: Mapping[str, Table | None]) -> set[str]:
    found = set()
    for send in plan.tables:
        table = live.get(send.table)
        for sent in send.columns:
            column = table.column(sent.name) if table else None
            if column is not None and column.is_secured:
                found.add(f"{send.table}.{sent.name}")
    return found
