"""Cells of a loaded project, chosen by chance over every column type, and changed behind everybody's back."""

import random
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import duckdb

from flitstack.app.emulators import call
from flitstack.documents import load_json
from flitstack.planning.document import Plan


@dataclass(frozen=True)
class Cell:
    """One cell and what it becomes."""

    table: str
    row: str
    column: str
    type: str
    record: str
    value: object


def choose_cells(project: Path, chance: random.Random, most: int) -> list[Cell]:
    """At most `most` cells that the plan filled and reconcile compares, no two of a row and column."""
    folder = next((project / ".flitstack").glob("*/plan"))
    plan = load_json(folder / "plan.json", Plan)
    cells = []
    for send in plan.tables:
        source = f"read_parquet('{folder / send.parquet}')"
        for column in send.columns:
            if not column.verify or column.is_lookup or column.read_back != column.name:
                continue
            rows = duckdb.sql(
                f"SELECT CAST(_row AS VARCHAR), _record, {column.name} FROM {source} WHERE {column.name} IS NOT NULL"
            ).fetchall()
            for row, record, value in rows:
                wrong = _other(column.type, value, chance)
                if wrong is not None:
                    cells.append(Cell(send.table, row, column.name, column.type, str(record), wrong))
    chance.shuffle(cells)
    return cells[:most]


def corrupt(url: str, cells: list[Cell]) -> None:
    """Change them in the emulator's store, past every rule."""
    for cell in cells:
        call(url, "cell", {"table": cell.table, "id": cell.row, "column": cell.column, "value": cell.value})


def _other(kind: str, value: object, chance: random.Random) -> object:
    """A value of the type that is not this one: the smallest change that can be told."""
    if kind in {"String", "Memo"}:
        text = str(value)
        place = chance.randrange(len(text))
        letter = "x" if text[place] != "x" else "y"
        return text[:place] + letter + text[place + 1 :]
    if kind in {"Integer", "BigInt", "Picklist"}:
        return int(str(value)) + 1
    if kind in {"Money", "Decimal", "Double"}:
        return float(str(value)) + 1
    if kind == "Boolean":
        return not value
    if isinstance(value, datetime):
        return (value.astimezone(UTC) + timedelta(seconds=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    if isinstance(value, date):
        return (value + timedelta(days=1)).isoformat()
    if kind == "MultiSelectPicklist":
        return str(value).split(",")[0] + "1"
    return None
