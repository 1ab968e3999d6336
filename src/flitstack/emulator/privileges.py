"""What a caller's roles allow: privileges by name, each with the depth to which it reaches.

Sources: Microsoft Learn, "Security roles and privileges", "Impersonate another user using the Web API", "Web service error
codes". Who holds System Administrator holds everything and has no `Rights` at all, so that nothing is checked.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from uuid import UUID, uuid5

from flitstack.emulator.ddl import literal, quoted
from flitstack.emulator.messages import Caller, Refusal
from flitstack.emulator.schema import EntityModel
from flitstack.emulator.seed import APPLICATION_USER
from flitstack.emulator.store import Store
from flitstack.emulator.values import guid_text, uuid_blob

BASIC, LOCAL, DEEP, GLOBAL = range(4)
DEPTHS = ("Basic", "Local", "Deep", "Global")
VERBS = ("Create", "Read", "Write", "Delete", "Append", "AppendTo", "Assign", "Share")
ADMINISTRATOR = "System Administrator"
IMPERSONATE, BYPASS = "prvActOnBehalfOfAnotherUser", "prvBypassCustomPlugins"
MISCELLANEOUS = (
    IMPERSONATE, BYPASS, "prvBypassCustomBusinessLogic", "prvOverrideCreatedOnCreatedBy", "prvBulkDelete", "prvMerge",
    "prvAssignRole", "prvCreateEntity", "prvWriteEntity", "prvDeleteEntity", "prvCreateAttribute", "prvWriteAttribute",
    "prvDeleteAttribute", "prvCreateRelationship", "prvWriteRelationship", "prvDeleteRelationship", "prvCreateOptionSet",
    "prvWriteOptionSet", "prvDeleteOptionSet", "prvPublishCustomization", "prvImportCustomization",
    "prvExportCustomization",
)  # fmt: skip
# Tables whose privileges are not named after their schema name; all activities share one set.
_NAMES = {
    "salesorder": "Order", "salesorderdetail": "Order", "quotedetail": "Quote", "invoicedetail": "Invoice",
    "opportunityproduct": "Opportunity", "annotation": "Note", "systemuser": "User", "activitymimeattachment": "Activity",
    "activitypointer": "Activity", "activityparty": "Activity",
}  # fmt: skip
_SOLD = ("Account", "Contact", "Lead", "Opportunity", "Quote", "Order", "Invoice", "Activity", "Note", "Connection")
_NAMESPACE = UUID("0d5f2a86-1d0c-4d5a-9a2f-2a1c0f3f9a11")
_TABLE = "environment$role_privilege"


def privilege(verb: str, model: EntityModel) -> str:
    """`prvReadAccount`."""
    table = model.table
    return f"prv{verb}{'Activity' if table.is_activity else _NAMES.get(table.name, table.schema_name)}"


def privilege_id(name: str) -> UUID:
    """The id of a privilege; the same in every environment."""
    return uuid5(_NAMESPACE, name)


def all_privileges(store: Store) -> Mapping[str, UUID]:
    """Every privilege of the environment with its id."""
    found = store.compiled.get("privileges")
    if not isinstance(found, dict):
        names = {privilege(verb, model) for model in store.schema.tables.values() for verb in VERBS}
        found = store.compiled["privileges"] = {name: privilege_id(name) for name in sorted({*names, *MISCELLANEOUS})}
    return found


def role_privileges(store: Store, role: bytes, name: str) -> dict[str, int]:
    """What a role holds: what was given to it, else what its name promises in a new environment."""
    _make_table(store)
    rows = store.connection.execute(f"SELECT name, depth FROM {quoted(_TABLE)} WHERE role = ?", (role,)).fetchall()
    return {row[0]: row[1] for row in rows if row[0]} if rows else _promised(store, name)


def set_role_privileges(store: Store, role: bytes, held: Mapping[str, int]) -> None:
    """Replace what a role holds."""
    _make_table(store)
    store.connection.execute(f"DELETE FROM {quoted(_TABLE)} WHERE role = ?", (role,))
    # The empty name says that the role was set, even to nothing.
    store.connection.executemany(
        f"INSERT INTO {quoted(_TABLE)} VALUES (?, ?, ?)",
        [(role, name, depth) for name, depth in {"": 0, **held}.items()],
    )


def _make_table(store: Store) -> None:
    store.connection.execute(
        f"CREATE TABLE IF NOT EXISTS {quoted(_TABLE)} "
        "(role BLOB, name TEXT, depth INTEGER, PRIMARY KEY (role, name)) WITHOUT ROWID"
    )


def _promised(store: Store, role: str) -> dict[str, int]:
    """Known roles by name. What they hold in detail is this emulator's choice."""
    if role == ADMINISTRATOR:
        return dict.fromkeys(all_privileges(store), GLOBAL)
    if role == "Delegate":
        return {IMPERSONATE: GLOBAL}
    held: dict[str, int] = {}
    if role in {"Salesperson", "System Customizer"}:
        for model in store.schema.tables.values():
            if "ownerid" not in model.stored:
                held[privilege("Read", model)] = held[privilege("AppendTo", model)] = GLOBAL
        held |= {f"prv{verb}{name}": BASIC for verb in VERBS for name in _SOLD}
    if role == "System Customizer":
        custom = {name for name in MISCELLANEOUS if name.endswith(("Entity", "Attribute", "Relationship", "OptionSet"))}
        held |= dict.fromkeys({*custom, "prvPublishCustomization", "prvImportCustomization"}, GLOBAL)
        own = [model for model in store.schema.tables.values() if model.is_custom]
        held |= {privilege(verb, model): GLOBAL for verb in VERBS for model in own}
    return held


@dataclass(slots=True)
class Rights:
    """What one user may do. `principals` are the user and its teams, `units` the business units it reaches by depth."""

    user: bytes
    unit: bytes
    held: dict[str, int]
    principals: frozenset[bytes]
    below: frozenset[bytes] = field(default_factory=frozenset)

    def require(self, name: str, what: str = "") -> int:
        """The depth of a privilege; 403 0x80040220 without it."""
        depth = self.held.get(name)
        if depth is None:
            raise Refusal(
                403,
                "0x80040220",
                f"Principal user (Id={guid_text(self.user)}) is missing {name} privilege "
                f"(Id={privilege_id(name)}){what}.",
            )
        return depth

    def require_on(self, verb: str, model: EntityModel) -> int:
        """The depth of a privilege on a table."""
        return self.require(privilege(verb, model), f" on OTC={model.table.object_type_code} for entity '{model.name}'")

    def covers(self, depth: int, owner: object, unit: object) -> bool:
        """Whether a privilege of this depth reaches a row of this owner and business unit."""
        if depth == GLOBAL or owner in self.principals:
            return True
        return (depth == LOCAL and unit == self.unit) or (depth == DEEP and unit in self.below)

    def condition(self, model: EntityModel) -> str:
        """The rows of a table that the user may read, as SQL condition; 403 when it may read none."""
        depth = self.require_on("Read", model)
        if depth == GLOBAL or "ownerid" not in model.stored:
            return "1"
        condition = f"ownerid IN ({_listed(self.principals)})"
        units = {LOCAL: frozenset({self.unit}), DEEP: self.below}.get(depth, frozenset())
        if units and "owningbusinessunit" in model.stored:
            condition += f" OR owningbusinessunit IN ({_listed(units)})"
        return condition


def _listed(ids: Iterable[bytes]) -> str:
    return ", ".join(map(literal, sorted(ids)))


def rights_of(store: Store, caller: Caller) -> Rights | None:
    """The rights of a caller, None for one who may do everything.

    Who acts for somebody else needs prvActOnBehalfOfAnotherUser and may do what both may.
    """
    if not store.switches.check_privileges:
        return None
    own = None if caller.user_id == APPLICATION_USER else _rights(store, uuid_blob(caller.user_id))
    if caller.on_behalf_of is None or caller.on_behalf_of == APPLICATION_USER:
        return own
    real = _rights(store, uuid_blob(caller.on_behalf_of))
    if real is None:
        return own
    if IMPERSONATE not in real.held:
        raise Refusal(
            403,
            "0x8004A110",
            f"User {guid_text(real.user)} does not have the privilege to act on behalf of another user "
            f"({IMPERSONATE}).",
        )
    if own is None:
        return Rights(uuid_blob(caller.user_id), real.unit, real.held, real.principals, real.below)
    both = {name: min(depth, real.held[name]) for name, depth in own.held.items() if name in real.held}
    return Rights(own.user, own.unit, both, own.principals, own.below)


def _rights(store: Store, user: bytes) -> Rights | None:
    teams = _pairs(store, "teammembership_association", "systemuser", [user])
    roles = {*_pairs(store, "systemuserroles_association", "systemuser", [user])}
    roles |= {*_pairs(store, "teamroles_association", "team", teams)}
    model = store.schema.tables["role"]
    marks = ",".join("?" * len(roles))
    rows = store.connection.execute(
        f"SELECT roleid, name FROM {store.ensure(model)} WHERE roleid IN ({marks})", list(roles)
    ).fetchall()
    if any(name == ADMINISTRATOR for _, name in rows):
        return None
    if not rows and not store.switches.require_roles:
        return None
    if not rows:
        raise Refusal(403, "0x80042F09", f"The user with id {guid_text(user)} has not been assigned any roles.")
    held: dict[str, int] = {}
    for role, name in rows:
        for own, depth in role_privileges(store, role, str(name)).items():
            held[own] = max(depth, held.get(own, BASIC))
    people = store.schema.tables["systemuser"]
    found = store.connection.execute(
        f"SELECT businessunitid FROM {store.ensure(people)} WHERE systemuserid = ?", (user,)
    ).fetchone()
    unit = found[0] if found and found[0] else store.root_unit
    below = _units_below(store, unit) if DEEP in held.values() else frozenset({unit})
    return Rights(user, unit, held, frozenset({user, *teams}), below)


def _pairs(store: Store, relationship: str, near: str, ids: list[bytes]) -> list[bytes]:
    """What rows of one side of a N:N relationship are linked to."""
    many = store.schema.many_to_many.get(relationship)
    if many is None or not ids:
        return []
    own, other = ("first", "second") if many.table1 == near else ("second", "first")
    marks = ",".join("?" * len(ids))
    sql = f"SELECT {other} FROM {store.ensure_pairs(many)} WHERE {own} IN ({marks})"
    return [row[0] for row in store.connection.execute(sql, ids)]


def _units_below(store: Store, unit: bytes) -> frozenset[bytes]:
    table = store.ensure(store.schema.tables["businessunit"])
    rows = store.connection.execute(
        f"WITH RECURSIVE below (id) AS (SELECT ? UNION SELECT businessunitid FROM {table} b "
        "JOIN below ON b.parentbusinessunitid = below.id) SELECT id FROM below",
        (unit,),
    )
    return frozenset(row[0] for row in rows)
