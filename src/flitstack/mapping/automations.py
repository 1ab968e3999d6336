"""Definitions of automations that an export carries, read from its staged tables with the playbook's expressions."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flitstack.errors import Problem, UsageError
from flitstack.mapping.expressions import ExpressionError, Scope, compile_expression
from flitstack.packs.automations import EXPRESSIONS, OF_ITEM, Automation
from flitstack.packs.types import Pack
from flitstack.staging.document import StagedTable, StagingDocument
from flitstack.staging.engine.engine import Engine, quoted, read_parquet

ITEM = "_item"


@dataclass(frozen=True, slots=True)
class Action:
    """One thing a definition does. `detail`: what it says, sends or sets, as the source has it."""

    action: str
    detail: str


@dataclass(frozen=True, slots=True)
class Definition:
    """One automation of the customer's, as the export has it. `enabled`: None where the export does not say."""

    id: str
    title: str
    enabled: bool | None
    on: str
    trigger: str
    condition: str
    actions: tuple[Action, ...]
    file: str
    record: str


def read_definitions(
    engine: Engine,
    pack: Pack,
    automation: Automation,
    staged: StagingDocument,
    folder: Path,
    decisions: Mapping[str, Any],
) -> tuple[Definition, ...]:
    """Every definition of this kind, in the order of the files; () when the export holds none.

    Raises UsageError for an expression of the playbook that cannot stand.
    """
    table = staged.tables.get(automation.object)
    if table is None or not table.records:
        return ()
    try:
        rows = _read(engine, pack, automation, table, folder, decisions)
    except ExpressionError as error:
        where = f"{pack.name}/playbook.yaml, automation {automation.name}"
        raise UsageError(
            Problem("automation-expression", str(error), where=where, do="correct the expression in the playbook")
        ) from error
    return tuple(_definitions(rows))


def _read(
    engine: Engine, pack: Pack, automation: Automation, table: StagedTable, folder: Path, decisions: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """A row for every action of every definition."""
    there = [known.name for known in table.fields]
    absent = [name for name in pack.objects[automation.object].fields if name not in there]
    scope = Scope((*there, *absent), decisions)
    over = Scope((*scope.fields, ITEM), decisions)
    source = read_parquet(folder / table.parquet)
    filled = "".join(f", NULL::VARCHAR AS {quoted(name)}" for name in absent)
    given = automation.expressions
    parts = {
        part: _text(given.get(part, "NULL"), over if part in OF_ITEM else scope)
        for part in (*EXPRESSIONS, *OF_ITEM)
        if part != "each"
    }
    each = f"CAST({compile_expression(given['each'], scope).sql} AS VARCHAR[])" if "each" in given else "NULL"
    items = (
        f"CASE WHEN len(coalesce({each}, [])) > 0 THEN {each} ELSE [NULL::VARCHAR] END" if "each" in given else "[NULL]"
    )
    columns = ", ".join(f"{sql} AS part_{part}" for part, sql in parts.items())
    rows = engine.rows(
        f"SELECT _file, _record, _id, {columns} FROM (SELECT *, unnest({items}) AS {ITEM}, "
        f"generate_subscripts({items}, 1) AS _at FROM (SELECT *{filled} FROM {source})) ORDER BY _file, _record, _at"
    )
    return [dict(zip(("file", "number", "record", *parts), row, strict=True)) for row in rows]


def _text(expression: str, scope: Scope) -> str:
    return f"CAST({compile_expression(expression, scope).sql} AS VARCHAR)"


def _definitions(rows: list[dict[str, Any]]) -> Iterator[Definition]:
    """Rows of one record, one an action, become one definition."""
    groups: dict[tuple[str, int], list[dict[str, Any]]] = {}
    for row in rows:
        groups.setdefault((row["file"], row["number"]), []).append(row)
    for group in groups.values():
        first = group[0]
        actions = tuple(
            Action(row["action"] or "", row["detail"] or "") for row in group if row["action"] or row["detail"]
        )
        yield Definition(
            id=first["id"] or first["record"],
            title=first["title"] or "",
            enabled=None if first["enabled"] is None else first["enabled"] == "true",
            on=first["on"] or "",
            trigger=first["trigger"] or "",
            condition=first["condition"] or "",
            actions=actions,
            file=first["file"],
            record=first["record"],
        )
