"""Deleting rows: what the relationships say happens to the rows that point to them."""

from collections.abc import Sequence

from flitstack.catalogue.types import OneToMany
from flitstack.emulator.ddl import is_polymorphic, pair_table, quoted, type_column
from flitstack.emulator.files.contents import drop_of_rows
from flitstack.emulator.messages import Refusal
from flitstack.emulator.rows.deletions import record_deletions
from flitstack.emulator.rows.guards import guard_delete
from flitstack.emulator.rows.processes import goes_with
from flitstack.emulator.rows.sales import PARENTS
from flitstack.emulator.rows.totals import documents_of, recalculate
from flitstack.emulator.schema import EntityModel
from flitstack.emulator.work import Work

_CHUNK = 500


def delete_rows(work: Work, model: EntityModel, ids: Sequence[bytes]) -> None:
    """Delete rows and what hangs on them; 405 when a Restrict relationship has rows that would stay.

    Restrict is judged after the cascades of the same delete, so that a child that goes anyway does not hold its parent.
    """
    model.require_message("Delete")
    if work.rights is not None:
        guard_delete(work, work.rights, model, ids)
    doomed: dict[str, dict[bytes, None]] = {}
    _collect(work, model, list(ids), doomed)
    for name, rows in doomed.items():
        _release(work, work.store.schema.tables[name], list(rows), doomed)
    documents = {name: documents_of(work, name, list(rows)) for name, rows in doomed.items() if name in PARENTS}
    for name, rows in doomed.items():
        _erase(work, work.store.schema.tables[name], list(rows))
    for name, ids in documents.items():
        recalculate(work, PARENTS[name], ids)


def _collect(work: Work, model: EntityModel, ids: list[bytes], doomed: dict[str, dict[bytes, None]]) -> None:
    """The rows that go: the named ones and, over Cascade relationships, their children."""
    known = doomed.setdefault(model.name, {})
    new = [id_ for id_ in ids if id_ not in known]
    if not new:
        return
    known.update(dict.fromkeys(new))
    for relationship in work.store.schema.children.get(model.name, ()):
        child = work.store.schema.tables[relationship.referencing]
        if relationship.cascade.get("delete") == "Cascade" or goes_with(child, relationship.referencing_column):
            found = _children(work, child, relationship, new)
            if found:
                _collect(work, child, found, doomed)
    if model.table.is_activity and "activityparty" in work.store.schema.tables:
        party = work.store.schema.tables["activityparty"]
        own = _pointing(work, party, "activityid", new, None)
        if own:
            _collect(work, party, own, doomed)


def _release(work: Work, model: EntityModel, ids: list[bytes], doomed: dict[str, dict[bytes, None]]) -> None:
    for relationship in work.store.schema.children.get(model.name, ()):
        action = relationship.cascade.get("delete", "NoCascade")
        if action == "Cascade":
            continue
        child = work.store.schema.tables[relationship.referencing]
        gone = doomed.get(child.name, {})
        staying = [id_ for id_ in _children(work, child, relationship, ids) if id_ not in gone]
        if not staying:
            continue
        if action == "Restrict":
            raise Refusal(
                405,
                "0x80040227",
                f"The object you tried to delete is associated with another object and cannot be deleted. "
                f"(relationship {relationship.name})",
            )
        if action == "RemoveLink":
            _clear(work, child, relationship.referencing_column, staying)


def _children(work: Work, child: EntityModel, relationship: OneToMany, parents: list[bytes]) -> list[bytes]:
    column = child.columns[relationship.referencing_column]
    if not work.store.exists(child.name):
        return []
    kind = relationship.referenced if is_polymorphic(column) else None
    return _pointing(work, child, column.name, parents, kind)


def _pointing(work: Work, child: EntityModel, column: str, parents: list[bytes], kind: str | None) -> list[bytes]:
    if not work.store.exists(child.name):
        return []
    work.store.ensure_index(child.name, column)
    found: list[bytes] = []
    for start in range(0, len(parents), _CHUNK):
        chunk = parents[start : start + _CHUNK]
        sql = (
            f"SELECT {quoted(child.table.id_column)} FROM {quoted(child.name)} "
            f"WHERE {quoted(column)} IN ({','.join('?' * len(chunk))})"
        )
        parameters: list[bytes | str] = [*chunk]
        if kind is not None:
            sql += f" AND {quoted(type_column(column))} = ?"
            parameters.append(kind)
        found.extend(row[0] for row in work.store.connection.execute(sql, parameters))
    return found


def _clear(work: Work, child: EntityModel, column: str, ids: list[bytes]) -> None:
    cleared = [column, *([type_column(column)] if is_polymorphic(child.columns[column]) else [])]
    sets = [f"{quoted(name)} = NULL" for name in cleared]
    if "versionnumber" in child.stored:
        sets.append(f"versionnumber = {work.store.next_version()}")
    rows, id_column = work.store.ensure_rows(child, cleared), quoted(child.table.id_column)
    work.store.connection.executemany(
        f"UPDATE {rows} SET {', '.join(sets)} WHERE {id_column} = ?", [(id_,) for id_ in ids]
    )


def _erase(work: Work, model: EntityModel, ids: list[bytes]) -> None:
    store = work.store
    sql = f"DELETE FROM {store.ensure_rows(model, ())} WHERE {quoted(model.table.id_column)} = ?"
    store.connection.executemany(sql, [(id_,) for id_ in ids])
    record_deletions(work, model, ids)
    drop_of_rows(store, model.name, ids)
    for nav in model.collections.values():
        if nav.pairs is None or not store.exists(pair_table(nav.pairs)):
            continue
        sides = (
            ("first", "second") if nav.pairs.table1 == nav.pairs.table2 else ("first" if nav.is_first else "second",)
        )
        for side in sides:
            store.connection.executemany(
                f"DELETE FROM {quoted(pair_table(nav.pairs))} WHERE {side} = ?", [(id_,) for id_ in ids]
            )
