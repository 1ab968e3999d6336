"""A user or a team takes roles of its own business unit alone, each unit having its own copy of a role.

Environments in which an administrator lets records be owned across business units take others, too: not this one.
Sources: Microsoft Learn, "Sample: Associate a security role to a team" (a role of another unit fails), "Security concepts in
Microsoft Dataverse" (matrix data access structure). They name no code: the one here is this emulator's choice.
"""

from collections.abc import Iterable

from flitstack.catalogue.types import ManyToMany
from flitstack.emulator.messages import Refusal
from flitstack.emulator.values import guid_text
from flitstack.emulator.work import Work

_HOLDERS = frozenset({"systemuser", "team"})


def refuse_roles_of_other_units(work: Work, pairs: ManyToMany, rows: Iterable[tuple[bytes, bytes]]) -> None:
    """Raise Refusal for the first pair of a role and a user or team of two business units."""
    tables = (pairs.table1, pairs.table2)
    if "role" not in tables or not _HOLDERS & set(tables):
        return
    for ids in rows:
        units = [_unit(work, table, id_) for table, id_ in zip(tables, ids, strict=True)]
        if None not in units and units[0] != units[1]:
            role, holder = ids if tables[0] == "role" else reversed(ids)
            name = next(table for table in tables if table != "role")
            raise Refusal(
                400,
                "0x80040203",
                f"The role {guid_text(role)} belongs to another business unit than the {name} {guid_text(holder)}.",
            )


def _unit(work: Work, table: str, id_: bytes) -> object:
    row = work.find(work.store.schema.tables[table], id_)
    return row and row.get("businessunitid")
